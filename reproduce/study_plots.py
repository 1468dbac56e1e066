"""A study's plots, by Optuna, in the house style of the figures."""

import io
import warnings
from typing import TYPE_CHECKING, Any

from reproduce.figure_style import SETTINGS

if TYPE_CHECKING:
    from optuna import Study

FEWEST = 2
"""Trials with different values that a plot of a setting's influence needs."""


def plots(study: "Study", names: list[str], objectives: list[str]) -> dict[str, bytes]:
    """PDF files by kind: history and Pareto front, importance, slices and contour where there is enough.

    Args:
        study: with at least one finished trial.
        names: of its settings.
        objectives: what its values are, in words.
    """
    import optuna
    from optuna.visualization import matplotlib as draw

    done = study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))
    if not done:
        return {}
    found: dict[str, bytes] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Optuna calls these functions experimental.
        if len(objectives) > 1:
            found["pareto"] = _pdf(draw.plot_pareto_front(study, target_names=objectives))
            return found
        found["history"] = _pdf(draw.plot_optimization_history(study, target_name=objectives[0]))
        if len({tuple(trial.params.values()) for trial in done}) < FEWEST:
            return found
        found["slice"] = _pdf(draw.plot_slice(study, target_name=objectives[0]))
        if len(names) > 1:
            found["importance"] = _pdf(draw.plot_param_importances(study, target_name=objectives[0]))
            found["contour"] = _pdf(draw.plot_contour(study, params=names[:2], target_name=objectives[0]))
    return found


def _pdf(axes: Any) -> bytes:
    import matplotlib
    from matplotlib import pyplot

    first = axes if hasattr(axes, "get_figure") else axes.flat[0]
    figure = first.get_figure()
    buffer = io.BytesIO()
    with matplotlib.rc_context(SETTINGS):
        figure.savefig(buffer, format="pdf", metadata={"CreationDate": None}, bbox_inches="tight")
    pyplot.close(figure)
    return buffer.getvalue()
