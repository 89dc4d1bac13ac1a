"""What has been stored in a region is read from there by those who read what lies around it too."""

import numpy as np
import pytest
from outcomes import same

import lazynp


def line(u, turns):
    v = u.copy()
    for _ in range(turns):
        v[1:-1] = u[1:-1] + 0.1 * (u[2:] - 2 * u[1:-1] + u[:-2])
        u, v = v, u
    return u


def columns(u, turns):
    v = u.copy()
    for _ in range(turns):
        v[1:-1, 1:-1] = u[1:-1, 1:-1] + 0.1 * (u[2:, 1:-1] - 2 * u[1:-1, 1:-1] + u[:-2, 1:-1])
        u, v = v, u
    return u


def of_two_buffers(u, turns):
    v = u * 0
    for _ in range(turns):
        v[:-1] = np.sin(u[:-1]) + u[1:]
        u[1:] = (v[1:] - v[:-1]) * 0.5
    return u, v


def with_its_change(u, turns):
    v, change = u.copy(), 0.0
    for _ in range(turns):
        v[1:-1] = 0.5 * (u[2:] + u[:-2])
        change = np.abs(v[1:-1] - u[1:-1]).max() + v.sum()
        u[1:-1] = 0.5 * (v[2:] + v[:-2]) - v[1:-1] * 0.01
    return u, change


def straight(u, turns):
    v, w = u.copy(), u.copy()
    v[2:] = u[2:] * 3 + u[:-2]
    w[1:] = v[1:] - v[:-1] + v[1:].cumsum()
    v[:2] = w[2:4]
    return v, w, v[2:] * w[2:]


@pytest.mark.parametrize("turns", [0, 1, 2, 7, 20])
@pytest.mark.parametrize("function", [line, columns, of_two_buffers, with_its_change, straight])
def test_same_as_numpy(function, turns):
    u = np.random.default_rng(turns).random((30, 20) if function is columns else 40)
    expected = function(u.copy(), turns)
    compiled = lazynp.jit(function, strict=True)
    for _ in range(2):
        same(compiled(u.copy(), turns), expected, rtol=1e-13)


@pytest.mark.parametrize(("function", "shape"), [(line, (100_000,)), (columns, (300, 400)), (of_two_buffers, (100_000,))])
def test_double_buffers_are_not_copied(function, shape):
    source = lazynp.show(lazynp.jit(function, strict=True), np.ones(shape), 50, stage="c")
    turn = source[source.index("/* loop") : source.index("/* entry */")]
    around, loop = turn.split("static void loop", 1)
    called = [part for part in around.split("static void ") if part.split("(")[0] in loop]
    assert len(called) == 2
    assert "memcpy" not in around
