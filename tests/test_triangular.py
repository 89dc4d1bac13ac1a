"""Systems of triangular factors are solved by substitution, in programs and in derivatives."""

from collections.abc import Callable
from typing import Any

import numpy
import pytest

import lazynp as np
from lazynp import config, grad, jit

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


@pytest.mark.parametrize("dtype", ["f8", "c16"])
@pytest.mark.parametrize("name", SYSTEMS)
def test_factors(name: str, dtype: str) -> None:
    system, count = SYSTEMS[name]
    a, b = SPD.astype(dtype), RIGHT.astype(dtype)
    if dtype == "c16":
        a = a + 1j * (M - M.swapaxes(-1, -2)) * 0.1
    f = jit(lambda a, b: system(np, a, b))
    numpy.testing.assert_allclose(f(a, b), system(numpy, a, b), rtol=1e-10)
    steps = [op.name for op, *_ in f.lower(a, b).ready.program.blueprint.steps]
    assert steps.count("solve_triangular") == count
    with config(level="exact"):
        steps = [op.name for op, *_ in jit(lambda a, b: system(np, a, b)).lower(a, b).ready.program.blueprint.steps]
        assert "solve_triangular" not in steps


def test_the_derivative_of_a_cholesky_factor_factors_once() -> None:
    f = jit(grad(lambda a: np.sum(np.sin(np.linalg.cholesky(a)))))
    steps = [op.name for op, *_ in f.lower(SPD[0]).ready.program.blueprint.steps]
    assert steps.count("solve_triangular") == 2
    assert "solve" not in steps
