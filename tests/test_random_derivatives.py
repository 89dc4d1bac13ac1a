"""Derivatives of random programs: against differences of values, forward against reverse, through every transformation."""

from collections.abc import Iterator
from typing import Any

import numpy
import pytest
from random_derivatives import random_program, random_steps

import lazynp as np
from lazynp import checkpoint, config, grad, jit, jvp, value_and_grad, vmap

SAMPLE = range(6)
MORE = range(6, 120)
SEEDS = [*SAMPLE, *[pytest.param(seed, marks=pytest.mark.slow) for seed in MORE]]


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    with numpy.errstate(all="ignore"):
        yield


def _arguments(seed: int) -> tuple[numpy.ndarray, ...]:
    """A point of two arrays and a direction."""
    return tuple(numpy.random.default_rng(seed + 1_000_000).uniform(-1.2, 1.2, (4, 4, 4)))


def _same(found: Any, expected: Any, what: str, seed: int, tolerance: float = 1e-8) -> None:
    found, expected = numpy.asarray(found), numpy.asarray(expected)
    distance = numpy.abs(found - expected).max() / max(1.0, numpy.abs(expected).max())
    assert distance <= tolerance, f"{what} of {random_steps(seed)[0]}: {found} instead of {expected}"


def _between(f: Any, near: float, far: float) -> Any:
    """The slope of f at 0 from two pairs of points; None where they differ: a kink lies between, or rounding is too large."""
    one, two = [(f(h) - f(-h)) / (2 * h) for h in (near, far)]
    return one if numpy.abs(one - two).max() < 1e-4 * max(1.0, numpy.abs(one).max()) else None


@pytest.mark.parametrize("seed", SEEDS)
def test_a_random_program(seed: int) -> None:
    x, y, dx, dy = _arguments(seed)
    plain = random_program(seed, numpy)
    expected = plain(x.copy(), y.copy())
    if not abs(expected) < 1e6:
        pytest.skip("the program overflows")
    f = random_program(seed, np)
    with config(whole_calls=False):
        value, (by_x, by_y) = value_and_grad(f, (0, 1))(x, y)
    _same(value, expected, "the value", seed, 1e-9)
    slope = numpy.sum(by_x * dx) + numpy.sum(by_y * dy)
    difference = _between(lambda h: plain(x + h * dx, y + h * dy), 1e-6, 1e-5)
    if difference is not None:
        _same(slope, difference, "the slope", seed, 2e-4)
    _same(jvp(f, (x, y), (dx, dy))[1], slope, "forward mode", seed)
    value, (jitted_x, jitted_y) = jit(value_and_grad(f, (0, 1)))(x, y)
    _same(value, expected, "the value under jit", seed, 1e-9)
    _same(jitted_x, by_x, "by x under jit", seed)
    _same(jitted_y, by_y, "by y under jit", seed)


@pytest.mark.parametrize("seed", SEEDS)
def test_transformations_of_a_random_program(seed: int) -> None:
    x, y, dx, dy = _arguments(seed)
    if not abs(random_program(seed, numpy)(x.copy(), y.copy())) < 1e6:
        pytest.skip("the program overflows")
    gradient = grad(random_program(seed, np))
    by_x = gradient(x, y)
    _same(grad(random_program(seed, np, checkpoint))(x, y), by_x, "checkpointed", seed)
    rows = vmap(gradient)(numpy.stack([x, dx]), numpy.stack([y, dy]))
    _same(rows[0], by_x, "the first of a batch", seed)
    _same(rows[1], gradient(dx, dy), "the second of a batch", seed)
    ahead = jvp(lambda x: gradient(x, y), (x,), (dx,))[1]
    _same(grad(lambda x: np.sum(gradient(x, y) * dx))(x), ahead, "reverse over reverse", seed, 1e-7)
    difference = _between(lambda h: gradient(x + h * dx, y), 1e-5, 1e-4)
    if difference is not None:
        _same(ahead, difference, "the product with the Hessian", seed, 2e-3)
