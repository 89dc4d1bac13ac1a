"""Values that are stored into a part of an array and read as a whole: read from the array while it stays as it is."""

from collections.abc import Callable

import numpy as np
import pytest

import lazynp
from lazynp.backends import toolchain

pytestmark = pytest.mark.skipif(toolchain.find_compiler() is None, reason="needs a C compiler")


def two_arrays(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    for _ in range(6):
        b[1:-1, 1:-1] = 0.2 * (a[1:-1, 1:-1] + a[2:, 1:-1] + a[:-2, 1:-1])
        a[1:-1, 1:-1] = 0.2 * (b[1:-1, 1:-1] + b[1:-1, 2:] + b[1:-1, :-2])
    return a, b


def in_a_row(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    b[1:-1, 1:-1] = 0.2 * (a[1:-1, 1:-1] + a[2:, 1:-1])
    a[1:-1, 1:-1] = b[1:-1, 1:-1] * b[1:-1, 2:]
    return a, b


def overwritten(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The part of b is another one when the value is read."""
    new = 0.2 * (a[1:-1, 1:-1] + a[2:, 1:-1])
    b[1:-1, 1:-1] = new
    b[2:4] = 7.0
    a[1:-1, 1:-1] = new * b[:-2, 1:-1]
    return a, b


def partly_read(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    new = np.exp(a[1:-1, 1:-1])
    b[1:-1, 1:-1] = new
    a[1:-2, 1:-1] = new[1:] - new[:-1] + b[:-3, 1:-1]
    return a, b


def summed(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    new = np.exp(a[1:-1, 1:-1])
    b[1:-1, 1:-1] = new
    a[0, 1:-1] = np.sum(new, axis=0)
    a[1:-1, 0] = np.sum(new * b[1:-1, 2:], axis=1)
    return a, b


def narrower(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """What b holds has lost digits."""
    c = np.zeros(b.shape, np.float32)
    new = a[1:-1, 1:-1] * 3
    c[1:-1, 1:-1] = new
    a[1:-1, 1:-1] = new * c[2:, 1:-1]
    return a


@pytest.mark.parametrize("function", [two_arrays, in_a_row, overwritten, partly_read, summed, narrower])
def test_results_are_numpys(function: Callable[..., np.ndarray]) -> None:
    rng = np.random.default_rng(0)
    given = rng.random((2, 40, 50))
    expected, found = function(*given.copy()), lazynp.jit(function, strict=True)(*given.copy())
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(np.asarray(one), other, rtol=1e-13)


@pytest.mark.parametrize("rows", [60, 300])
def test_a_stencil_over_two_arrays_needs_no_third(rows: int) -> None:
    a, b = np.random.default_rng(0).random((2, rows, 400))
    assert lazynp.jit(two_arrays).memory_plan(a, b).temporaries == 0
