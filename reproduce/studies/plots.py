"""A study's plots: the Pareto front in the house style of the figures, the others by Optuna."""

import warnings
from collections.abc import Sequence
from functools import partial
from typing import Any

import matplotlib
import optuna
from matplotlib import pyplot
from optuna import Study
from optuna.trial import FrozenTrial
from optuna.visualization import matplotlib as draw

from reproduce.figures.style import COLOURS, OWN, SETTINGS, canvas, files
from reproduce.statistics.pareto import pareto_front

FACTORS = (100.0, 1e-9)
"""From the values of a trial to the units of the objectives' names."""
FEWEST = 2
"""Trials with different values that a plot of a setting's influence needs."""


def plots(study: Study, names: list[str], objectives: list[str]) -> dict[str, bytes]:
    """Files by kind and suffix: history or Pareto front; slices, importance, contour where trials suffice.

    Args:
        study: with at least one finished trial.
        names: of its settings.
        objectives: what its values are, in words; plots of several are named by the first word of each.
    """
    done = study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))
    if not done:
        return {}
    found: dict[str, Any] = {}
    pareto: dict[str, bytes] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Optuna calls these functions experimental.
        if len(objectives) > 1:
            pareto = _front(done, objectives)
        else:
            how: Any = {"target": partial(_value, 0), "target_name": objectives[0]}
            found["history"] = draw.plot_optimization_history(study, **how)
        if len({tuple(trial.params.values()) for trial in done}) >= FEWEST:
            for place, objective in enumerate(objectives):
                of = f"-{objective.partition(' ')[0]}" if len(objectives) > 1 else ""
                how = {"target": partial(_value, place), "target_name": objective}
                found[f"slice{of}"] = draw.plot_slice(study, **how)
                if len(names) > 1:
                    found[f"importance{of}"] = draw.plot_param_importances(study, **how)
                    found[f"contour{of}"] = draw.plot_contour(study, params=names[:2], **how)
        drawn = {
            f"{kind}{suffix}": content
            for kind, axes in found.items()
            for suffix, content in _files(axes).items()
        }
    return {**pareto, **drawn}


def _value(place: int, trial: FrozenTrial) -> float:
    """In the unit of the objective's name."""
    return float(trial.values[place]) * FACTORS[place]


def _front(trials: Sequence[FrozenTrial], objectives: list[str]) -> dict[str, bytes]:
    """Accuracy against cost of every trial, with the front; the row's own setting was tried first."""
    points = [(_value(1, trial), _value(0, trial)) for trial in trials]
    front = [points[place] for place in pareto_front(points)]
    with canvas() as (page, axes):
        axes.step(*zip(*front, strict=True), where="post", color=OWN, linewidth=0.8, label="Pareto front")
        costs, accuracies = zip(*points, strict=True)
        axes.scatter(costs, accuracies, s=28, color=COLOURS[0], zorder=3, label="trial")
        for trial, point in zip(trials, points, strict=True):
            if trial.number == 0:
                axes.plot(
                    *point, color=OWN, marker="D", linestyle="", zorder=4, label="the row's own setting"
                )
            axes.annotate(f"{trial.number + 1}", point, xytext=(5, 3), textcoords="offset points", fontsize=7)
        axes.set_xlabel(objectives[1])
        axes.set_ylabel(objectives[0])
        axes.legend(loc="best")
        return {f"pareto{suffix}": content for suffix, content in files(page).items()}


def _files(axes: Any) -> dict[str, bytes]:
    """As pdf and png; the figure is closed."""
    first = axes if hasattr(axes, "get_figure") else axes.flat[0]
    figure = first.get_figure()
    with matplotlib.rc_context(SETTINGS):
        made = files(figure, tight=True)
    pyplot.close(figure)
    return made
