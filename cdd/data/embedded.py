"""Data sets that ship inside the package, by name."""

from cdd.data.household import household

EMBEDDED = {"household": household}
