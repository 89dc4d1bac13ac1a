"""Products that end in a sum, or read a multiple: one call, the same numbers as apart."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import lazynp
from lazynp.backends import blas, products, toolchain
from lazynp.runtime import evaluate

pytestmark = pytest.mark.skipif(toolchain.find_compiler() is None or blas.table() is None, reason="needs a C compiler and BLAS")

rng = np.random.default_rng(0)
A, B, C = rng.standard_normal((60, 70)), rng.standard_normal((50, 70)), rng.standard_normal((60, 50))
ROW, COLUMN, NUMBER = rng.standard_normal(50), rng.standard_normal((60, 1)), np.float64(0.3)
STACKS = rng.standard_normal((4, 60, 70)), rng.standard_normal((4, 70, 50)), rng.standard_normal((4, 60, 50))


def in_place(c, a, b):
    c *= 0.5
    c += 2.0 * (a @ b.T)
    return c


def step_down(c, a, b):
    c -= a @ b.T
    return c


FORMULAS = {
    "plus a multiple": (lambda c, a, b: 1.5 * c + 2.0 * (a @ b.T), (C, A, B)),
    "minus": (lambda c, a, b: c - a @ b.T, (C, A, B)),
    "from": (lambda c, a, b: a @ b.T - c, (C, A, B)),
    "negated": (lambda a, b: -(a @ b.T), (A, B)),
    "bias of rows": (lambda x, a, b: a @ b.T + x, (ROW, A, B)),
    "bias of columns": (lambda x, a, b: x - a @ b.T, (COLUMN, A, B)),
    "a number of the call": (lambda s, c, a, b: s * c - a @ b.T * s, (NUMBER, C, A, B)),
    "in place": (in_place, (C, A, B)),
    "in place, less": (step_down, (C, A, B)),
    "by its own transpose": (lambda a: 3.0 * (a @ a.T), (A,)),
    "stacks": (lambda c, a, b: c * 0.5 + 2.0 * (a @ b), (STACKS[2], *STACKS[:2])),
    "stacks and a row": (lambda c, a, b: c * 0.5 + 2.0 * (a @ b), (ROW, *STACKS[:2])),
    "stacks and one matrix": (lambda c, a, b: c * 0.5 + 2.0 * (a @ b), (C, *STACKS[:2])),
    "a few rows": (lambda c, a, b: c - 2.0 * (a @ b.T), (C[:3], A[:3], B)),
    "many products of an element": (lambda c, a, b: c - 2.0 * (a @ b), (C, rng.standard_normal((60, 700)), rng.standard_normal((700, 50)))),
}


@pytest.fixture(params=[True, False], ids=["own", "library"])
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[bool]:
    """Whether products are our own; their programs have other names."""
    if request.param and not products.wanted():
        pytest.skip("the library's vectors are as wide as the processor's")
    monkeypatch.setattr(products, "wanted", lambda: request.param)
    evaluate.clear_memory_cache()
    monkeypatch.setattr(evaluate, "VERSION", f"{evaluate.VERSION}, {'own' if request.param else 'library'}")
    yield request.param
    evaluate.clear_memory_cache()


def copies(arrays):
    return [a.copy() if isinstance(a, np.ndarray) else a for a in arrays]


SINGLE = ("in place", "bias of columns", "stacks and a row", "a few rows")
"""What is also done in single precision."""


@pytest.mark.parametrize(("name", "dtype"), [*[(name, "float64") for name in FORMULAS], *[(name, "float32") for name in SINGLE]])
def test_a_sum_is_part_of_the_product(kind: bool, name: str, dtype: str) -> None:
    f, arguments = FORMULAS[name]
    if name == "a number of the call" and not kind:
        pytest.skip("a library does not read what is multiplied by zero")
    arguments = [a.astype(dtype) for a in arguments]
    assert lazynp.explain(f)(*copies(arguments)).kernels == 1
    found = lazynp.jit(f)(*copies(arguments))
    wanted = f(*copies(arguments))
    assert found.dtype == wanted.dtype
    np.testing.assert_allclose(found, wanted, rtol=0, atol=2000 * np.finfo(dtype).eps)


def test_a_multiple_of_the_left_operand_is_packed(kind: bool) -> None:
    def f(c, a, b):
        return 1.5 * c + 2.0 * a @ b.T

    assert lazynp.explain(f)(C, A, B).kernels == (1 if kind else 2)
    np.testing.assert_allclose(lazynp.jit(f)(C, A, B), f(C, A, B), atol=1e-12)


def test_chains_of_multiples(kind: bool) -> None:
    square = rng.standard_normal((60, 60))

    def f(c, a):
        return 2.0 * (2.0 * (2.0 * a @ a) @ c) - 3.0 * (a @ (2.0 * c)) + c

    np.testing.assert_allclose(lazynp.jit(f)(square, A[:, :60].copy()), f(square, A[:, :60]), rtol=1e-11)


def test_zero_times_a_product_keeps_its_nan(kind: bool) -> None:
    a, c = A.copy(), C.copy()
    a[2, 3], c[5, 6] = np.nan, np.inf

    def f(s, t, c, a, b):
        return s * c + t * (a @ b.T)

    g = lazynp.jit(f)
    for s, t in ((0.0, 1.0), (1.0, 0.0), (0.0, 0.0)):
        numbers = np.float64(s), np.float64(t)
        with np.errstate(invalid="ignore"):
            np.testing.assert_array_equal(np.isnan(g(*numbers, c, a, B)), np.isnan(f(*numbers, c, a, B)))
            few = [x[:3].copy() for x in (c, a)]
            np.testing.assert_array_equal(np.isnan(g(*numbers, *few, B)), np.isnan(f(*numbers, *few, B)))


def test_what_is_overwritten_first_is_added_as_it_was(kind: bool) -> None:
    def f(c, a, b):
        t = a @ b.T
        a[:] = 1.0
        c += 2.0 * t
        return c, a

    for found, wanted in zip(lazynp.jit(f)(C.copy(), A.copy(), B), f(C.copy(), A.copy(), B), strict=True):
        np.testing.assert_allclose(found, wanted, atol=1e-12)


def test_a_sum_stored_over_an_operand(kind: bool) -> None:
    def f(a, b):
        a -= a @ b
        return a

    square = rng.standard_normal((60, 60))
    np.testing.assert_allclose(lazynp.jit(f)(square.copy(), square), f(square.copy(), square.copy()), atol=1e-12)


def test_threads_do_not_change_sums(kind: bool) -> None:
    a, b, c = rng.standard_normal((400, 300)), rng.standard_normal((300, 200)), rng.standard_normal((400, 200))

    def f(c, a, b):
        return c - 0.1 * (a @ b)

    with lazynp.config(threads=1):
        one = lazynp.jit(f)(c, a, b)
    with lazynp.config(threads=3):
        np.testing.assert_allclose(lazynp.jit(f)(c, a, b), one, rtol=0, atol=0 if kind else 1e-13)


def _scores(np: Any, q: Any, k: Any, by: float) -> Any:
    s = np.matmul(q, k) / by
    e = np.exp(s - s.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def _read_twice(np: Any, q: Any, k: Any, by: float) -> Any:
    s = np.matmul(q, k)
    return (s * by).sum(-1) + np.abs(s).max(-1)


@pytest.mark.parametrize("by", [5.656854249492381, -3.0, 0.0, np.inf, 1e-310])
@pytest.mark.parametrize("program", [_scores, _read_twice])
@pytest.mark.parametrize("dtype", ["f8", "f4"])
def test_a_multiple_of_the_product_that_a_reduction_reads(kind: bool, program: Any, by: float, dtype: str) -> None:
    """The product brings it, where the number is one that has a reciprocal, and nobody reads the product without it."""
    rng = np.random.default_rng(0)
    q, k = rng.normal(size=(4, 64, 32)).astype(dtype), rng.normal(size=(4, 32, 80)).astype(dtype)
    with np.errstate(all="ignore"):
        compiled = lazynp.jit(lambda q, k: program(lazynp, q, k, by))
        source = lazynp.show(compiled, q, k, stage="c")
        close = {"rtol": 1e-4, "atol": 1e-3} if dtype == "f4" else {"rtol": 1e-12, "atol": 1e-11}
        np.testing.assert_allclose(compiled(q, k), program(np, q, k, by), **close)
    if program is _scores:
        assert ("5.65685" not in source) and ("/ -3.0" not in source)
