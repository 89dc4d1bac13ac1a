"""Reductions over short rows, which are folded several rows at a time: values, accuracy, special values."""

import math

import numpy
import pytest

import lazynp
from lazynp import show

SIZES = (15, 16, 17, 31, 100, 128, 129, 256, 257)
ROWS = (1, 7, 8, 9, 16, 40)
DTYPES = ("float64", "float32", "float16", "int64", "int32", "int8", "uint8", "bool", "complex128", "complex64")


def numbers(dtype: str, rows: int, size: int) -> numpy.ndarray:
    x = numpy.random.default_rng(size).standard_normal((rows, size)) * 50
    return (x > 0) if dtype == "bool" else (numpy.abs(x) if dtype == "uint8" else x).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["sum", "max", "any", "argmax"])
def test_rows_of_every_length(name, dtype):
    f = lazynp.jit(lambda x: getattr(lazynp, name)(x, axis=1), strict=True)
    for rows in ROWS:
        for size in (17, 100):
            x = numbers(dtype, rows, size)
            expected = getattr(numpy, name)(x, axis=1)
            result = f(x)
            assert result.dtype == expected.dtype
            numpy.testing.assert_allclose(
                result, expected, rtol=1e-2 if dtype == "float16" else 1e-3 if "32" in dtype else 1e-12, atol=1e-2
            )


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_sums_are_as_accurate_as_numpys(dtype):
    for size in SIZES:
        x = (numpy.random.default_rng(size).random((64, size)) + 0.5).astype(dtype)
        exact = numpy.array([math.fsum(row.astype(float)) for row in x])
        ours = numpy.max(numpy.abs(lazynp.jit(lambda x: lazynp.sum(x, axis=1), strict=True)(x) - exact))
        theirs = numpy.max(numpy.abs(x.sum(axis=1) - exact))
        assert ours <= 2 * theirs + numpy.finfo(dtype).eps * size / 4


def test_nan_and_infinities_stay_in_their_rows():
    x = numpy.random.default_rng(1).standard_normal((33, 50))
    x[3, 7], x[8, 49], x[32, 48], x[20, 0] = numpy.nan, numpy.inf, numpy.nan, -numpy.inf
    for name in ("sum", "max", "min", "nanmax"):
        f = lazynp.jit(lambda x, name=name: getattr(lazynp, name)(x, axis=1), strict=True)
        with numpy.errstate(all="ignore"):
            numpy.testing.assert_allclose(f(x), getattr(numpy, name)(x, axis=1), rtol=1e-13)


def test_results_that_later_steps_read_row_by_row():
    x = numpy.random.default_rng(2).standard_normal((3, 21, 100))

    def f(np, x):
        d = x - np.mean(x, axis=2, keepdims=True)
        return d / np.sqrt(np.mean(d * d, axis=2, keepdims=True) + 1e-9) + np.max(x, axis=2, keepdims=True)

    numpy.testing.assert_allclose(lazynp.jit(lambda x: f(lazynp, x), strict=True)(x), f(numpy, x), rtol=1e-12)


def test_results_do_not_depend_on_threads():
    x = numpy.random.default_rng(3).standard_normal((20_000, 100))
    found = []
    for threads in (1, 2):
        with lazynp.config(threads=threads, parallel_threshold=1):
            found.append(lazynp.jit(lambda x: lazynp.sum(lazynp.exp(x), axis=1), strict=True)(x))
    assert numpy.array_equal(*found)


def test_short_rows_are_folded_beside_each_other():
    text = show(lambda x: lazynp.sum(x, axis=1), numpy.ones((64, 100)), stage="c")
    assert "a0[8][8]" in text


@pytest.mark.parametrize("dtype", ["float64", "float32", "int32", "complex128"])
def test_one_program_folds_rows_of_every_length(dtype):
    """In order, beside each other, in blocks: the run decides, with sizes that the program does not know."""

    def folds(xp, x, y):
        return xp.sum(x, axis=1), xp.max(abs(x), axis=1), xp.sum(x * x, axis=-1), x @ y, xp.einsum("ijk,k->ij", x[None] + x[:, None], y)

    f = lazynp.jit(lambda x, y: folds(lazynp, x, y), strict=True)
    for rows, size in ((3, 1), (5, 2), (9, 3), (17, 15), (8, 16), (40, 20), (12, 63), (7, 129), (21, 300), (9, 512), (10, 1300), (1, 40)):
        x, y = numbers(dtype, rows, size), numbers(dtype, 1, size)[0]
        scale = 1e-1 if dtype == "float32" else 1e-9
        for result, expected in zip(f(x, y), folds(numpy, x, y), strict=True):
            assert result.dtype == expected.dtype
            numpy.testing.assert_allclose(result, expected, rtol=1e-3 if dtype == "float32" else 1e-9, atol=scale)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_rows_that_share_a_factor_are_folded_several_at_a_time(dtype):
    for rows, size in ((4, 64), (5, 100), (8, 128), (30, 129), (11, 400), (13, 513), (9, 1600)):
        x, y, z = numbers(dtype, rows, size), numbers(dtype, 1, size)[0], numbers(dtype, rows, 1)[:, 0]
        f = lazynp.jit(lambda x, y, z: (x @ y, lazynp.max(x - y, axis=1), lazynp.sum((x - y) * z[:, None], axis=1)), strict=True)
        product, most, scaled = f(x, y, z)
        numpy.testing.assert_allclose(product, x @ y, rtol=1e-3 if dtype == "float32" else 1e-10, atol=1e-1 if dtype == "float32" else 1e-9)
        numpy.testing.assert_array_equal(most, numpy.max(x - y, axis=1))
        expected = ((x - y).astype(float) * z[:, None]).sum(axis=1)
        numpy.testing.assert_allclose(scaled, expected, rtol=1e-3 if dtype == "float32" else 1e-10, atol=1 if dtype == "float32" else 1e-8)
        assert f(x[::-1].copy(), y, z[::-1].copy())[0].tolist() == product[::-1].tolist(), "a row has one sum wherever it stands"


def test_nan_of_a_row_stays_there_where_rows_share_a_factor():
    x, y = numpy.ones((9, 200)), numpy.linspace(1, 2, 200)
    x[3, 150], x[7, 0] = numpy.nan, numpy.inf
    product = lazynp.jit(lambda x, y: x @ y, strict=True)(x, y)
    numpy.testing.assert_allclose(product, x @ y, rtol=1e-13)
    assert lazynp.jit(lambda x, y: x @ y)(-x[:2], y * 0).tolist() == [0.0, 0.0]
