"""Derivatives backwards through loops whose number of turns comes from data: rows of sparse matrices, counts, triangles with holes."""

import numpy as np
import pytest

import lazynp
from lazynp.runtime.stats import counters
from lazynp.transform import loops


def sparse_rows(values, indices, starts, x):
    y = np.zeros(len(starts) - 1)
    for i in range(len(starts) - 1):
        s = 1.0
        for k in range(starts[i], starts[i + 1]):
            s = s * values[k] * np.sin(x[indices[k]] + s)
        y[i] = s
    return np.sum(y**2)


def counted(values, indices, starts, x):
    s = x[0]
    for _ in range(starts[-1]):
        s = np.sin(s) * x[1] + values[3]
    return s


def backwards_in_steps(values, indices, starts, x):
    s = x[0]
    for k in range(starts[-1] - 1, -1, -3):
        s = np.cos(s * values[k]) + x[k % 4] * s
    return s


def by_twos(values, indices, starts, x):
    s = x.copy()
    for k in range(starts[1], starts[-1], 2):
        s[indices[k]] = s[indices[k]] * values[k] + np.tanh(s[0])
    return np.sum(s * s)


def slices(values, indices, starts, x):
    y = x * 1.0
    for i in range(len(starts) - 1):
        for k in range(starts[i], starts[i + 1]):
            y[: i + 1] = np.sin(y[: i + 1] * values[k])
    return np.sum(y)


PROGRAMS = [sparse_rows, counted, backwards_in_steps, by_twos, slices]


def arguments(n=8, rng=None):
    rng = rng or np.random.default_rng(0)
    counts = rng.integers(0, 6, n)
    counts[2] = 0
    starts = np.concatenate([[0], np.cumsum(counts)])
    return [rng.uniform(0.5, 1.0, starts[-1]), rng.integers(0, n, starts[-1]), starts, rng.uniform(size=n)]


def differences(f, args, place, width=1e-6):
    found = np.zeros_like(args[place])
    for k in range(len(found)):
        ends = []
        for sign in (1, -1):
            moved = list(args)
            moved[place] = args[place].copy()
            moved[place][k] += sign * width
            ends.append(f(*moved))
        found[k] = (ends[0] - ends[1]) / (2 * width)
    return found


@pytest.mark.parametrize("rows", [2, 3, 1024])
@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("place", [0, 3])
def test_gradient(monkeypatch, program, rows, place):
    """Also where the turns fill several levels of segments."""
    monkeypatch.setattr(loops, "_ROWS", rows)
    monkeypatch.setattr(loops, "_LEAST_ROWS", rows)
    args = arguments(4 if rows == 2 else 8)
    args = [args[0], args[1], np.minimum(args[2], rows**3), args[3]]
    gradient = lazynp.jit(lazynp.grad(program, argnums=place), strict=True)
    np.testing.assert_allclose(gradient(*args), differences(program, args, place), rtol=1e-6, atol=1e-8)


def test_the_program_does_not_depend_on_the_number_of_turns():
    gradient = lazynp.jit(lazynp.grad(counted, argnums=3), strict=True)
    args = arguments()
    for turns in (0, 1, 5, 1024, 1025, 5000):
        args[2][-1] = turns
        np.testing.assert_allclose(gradient(*args), differences(counted, args, 3), rtol=1e-5, atol=1e-8)
    programs = counters.programs
    args[2][-1] = 3_000_000
    assert np.isfinite(gradient(*args)).all()
    assert counters.programs == programs


def test_second_derivative():
    args = arguments()
    first = lazynp.grad(sparse_rows, argnums=3)
    second = lazynp.jit(lazynp.grad(lambda *a: np.sum(first(*a) ** 2), argnums=3), strict=True)
    gradient = lazynp.jit(first)
    np.testing.assert_allclose(second(*args), differences(lambda *a: np.sum(gradient(*a) ** 2), args, 3), rtol=1e-5, atol=1e-7)


def test_more_turns_than_the_segments_hold(monkeypatch):
    monkeypatch.setattr(loops, "_ROWS", 2)
    monkeypatch.setattr(loops, "_LEAST_ROWS", 2)
    args = arguments()
    args[2][-1] = 9
    with pytest.raises(IndexError):
        lazynp.jit(lazynp.grad(counted, argnums=3), strict=True)(*args)
