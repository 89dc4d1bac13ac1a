"""Slices whose step comes from a loop, and conditions of loops whose integers may outgrow 64 bits: as in NumPy and Python."""

import numpy as np
import pytest

import lazynp


def reads_and_writes(x, more):
    sums = np.zeros(4)
    for i in range(1, len(x)):
        sums[0] += x[::i].sum()
        x[i::i] += more
        v = x[2::i]
        sums[1] += v[0] if len(v) else 0
        sums[2] += (x[1:5:i] * 2).sum()
        sums[3] += x[: len(x) - i : 2 * i].sum()
    return sums


def sieve(n):
    prime = np.ones(n + 1, dtype=bool)
    prime[:2] = False
    i = 2
    while i * i <= n:
        if prime[i]:
            prime[i * i :: i] = False
        i += 1
    return np.flatnonzero(prime)


def rows(a):
    for k in range(1, a.shape[0]):
        a[::k, k] *= 2.0
        a[k, ::k] = a[0, ::k]
    return a


@pytest.mark.parametrize(
    ("f", "arguments"),
    [
        (reads_and_writes, lambda: (np.arange(20.0), 2.0)),
        (sieve, lambda: (1000,)),
        (rows, lambda: (np.arange(144.0).reshape(12, 12),)),
    ],
    ids=["reads_and_writes", "sieve", "rows"],
)
def test_a_step_that_a_loop_counts(f, arguments):
    ours, numpys = arguments(), arguments()
    expected = f(*numpys)
    np.testing.assert_array_equal(lazynp.jit(f)(*ours), expected)
    for a, b in zip(ours, numpys, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.filterwarnings("error::lazynp.errors.PerformanceWarning")
def test_it_is_one_program():
    def crossed(n):
        prime = np.ones(n + 1, dtype=bool)
        i = 2
        while i * i <= n:
            prime[i * i :: i] = False
            i += 1
        return prime

    f = lazynp.jit(crossed, strict=True)
    np.testing.assert_array_equal(f(500), crossed(500))
    f(1000)
    programs = lazynp.runtime.stats.counters.program_runs
    f(1000)
    assert lazynp.runtime.stats.counters.program_runs - programs <= 1


def test_a_step_that_becomes_zero_or_negative_is_pythons():
    def down(x, first):
        step = first
        total = 0.0
        for _ in range(20):
            total += x[::step].sum()
            step -= 1
        return total

    f = lazynp.jit(down)
    x = np.arange(30.0)
    assert f(x, 25) == down(x, 25)
    with pytest.raises(ValueError, match="slice step cannot be zero"):
        f(x, 10)


def test_the_derivative_along_data_steps():
    def f(x):
        total = 0.0
        for i in range(1, 16):
            total += np.sum(x[i::i] ** 2)
        return total

    x = np.linspace(0.5, 1.5, 20)
    divisors = np.array([sum(k % i == 0 and k >= i for i in range(1, 16)) for k in range(20)])
    np.testing.assert_allclose(lazynp.jit(lazynp.grad(f))(x), 2 * x * divisors)


def test_integers_of_a_condition_have_any_size():
    def cubes(x):
        k, turns = 3, 0
        while k * k * k < x[0]:
            k *= 3
            turns += 1
        return k, turns

    assert lazynp.jit(cubes)(np.array([1e40])) == cubes(np.array([1e40]))
    assert lazynp.jit(cubes)(np.array([1e3])) == cubes(np.array([1e3]))


def test_division_by_zero_in_a_condition():
    def until(x, n):
        while x[0] > 10 // n:
            n -= 1
        return n

    assert lazynp.jit(until)(np.array([2.5]), 9) == until(np.array([2.5]), 9)
    with pytest.raises(ZeroDivisionError):
        lazynp.jit(until)(np.array([1e9]), 9)
