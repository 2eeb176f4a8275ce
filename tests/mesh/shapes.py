"""Whether JSON has the shape it should: its keys, their order, and the types of its values."""

from collections.abc import Callable
from typing import Any


def number(value: object) -> bool:
    return type(value) in (int, float)


def share(value: Any) -> bool:
    return number(value) and 0 <= value <= 1


def rounded(value: Any) -> bool:
    """A share of at most five places."""
    return share(value) and round(value, 5) == value


def check(value: object, shape: object, at: str = "answer") -> None:
    """Fails unless `value` is as `shape` says.

    A dict names its keys in their order, a list its one shape for every element; a type or a predicate
    must hold; anything else must be equal.
    """
    if isinstance(shape, dict):
        assert isinstance(value, dict), f"{at} is {value!r}"
        assert list(value) == list(shape), f"{at} has {list(value)}, not {list(shape)}"
        for key, inner in shape.items():
            check(value[key], inner, f"{at}.{key}")
    elif isinstance(shape, list) and len(shape) == 1 and not number(shape[0]):
        assert isinstance(value, list), f"{at} is {value!r}"
        for place, each in enumerate(value):
            check(each, shape[0], f"{at}[{place}]")
    elif isinstance(shape, type):
        assert type(value) is shape, f"{at} is {value!r}, not {shape.__name__}"
    elif isinstance(shape, Callable):  # type: ignore[arg-type]
        assert shape(value), f"{at} is {value!r}"  # type: ignore[operator]
    else:
        assert value == shape, f"{at} is {value!r}, not {shape!r}"
