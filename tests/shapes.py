"""The checker that tests put behind every annotated shape of the library."""

from collections.abc import Callable
from typing import Any, get_args

from beartype import beartype
from jaxtyping import AbstractArray


def check_shapes(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function with only the annotations checked that carry a shape.

    Other types are mypy's work; checking them here too would hide the library's own message about a
    wrong value, and fails for annotations that exist for mypy alone (`Self`, protocols).
    """
    shaped = {name: hint for name, hint in function.__annotations__.items() if has_shape(hint)}
    function.__annotations__ = shaped
    return beartype(function)


def has_shape(hint: Any) -> bool:
    """Whether an array annotation with a shape stands anywhere in the hint."""
    if isinstance(hint, type) and issubclass(hint, AbstractArray):
        return True
    return any(has_shape(part) for part in get_args(hint))
