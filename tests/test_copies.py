"""Copies that a loop makes on its way (backends/copies.py): the same values as copies made before."""

import random

import numpy as np
import pytest
from outcomes import made, outcome, same

import lazynp

N = 100


def down(t):
    best = t.copy()
    for i in range(N - 2, -1, -1):
        for j in range(i + 1):
            best[i, j] += max(best[i + 1, j], best[i + 1, j + 1])
    return best[0, 0], best.sum()


def up(t):
    best = t.copy()
    for i in range(1, N):
        for j in range(1, N - 1):
            best[i, j] += min(best[i - 1, j - 1], best[i - 1, j], best[i - 1, j + 1])
    return best[N - 1].min(), best.sum()


def constant(t):
    table = np.zeros((N, N + 1))
    for i in range(1, N):
        for j in range(1, N + 1):
            table[i, j] = table[i - 1, j - 1] + t[i, j - 1] if t[i, j - 1] > 0 else max(table[i - 1, j], 0.5)
    return table[N - 1, N], table.sum()


def several_rows_at_a_time(t):
    """Each element waits for its left neighbour (backends/sweeps.py)."""
    table = np.zeros((N, N + 1))
    for i in range(1, N):
        for j in range(1, N + 1):
            table[i, j] = max(table[i - 1, j], table[i, j - 1]) + t[i, j - 1]
    return table[N - 1, N], table.sum()


def every_other_row(t):
    best = t.copy()
    for i in range(2, N, 2):
        for j in range(N):
            best[i, j] -= 0.5 * best[i - 2, j]
    return best.sum(axis=1)


def no_turns(t):
    best = t.copy()
    for i in range(5, 5):
        for j in range(1, N):
            best[i, j] += best[i - 1, j - 1]
    return best.sum(axis=0)


def to_the_end_at_once(t):
    best = t.copy()
    for i in range(1, N):
        for j in range(1, N):
            best[i, j] += best[N - 1, j - 1] * 0.25
    return best.sum(axis=0)


@pytest.mark.parametrize("function", [down, up, constant, every_other_row])
def test_loops_copy_what_they_touch(function):
    t = np.random.default_rng(0).normal(size=(N, N))
    compiled = lazynp.jit(function, strict=True)
    assert "int64_t copied" in lazynp.show(compiled, t, stage="c")
    kept = t.copy()
    for ours, theirs in zip(np.atleast_1d(compiled(t)), np.atleast_1d(function(t)), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)
    same(t, kept)


def largest_sum(t):
    best = t.copy()
    for i in range(N - 2, -1, -1):
        for j in range(i + 1):
            best[i, j] += max(best[i + 1, j], best[i + 1, j + 1])
    return best[0, 0]


def a_band(t):
    best = t.copy()
    for i in range(3, N - 3):
        for j in range(i - 2, i + 3):
            best[i, j] += best[i - 1, j - 1] - best[i - 1, j]
    return best[N - 4, N - 4] + best[4, 2], best[4, 2:7].sum()


def the_other_half(t):
    best = t.copy()
    for i in range(1, N):
        for j in range(i, N):
            best[i, j] += best[i - 1, j - 1]
    return best[N - 1, N - 1] + best[0, N - 1]


def read_beside(t):
    best = t.copy()
    for i in range(N - 2, -1, -1):
        for j in range(i + 1):
            best[i, j] += max(best[i + 1, j], best[i + 1, j + 1])
    return best[0, 0] + best[3, 7]


@pytest.mark.parametrize("function", [largest_sum, a_band, the_other_half])
def test_what_nobody_reads_is_not_copied(function):
    t = np.random.default_rng(0).normal(size=(N, N))
    compiled = lazynp.jit(function, strict=True)
    assert "int64_t row = " in lazynp.show(compiled, t, stage="c")
    np.testing.assert_allclose(compiled(t), function(t), rtol=1e-12)


def test_what_is_read_beside_a_triangle_is_copied():
    t = np.random.default_rng(0).normal(size=(N, N))
    compiled = lazynp.jit(read_beside, strict=True)
    assert "int64_t row = " not in lazynp.show(compiled, t, stage="c")
    np.testing.assert_allclose(compiled(t), read_beside(t), rtol=1e-12)


@pytest.mark.parametrize("function", [no_turns, to_the_end_at_once, several_rows_at_a_time])
def test_what_no_turn_touches_is_copied(function):
    t = np.random.default_rng(0).normal(size=(N, N))
    same(lazynp.jit(function, strict=True)(t), function(t))


def written(seed):
    """A program that copies a matrix of integers and goes over some rows of it."""
    pick = random.Random(seed).choice
    step = pick([1, -1, 2, -2, 3])
    first, last = pick([0, 2, 5, 40]), pick([60, N - 6, N - 3])
    limits = f"{first}, {last}, {step}" if step > 0 else f"{last}, {first - 1}, {step}"
    row = pick(["i", "i + 1", "i + 3"])
    reads = [f"b[{pick(['i', 'i + 1', 'i + 2', 'i + 3'])}, {pick(['j', 'j + 1', 'j + 2', f'{N - 1} - j'])}]" for _ in range(3)]
    copied = pick(["t.copy()", "np.array(t)", "np.full((N, N), 7)", "np.zeros_like(t)", "t + 0"])
    more = pick(["", "    b[3, 4] = 11\n", "    c = b.sum()\n    b[0, 0] = c\n"])
    ends = pick(["b.sum(axis=0)", "b[0, 0]", f"b[{last}]", "b[::7, ::5].sum(), b.max()", "b[i, 1]", "b[5, 4], b[41, 40:42]"])
    return (
        f"def program(t):\n    b = {copied}\n{more}    i = 0\n    for i in range({limits}):\n"
        f"        for j in range({pick([0, 1, 'i'])}, {pick([N - 2, 'i + 1', 'i - 1'])}):\n"
        f"            b[{row}, j] = {reads[0]} + {reads[1]} - {reads[2]} // 2\n    return {ends}\n"
    )


@pytest.mark.parametrize("seed", range(60))
def test_random_rows(seed):
    program = made("import numpy as np\nN = 100\n" + written(seed), f"<random copies {seed}>")
    t = np.random.default_rng(seed).integers(-9, 9, (N, N))
    expected, _, _ = outcome(program, (t,))
    actual, _, _ = outcome(lazynp.jit(program), (t,))
    same(actual, expected)
