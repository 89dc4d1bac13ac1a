"""Debuggers and tracebacks show the user's own lines, whether a function is being captured or runs uncompiled."""

import linecache
import sys
import traceback
import warnings

import numpy as np
import pytest

import lazynp

X = np.array([0.5, -1.0, 2.0])


def captured(x):
    total = 0.0
    for i in range(len(x)):
        if x[i] > 0:
            total += x[i]
        else:
            total -= 1.0
    return total


def uncompiled(x):
    values = []
    for v in x.tolist():
        if v > 0:
            values.append(v)
    return sum(values)


def lines_seen(function, *arguments):
    """The lines of this file that a debugger comes to in a call, relative to the function's first."""
    first, seen = function.__code__.co_firstlineno, set()

    def tracer(frame, event, argument):
        if frame.f_code.co_filename != __file__ or frame.f_code.co_name == "lines_seen":
            return None
        if event == "line":
            seen.add(frame.f_lineno - first)
        return tracer

    before = sys.gettrace()
    sys.settrace(tracer)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", lazynp.PerformanceWarning)
            lazynp.jit(function)(*arguments)
    finally:
        sys.settrace(before)
    return seen


def test_a_debugger_steps_through_the_lines_of_a_function_that_is_captured():
    """Both branches are traced, each line where it stands."""
    assert {1, 2, 3, 4, 6, 7} <= lines_seen(captured, X)


def test_a_debugger_steps_through_the_lines_of_a_function_that_runs_uncompiled():
    seen = lines_seen(uncompiled, X)
    assert {1, 2, 3, 4, 5} <= seen and max(seen) <= 5


def test_breakpoints_show_the_line_and_the_variables(monkeypatch):
    stops = []

    def hook(*args, **kwargs):
        frame = sys._getframe(1)
        stops.append((frame.f_lineno, dict(frame.f_locals)))

    def stopped(x):
        y = x * 2
        breakpoint()
        return y + 1

    monkeypatch.setattr(sys, "breakpointhook", hook)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", lazynp.PerformanceWarning)
        np.testing.assert_array_equal(lazynp.jit(stopped)(X), X * 2 + 1)
    assert stops and stops[0][0] == stopped.__code__.co_firstlineno + 2 and set(stops[0][1]) >= {"x", "y"}


def fails_late(x):
    total = 0.0
    for i in range(3):
        total += x[i]
    return total + undefined_name  # noqa: F821


def fails_in_a_called_function(x):
    return captured(x) + fails_late(x)


@pytest.mark.parametrize(("function", "line"), [(fails_late, 4), (fails_in_a_called_function, 1)], ids=["own", "called"])
def test_tracebacks_name_lines_of_the_source(function, line):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", lazynp.PerformanceWarning)
        with pytest.raises(NameError, match="undefined_name") as caught:
            lazynp.jit(function)(X)
    frames = [f for f in traceback.extract_tb(caught.value.__traceback__) if f.filename == __file__]
    own = [f for f in frames if f.name == function.__name__]
    assert own[-1].lineno == function.__code__.co_firstlineno + line
    assert own[-1].line == linecache.getline(__file__, own[-1].lineno).strip()
    assert frames[-1].name == "fails_late" and frames[-1].lineno == fails_late.__code__.co_firstlineno + 4


def test_an_error_of_numpy_in_a_compiled_loop_names_the_line():
    def reads(x, index):
        total = 0.0
        for k in range(len(index)):
            total += x[index[k]]
        return total

    with pytest.raises(IndexError, match="index 9 is out of bounds for axis 0 with size 3") as caught:
        lazynp.jit(reads, strict=True)(X, np.array([0, 1, 2, 0, 9]))
    text = str(caught.value) + "".join(getattr(caught.value, "__notes__", []))
    assert f"line {reads.__code__.co_firstlineno + 3}" in text


def test_source_that_is_nowhere():
    """Code made by exec has no source: branches on values run in lazy mode, and the reason is given."""
    exec("def f(x):\n    s = 0.0\n    for v in x:\n        s += v if v > 0 else -1.0\n    return s", space := {})
    with pytest.warns(lazynp.PerformanceWarning, match="source is not available"):
        assert lazynp.jit(space["f"])(X) == captured(X)


def test_lambdas():
    """Also two on one line, and one that is an argument."""
    first, second = lambda x: x[0] if x[1] > 0 else x[2], lambda x: x[1] if x[0] > 0 else x[0]
    for f in (first, second, (lambda x: x.sum() if (x > 0).all() else x.max())):
        compiled = lazynp.jit(f, strict=True)
        for x in (X, -X, abs(X)):
            assert compiled(x) == f(x)
