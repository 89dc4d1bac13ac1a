"""What a function under jit writes into NumPy's arrays that are no arguments: it happens at every call, and once at each."""

import warnings

import numpy as np
import pytest

import lazynp


class Parameter:
    def __init__(self):
        self.w, self.m, self.count = np.ones(3), np.zeros(3), 0


_large = np.zeros(5000)


def momentum(parameters, t):
    for p in parameters:
        p.m = 0.9 * p.m + t
        p.w -= 0.1 * p.m


def in_place(parameters, t):
    for p in parameters:
        p.w -= 0.1 * t


def items_and_views(parameters, t):
    for p in parameters:
        p.w[0] -= 0.1 * t
        view = p.m[1:]
        view += t
        p.count += 1


def functions_and_methods(parameters, t):
    for p in parameters:
        np.add(p.m, t, out=p.m)
        np.add.at(p.w, [0, 0], t)
        p.m.fill(p.w[0] + t)
        p.count += 1


def a_variable(parameters, t):
    _large[0] += t
    parameters[0].w[:] = _large[0]


@pytest.mark.parametrize("function", [momentum, in_place, items_and_views, functions_and_methods, a_variable])
def test_writes_happen_once_at_every_call(function):
    """They happened while the function was traced, a second time when it then ran uncompiled, and never at later calls."""
    answers = []
    for call in (function, lazynp.jit(function)):
        _large[:] = 0
        parameters = [Parameter(), Parameter()]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", lazynp.PerformanceWarning)
            for t in (1, 2, 2, 2):
                call(parameters, t)
        answers.append([(p.w.tolist(), p.m.tolist(), p.count) for p in parameters])
    assert answers[0] == answers[1]


def test_arrays_that_are_read_compile():
    p = Parameter()
    function = lazynp.jit(lambda x: x + p.w, strict=True)
    assert function(np.ones(3)).tolist() == [2, 2, 2]
    p.w += 1
    assert function(np.ones(3)).tolist() == [3, 3, 3]
