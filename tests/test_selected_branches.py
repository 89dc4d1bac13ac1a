"""Branches of a loop's turn that become selections: the answers of NumPy, and no branch where one would be guessed wrong."""

import numpy as np
import pytest
from outcomes import made, outcome, same
from random_branches import Writer

import lazynp

SPECIAL = np.array([0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.0, np.nan, np.inf, -np.inf, 1e-300, 3.25])


def sums_that_begin_anew(x, flags):
    sums, s = np.empty_like(x), 0.0
    for i in range(len(x)):
        if flags[i]:
            s = 0.0
        s += x[i]
        sums[i] = s
    return sums


def runs(x, flags):
    """Each sum but the first of a run is made of the element before."""
    sums = x.copy()
    for i in range(1, len(x)):
        if flags[i]:
            sums[i] = x[i]
        else:
            sums[i] = sums[i - 1] + x[i]
    return sums


def bubbles(x):
    for i in range(len(x)):
        for j in range(len(x) - 1 - i):
            if x[j] > x[j + 1]:
                x[j], x[j + 1] = x[j + 1], x[j]


def counted(x):
    n, s = 0, 0.0
    for i in range(len(x)):
        if x[i] > 0:
            n += 1
            s += x[i]
    return n, s


def of_other_elements(x, places):
    s = 0.0
    for i in range(len(places)):
        if places[i] < len(x):
            s += x[places[i]]
    return s


def of_both_ends(x, i, j):
    if x[0] > 0:
        x[i] = 5.0
    else:
        x[j] = 7.0


def text(function, *arguments):
    compiled = lazynp.jit(function, strict=True)
    return compiled, lazynp.show(compiled, *arguments, stage="c").rsplit("/* loop", 1)[-1]


@pytest.mark.parametrize("dtype", ["f8", "f4"])
@pytest.mark.parametrize("function", [sums_that_begin_anew, bubbles, counted])
def test_no_branch(function, dtype):
    rng = np.random.default_rng(0)
    x = rng.standard_normal(40).astype(dtype)
    arguments = (x, rng.random(40) < 0.3) if function is sums_that_begin_anew else (x,)
    compiled, c = text(function, *arguments)
    assert "if (" not in c
    expected, theirs, _ = outcome(function, arguments)
    actual, ours, _ = outcome(compiled, arguments)
    same(actual, expected)
    same(ours, theirs, "arguments")


@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.float64])
def test_an_element_or_a_sum_with_the_one_before(dtype):
    x, flags = np.arange(60).astype(dtype), np.arange(60) % 7 == 3
    function, c = text(runs, x, flags)
    same(function(x, flags), runs(x, flags))
    assert "lz_one_of_" in c, "no compiler keeps a select of this where it may be a branch"


def test_what_may_be_out_of_range_is_read_by_its_branch_alone():
    x, places = np.random.default_rng(0).random(5), np.array([0, 7, 4, 100, 1])
    assert lazynp.jit(of_other_elements, strict=True)(x, places) == of_other_elements(x, places)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_sides_that_store_at_places_of_their_own(sign):
    ours, theirs = np.full(4, sign), np.full(4, sign)
    lazynp.jit(of_both_ends)(ours, 2, 2)
    of_both_ends(theirs, 2, 2)
    same(ours, theirs)


@pytest.mark.parametrize("seed", range(24))
def test_random_branches(seed):
    program = made(Writer(seed).program(), f"<random branches {seed}>")
    rng = np.random.default_rng(seed)
    a, b = rng.choice(SPECIAL, 40), np.round(rng.standard_normal(40) * 2) / 2
    arguments = (a, b, rng.integers(-3, 4, 40), rng.random(40) < 0.5)
    with np.errstate(all="ignore"):
        expected, theirs, _ = outcome(program, arguments)
        actual, ours, _ = outcome(lazynp.jit(program, strict=True), arguments)
    same(actual, expected)
    same(ours, theirs, "arguments")


def primes(n):
    sieve = np.ones(n, np.bool_)
    i = 2
    while i * i < n:
        if sieve[i]:
            for j in range(i * i, n, i):
                sieve[j] = False
        i += 1
    count = 0
    for k in range(2, n):
        if sieve[k]:
            count += 1
    return count


def test_numbers_that_are_counted_in_an_array_of_the_function_itself():
    assert lazynp.jit(primes, strict=True)(1000) == primes(1000)
