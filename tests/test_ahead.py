"""Loops ask for what they need next of large arrays: only the text differs, no result."""

import numpy as np
import pytest

import lazynp
from lazynp import show
from lazynp.debug.explain import _form
from lazynp.ir.canonical import general
from lazynp.runtime.evaluate import build, clear_memory_cache


def asked(f, *args):
    """The prefetches of a program: (those of reads, those of writes)."""
    lines = [line for line in show(f, *args, stage="c").splitlines() if "__builtin_prefetch" in line]
    return sum(", 1)" not in line for line in lines), sum(", 1)" in line for line in lines)


FAR, NEAR = np.arange(600_000.0), np.arange(1000.0)


def test_what_is_asked_for():
    assert asked(lambda x, y: x * y + 1, FAR, FAR) == (2, 1)
    assert asked(lambda x, y: x * y + 1, NEAR, NEAR) == (0, 0)
    assert asked(lambda x: lazynp.sum(x * 2), FAR) == (1, 0)
    assert asked(lambda x, y: (x * y, lazynp.sum(x * y)), FAR, FAR) == (2, 1)
    assert asked(lambda x: x[:, ::2] * 2, np.ones((2000, 600))) == (0, 1), "every other element is not walked through"


def test_neighbours_in_one_array_are_asked_for_once():
    assert asked(lambda x: x[2:] - 2 * x[1:-1] + x[:-2], FAR) == (1, 1)


def forward(L, x):
    for i in range(1, len(x)):
        x[i] -= L[i, :i] @ x[:i]
    return x


def backward(L, x):
    for i in range(len(x) - 2, -1, -1):
        x[i] -= L[i, i + 1 :] @ x[i + 1 :]
    return x


@pytest.mark.parametrize("f", [forward, backward])
def test_parts_of_rows_are_followed_by_those_of_the_next_turn(f):
    L, x = np.random.default_rng(0).random((800, 800)) / 800, np.ones(800)
    lines = [line for line in show(f, L, x, stage="c").splitlines() if "__builtin_prefetch" in line]
    assert lines and not any("2048" in line for line in lines), "what lies behind a part is not read next"
    assert any("(next + q" in line for line in lines)
    np.testing.assert_allclose(lazynp.jit(f, strict=True)(L, x.copy()), f(L, x.copy()), rtol=1e-12)


def test_programs_for_all_sizes_ask_where_the_run_finds_arrays_far():
    source = build(general(_form(lambda x, y: (x * y + 1, x / y[0]), (FAR, FAR), {}), []).graph).source
    lines = [line.strip() for line in source.splitlines() if "__builtin_prefetch" in line]
    assert lines and all(line.startswith("if (n") and ">= 524288" in line for line in lines), lines
    assert sum(", 1)" in line for line in lines) == 2


SHAPES = [((70,), (n,)) for n in (1000, 600_001)]
SHAPES += [(first, shape) for first in ((9, 100), (9, 5)) for shape in ((10, 100), (7_001, 100), (60, 10_003), (100, 7_001))]


@pytest.mark.parametrize(("first", "shape"), SHAPES)
def test_programs_for_all_sizes_have_the_bits_of_those_for_one(first, shape):
    x = np.random.default_rng(0).random(shape) * 9 + 1

    def f(x, row):
        return x * row + x, x / row, lazynp.exp(x), lazynp.sum(x * x, -1), (x - lazynp.mean(x, -1, keepdims=True)) / 3.0

    clear_memory_cache()
    alone = lazynp.jit(f, strict=True)(x, x[..., :1])
    clear_memory_cache()
    both = lazynp.jit(f, strict=True)
    both(np.ones(first), np.ones((*first[:-1], 1)))
    for a, b in zip(both(x, x[..., :1]), alone, strict=True):
        np.testing.assert_array_equal(a, b, strict=True)


@pytest.mark.parametrize("shape", [(600_001,), (6_001, 100), (60, 10_003), (3, 200_003)])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.complex64])
def test_results_do_not_change(shape, dtype):
    x = (np.random.default_rng(0).random(shape) * 9 + 1).astype(dtype)
    f = lazynp.jit(lambda x, row: (x * row + x, abs(x - 3)), strict=True)
    row = x[..., :1]
    result = f(x, row)
    np.testing.assert_array_equal(result[0], x * row + x, strict=True)
    np.testing.assert_allclose(result[1], abs(x - 3), rtol=1e-6)


@pytest.mark.parametrize("offset", range(9))
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int16, bool])
def test_exact_folds_of_arrays_that_begin_anywhere(offset, dtype):
    memory = np.random.default_rng(0).integers(0, 2, 40_000).astype(dtype)
    x = memory[offset : offset + 30_001]
    f = lazynp.jit(lambda x: (lazynp.count_nonzero(x), lazynp.max(x), lazynp.min(x)), strict=True)
    assert tuple(map(int, f(x))) == (np.count_nonzero(x), 1, 0)
    assert int(lazynp.jit(lambda x: lazynp.count_nonzero(x > 0), strict=True)(x)) == np.count_nonzero(x > 0)
    few = x[:2050]
    assert int(lazynp.jit(lambda x: lazynp.count_nonzero(x > 0), strict=True)(few)) == np.count_nonzero(few > 0)
