"""Sorting and searching inside compiled programs: NumPy's values, and no Python in between."""

import numpy as np
import pytest

import lazynp
from lazynp.native import Direct

DTYPES = "?bhilBHILefdFD"
compiled = pytest.mark.skipif(Direct is None, reason="NumPy's sorting functions are found by the compiled module")


def numbers(dtype, shape, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 40, shape)
    if np.dtype(dtype).kind in "fc":
        x = (x - 20) / 4 + (1j * rng.integers(0, 3, shape) if np.dtype(dtype).kind == "c" else 0)
        x = np.where(rng.random(shape) < 0.1, np.nan, x)
    return x.astype(dtype)


def steps(f, *args):
    """How many steps of the compiled function Python runs."""
    return f.memory_plan(*args).steps


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("axis", "kind"), [(0, None), (-1, "stable"), (None, None), (1, "stable")], ids=str)
def test_sort_and_argsort(dtype, axis, kind):
    x = numbers(dtype, (7, 30, 5))
    f = lazynp.jit(lambda x: (lazynp.sort(x, axis, kind), lazynp.argsort(x, axis, kind)), strict=True)
    values, order = f(x)
    np.testing.assert_array_equal(values, np.sort(x, axis, kind))
    np.testing.assert_array_equal(order, np.argsort(x, axis, kind))
    assert values.dtype == x.dtype and order.dtype == np.intp
    if Direct is not None:
        assert steps(f, x) == 0


def test_heapsort():
    x = numbers("d", 1000)
    f = lazynp.jit(lambda x: (lazynp.sort(x, kind="heapsort"), lazynp.argsort(x, kind="heapsort")), strict=True)
    np.testing.assert_array_equal(f(x)[0], np.sort(x))
    np.testing.assert_array_equal(x[f(x)[1]], np.sort(x))


@pytest.mark.parametrize("shape", [(0,), (1,), (0, 3), (3, 0), (2, 3, 0, 4)], ids=str)
def test_sorts_of_nothing(shape):
    x = np.ones(shape)
    for axis in range(len(shape)):
        assert lazynp.jit(lambda x, axis=axis: lazynp.sort(x, axis))(x).shape == shape
        assert lazynp.jit(lambda x, axis=axis: lazynp.argsort(x, axis))(x).shape == shape


@pytest.mark.parametrize("dtype", "?bhilBHILefd")
@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("length", [0, 1, 37, 1000])
def test_searchsorted(dtype, side, length):
    table = np.sort(numbers(dtype, length))
    f = lazynp.jit(lambda a, v: lazynp.searchsorted(a, v, side), strict=True)
    for keys in (numbers(dtype, (5, 67), 1), np.sort(numbers(dtype, 300, 2)), numbers(dtype, 0)):
        np.testing.assert_array_equal(f(table, keys), np.searchsorted(table, keys, side))


def test_searchsorted_where_keys_run_through_a_long_table():
    rng = np.random.default_rng(0)
    table = np.sort(rng.random(20_000))
    f = lazynp.jit(lambda a, v: lazynp.searchsorted(a, v), strict=True)
    for keys in (np.linspace(-1, 2, 500), table, np.sort(rng.random(50_000)), np.array([-np.inf, -0.0, 0.0, np.inf, np.nan, 0.5])):
        np.testing.assert_array_equal(f(table, keys), np.searchsorted(table, keys))
    assert steps(f, table, table) == 0


@compiled
def test_loops_that_sort_are_compiled():
    @lazynp.jit(strict=True)
    def smoothed(x):
        out = x.copy()
        for k in range(x.shape[0]):
            row = lazynp.sort(x[k] * (k + 1))
            out[k] = row - row[lazynp.searchsorted(row, x[k]) % row.shape[0]]
        return out

    x = numbers("d", (20, 33))
    x[np.isnan(x)] = 0.0
    expected = np.empty_like(x)
    for k in range(20):
        row = np.sort(x[k] * (k + 1))
        expected[k] = row - row[np.searchsorted(row, x[k]) % 33]
    np.testing.assert_array_equal(smoothed(x), expected)
    assert steps(smoothed, x) == 0


def test_sorted_memory_is_the_callers():
    """An argument that is sorted in place."""

    @lazynp.jit(strict=True)
    def inplace(x):
        x.sort()
        return x[0] + x[-1]

    x = numbers("d", 100)
    expected = np.sort(x)
    first = inplace(x)
    np.testing.assert_array_equal(x, expected)
    np.testing.assert_array_equal(first, expected[0] + expected[-1])
    x[:] = numbers("d", 100, 3)
    expected = np.sort(x)
    inplace(x)
    np.testing.assert_array_equal(x, expected)


def test_derivatives_of_sorts():
    x = np.array([3.0, 1.0, 2.0, 1.0])
    weights = np.arange(4.0)
    gradient = lazynp.jit(lazynp.grad(lambda x: (lazynp.sort(x) * weights).sum()), strict=True)(x)
    np.testing.assert_array_equal(gradient, [3.0, 0.0, 2.0, 1.0])


@pytest.mark.parametrize("keys", [3, 100, 2000])
@pytest.mark.parametrize("side", ["left", "right"])
def test_searchsorted_of_what_is_in_no_order(keys, side):
    """NumPy's answer then depends on its own steps."""
    table, wanted = np.random.default_rng(5).integers(0, 99, 2000), np.random.default_rng(6).integers(-5, 105, keys)
    f = lazynp.jit(lambda a, v: lazynp.searchsorted(a, v, side), strict=True)
    np.testing.assert_array_equal(f(table, wanted), np.searchsorted(table, wanted, side))
