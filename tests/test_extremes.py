"""argmax and argmin of many rows, and folds of rows of any length beside each other: NumPy's positions and values."""

import numpy as np
import pytest

import lazynp


def jitted(function):
    return lazynp.jit(function, strict=True)


@pytest.mark.parametrize("name", ["argmax", "argmin"])
@pytest.mark.parametrize("dtype", ["f8", "f4", "i8", "i4", "u4", "u8"])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_positions_of_extremes_are_numpys(name, dtype, axis):
    """Small numbers: most rows have ties, of which the first counts."""
    x = np.random.default_rng(0).integers(0, 9, (20, 33, 70)).astype(dtype)
    found = jitted(lambda x: getattr(lazynp, name)(x, axis=axis))(x)
    expected = getattr(np, name)(x, axis=axis)
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("name", ["argmax", "argmin"])
@pytest.mark.parametrize("dtype", ["f8", "f4"])
def test_the_first_nan_is_the_extreme(name, dtype):
    x = np.random.default_rng(1).standard_normal((40, 50)).astype(dtype)
    x[3, 7] = x[3, 30] = x[4, 0] = x[5, 49] = np.nan
    x[6], x[7], x[8, 20], x[9, :] = np.inf, -np.inf, -np.inf, np.nan
    for axis in (0, 1):
        found = jitted(lambda x, axis=axis: getattr(lazynp, name)(x, axis=axis))(x)
        np.testing.assert_array_equal(found, getattr(np, name)(x, axis=axis))


@pytest.mark.parametrize("size", [127, 129, 200, 256, 316, 511, 512, 513, 1000, 4096, 4100])
@pytest.mark.parametrize("dtype", ["f8", "f4", "i4"])
def test_folds_of_rows_of_many_lengths(size, dtype):
    x = (np.random.default_rng(2).standard_normal((37, size)) * 50).astype(dtype)
    total, largest, least = jitted(lambda x: (x.sum(axis=1), x.max(axis=1), x.min(axis=1)))(x)
    np.testing.assert_array_equal(largest, x.max(axis=1))
    np.testing.assert_array_equal(least, x.min(axis=1))
    exact = x.sum(axis=1) if dtype == "i4" else x.astype(np.float64).sum(axis=1)
    rounding = {"f8": 1e-15, "f4": 4e-7, "i4": 0}[dtype]
    assert np.all(np.abs(total - exact) <= rounding * np.abs(x).sum(axis=1))


@pytest.mark.parametrize("dtype", ["f8", "f4"])
def test_maxima_and_minima_of_rows_with_nan_and_zeros(dtype):
    x = np.random.default_rng(3).standard_normal((50, 300)).astype(dtype)
    x[2, 5] = x[2, 6] = x[3, 299] = x[4, 0] = np.nan
    x[5], x[6, ::2] = -0.0, np.inf
    largest, ignoring = jitted(lambda x: (x.max(axis=1), lazynp.fmax.reduce(x, axis=1)))(x)
    np.testing.assert_array_equal(largest, x.max(axis=1))
    np.testing.assert_array_equal(ignoring, np.fmax.reduce(x, axis=1))
    assert np.signbit(largest[5])
