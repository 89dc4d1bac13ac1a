"""Values of options that NumPy may refuse, such as `axis=True` or `order="X"`: it is asked before anything is recorded.

Implementations read options as they are meant (`bool(keepdims)`); whether a value is one that NumPy takes stands here, once for all
functions. What is usual is not asked for.
"""

from collections.abc import Callable
from functools import lru_cache
from inspect import Parameter, signature
from typing import Any

import numpy as np

from lazynp.array import ndarray
from lazynp.ir.types import Symbolic


def _is_index(value: Any) -> bool:
    return type(value) is int or isinstance(value, (np.integer, Symbolic)) or type(value) is ndarray


def _is_axis(value: Any) -> bool:
    return value is None or _is_index(value) or (type(value) is tuple and all(map(_is_index, value)))


def _is_mask(value: Any) -> bool:
    return value is True or getattr(value, "dtype", None) == np.dtype(bool)


def _is_output(value: Any) -> bool:
    values = value if type(value) is tuple else (value,)
    return all(v is None or v is ... or type(v) is ndarray or isinstance(v, np.ndarray) for v in values)


def _is_bool(value: Any) -> bool:
    return type(value) is bool


_USUAL: dict[str, Callable[[Any], bool]] = {
    "axis": _is_axis,
    "keepdims": _is_bool,
    "subok": _is_bool,
    "where": _is_mask,
    "out": _is_output,
    "order": lambda value: type(value) is str and value in ("C", "F", "A", "K"),
    "casting": lambda value: type(value) is str and value in ("same_kind", "unsafe", "safe", "equiv", "no", "same_value"),
    "copy": lambda value: value is None or type(value) is bool,
    "stable": lambda value: value is None or type(value) is bool,
    "device": lambda value: value is None or value == "cpu",
    "like": lambda value: value is None or hasattr(type(value), "__array_function__"),
    "ddof": _is_index,
}
"""Option: whether NumPy takes a value for certain."""
_UNUSUAL = frozenset({bool, float, list, str})
"""Types of positional arguments, after the first, that may stand for such an option."""


def are_unusual(function: Any, args: tuple[Any, ...], options: dict[str, Any]) -> bool:
    """Whether NumPy may refuse an option of a call of its function."""
    for name, value in options.items():
        if name in _USUAL and not _USUAL[name](value):
            return True
    if len(args) < 2 or _UNUSUAL.isdisjoint(map(type, args[1:])):
        return False
    named = zip(_positional(function), args, strict=False)
    return any(name in _USUAL and not _USUAL[name](value) for name, value in named)


@lru_cache(maxsize=1024)
def _positional(function: Any) -> tuple[str, ...]:
    try:
        parameters = signature(function).parameters.values()
    except (TypeError, ValueError):
        return ()
    return tuple([p.name for p in parameters if p.kind in (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)])
