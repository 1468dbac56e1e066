"""Shares of a training step's time by part, from torch's profiler.

What a part of the step costs is the time of its operations themselves, without those that they call: on a
GPU the time of their kernels. Time that no operation accounts for is `the rest`.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn
from torch.profiler import ProfilerActivity, profile, record_function

from cdd.methods.capacity_dynamic import CapacityDynamicDistiller
from cdd.training.trainer import Trainer

STEP, DATA = "one step", "data"
REGIONS = {
    "RGGR": "RGGR",
    "lasso and masks": "lasso and masks",
    DATA: DATA,
    "Optimizer.step#SGD.step": "optimiser",
}
"""What happens in a region of this name counts for it, except for the teacher's forward pass."""
TEACHER = "teacher"
ELEMENTWISE = ("relu", "Relu", "clamp", "threshold", "add", "Add", "sum", "Sum", "mean", "Mean", "div", "Div")
KINDS = {
    "convolution": "convolutions",
    "batch_norm": "batch norm",
    "addmm": "matrix products",
    "aten::mm": "matrix products",
    "aten::bmm": "matrix products",
    "cop": "casts and copies",
    "Cop": "casts and copies",
    **dict.fromkeys(ELEMENTWISE, "ReLU, sums, averages"),
}
"""By a part of an operation's name, the first that fits."""
REST = "the rest"


def breakdown(training: Trainer) -> dict[str, float]:
    """Shares of an epoch's steps by what they are spent on, largest first; their sum is 1."""
    device = training.batch_stream.device
    activities = [ProfilerActivity.CPU]
    if device.type == "cuda":
        activities.append(ProfilerActivity.CUDA)
    with _named_regions(training), profile(activities=activities) as found:
        batch_stream = training.batch_stream.of_epoch(training.recipe.schedule.epochs)
        while True:
            with record_function(DATA):
                training_batch = next(batch_stream, None)
            if training_batch is None:
                break
            with record_function(STEP):
                training.step(training_batch)
    times: Counter[str] = Counter()
    for event in found.events() or ():
        own = event.self_device_time_total if device.type == "cuda" else event.self_cpu_time_total
        times[_part(event)] += own
    total = times.total()
    return {name: value / total for name, value in times.most_common()}


@contextmanager
def _named_regions(training: Trainer) -> Iterator[None]:
    """Inside, the parts of a training carry their names in a profile."""
    distiller, teacher = training.distiller, training.teacher
    if not isinstance(distiller, CapacityDynamicDistiller) or distiller.resetting is None or teacher is None:
        raise ValueError("the parts of a step are those of CDD with a resetting")
    edited: list[tuple[nn.Module, str, str]] = [
        (distiller, "edit_gradients", "lasso and masks"),
        (distiller.resetting, "update", "RGGR"),
        (teacher, "forward", TEACHER),
    ]
    for owner, method, name in edited:
        setattr(owner, method, _named(getattr(owner, method), name))
    try:
        yield
    finally:
        for owner, method, _ in edited:
            delattr(owner, method)


def _named(call: Callable[..., Any], name: str) -> Callable[..., Any]:
    def named(*given: Any, **options: Any) -> Any:
        with record_function(name):
            return call(*given, **options)

    return named


def _part(event: Any) -> str:
    """What an operation belongs to: the nearest named region around it, or its own kind."""
    around = event
    while around is not None and around.name != TEACHER:
        if around.name in REGIONS:
            return REGIONS[around.name]
        around = around.cpu_parent
    return next((kind for word, kind in KINDS.items() if word in event.name), REST)
