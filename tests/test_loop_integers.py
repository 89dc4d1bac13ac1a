"""Integers in loops: those that outgrow 64 bits, those made of real numbers, and those of data that are indices."""

import numpy as np
import pytest
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
