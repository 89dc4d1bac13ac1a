"""Loops that run band of rows by band of rows, and nests that become one because they touch different columns."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import lazynp
from lazynp.backends import c, toolchain
from lazynp.backends.polynomial import Poly, index_atom, never_equal, variable

pytestmark = pytest.mark.skipif(toolchain.find_compiler() is None, reason="needs a C compiler")

BANDS = "first_row"
"""In the C text of a loop that runs by bands."""


def escape(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    z, c, count = z.copy(), z, np.zeros(z.shape, np.int64)
    for turn in range(12):
        inside = np.abs(z) < 2
        count[inside] = turn
        z[inside] = z[inside] ** 2 + c[inside]
    return z, count


def newton(a: np.ndarray) -> np.ndarray:
    x = a + 1
    for _ in range(20):
        x = 0.5 * (x + a / x)
    return x


def recurrence(a: np.ndarray) -> np.ndarray:
    """Along the last axis, forward and back."""
    x = a.copy()
    for k in range(1, a.shape[1]):
        x[:, k] = a[:, k] - 0.5 * x[:, k - 1]
    for k in range(a.shape[1] - 2, -1, -1):
        x[:, k] -= 0.25 * x[:, k + 1]
    return x


def row_sums(a: np.ndarray) -> np.ndarray:
    x = a.copy()
    for _ in range(9):
        x = x / np.sum(x, axis=1, keepdims=True) + 0.125
    return x


def diffusion(a: np.ndarray) -> np.ndarray:
    """A turn reads the rows beside: no bands."""
    x = a.copy()
    for _ in range(9):
        x[1:-1] = x[1:-1] + 0.1 * (x[2:] - x[:-2])
    return x


def overtaking(a: np.ndarray) -> np.ndarray:
    """Row i of a turn is read by row i - 1 of the next one."""
    x, y = a.copy(), a.copy()
    for _ in range(9):
        y[:-1] = x[1:] * 0.5
        x[:] = y + a
    return x


def mean_of_all(a: np.ndarray) -> np.ndarray:
    x = a.copy()
    for _ in range(9):
        x = x - np.mean(x) + 1
    return x


def columns_apart(a: np.ndarray) -> np.ndarray:
    """Outside of a loop: both columns are written at each point of one nest."""
    x = np.zeros_like(a)
    x[:, 1] = a[:, 0] + 1
    x[:, 2] = x[:, 1] * a[:, 3]
    x[:, 1] = x[:, 2] + x[:, 0]
    return x


def columns_shifted(a: np.ndarray) -> np.ndarray:
    """Column k is read one row further down: the same step, but not apart."""
    x = a.copy()
    x[:-1, 1] = a[:-1, 0] + 1
    x[:-1, 2] = x[1:, 1] * 2
    x[1:, 3] = x[:-1, 2] - 1
    return x


def real(rows: int, columns: int) -> Callable[[], tuple[Any, ...]]:
    return lambda: (np.random.default_rng(0).random((rows, columns)) + 0.5,)


def plane() -> tuple[Any, ...]:
    z = np.linspace(-2, 0.5, 120) + 1j * np.linspace(-1.2, 1.2, 101)[:, None]
    z[3, 5], z[4, 4], z[5, 5] = complex(np.nan, 1), complex(np.inf, 0), complex(1e200, 1)
    z[50, 10:90:4], z[50, 13:93:8] = 2, -2j  # on the circle: squares do not decide
    return (z,)


PROGRAMS = [
    (escape, plane, True),
    (newton, real(5000, 3), True),
    (recurrence, real(5000, 12), True),
    (row_sums, real(300, 200), True),
    (diffusion, real(300, 200), False),
    (overtaking, real(300, 200), False),
    (mean_of_all, real(300, 200), False),
]


def same(function: Callable[..., Any], args: tuple[Any, ...]) -> None:
    with np.errstate(all="ignore"):
        expected, found = function(*args), lazynp.jit(function, strict=True)(*args)
    for one, other in zip(*[r if isinstance(r, tuple) else (r,) for r in (found, expected)], strict=True):
        np.testing.assert_allclose(np.asarray(one), other, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize(("function", "arguments", "by_bands"), PROGRAMS, ids=[p[0].__name__ for p in PROGRAMS])
def test_bands_of_rows(function: Callable[..., Any], arguments: Callable[[], Any], by_bands: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    source = c.source
    monkeypatch.setattr(c, "source", lambda *a, **k: written.append(source(*a, **k)) or written[-1])
    with lazynp.config(unroll=1):
        same(function, arguments())
    assert not written or any(BANDS in text for text in written) == by_bands  # nothing is written where the cache has the program


def resting(a: np.ndarray) -> np.ndarray:
    x = a.copy()
    for _ in range(30):
        low = np.sqrt(x * x + 1) < 9
        x[low] = np.exp(0.1 * x[low]) * np.sqrt(x[low] + 1) * a[low] + 0.5 * np.log(x[low] + 2)
    return x


def woken(a: np.ndarray) -> np.ndarray:
    """Elements that are left alone in one turn are not in a later one."""
    x = a.copy()
    for k in range(30):
        low = np.sqrt(x * x + 1) < 0.1 * k
        x[low] = np.exp(0.1 * x[low]) * np.sqrt(x[low] + 1) * a[low] + 0.5 * np.log(x[low] + 2)
    return x


@pytest.mark.parametrize(("function", "rests"), [(resting, True), (woken, False)])
def test_bands_that_are_done_are_left(function: Callable[..., Any], rests: bool) -> None:
    x = np.linspace(0.5, 1.5, 5003)
    text = lazynp.show(function, x, stage="c")
    assert (BANDS in text, "!rests" in text) == (True, rests)
    same(function, (x,))


def test_rows_that_share_the_sets_of_a_cache_are_few() -> None:
    x = np.random.default_rng(0).random((5000, 512))
    assert "row += 8)" in lazynp.show(recurrence, x, stage="c")
    same(recurrence, (x,))


@pytest.mark.parametrize("function", [columns_apart, columns_shifted])
@pytest.mark.parametrize("rows", [3, 1000])
def test_columns_of_one_array(function: Callable[..., Any], rows: int) -> None:
    same(function, real(rows, 4)())


def limited(x: np.ndarray) -> np.ndarray:
    """Differences of differences: each is read by several others."""
    d = 4 * x[1:-1] - (x[2:] + x[:-2])
    flux = d[1:] - d[:-1]
    flux = np.where(flux * (x[2:-1] - x[1:-2]) > 0, 0, flux)
    return flux[1:] - flux[:-1]


def limited_negative(x: np.ndarray) -> np.ndarray:
    """Another program: a program for two sizes knows neither."""
    return -limited(x)


def dear(x: np.ndarray) -> np.ndarray:
    e = np.exp(x)
    return e[1:] - e[:-1]


@pytest.mark.parametrize(
    ("function", "rows", "stored"),
    [(limited_negative, 20, True), (limited, 1 << 16, False), (dear, 1 << 16, True)],
    ids=["near", "far", "dear"],
)
def test_what_comes_from_far_is_computed_again(function: Callable[..., Any], rows: int, stored: bool) -> None:
    args = real(rows, 16)()
    assert (lazynp.jit(function).memory_plan(*args).temporaries > 0) == stored
    same(function, args)


def test_threads_take_bands() -> None:
    args = real(60_000, 4)()
    with lazynp.config(threads=1):
        one = np.asarray(lazynp.jit(recurrence)(*args))
    with lazynp.config(threads=3, parallel_threshold=1):
        np.testing.assert_array_equal(np.asarray(lazynp.jit(recurrence)(*args)), one)


ROW, COLUMN, TURN = variable("i"), variable("j"), index_atom(5)


@pytest.mark.parametrize(
    ("p", "q", "apart"),
    [
        (ROW * 64 + 1, ROW * 64, True),
        (ROW * 64 + COLUMN * 8, ROW * 64 + 3, True),
        (ROW * 64 + COLUMN * 8, ROW * 64 + 16, False),
        (ROW * 64 + TURN, ROW * 64 + TURN - 1, True),
        (ROW * 64 + TURN, ROW * 64, False),
        (ROW * 64 + TURN * ROW, ROW * 64 + 1, False),
        (Poly({(): 3}), Poly({}), True),
        (Poly({}), Poly({}), False),
        (ROW, ROW + 1, False),
    ],
    ids=["columns", "divisor", "meet", "turn", "unknown", "product", "constants", "one place", "neighbours"],
)
def test_addresses_that_never_meet(p: Poly, q: Poly, apart: bool) -> None:
    assert never_equal(p, q) == never_equal(q, p) == apart
