"""Forms of linear algebra and the kernels that they become: vectors times matrices with what surrounds them, products with matrices of a
known shape, inverses, determinants."""

import numpy as np
import pytest

import lazynp
from lazynp.backends import toolchain

pytestmark = pytest.mark.skipif(toolchain.find_compiler() is None, reason="needs a C compiler")

RNG = np.random.default_rng(6)
N = 120
A, B, C = RNG.random((3, N, N))
D, U, V, X, Y, Z = RNG.random((6, N))
I = RNG.integers(-N, N, 30)  # noqa: E741
NARROW, OTHER = RNG.random((2, N, 3))

FORMS = {
    "scaled and added": (lambda np, A, x, y: 1.5 * A @ x + 0.5 * y, (A, X, Y), 1),
    "scaled by a number of the trace": (lambda np, a, A, x, y: a * (A @ x) + y, (np.float64(2.5), A, X, Y), 1),
    "two matrices, one vector": (lambda np, A, B, x: 1.5 * (A @ x) + 0.5 * (B @ x), (A, B, X), 1),
    "one matrix, two vectors": (lambda np, A, x, y: (A @ x, A @ y), (A, X, Y), 1),
    "an update of rank one": (lambda np, A, u, v: A + np.outer(u, v), (A, U, V), 1),
    "an update of rank two": (lambda np, A, u, v, x, y: A + np.outer(u, v) + np.outer(x, y), (A, U, V, X, Y), 1),
    "an update of rank one, times a vector": (lambda np, A, u, v, x: (A + np.outer(u, v)) @ x, (A, U, V, X), 1),
    "an outer product times a vector": (lambda np, u, v, x: np.outer(u, v) @ x, (U, V, X), 1),
    "the identity": (lambda np, A: A @ np.eye(N), (A,), 1),
    "the identity before": (lambda np, A: np.identity(N) @ A, (A,), 2),
    "the identity added": (lambda np, A: A + 3 * np.eye(N), (A,), 1),
    "a diagonal before": (lambda np, d, A: np.diag(d) @ A, (D, A), 2),
    "a diagonal behind": (lambda np, d, A: A @ np.diag(d), (D, A), 1),
    "a diagonal times a vector": (lambda np, d, x: np.diag(d) @ x, (D, X), 2),
    "a diagonal on both sides": (lambda np, d, A: np.diag(d) @ A @ np.diag(d), (D, A), 4),
    "a multiple of the identity": (lambda np, A: A @ (2 * np.eye(N)), (A,), 1),
    "a multiple of a diagonal": (lambda np, d, A: (0.5 * np.diag(d)) @ A, (D, A), 2),
    "rows of the identity": (lambda np, i, A: np.eye(N)[i] @ A, (I, A), 2),
    "zeros": (lambda np, A: A @ np.zeros((N, N)), (A,), 1),
    "the trace of a product": (lambda np, A, B: np.trace(A @ B), (A, B), 2),
    "the diagonal of a product": (lambda np, A, B: np.diag(A @ B.T) * 2, (A, B), 2),
    "an inverse times a vector": (lambda np, A, x: np.linalg.inv(A) @ x, (A, X), 1),
    "the size of a determinant": (lambda np, A: np.log(np.abs(np.linalg.det(A))), (A,), 1),
    "a triangular factor": (lambda np, S, x: np.linalg.solve(np.linalg.cholesky(S), x), (A @ A.T + N * np.eye(N), X), 2),
}


@pytest.mark.parametrize("name", FORMS)
def test_form(name):
    function, arguments, kernels = FORMS[name]
    compiled = lazynp.jit(lambda *args: function(lazynp, *args), strict=True)
    np.testing.assert_allclose(compiled(*arguments), function(np, *arguments), rtol=1e-7, atol=1e-10)
    explained = lazynp.explain(lambda *args: function(lazynp, *args))(*arguments)
    assert explained.kernels <= kernels, str(explained)


def test_low_rank_products_are_regrouped_when_asked():
    function = lambda u, v, x: (u @ v.T) @ x  # noqa: E731
    with lazynp.config(level="fast"):
        optimized = lazynp.show(function, NARROW, OTHER, X)
    assert f"[{N}, {N}]" not in optimized
    np.testing.assert_allclose(lazynp.jit(function)(NARROW, OTHER, X), function(NARROW, OTHER, X))


def test_derivatives_through_diagonals():
    def loss(d, A):
        return lazynp.sum((lazynp.diag(d) @ A + lazynp.eye(N)) ** 2)

    gradient = lazynp.grad(loss)(D, A)
    np.testing.assert_allclose(gradient, np.sum(2 * (D[:, None] * A + np.eye(N)) * A, axis=1))


def test_indices_out_of_range_of_the_identity():
    with pytest.raises(IndexError):
        lazynp.jit(lambda i, A: lazynp.eye(N)[i] @ A)(np.array([0, N]), A)


NOT_FINITE = A.copy()
NOT_FINITE[3, 4], NOT_FINITE[5, 6], NOT_FINITE[3, 6] = np.inf, np.nan, -np.inf


@pytest.mark.parametrize(
    "name",
    [
        "the identity",
        "a multiple of the identity",
        "the identity before",
        "a diagonal before",
        "a diagonal behind",
        "a diagonal on both sides",
    ],
)
def test_zeros_times_infinity_are_nan(name):
    function, (*others, _), _ = FORMS[name]
    others = [other - 0.5 for other in others if other is D]
    with np.errstate(invalid="ignore"):
        expected = function(np, *others, NOT_FINITE)
        found = lazynp.jit(lambda *args: function(lazynp, *args))(*others, NOT_FINITE)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_rows_of_the_identity_times_what_is_not_finite():
    with np.errstate(invalid="ignore"):
        expected = np.eye(N)[I] @ NOT_FINITE
        found = lazynp.jit(lambda i, A: lazynp.eye(N)[i] @ A)(I, NOT_FINITE)
    np.testing.assert_array_equal(found, expected)
