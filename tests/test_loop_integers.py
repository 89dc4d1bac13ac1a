"""Integers in loops: those that outgrow 64 bits, those made of real numbers, and those of data that are indices."""

import warnings

import numpy as np
import pytest
from outcomes import made, same
from user_loops import steps_of_collatz

import lazynp


@pytest.mark.parametrize("start", [1, 6, 27, 2**61 - 1, 2**62 - 2, 2**62 + 2**61 + 1], ids=str)
def test_integers_that_outgrow_64_bits_in_one_branch(start):
    n = np.array([start])
    np.testing.assert_array_equal(lazynp.jit(steps_of_collatz)(n), steps_of_collatz(n))


def counted(x):
    counts = np.zeros(4, dtype=np.int64)
    for value in x:
        k = int(value)
        if k < 0 or k >= 4:
            continue
        counts[k] += 1
    return counts


@pytest.mark.parametrize("wild", [-1.0, 2.0**62, -(2.0**63), 1e300], ids=str)
def test_numbers_that_become_large_integers(wild):
    x = np.array([0.5, 3.5, wild, 2.0])
    np.testing.assert_array_equal(lazynp.jit(counted)(x), counted(x))


@pytest.mark.parametrize(("wild", "error"), [(np.nan, ValueError), (np.inf, OverflowError)], ids=["nan", "inf"])
def test_numbers_that_become_no_integers(wild, error):
    with pytest.raises(error):
        lazynp.jit(counted)(np.array([0.5, wild]))


def gathered(x, rows):
    total = 0.0
    for k in range(rows[0], rows[1]):
        total += x[rows[k]] + x[k]
    return total


@pytest.mark.parametrize("rows", [[2, 5, -1, 0, -4], [-3, 0, 3, -2, 1], [0, 0, 9, 9, 9]], ids=["inside", "below", "none"])
def test_negative_indices_from_data(rows):
    x, rows = np.arange(1.0, 6.0), np.array(rows)
    assert lazynp.jit(gathered, strict=True)(x, rows) == gathered(x, rows)


@pytest.mark.parametrize("rows", [[2, 5, -6, 0, 1], [2, 5, 5, 0, 1], [4, 6, 0, 0, 0]], ids=["below", "above", "end"])
def test_indices_from_data_that_are_outside(rows):
    with pytest.raises(IndexError):
        lazynp.jit(gathered)(np.arange(1.0, 6.0), np.array(rows))


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.uint32, np.uint64])
@pytest.mark.parametrize("sign", ["<", "<=", ">", ">=", "==", "!="])
def test_choices_decided_by_comparisons(sign, dtype):
    """Choices that depend on what the turn before has left are conditional moves of our own (backends/choices.py)."""
    program = made(
        "def program(x, y):\n    kept, rows = x[0] - x[0], np.empty_like(x)\n    for i in range(len(x)):\n"
        f"        kept = kept + y[i] if x[i] {sign} y[i] else x[i]\n        rows[i] = kept if kept {sign} y[i] else kept + x[i]\n"
        "    return kept, rows\n",
        f"<choices {np.dtype(dtype)} {sign}>",
    )
    limits = np.iinfo(dtype)
    x, y = np.random.default_rng(0).choice(np.array([0, 1, 2, 3, limits.max, limits.min, limits.max - 1], dtype), (2, 300))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = program(x, y)
        actual = lazynp.jit(program, strict=True)(x, y)
    same(actual, expected)
