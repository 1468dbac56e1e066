"""Groups of identities that belong together, and the use of the data that each group serves."""

import re
from collections.abc import Mapping, Sequence
from enum import IntEnum

from tools.household.catalog import Model, stable_number

SALT = "household64"
_NUMBERS = re.compile(r"(?:[\d_-]|left|right|open(?:ed)?|closed?)+$", re.I)


class Split(IntEnum):
    """What an identity is for."""

    PRETRAINING = 0
    TRAINING = 1
    VALIDATION = 2
    TEST = 3


SHARES: Mapping[Split, float] = {
    Split.PRETRAINING: 0.26,
    Split.TRAINING: 0.368,
    Split.VALIDATION: 0.092,
    Split.TEST: 0.28,
}
SCENERY: Mapping[Split, int] = {
    Split.PRETRAINING: 0,
    Split.TRAINING: 1,
    Split.VALIDATION: 1,
    Split.TEST: 2,
}
"""Which of the three sceneries an identity stands in."""


def stem(file: str) -> str:
    """The name of a model's file without the number, side or state that tells variants apart."""
    name = file.rsplit("/", 1)[-1].rsplit(".", 1)[0]
    return _NUMBERS.sub("", name).lower() or name.lower()


def kin(model: Model) -> list[str]:
    """Labels that a model shares with its variants: the stem of its file and the original work."""
    labels = [f"{model.archive.library}/{stem(model.file)}"]
    if model.credit.page:
        labels.append(model.credit.page)
    return labels


def splits(keys: Sequence[str], groups: Sequence[int]) -> list[Split]:
    """The split of every key; all keys of a group have the same.

    Groups are dealt in the order of a stable number of their alphabetically first key, each to the split
    that is furthest behind its share, so that the shares are met whatever the sizes of the groups.
    """
    members: dict[int, list[str]] = {}
    for key, group in zip(keys, groups, strict=True):
        members.setdefault(group, []).append(key)
    ordered = sorted(members, key=lambda group: stable_number(f"{SALT}:{min(members[group])}"))
    dealt = dict.fromkeys(Split, 0)
    chosen: dict[int, Split] = {}
    for group in ordered:
        behind = min(Split, key=lambda split: (dealt[split] + len(members[group])) / SHARES[split])
        chosen[group] = behind
        dealt[behind] += len(members[group])
    return [chosen[group] for group in groups]
