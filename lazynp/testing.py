"""numpy.testing, given our arrays as NumPy's, and `check_grads`."""

import functools
from collections.abc import Callable
from importlib import import_module
from typing import Any

from lazynp.api.dispatch import unwrapped
from lazynp.functional.checking import check_grads

__all__ = ["check_grads"]

_OF_CALLS = ("assert_raises", "assert_raises_regex", "assert_warns", "assert_no_warnings", "assert_no_gc_cycles")
"""The assertions about calls; their arguments go to the function under test as they are."""


def __getattr__(name: str) -> Any:
    value = getattr(import_module("numpy.testing"), name)
    if "assert" in name and callable(value) and not isinstance(value, type) and name not in _OF_CALLS:
        return on_plain_arrays(value)
    return value


def on_plain_arrays(compare: Callable[..., Any]) -> Callable[..., Any]:
    """A function that looks at values, taking our arrays for NumPy's."""

    @functools.wraps(compare)
    def call(*args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        return compare(*[unwrapped(a) for a in args], **{k: unwrapped(v) for k, v in kwargs.items()})

    return call


def __dir__() -> list[str]:
    return sorted({*dir(import_module("numpy.testing")), *__all__})
