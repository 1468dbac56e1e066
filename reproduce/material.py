"""What any artifact is drawn from."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from reproduce.artifact import Scale
from reproduce.execute import Outcome
from reproduce.plan import Wish
from reproduce.records import Record


@dataclass(frozen=True, kw_only=True)
class Material:
    """Runs and what is known of them; outcomes and records are by run id."""

    scale: Scale
    wishes: list[Wish]
    outcomes: Mapping[str, Outcome]
    records: Mapping[str, Record] = field(default_factory=dict)
    overrides: tuple[str, ...] = ()
