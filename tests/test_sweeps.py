"""Sweeps in place, several rows at a time: the same bits as row by row, and rows that could meet are left as they are."""

import copy

import numpy as np
import pytest

import lazynp
from lazynp.backends import toolchain
from lazynp.runtime.evaluate import clear_memory_cache

needs_compiler = pytest.mark.skipif(toolchain.find_compiler() is None, reason="needs a C compiler")


def five_points(u):
    for i in range(1, u.shape[0] - 1):
        for j in range(1, u.shape[1] - 1):
            u[i, j] = 0.25 * (u[i - 1, j] + u[i + 1, j] + u[i, j - 1] + u[i, j + 1])


def nine_points(u):
    for i in range(1, u.shape[0] - 1):
        for j in range(1, u.shape[1] - 1):
            above = u[i - 1, j - 1] + u[i - 1, j] + u[i - 1, j + 1]
            below = u[i + 1, j - 1] + u[i + 1, j] + u[i + 1, j + 1]
            u[i, j] = (above + u[i, j - 1] + u[i, j] + u[i, j + 1] + below) / 9


def far_neighbours(u):
    for i in range(2, u.shape[0] - 2):
        for j in range(5, u.shape[1] - 5):
            u[i, j] = u[i, j - 1] - 0.5 * u[i - 1, j + 5] + 0.25 * u[i + 1, j - 5] - u[i - 2, j + 4] + u[i + 2, j - 3]


def with_greatest_change(u):
    change = 0.0
    for i in range(1, u.shape[0] - 1):
        for j in range(1, u.shape[1] - 1):
            new = 0.25 * (u[i - 1, j] + u[i + 1, j] + u[i, j - 1] + u[i, j + 1])
            change = max(change, abs(new - u[i, j]))
            u[i, j] = new
    return change


def longest_common_part(u):
    d = np.zeros((u.shape[0] + 1, u.shape[1] + 1), dtype=np.int64)
    for i in range(1, u.shape[0] + 1):
        for j in range(1, u.shape[1] + 1):
            d[i, j] = max(d[i - 1, j], d[i, j - 1], d[i - 1, j - 1] + (1 if u[i - 1, 0] > u[0, j - 1] else 0))
    return d


def with_sum(u):
    total = 0.0
    for i in range(1, u.shape[0] - 1):
        for j in range(1, u.shape[1] - 1):
            u[i, j] = 0.25 * (u[i - 1, j] + u[i + 1, j] + u[i, j - 1] + u[i, j + 1])
            total += u[i, j]
    return total


def with_last_of_signs(u):
    sign = 0.0
    for i in range(1, u.shape[0] - 1):
        for j in range(1, u.shape[1] - 1):
            u[i, j] = 0.25 * (u[i - 1, j] + u[i, j - 1])
            sign = max(sign, u[i, j] * 0.0)
    return sign


def rows_that_meet(v):
    for i in range(8):
        for j in range(1, 60):
            v[10 * i + j] = 0.5 * v[10 * i + j - 1] + 0.25 * v[10 * i + j]


def run(function, u):
    compiled, plain = copy.deepcopy(u), copy.deepcopy(u)
    with np.errstate(all="ignore"):
        expected = function(plain)
        found = lazynp.jit(function)(compiled)
    np.testing.assert_array_equal(compiled, plain)
    np.testing.assert_array_equal(np.signbit(compiled), np.signbit(plain))
    if expected is not None:
        np.testing.assert_array_equal(found, expected)
        np.testing.assert_array_equal(np.signbit(found), np.signbit(expected))


SWEEPS = [five_points, nine_points, far_neighbours, with_greatest_change, longest_common_part]


@pytest.mark.parametrize("function", SWEEPS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("rows", [1, 5, 6, 7, 9, 23])
@pytest.mark.parametrize("columns", [20, 45, 64])
def test_same_bits(function, rows, columns):
    rng = np.random.default_rng(rows)
    u = rng.uniform(-1, 1, (rows, columns))
    run(function, u)
    u[rng.random(u.shape) < 0.02] = np.nan
    u[rng.random(u.shape) < 0.02] = -0.0
    run(function, u)


@pytest.mark.parametrize("function", [with_sum, with_last_of_signs], ids=lambda f: f.__name__)
def test_what_depends_on_the_order(function):
    run(function, np.random.default_rng(0).uniform(-1, 1, (20, 50)))


def test_rows_that_meet():
    run(rows_that_meet, np.random.default_rng(0).uniform(-1, 1, 140))


@needs_compiler
@pytest.mark.parametrize("function", [*SWEEPS, with_sum, with_last_of_signs], ids=lambda f: f.__name__)
def test_which_are_sweeps(function):
    clear_memory_cache()
    source = lazynp.jit(function).lower(np.ones((30, 60))).ready.program.source
    for shape in ((3, 2), (9, 0), (9, 1), (0, 9), (40, 37)):
        run(function, np.random.default_rng(0).uniform(-1, 1, shape))
    assert ("double left" in source or "int64_t left" in source) == (function in SWEEPS)


def narrow(u, low, high):
    v = u.reshape(-1)
    for i in range(1, 7):
        for j in range(low, high):
            v[8 * i + j] = 0.5 * v[8 * i + j - 1] + 0.25 * v[8 * i + j - 8]


@pytest.mark.parametrize(("low", "high"), [(1, 8), (0, 8), (-1, 8), (0, 9), (1, 12), (3, 3), (5, 2)], ids=str)
def test_columns_that_are_known_at_run_time(low, high):
    u = np.random.default_rng(0).uniform(-1, 1, (10, 8))
    f = lazynp.jit(lambda u, low, high: narrow(u, int(low), int(high)))
    for bounds in ((np.int64(1), np.int64(7)), (np.int64(low), np.int64(high))):
        compiled, plain = u.copy(), u.copy()
        f(compiled, *bounds)
        narrow(plain, *bounds)
        np.testing.assert_array_equal(compiled, plain)


def test_all_sizes():
    for shape in ((40, 43), (50, 53), (9, 1), (3, 2), (45, 33)):
        run(five_points, np.random.default_rng(0).uniform(-1, 1, shape))


@needs_compiler
def test_rows_that_meet_are_no_sweep():
    assert "double left" not in lazynp.jit(rows_that_meet).lower(np.ones(140)).ready.program.source
