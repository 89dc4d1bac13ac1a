"""Every program of tests/user_loops.py gives NumPy's result, leaves NumPy's arguments behind and raises what NumPy raises: under jit,
at the first call and at the second, and in lazy mode. Those not listed here compile."""

import types

import pytest
from outcomes import outcome, same
from user_loops import PROGRAMS

import lazynp

UNCOMPILED = {
    "min_max_abs": "a variable may be an int, a float or a number of NumPy's",
    "append_cond": "the length of the list depends on data",
    "appended_to_different_lists": "which list grows depends on data",
    "deleted_again": "errors are handled inside",
    "nested_reads_of_what_may_be_unbound": "a function reads a variable that is unbound on one way",
    "counts_dict": "the keys of the dictionary are data",
    "try_in_loop": "errors are handled inside",
}
"""Run in lazy mode, with the reason."""


@pytest.mark.parametrize("name", PROGRAMS)
def test_under_jit(name):
    function, arguments = PROGRAMS[name]
    expected, left, _ = outcome(function, arguments)
    compiled = lazynp.jit(function)
    for turn in range(2):
        result, after, warned = outcome(compiled, arguments)
        same(result, expected, rtol=1e-10)
        same(after, left, "arguments", 1e-10)
        assert warned == (turn == 0 and name in UNCOMPILED)


@pytest.mark.parametrize("name", PROGRAMS)
def test_in_lazy_mode(name):
    function, arguments = PROGRAMS[name]
    expected, left, _ = outcome(function, arguments)
    lazy = types.FunctionType(function.__code__, function.__globals__ | {"np": lazynp}, name, function.__defaults__, function.__closure__)
    with lazynp.config(lazy_threshold=0):
        result, after, _ = outcome(lazy, arguments)
        same(result, expected, rtol=1e-10)
        same(after, left, "arguments", 1e-10)
