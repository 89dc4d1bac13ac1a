"""Systems of triangular factors are solved by substitution, in programs and in derivatives."""

from collections.abc import Callable
from typing import Any

import numpy
import pytest

import lazynp as np
from lazynp import config, grad, jit, show

RNG = numpy.random.default_rng(0)
M = RNG.normal(size=(2, 5, 5))
SPD = M @ M.swapaxes(-1, -2) + 5 * numpy.eye(5)
RIGHT = RNG.normal(size=(2, 5, 3))

SYSTEMS: dict[str, tuple[Callable[..., Any], int]] = {
    "lower": (lambda np, a, b: np.linalg.solve(np.linalg.cholesky(a), b), 1),
    "upper": (lambda np, a, b: np.linalg.solve(np.swapaxes(np.linalg.cholesky(a), -1, -2), b), 1),
    "both": (lambda np, a, b: np.linalg.solve(np.linalg.cholesky(a).swapaxes(-1, -2), np.linalg.solve(np.linalg.cholesky(a), b)), 2),
    "qr": (lambda np, a, b: np.linalg.solve(np.linalg.qr(a)[1], b), 1),
    "general": (lambda np, a, b: np.linalg.solve(a, b), 0),
    "another permutation": (
        lambda np, a, b: np.linalg.solve(np.linalg.cholesky(a).T[:2, :2] + 3 * np.eye(2), b[:, :2]),
        0,
    ),
}


def calls_of(name: str, f: jit, *args: numpy.ndarray) -> int:
    """How often the compiled program calls LAPACK for an op."""
    text = show(f, *args, stage="c")
    return sum(text.count(f"info = lz_{name}_{dtype}(") for dtype in ("f64", "c128"))


@pytest.mark.parametrize("dtype", ["f8", "c16"])
@pytest.mark.parametrize("name", SYSTEMS)
def test_factors(name: str, dtype: str) -> None:
    system, count = SYSTEMS[name]
    a, b = SPD.astype(dtype), RIGHT.astype(dtype)
    if dtype == "c16":
        a = a + 1j * (M - M.swapaxes(-1, -2)) * 0.1
    f = jit(lambda a, b: system(np, a, b))
    numpy.testing.assert_allclose(f(a, b), system(numpy, a, b), rtol=1e-10)
    assert calls_of("solve_triangular", f, a, b) == count
    with config(level="exact"):
        assert calls_of("solve_triangular", jit(lambda a, b: system(np, a, b)), a, b) == 0


def test_the_derivative_of_a_cholesky_factor_factors_once() -> None:
    f = jit(grad(lambda a: np.sum(np.sin(np.linalg.cholesky(a)))))
    assert calls_of("solve_triangular", f, SPD[0]) == 2
    assert calls_of("solve", f, SPD[0]) == 0
