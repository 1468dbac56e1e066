"""Columns and groups of QuEST's classification experiments."""

from experiments.schema.table import Column, Group

PROTOCOL = "classification"
PROTOCOL_TEXT = "top-1 accuracy on held-out images of the trained classes"
PARAMETERS = Column(
    name="parameters", unit="M", metric="parameters", factor=1e-6, better="lower", relative="percent"
)
TOP_1 = Column(name="top-1", unit="%", metric="top1", factor=100, better="higher", relative="difference")
ERROR = Column(
    name="error rate", unit="%", metric="top1_error", factor=100, better="lower", relative="difference"
)
COMPRESSION = Column(
    name="compression", unit="%", metric="reduction", factor=100, better="higher", relative="difference"
)


def group(title: str, *columns: Column) -> Group:
    """Columns of one kind of network."""
    return Group(
        title=title, protocol=PROTOCOL, protocol_text=PROTOCOL_TEXT, columns=columns, is_dataset=False
    )


TEACHER = group("teacher", PARAMETERS, TOP_1)
STUDENT = group("student", PARAMETERS, TOP_1)
WITH_WORDS = group("QuEST", COMPRESSION, TOP_1)
CIFAR_10 = Group(title="CIFAR-10", protocol=PROTOCOL, protocol_text=PROTOCOL_TEXT, columns=(ERROR,))
