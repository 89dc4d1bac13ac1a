"""numpy.apply_along_axis in traces: one loop over the rows inside jit, row by row elsewhere."""

import numpy as np
import pytest
from outcomes import outcome, same

import lazynp

rng = np.random.default_rng(3)
ROWS = rng.normal(size=(300, 12))
BLOCK = rng.normal(size=(4, 5, 6))


def sum_above(row, limit, scale=1.0):
    total = 0.0
    for value in row:
        if value > limit:
            total += value * scale
    return total


def centred(row):
    row -= row.mean()
    return row.std()


def inside_a_loop(a):
    found = np.zeros(5)
    for i in range(5):
        found[i] = np.apply_along_axis(lambda row, i=i: (row * i).sum(), 1, a).max()
    return found


CALLS = {
    "vectors": (lambda a: np.apply_along_axis(lambda row: np.cumsum(row) / row.sum(), 1, a), ROWS),
    "numbers": (lambda a: np.apply_along_axis(np.median, 0, a), ROWS),
    "matrices": (lambda a: np.apply_along_axis(lambda row: np.outer(row, row), 1, a), BLOCK),
    "the-first-axis": (lambda a: np.apply_along_axis(lambda row: row[::2], 0, a), BLOCK),
    "the-last-axis": (lambda a: np.apply_along_axis(np.sum, -1, a), BLOCK),
    "lists": (lambda a: np.apply_along_axis(lambda row: [row.min(), row.max()], 1, a), ROWS),
    "loops-and-branches": (lambda a: np.apply_along_axis(sum_above, 1, a, 0.5, scale=2.0), ROWS),
    "writes": (lambda a: np.apply_along_axis(centred, 1, a), ROWS),
    "one-row": (lambda a: np.apply_along_axis(lambda row: row * 2, 0, a), ROWS[0]),
    "inside-a-loop": (inside_a_loop, ROWS),
    "no-rows": (lambda a: np.apply_along_axis(np.sum, 1, a), ROWS[:0]),
    "no-such-axis": (lambda a: np.apply_along_axis(np.sum, 5, a), ROWS),
    "many-rows": (lambda a: np.apply_along_axis(lambda row: np.sort(row)[1:-1].mean(), 1, a), rng.normal(size=(5000, 9))),
}


@pytest.mark.parametrize("name", CALLS)
def test_inside_jit(name):
    function, a = CALLS[name]
    expected, theirs, _ = outcome(function, (a,))
    compiled = lazynp.jit(function, strict=True)
    for _ in range(2):
        actual, ours, _ = outcome(compiled, (a,))
        same(actual, expected)
        same(ours, theirs, "arguments")


def test_results_that_differ_in_dtype_are_cast_to_that_of_the_first():
    def function(a):
        return np.apply_along_axis(lambda row: row.sum() if row[0] > 20 else row[0] * 1.5, 1, a)

    a = np.arange(60).reshape(12, 5)
    same(outcome(lazynp.jit(function), (a,)).result, function(a))


@pytest.mark.parametrize("compiled", [True, False], ids=["jit", "at-once"])
def test_derivatives(compiled):
    def loss(a):
        return lazynp.sum(lazynp.apply_along_axis(lambda row: row**2 * row[0], 1, a))

    derived = lazynp.grad(loss)
    expected = 2 * ROWS * ROWS[:, :1]
    expected[:, 0] += (ROWS**2).sum(1)
    np.testing.assert_allclose((lazynp.jit(derived) if compiled else derived)(ROWS), expected, rtol=1e-12)


def test_batches():
    found = lazynp.vmap(lambda a: lazynp.apply_along_axis(lambda row: row - row.max(), 1, a))(BLOCK)
    np.testing.assert_array_equal(found, BLOCK - BLOCK.max(-1, keepdims=True))
