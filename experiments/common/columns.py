"""Columns of the tables, and the data sets with their protocols as groups of columns."""

from experiments.schema.table import Column, Group

PARAMETERS = Column(name="MP", unit="M", metric="parameters", factor=1e-6, better="lower", relative="percent")
MULTIPLY_ADDS = Column(
    name="FLOPs", unit="G", metric="multiply_adds", factor=1e-9, better="lower", relative="percent"
)
MEAN_AVERAGE_PRECISION = Column(
    name="mAP", unit="%", metric="{protocol}/mAP", factor=100, better="higher", relative="difference"
)
RANK_1 = Column(
    name="R1", unit="%", metric="{protocol}/rank1", factor=100, better="higher", relative="difference"
)
COLUMNS = (PARAMETERS, MULTIPLY_ADDS, MEAN_AVERAGE_PRECISION, RANK_1)

IN_SHOP = Group(
    title="In-Shop",
    protocol="cross_camera",
    protocol_text="query cameras against the other cameras, nothing excluded",
    columns=COLUMNS,
)
VERI_776 = Group(
    title="VeRi-776",
    protocol="camera_rule",
    protocol_text="images of the query's identity from its own camera excluded",
    columns=COLUMNS,
)
MSMT17 = Group(
    title="MSMT17",
    protocol="camera_rule",
    protocol_text="images of the query's identity from its own camera excluded; images of 2:1 aspect",
    columns=COLUMNS,
)
