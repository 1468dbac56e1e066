"""Trials of a study: its own and foreign ones, and its progress.

Anybody can add a trial to an Optuna study: enqueued by hand, or with other settings, or by a program of her
own. One whose settings are this study's is tried like any other; the rest is named and left out.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import optuna
from optuna import Study
from optuna.distributions import check_distribution_compatibility
from optuna.trial import FrozenTrial, TrialState

from reproduce.errors import UsageError
from reproduce.studies.search_space import SearchDimension, is_number

RUN, SETTINGS, FAILURE, FOREIGN = "run_id", "settings", "failure", "foreign"
"""Attributes of Optuna's trial: its run, its settings, why it failed, that it is not the study's."""


def is_own(trial: FrozenTrial, knobs: Sequence[SearchDimension]) -> bool:
    """Whether the trial has, or was asked for, settings of this study and no others."""
    ranges = {knob.path: knob for knob in knobs}
    if trial.state.is_finished():
        found = trial.user_attrs.get(SETTINGS)
        if not isinstance(found, dict) or not isinstance(trial.user_attrs.get(RUN), str):
            return False
        return found.keys() == ranges.keys() and all(map(is_number, found.values()))
    fixed = trial.system_attrs.get("fixed_params", {})
    asked = {**fixed, **trial.params} if isinstance(fixed, dict) else {"": fixed}
    return all(path in ranges and ranges[path].holds(value) for path, value in asked.items())


def check_trials(study: Study, knobs: Sequence[SearchDimension], directions: Sequence[str]) -> None:
    """Refuses a study in which no trial of this one can be kept.

    Raises:
        UsageError: naming what is in the way.
    """
    found = [direction.name.lower() for direction in study.directions]
    if found != list(directions):
        raise UsageError(
            f"the study {study.study_name} is after {found}, not {list(directions)}: {_other(study)}"
        )
    for trial in study.get_trials(deepcopy=False):
        for knob in knobs:
            if knob.path not in trial.distributions:
                continue
            try:
                check_distribution_compatibility(trial.distributions[knob.path], knob.distribution)
            except ValueError as error:
                raise UsageError(
                    f"trial {trial.number + 1} of the study {study.study_name} has {knob.path} as "
                    f"{trial.distributions[knob.path]}, and Optuna keeps one kind for all trials: "
                    f"{_other(study)}"
                ) from error


def foreign(study: Study, knobs: Sequence[SearchDimension]) -> list[int]:
    """Numbers of the trials that are not the study's own; of failed ones only those set aside as such."""
    return [
        trial.number
        for trial in study.get_trials(deepcopy=False)
        if not is_own(trial, knobs) and (trial.state.name != "FAIL" or FOREIGN in trial.user_attrs)
    ]


def alone(study: Study, knobs: Sequence[SearchDimension], before: int | None = None) -> Study:
    """A copy in memory with the study's own trials; in the place of each other one is a failed one.

    Args:
        before: number of the first trial that is left out; None for all.
    """
    copy = optuna.create_study(study_name=study.study_name, directions=study.directions)
    for trial in study.get_trials(deepcopy=False)[:before]:
        own = is_own(trial, knobs)
        copy.add_trial(trial if own else optuna.create_trial(state=TrialState.FAIL))
    return copy


def progress(trials: Iterable[FrozenTrial]) -> tuple[int, int]:
    """How many trials are over and how many run, all seen at one moment.

    A failed one is over. One that only died is neither.
    """
    names = [trial.state.name for trial in trials if trial.state.name != "FAIL" or _failed(trial)]
    return sum(name in ("COMPLETE", "PRUNED", "FAIL") for name in names), names.count("RUNNING")


def _failed(trial: FrozenTrial) -> Any:
    return trial.user_attrs.get(FAILURE) is not None


def _other(study: Study) -> str:
    return (
        "give another --storage, or delete it in Python with "
        f"optuna.delete_study(study_name={study.study_name!r}, storage=URL)"
    )
