"""A study's plots, by Optuna, in the house style of the figures."""

import io
import warnings
from functools import partial
from typing import TYPE_CHECKING, Any

from reproduce.figure_style import SETTINGS

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

FEWEST = 2
"""Trials with different values that a plot of a setting's influence needs."""


def plots(study: "Study", names: list[str], objectives: list[str]) -> dict[str, bytes]:
    """Files by kind and suffix: history or Pareto front; slices, importance, contour where trials suffice.

    Args:
        study: with at least one finished trial.
        names: of its settings.
        objectives: what its values are, in words; plots of several are named by the first word of each.
    """
    import optuna
    from optuna.visualization import matplotlib as draw

    done = study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))
    if not done:
        return {}
    found: dict[str, Any] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Optuna calls these functions experimental.
        if len(objectives) > 1:
            found["pareto"] = draw.plot_pareto_front(study, target_names=objectives)
        else:
            found["history"] = draw.plot_optimization_history(study, target_name=objectives[0])
        if len({tuple(trial.params.values()) for trial in done}) >= FEWEST:
            for place, objective in enumerate(objectives):
                of = f"-{objective.partition(' ')[0]}" if len(objectives) > 1 else ""
                how: Any = {"target": partial(_value, place), "target_name": objective}
                found[f"slice{of}"] = draw.plot_slice(study, **how)
                if len(names) > 1:
                    found[f"importance{of}"] = draw.plot_param_importances(study, **how)
                    found[f"contour{of}"] = draw.plot_contour(study, params=names[:2], **how)
        return {
            f"{kind}.{suffix}": content for kind, axes in found.items() for suffix, content in _files(axes)
        }


def _value(place: int, trial: "FrozenTrial") -> float:
    return float(trial.values[place])


def _files(axes: Any) -> list[tuple[str, bytes]]:
    """As pdf and png; the figure is closed."""
    import matplotlib
    from matplotlib import pyplot

    first = axes if hasattr(axes, "get_figure") else axes.flat[0]
    figure = first.get_figure()
    made = []
    with matplotlib.rc_context(SETTINGS):
        for suffix, metadata in (("pdf", {"CreationDate": None}), ("png", {"Software": None})):
            buffer = io.BytesIO()
            figure.savefig(buffer, format=suffix, metadata=metadata, bbox_inches="tight")
            made.append((suffix, buffer.getvalue()))
    pyplot.close(figure)
    return made
