"""Nests that run band of rows by band of rows: scatters and what makes their indices, temporaries of a few rows; gathers in vectors."""

import numpy as np
import pytest

import lazynp

N = 50_000


def checked(function, *arguments):
    """The result of a jitted function, after comparison with NumPy's; and the jitted function."""
    compiled = lazynp.jit(lambda *a: function(lazynp, *a), strict=True)
    expected = function(np, *[a.copy() for a in arguments])
    results = compiled(*[a.copy() for a in arguments])
    for result, value in zip(results, expected, strict=True):
        np.testing.assert_array_equal(result, value, strict=True)
    return compiled


def data():
    rng = np.random.default_rng(0)
    return rng.integers(0, 100, N), rng.random(N), rng.integers(0, 100, 100)


def sums(np, x, w, table):
    i, counts, sums = table[table[x] * 3 % 100], np.zeros(100, int), np.zeros(100)
    np.add.at(counts, i, 1)
    np.add.at(sums, i, w * 2)
    return counts, sums


def test_scatters_store_neither_index_nor_weights():
    x, w, table = data()
    compiled = checked(sums, x, w, table)
    assert compiled.memory_plan(x, w, table).temporaries < 10_000


def counts(np, x, w, table):
    i = table[x] * 3 % 100
    return np.bincount(i, minlength=100), np.bincount(i, w * 2, minlength=100)


def extremes(np, x, w, table):
    i = table[x]
    sums, highest = np.zeros(100), np.full(100, -1.0)
    np.add.at(sums, i, w)
    np.maximum.at(highest, i, w * 2)
    return sums, highest, i


def of_itself(np, x, w, table):
    out = np.zeros(100)
    out[x] = w
    np.add.at(out, x, out[x])
    return (out,)


def in_two_axes(np, x, w, table):
    out, again = np.zeros((100, 100)), np.zeros((100, 100))
    np.add.at(out, (x, table[x]), w)
    np.add.at(again, (x, table[x]), out[x, table[x]])
    return out, again


def in_place(np, x, w, table):
    x[:] = table[x]
    x[:] = table[x]
    return (x,)


def of_many_dtypes(np, x, w, table):
    return table[-x - 1], table[x.astype(np.int8)], table[x.astype(np.uint64)], table[(x - 50).astype(np.int16)]


@pytest.mark.parametrize("function", [counts, extremes, of_itself, in_two_axes, in_place, of_many_dtypes])
def test_computed_indices(function):
    checked(function, *data())


def test_the_first_index_out_of_range_is_named():
    x, _, table = data()
    x[[777, 9000]] = -101, 150
    with pytest.raises(IndexError, match="index -101 is out of bounds for axis 0 with size 100"):
        lazynp.jit(lambda x, table: table[table[x]])(x, table)


def normalised(np, x):
    e = np.exp(x - np.max(x, axis=1, keepdims=True))
    shares = e / np.sum(e, axis=1, keepdims=True)
    return np.sum(shares * shares, axis=1), np.cumsum(shares[:, ::-1], axis=1)[:, -1]


@pytest.mark.parametrize("shape", [(1000, 100), (3, 100_000), (20_000, 3), (1, 70_000)], ids=str)
def test_rows_of_temporaries(shape):
    x = np.random.default_rng(0).random(shape)
    for result, value in zip(lazynp.jit(lambda x: normalised(lazynp, x))(x), normalised(np, x), strict=True):
        np.testing.assert_allclose(result, value, rtol=1e-12)


def test_temporaries_of_rows_lie_on_the_stack():
    x = np.random.default_rng(0).random((20_000, 100))
    compiled = lazynp.jit(lambda x: normalised(lazynp, x)[0])
    np.testing.assert_allclose(compiled(x), normalised(np, x)[0], rtol=1e-12)
    assert compiled.memory_plan(x).temporaries < x.nbytes // 4


def accumulated(np, x, w):
    total = np.zeros((len(x) - 9, w.shape[1]))
    for k in range(10):
        total += x[k : len(x) - 9 + k] @ w
    return (np.maximum(total + w[0], 0),)


def test_what_a_loop_leaves_lies_where_the_result_is_wanted():
    rng = np.random.default_rng(0)
    x, w = rng.random((5000, 40)), rng.random((40, 20))
    compiled = lazynp.jit(lambda *a: accumulated(lazynp, *a), strict=True)
    np.testing.assert_allclose(compiled(x, w)[0], accumulated(np, x, w)[0], rtol=1e-12)
    plan = compiled.memory_plan(x, w)
    assert plan.temporaries < 1.5 * plan.results + x.nbytes
