"""What a call does that a user can see, and whether two calls did the same."""

import copy
import linecache
import warnings
from typing import Any, NamedTuple

import numpy as np

from lazynp.errors import PerformanceWarning


class Outcome(NamedTuple):
    """result: what the call returned, or the class of what it raised; arguments: as it left them; warned: whether it was not compiled."""

    result: Any
    arguments: tuple[Any, ...]
    warned: bool


def outcome(function, arguments):
    """What a call with copies of the arguments does."""
    arguments = copy.deepcopy(arguments)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            result = function(*arguments)
        except Exception as error:
            result = type(error)
    return Outcome(result, arguments, any(issubclass(w.category, PerformanceWarning) for w in told))


def made(source, name):
    """The function `program` of a text that was written for a test; its lines are known, as those of a file are."""
    linecache.cache[name] = (len(source), None, source.splitlines(True), name)
    exec(compile(source, name, "exec"), space := {"np": np})
    return space["program"]


def same(actual, expected, where="result", rtol=1e-12, atol=1e-12):
    """Asserts equal trees, types, shapes, dtypes and values."""
    if isinstance(expected, (tuple, list)):
        assert type(actual) is type(expected) and len(actual) == len(expected), where
        for k, (a, b) in enumerate(zip(actual, expected, strict=True)):
            same(a, b, f"{where}[{k}]", rtol, atol)
    elif isinstance(expected, dict):
        assert list(actual) == list(expected), where
        for key in expected:
            same(actual[key], expected[key], f"{where}[{key!r}]", rtol, atol)
    elif isinstance(expected, (np.ndarray, np.generic, int, float, complex)):
        a, b = np.asarray(actual), np.asarray(expected)
        assert (a.shape, a.dtype) == (b.shape, b.dtype), (where, a.dtype, b.dtype, actual, expected)
        if a.dtype == object:  # integers of more than 64 bits
            assert actual == expected, where
        else:
            np.testing.assert_allclose(a, b, rtol=rtol, atol=atol, err_msg=where)
    elif hasattr(expected, "__dict__") and not isinstance(expected, type):
        same(vars(actual), vars(expected), where, rtol, atol)
    else:
        assert actual == expected, (where, actual, expected)
