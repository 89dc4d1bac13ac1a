"""Loops whose loads lie alike begin where these begin a line of the cache: the same numbers, whatever the array's place in memory."""

import numpy as np
import pytest

import lazynp
from lazynp import show


def diffused(np, x, c):
    flux = x[1:-1, 1:-1] * 4 - (x[2:, 1:-1] + x[:-2, 1:-1] + x[1:-1, 2:] + x[1:-1, :-2]) + x[2:, 2:] - x[:-2, :-2]
    return x[1:-1, 1:-1] - c * np.where(flux * (x[2:, 1:-1] - x[1:-1, 1:-1]) > 0, 0, flux)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("columns", [16, 64], ids=["short", "long"])
@pytest.mark.parametrize("offset", [0, 1, 2, 3, 5, 7, 13])
def test_arrays_that_begin_anywhere(dtype, columns, offset):
    rng = np.random.default_rng(0)
    shape = (30, 20, columns)
    memory = np.empty(30 * 20 * columns + 32, dtype)
    start = -(memory.ctypes.data // memory.itemsize) % 16 + offset
    x = memory[start : start + 30 * 20 * columns].reshape(shape)
    x[:] = rng.random(shape)
    result = lazynp.jit(lambda x: diffused(lazynp, x, dtype(0.3)), strict=True)(x)
    np.testing.assert_array_equal(result, diffused(np, x, dtype(0.3)), strict=True)


def test_such_loops_have_a_head():
    x = np.zeros((30, 20, 64))
    assert "whole_begin" in show(lambda x: diffused(lazynp, x, 0.3), x, stage="c")
    assert "whole_begin" not in show(lambda x: diffused(lazynp, x, 0.3), np.zeros((30, 20, 63)), stage="c")
