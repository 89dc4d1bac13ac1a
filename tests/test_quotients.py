"""Divisions by what stays the same along a loop are products with its reciprocal, with the bits, signs and warnings of divisions."""

import numpy as np
import pytest

import lazynp
from lazynp import show

REAL = [np.float64, np.float32]


def rows(kind, dtype, rng):
    """(x, divisors of its rows)."""
    unsigned = np.dtype(f"u{np.dtype(dtype).itemsize}")
    shape = (9, int(rng.integers(32, 700)))
    x, by = rng.standard_normal(shape).astype(dtype), np.abs(rng.standard_normal((9, 1))).astype(dtype)
    if kind == "bits":
        x, by = [rng.integers(0, np.iinfo(unsigned).max, s, unsigned, endpoint=True).view(dtype) for s in (shape, (9, 1))]
    if kind == "zeros":
        x = np.copysign(x * (rng.random(shape) < 0.5), rng.standard_normal(shape)).astype(dtype)
    if kind == "tiny":
        x *= np.finfo(dtype).tiny * dtype(8)
    if kind == "huge":
        x, by = x * (np.finfo(dtype).max / dtype(8)), by / dtype(4)
    if kind == "signs":
        by = rng.standard_normal((9, 1)).astype(dtype)
    return x, by


def in_place(x, by):
    x /= by
    return x


@pytest.mark.parametrize("dtype", REAL)
@pytest.mark.parametrize("kind", ["numbers", "bits", "zeros", "tiny", "huge", "signs"])
def test_every_quotient_is_a_division(kind, dtype):
    new, same = lazynp.jit(lambda x, by: x / by, strict=True), lazynp.jit(in_place, strict=True)
    for seed in range(8):
        x, by = rows(kind, dtype, np.random.default_rng(seed))
        with np.errstate(all="ignore"):
            expected = x / by
            for result in (new(x, by), same(x.copy(), by)):
                np.testing.assert_array_equal(result, expected, strict=True)
                numbers = ~np.isnan(expected)
                np.testing.assert_array_equal(np.signbit(result[numbers]), np.signbit(expected[numbers]))


@pytest.mark.parametrize("dtype", REAL)
def test_mantissas_that_are_all_ones(dtype):
    """Where the reciprocal is furthest from its number."""
    ones = np.nextafter(dtype(2), dtype(0)) * 2.0 ** np.arange(-3, 4).astype(dtype)
    x = np.concatenate([ones, np.nextafter(dtype(1), dtype(2)) * ones, np.random.default_rng(0).random(200).astype(dtype) + 1])
    by = np.concatenate([ones, np.nextafter(dtype(1), dtype(2)) * ones])[:, None]
    np.testing.assert_array_equal(lazynp.jit(lambda x, by: x / by)(x, by), x / by, strict=True)


@pytest.mark.parametrize("place", [0, 40, 99])
@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan, 5e-324, 1.7e308, -0.0])
def test_one_number_that_is_special(value, place):
    x = np.linspace(-2, 3, 500).reshape(5, 100)
    x[2, place] = value
    by = np.array([[0.3], [7.0], [0.1], [1e10], [3.0]])
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(lazynp.jit(lambda x, by: x / by, strict=True)(x, by), x / by, strict=True)


@pytest.mark.parametrize(
    ("x", "by", "flags"),
    [
        (1.0, 0.0, "divide by zero"),
        (0.0, 0.0, "invalid value"),
        (1e300, 1e-300, "overflow"),
        (3.0, np.inf, ""),
        (np.inf, 3.0, ""),
        (1e-310, 3.0, ""),
        (0.0, 3.0, ""),
    ],
)
def test_warnings_are_those_of_divisions(x, by, flags):
    numbers = np.full(100, x)
    divided = lazynp.jit(lambda x, by: x / by, strict=True)
    if flags:
        with pytest.warns(RuntimeWarning, match=f"{flags} encountered in") as seen:
            divided(numbers, by)
        assert len(seen) == 1
    else:
        np.testing.assert_array_equal(divided(numbers, by), numbers / by)


def test_flags_of_what_came_before_stay():
    f = lazynp.jit(lambda x, y: (lazynp.sqrt(x), (y - 1) / 3.0), strict=True)
    with pytest.warns(RuntimeWarning, match="invalid value"):
        f(np.full(64, -1.0), np.ones((3, 100)))


def test_where_there_are_such_loops():
    x = np.ones((6, 64))
    assert "lz_quotient" in show(lambda x: x / x[:, :1], x, stage="c")
    assert "lz_quotient" in show(lambda x: (x - 1) / 3.0, x, stage="c")
    assert "lz_quotient" not in show(lambda x: x / 4.0, x, stage="c"), "a product already"
    assert "lz_quotient" not in show(lambda x: x / (x + 1), x, stage="c")
    assert "lz_quotient" not in show(lambda x: x / x[:, :1], np.ones((6, 8)), stage="c"), "too short"
    assert "lz_quotient" not in show(lambda x: lazynp.exp(x) / 3.0, x, stage="c"), "exp has flags of its own"
