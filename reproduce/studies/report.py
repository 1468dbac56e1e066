"""Report of a study: trials as a table, plots, and the best trials as `--set` options."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from optuna import Study
from optuna.trial import FrozenTrial, TrialState

from cdd.files import atomic_write
from reproduce.studies.plots import FACTORS, plots
from reproduce.studies.trials import RUN, SETTINGS
from reproduce.tables.rendered_table import Block, RenderedTable, number_text
from reproduce.tables.text import markdown

DECIMALS = (2, 5)


@dataclass(frozen=True, kw_only=True)
class StudyText:
    """What is said of a study: its title, the command that uses its best, what all its runs have.

    Attributes:
        accuracy: the name of what is raised.
        seen: what it was measured on, in a sentence.
        foreign: numbers of trials in Optuna that are not the study's own.
    """

    title: str
    command: str
    accuracy: str
    seen: str
    seed: int
    changes: tuple[str, ...]
    defaults: tuple[str, ...]
    foreign: tuple[int, ...] = ()


@dataclass(frozen=True)
class Report:
    """The table of a study, its best settings, and its plots by kind and suffix."""

    sheet: RenderedTable
    best: tuple[str, ...]
    plots: Mapping[str, bytes]

    def write(self, folder: Path) -> list[Path]:
        """Writes table, numbers and plots; returns the files."""
        name = self.sheet.name
        csv = self.sheet.numbers.to_csv(index=False, lineterminator="\n")
        contents = {f"{name}.md": markdown(self.sheet).encode(), f"{name}.csv": csv.encode()}
        contents |= {f"{name}-{plot}": content for plot, content in self.plots.items()}
        for file, content in contents.items():
            atomic_write(folder / file, content)
        return [folder / file for file in contents]


def left_out(foreign: Sequence[int]) -> str:
    """A sentence on the trials that are not the study's own, by their numbers in Optuna."""
    names = ", ".join(str(number + 1) for number in foreign)
    return f"Left out, because they have other settings than this study: trial {names}."


def report(
    name: str,
    study: Study,
    paths: list[str],
    texts: Callable[[Mapping[str, float]], tuple[str, ...]],
    words: StudyText,
) -> Report:
    """Everything that a study ends with.

    Args:
        name: of the study and its files.
        study: its own trials alone.
        paths: of its settings.
        texts: settings as `--set` texts.
        words: what is said of it.
    """
    objectives = (f"{words.accuracy} (%)", "FLOPs (G)")[: len(study.directions)]
    trials = [trial for trial in study.get_trials(deepcopy=False) if SETTINGS in trial.user_attrs]
    best = sorted(study.best_trials, key=lambda trial: -trial.values[0]) if _complete(trials) else []
    order = [*best, *(trial for trial in _complete(trials) if trial not in best)]
    rows = {
        (f"{trial.number + 1}",): [
            *(f"{trial.user_attrs[SETTINGS][path]:g}" for path in paths),
            *_values(trial),
        ]
        for trial in order
    }
    heading = "best first" if len(objectives) == 1 else f"Pareto front of {len(best)} first"
    columns = [(heading, text) for text in (*paths, *objectives)]
    lines = [texts(trial.user_attrs[SETTINGS]) for trial in best]
    sheet = RenderedTable(
        name,
        words.title,
        (Block.of("Trials that ran to their end", rows, ("trial",), columns),),
        tuple(_notes(words, trials, lines)),
        pd.DataFrame([_line(trial, paths, words.accuracy) for trial in trials]),
    )
    return Report(sheet, lines[0] if lines else (), plots(study, paths, list(objectives)))


def _complete(trials: list[FrozenTrial]) -> list[FrozenTrial]:

    done = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    return sorted(done, key=lambda trial: -trial.values[0])


def _values(trial: FrozenTrial) -> list[str]:
    found = zip(trial.values, FACTORS, DECIMALS, strict=False)
    return [number_text(value * factor, decimals) for value, factor, decimals in found]


def _notes(words: StudyText, trials: list[FrozenTrial], lines: list[tuple[str, ...]]) -> list[str]:
    notes = [
        words.seen,
        f"Seed {words.seed}. The row's own: {', '.join(words.defaults)}.",
    ]
    if words.changes:
        notes.append(f"Every run of the study has {', '.join(words.changes)}.")
    if words.foreign:
        notes.append(left_out(words.foreign))
    states: dict[str, int] = {}
    for trial in trials:
        states[trial.state.name.lower()] = states.get(trial.state.name.lower(), 0) + 1
    notes.append(f"Trials: {', '.join(f'{count} {state}' for state, count in states.items())}.")
    for line in lines:
        settings = " ".join(f"--set {text}" for text in (*words.changes, *line))
        notes.append(f"{'Best' if len(lines) == 1 else 'On the front'}: {words.command} {settings}")
    return notes


def _line(trial: FrozenTrial, paths: list[str], accuracy: str) -> dict[str, Any]:
    settings = trial.user_attrs[SETTINGS]
    values = trial.values or []
    return {
        "trial": trial.number + 1,
        **{path: settings.get(path) for path in paths},
        accuracy: values[0] if values else None,
        "multiply_adds": values[1] if len(values) > 1 else None,
        "state": trial.state.name.lower(),
        "run_id": trial.user_attrs.get(RUN),
    }
