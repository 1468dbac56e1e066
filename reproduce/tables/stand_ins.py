"""Names and descriptions of the networks that stand for the paper's below its scale."""

from collections.abc import Mapping

from cdd.architecture import Network
from experiments.schema.scale import Scale
from experiments.schema.table import Row, Table

STAND_IN = "{} stand-in"


def network_texts(table: Table, row: Row, scale: Scale) -> tuple[str, ...]:
    """The row's text cells, in which a network that is not the paper's is called its stand-in."""
    networks = _stand_ins(table, row, scale)
    return tuple(STAND_IN.format(text) if text in networks else text for text in row.texts)


def networks_note(table: Table, scale: Scale) -> str | None:
    """The stand-ins by the names of the paper's networks; None for a table that names none."""
    found = {text: network for row in table.rows for text, network in _stand_ins(table, row, scale).items()}
    listed = "; ".join(f"{text}, {network.description}" for text, network in sorted(found.items()))
    return f"Stand-ins for the paper's networks at this scale: {listed}." if found else None


def _stand_ins(table: Table, row: Row, scale: Scale) -> dict[str, Network]:
    """By the cell that names the paper's network."""
    ours, published = _networks(row, scale), _networks(row, "paper")
    cells = zip(table.headings[1:], row.texts, strict=True)
    return {text: ours[role] for role, text in cells if role in ours and ours[role] != published[role]}


def _networks(row: Row, scale: Scale) -> Mapping[str, Network]:
    """The networks of a row's run, by the headings of the columns that name them."""
    recipe = next((entry.recipe(scale, 0) for entry in row.entries.values() if entry.recipe), None)
    if recipe is None:
        return {}
    teacher = {"Teacher": recipe.teacher.student} if recipe.teacher else {}
    return {"Student": recipe.student, **teacher}
