"""What a choice is worth: its runs against the default's, seed by seed, with an interval."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
from statistics import fmean, stdev

import numpy as np
from numpy.typing import NDArray

from reproduce.answers import Answers, read_answers, read_identities
from reproduce.artifact import Column
from reproduce.cells import compare
from reproduce.histories import measured
from reproduce.material import Material
from reproduce.paired_bootstrap import Interval, Spread, paired_interval, pooled, seed_interval
from reproduce.picture import Choice, Forest
from reproduce.records import Record

SEEDS_LOOKED_FOR = range(10)
OF_INDEPENDENT_RUNS = sqrt(2)
"""Spread of a difference over that of one run, where nothing joins the two."""


@dataclass(frozen=True, kw_only=True)
class Worth:
    """One choice in one column.

    Attributes:
        values: by seed, in the column's unit.
        interval: of the difference from the default, in percent of it or in the column's unit; None where
            no seed has both.
    """

    values: Mapping[int, float]
    interval: Interval | None


class Comparison:
    """Choices of a figure against its default, from the records of their runs."""

    def __init__(self, figure: Forest, material: Material):
        self.figure, self.material = figure, material
        self.records: dict[str, dict[int, Record]] = {}
        for wish in material.wishes:
            if record := material.records.get(wish.recipe.run_id):
                self.records.setdefault(wish.label, {})[wish.recipe.seed] = record

    def default(self, column: Column) -> dict[int, float]:
        """The default's values of the seeds that are shown."""
        return self._values(self.records.get(self.figure.default.label, {}), column)

    def default_everywhere(self, column: Column) -> dict[int, float]:
        """The default's values of all seeds that have a record: more, where other artifacts show it."""
        if self.material.overrides:
            return self.default(column)
        make, scale = self.figure.default.recipe, self.material.scale
        found = {seed: self.material.records.get(make(scale, seed).run_id) for seed in SEEDS_LOOKED_FOR}
        return self._values({seed: record for seed, record in found.items() if record}, column)

    def seed_deviation(self, column: Column) -> float | None:
        """Standard deviation of the default over its seeds, as differences are given; None for one seed."""
        values = list(self.default_everywhere(column).values())
        if len(values) < 2:
            return None
        return stdev(values) * (100 / fmean(values) if column.relative == "percent" else 1)

    def common_spread(self, column: Column) -> Spread | None:
        """Over seeds, of the differences of all choices; None where every choice has one seed."""
        choices = [choice for choice in self.figure.curves if choice.epoch == "last"]
        return pooled([list(self._differences(choice, column).values()) for choice in choices])

    def spread(self, column: Column) -> Spread | None:
        """Over seeds, of a difference: the common one, else the default's, as if nothing joined two runs.

        None where all of them have one seed.
        """
        common, deviation = self.common_spread(column), self.seed_deviation(column)
        if common or deviation is None:
            return common
        return Spread(OF_INDEPENDENT_RUNS * deviation, len(self.default_everywhere(column)) - 1)

    def worth(self, choice: Choice, column: Column) -> Worth:
        """The choice in this column."""
        values = {seed: value for seed, (value, _) in self._pairs(choice, column).items()}
        differences = self._differences(choice, column)
        if not differences:
            return Worth(values=values, interval=None)
        if choice.epoch == "best":
            return Worth(values=values, interval=seed_interval(differences))
        spread = self.spread(column)
        # The mean over the seeds stands for one seed, whose spread is so much smaller.
        of_mean = spread and Spread(spread.deviation / sqrt(len(differences)), spread.freedom)
        by_query = self._by_query(choice, column, list(differences))
        if by_query is None:
            interval = seed_interval({0: fmean(differences.values())}, borrowed=of_mean)
        else:
            interval = paired_interval({0: by_query[0]}, by_query[1], borrowed=of_mean)
        return Worth(values=values, interval=interval)

    def _differences(self, choice: Choice, column: Column) -> dict[int, float]:
        pairs = self._pairs(choice, column)
        return {seed: difference(column, *pair) for seed, pair in pairs.items()}

    def _values(self, records: Mapping[int, Record], column: Column) -> dict[int, float]:
        found = {seed: at_end(record, self._key(column)) for seed, record in records.items()}
        return {seed: value * column.factor for seed, value in found.items() if value is not None}

    def _pairs(self, choice: Choice, column: Column) -> dict[int, tuple[float, float]]:
        """By seed the choice's value and the default's."""
        mine = self.records.get(choice.label, {})
        if choice.epoch == "best":
            judge = self._key(self.figure.columns[0])
            found = {seed: best_and_last(record, self._key(column), judge) for seed, record in mine.items()}
            return {s: (v[0] * column.factor, v[1] * column.factor) for s, v in found.items() if v}
        values, defaults = self._values(mine, column), self.default(column)
        return {seed: (values[seed], defaults[seed]) for seed in sorted({*values} & {*defaults})}

    def _by_query(
        self, choice: Choice, column: Column, seeds: list[int]
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]] | None:
        """Differences by query, means over the seeds, and what the queries show; None if not all is known."""
        protocol, _, name = self._key(column).partition("/")
        identities = self._identities(choice.label, protocol)
        if column.relative == "percent" or identities is None:
            return None
        found = []
        for seed in seeds:
            ours, theirs = (
                self._answers(self.records[label][seed], name, protocol)
                for label in (choice.label, self.figure.default.label)
            )
            if ours is None or theirs is None:
                return None
            found.append(column.factor * (ours - theirs))
        return np.mean(found, axis=0), identities

    def _answers(self, record: Record, name: str, protocol: str) -> NDArray[np.float64] | None:
        answers = read_answers(self.material.records_folder / "runs" / f"{record.run_id}.json")
        return None if answers is None else answers_by_metric(answers).get(name, {}).get(protocol)

    def _identities(self, label: str, protocol: str) -> NDArray[np.int64] | None:
        wish = next(wish for wish in self.material.wishes if wish.label == label)
        digest = str(self.records[label][wish.recipe.seed].environment.get("data_digest", "unknown"))
        return (read_identities(self.material.records_folder, wish.recipe.data, digest) or {}).get(protocol)

    def _key(self, column: Column) -> str:
        return self.figure.group.metric(column)


def answers_by_metric(answers: Answers) -> dict[str, Mapping[str, NDArray[np.float64]]]:
    """By name of a metric, what it is the mean of."""
    return {"mAP": answers.average_precision, "rank1": answers.first_is_right}


def difference(column: Column, value: float, default: float) -> float:
    """How far the value is from the default, in percent of it or in the column's unit."""
    return compare(column, value, default) - (100 if column.relative == "percent" else 0)


def at_end(record: Record, key: str) -> float | None:
    """A metric of the deployed network, or, where it has none, of the training's last epoch."""
    if key in record.metrics:
        return record.metrics[key]
    found = measured(record.history, key)
    return found[-1][1] if found else None


def best_and_last(record: Record, key: str, judge: str) -> tuple[float, float] | None:
    """A metric after the epoch in which another one is highest, and after the last, both while training."""
    judged, values = dict(measured(record.history, judge)), dict(measured(record.history, key))
    epochs = sorted(set(judged) & set(values))
    if not epochs:
        return None
    # Of epochs that are equally good the last one: nothing is then gained by another.
    best = max(epochs, key=lambda epoch: (judged[epoch], epoch))
    return values[best], values[epochs[-1]]
