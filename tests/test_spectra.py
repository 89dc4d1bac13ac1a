"""Functions of a symmetric matrix spelled out by its eigenvectors: their derivatives where eigenvalues are equal."""

from collections.abc import Callable
from typing import Any

import numpy
import pytest

import lazynp as np
from lazynp.testing import check_grads

RNG = numpy.random.default_rng(0)
FRAME = numpy.linalg.qr(RNG.normal(size=(4, 4)))[0]
EQUAL = (FRAME * numpy.array([1.0, 1.0, 2.0, 3.0])) @ FRAME.T
DISTINCT = (FRAME * numpy.array([0.7, 1.1, 2.0, 3.0])) @ FRAME.T
WEIGHTS = RNG.normal(size=(4, 4))

FORMS: dict[str, Callable[[Any, Any], Any]] = {
    "columns": lambda w, v: (v * np.exp(-w)) @ v.T,
    "broadcast columns": lambda w, v: (v * np.sqrt(w)[None, :]) @ v.T,
    "rows": lambda w, v: v @ (np.sin(w)[:, None] * v.T),
    "divided": lambda w, v: (v / w) @ v.T,
    "power": lambda w, v: np.dot(v * w**-0.5, v.T),
    "einsum": lambda w, v: np.einsum("ij,j,kj->ik", v, np.log(w), v),
}


def of(form: str) -> Callable[[Any], Any]:
    return lambda a: FORMS[form](*np.linalg.eigh((a + np.swapaxes(a, -1, -2)) / 2))


@pytest.mark.parametrize("form", FORMS)
def test_equal_eigenvalues(form: str) -> None:
    f = of(form)
    check_grads(f, (EQUAL,), order=1)
    check_grads(f, (numpy.eye(4),), order=1)
    check_grads(f, (DISTINCT,))

    def loss(a: Any) -> Any:
        return np.sum(f(a) * WEIGHTS)

    numpy.testing.assert_allclose(np.jit(np.grad(loss))(EQUAL), np.grad(loss)(EQUAL), rtol=1e-9, atol=1e-12)
    stack = numpy.stack([EQUAL, DISTINCT, numpy.eye(4)])
    numpy.testing.assert_allclose(np.vmap(np.grad(loss))(stack), [np.grad(loss)(a) for a in stack], rtol=1e-9, atol=1e-12)


def test_stacks_and_parameters_of_the_function() -> None:
    stack = numpy.stack([EQUAL, DISTINCT, numpy.eye(4)])

    def f(a: Any, t: Any) -> Any:
        w, v = np.linalg.eigh((a + np.swapaxes(a, -1, -2)) / 2)
        return (v * np.exp(w * t)[:, None, :]) @ np.swapaxes(v, -1, -2)

    check_grads(f, (stack, 0.3), order=1)


def test_the_exponential_is_expm() -> None:
    pytest.importorskip("scipy.linalg", reason="SciPy is not installed")

    def spelled(a: Any) -> Any:
        w, v = np.linalg.eigh((a + a.T) / 2)
        return np.sum(((v * np.exp(w)) @ v.T) * WEIGHTS)

    def whole(a: Any) -> Any:
        return np.sum(np.scipy.linalg.expm((a + a.T) / 2) * WEIGHTS)

    for a in (EQUAL, DISTINCT):
        numpy.testing.assert_allclose(np.grad(spelled)(a), np.grad(whole)(a), rtol=1e-10, atol=1e-11)
    numpy.testing.assert_allclose(np.hessian(spelled)(DISTINCT), np.hessian(whole)(DISTINCT), rtol=1e-8, atol=1e-9)


def test_what_is_no_function_of_the_matrix_is_left_alone() -> None:
    """Numbers that depend on other eigenvalues, or different ones on both sides: finite, as before."""
    for f in (lambda w, v: (v * (w / np.sum(w))) @ v.T, lambda w, v: (v * w) @ (v * w).T):
        g = np.grad(lambda a, f=f: np.sum(f(*np.linalg.eigh((a + a.T) / 2)) * WEIGHTS))
        assert numpy.all(numpy.isfinite(g(EQUAL)))
        check_grads(lambda a, f=f: f(*np.linalg.eigh((a + a.T) / 2)), (DISTINCT,), order=1)
