"""Loops of few turns, which are written out, that a break on traced values leaves: the loop variable is read afterwards."""

import numpy as np
import pytest
from outcomes import outcome, same

import lazynp


def left_at(x):
    for t in range(3):
        if x[t] > 0:
            break
    return t


def left_at_or_before(x):
    t = 7
    for t in range(3):
        x[t] += 1
        if x[t] > 0:
            break
    x[0] = t
    return t


def left_list(x):
    for k in [4, 2, 3]:
        if x[k] > 0:
            break
    return k


@pytest.mark.parametrize("function", [left_at, left_at_or_before, left_list])
def test_loop_variable(function):
    compiled = lazynp.jit(function)
    for shift in (2, 0, -3, 1, 9):
        arguments = (np.arange(5.0) - shift,)
        expected, left, _ = outcome(function, arguments)
        result, after, warned = outcome(compiled, arguments)
        same((result, after), (expected, left))
        assert not warned
