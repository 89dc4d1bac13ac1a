"""Every program of tests/user_loops.py gives NumPy's result, leaves NumPy's arguments behind and raises what NumPy raises: under jit,
at the first call and at the second, and in lazy mode. Those not listed here compile."""

import copy
import types
import warnings

import numpy as np
import pytest
from user_loops import PROGRAMS

import lazynp
from lazynp.errors import PerformanceWarning

UNCOMPILED = {
    "append_cond": "the length of the list depends on data",
    "appended_to_different_lists": "which list grows depends on data",
    "attr_state": "a list of an object grows",
    "counts_dict": "the keys of the dictionary are data",
    "for_else": "a variable that is unbound on one way",
    "try_in_loop": "errors are handled inside",
    "walrus": "an assignment inside the condition",
}
"""Run in lazy mode, with the reason."""


def outcome(function, arguments):
    """(what a call returns or the class of what it raises, what it leaves in its arguments, whether it warned that it was not compiled)."""
    arguments = copy.deepcopy(arguments)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            result = function(*arguments)
        except Exception as error:
            result = type(error)
    return result, arguments, any(issubclass(w.category, PerformanceWarning) for w in told)


def same(actual, expected, where="result"):
    if isinstance(expected, (tuple, list)):
        assert type(actual) is type(expected) and len(actual) == len(expected), where
        for k, (a, b) in enumerate(zip(actual, expected, strict=True)):
            same(a, b, f"{where}[{k}]")
    elif isinstance(expected, dict):
        assert list(actual) == list(expected), where
        for key in expected:
            same(actual[key], expected[key], f"{where}[{key!r}]")
    elif expected is None or isinstance(expected, (str, type)):
        assert actual == expected, where
    else:
        a, b = np.asarray(actual), np.asarray(expected)
        assert (a.dtype, a.shape) == (b.dtype, b.shape), where
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12, err_msg=where)


@pytest.mark.parametrize("name", PROGRAMS)
def test_under_jit(name):
    function, arguments = PROGRAMS[name]
    expected, left, _ = outcome(function, arguments)
    compiled = lazynp.jit(function)
    for turn in range(2):
        result, after, warned = outcome(compiled, arguments)
        same(result, expected)
        same(after, left, "arguments")
        assert warned == (turn == 0 and name in UNCOMPILED)


@pytest.mark.parametrize("name", PROGRAMS)
def test_in_lazy_mode(name):
    function, arguments = PROGRAMS[name]
    expected, left, _ = outcome(function, arguments)
    lazy = types.FunctionType(function.__code__, function.__globals__ | {"np": lazynp}, name, function.__defaults__, function.__closure__)
    with lazynp.config(lazy_threshold=0):
        result, after, _ = outcome(lazy, arguments)
        same(result, expected)
        same(after, left, "arguments")
