"""Expressions that are bound by memory, or by vector arithmetic: what fusion is measured by. benchmarks/kernels.c has each by hand.

With those of `cases.py` that kernels.c has as well, they are the first half of the table of `python -m benchmarks.kernels`.
"""

import math
from typing import Any

import numpy as np

from benchmarks.cases import CASES, Case, rows, vectors

# --- means and variances -------------------------------------------------------------------------------------------------


def mean_of_columns(x):
    return np.mean(x, axis=0)


def mean_of_columns_loops(x):
    out = np.zeros(x.shape[1], x.dtype)
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            out[j] += x[i, j]
    return out / x.dtype.type(x.shape[0])


def mean_of_rows(x):
    return np.mean(x, axis=1)


def mean_of_rows_loops(x):
    out = np.empty(x.shape[0], x.dtype)
    for i in range(x.shape[0]):
        out[i] = np.mean(x[i])
    return out


def variance_of_columns(x):
    return np.var(x, axis=0)


def variance_of_columns_loops(x):
    mean, out = np.zeros(x.shape[1], x.dtype), np.zeros(x.shape[1], x.dtype)
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            mean[j] += x[i, j]
    mean /= x.dtype.type(x.shape[0])
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            out[j] += (x[i, j] - mean[j]) ** 2
    return out / x.dtype.type(x.shape[0])


def variance_of_rows(x):
    return np.var(x, axis=1)


def variance_of_rows_loops(x):
    out = np.empty(x.shape[0], x.dtype)
    for i in range(x.shape[0]):
        out[i] = np.var(x[i])
    return out


def normalised_rows(x):
    return (x - np.mean(x, axis=1, keepdims=True)) / np.std(x, axis=1, keepdims=True)


def normalised_rows_loops(x):
    out = np.empty_like(x)
    for i in range(x.shape[0]):
        out[i] = (x[i] - np.mean(x[i])) / np.std(x[i])
    return out


def normalised_rows_numexpr(numexpr, x):
    mean, deviation = x.mean(axis=1, keepdims=True), x.std(axis=1, keepdims=True)
    return numexpr.evaluate("(x - m) / s", {"x": x, "m": mean, "s": deviation})


# --- bytes, complex numbers, counts, transposes ------------------------------------------------------------------------------


def to_bytes(x):
    return (np.clip(x, 0, 1) * 255).astype(np.uint8)


def to_bytes_numexpr(numexpr, x):
    return numexpr.evaluate("where(x < 0, 0, where(x > 1, 1, x)) * 255", {"x": x}).astype(np.uint8)


def magnitude(z):
    return np.abs(z)


def magnitude_numexpr(numexpr, z):
    return numexpr.evaluate("sqrt(a*a + b*b)", {"a": z.real, "b": z.imag})


def count_positive(x):
    return np.count_nonzero(x > 0)


def count_positive_numba(x):
    return np.sum(x > 0)


def count_positive_numexpr(numexpr, x):
    return numexpr.evaluate("sum(where(x > 0, 1, 0))", {"x": x})


def count_inside(x):
    return np.sum((x > -1) & (x < 1))


def count_inside_numexpr(numexpr, x):
    return numexpr.evaluate("sum(where((x > -1) & (x < 1), 1, 0))", {"x": x})


def transposed_sum(a, b):
    return a.T + b


def transposed_sum_numexpr(numexpr, a, b):
    return numexpr.evaluate("a + b", {"a": a.T, "b": b})


# --- arguments --------------------------------------------------------------------------------------------------------------


def complex_vector(rng: np.random.Generator, n: int) -> tuple[Any, ...]:
    return (rng.standard_normal(n) + 1j * rng.standard_normal(n),)


def squares(rng: np.random.Generator, n: int) -> tuple[Any, ...]:
    side = max(math.isqrt(n), 2)
    return tuple(rng.standard_normal((2, side, side)))


_OLDER = ("polynomial", "softplus", "softmax", "logsumexp", "squared_distance")

EXPRESSIONS = [
    *[case for case in CASES if case.name in _OLDER],
    Case("mean_of_columns", "mean along axis 0", mean_of_columns, rows, passes=1, forms={"numba": mean_of_columns_loops}),
    Case("mean_of_rows", "mean along axis 1", mean_of_rows, rows, passes=1, forms={"numba": mean_of_rows_loops}),
    Case("variance_of_columns", "variance along axis 0", variance_of_columns, rows, passes=1, forms={"numba": variance_of_columns_loops}),
    Case("variance_of_rows", "variance along axis 1", variance_of_rows, rows, passes=1, forms={"numba": variance_of_rows_loops}),
    Case(
        "normalised_rows",
        "(x - mean) / std, rows",
        normalised_rows,
        rows,
        passes=1,
        forms={"numba": normalised_rows_loops, "numexpr": normalised_rows_numexpr},
    ),
    Case("to_bytes", "clip and scale to uint8", to_bytes, vectors(1), passes=1, forms={"numexpr": to_bytes_numexpr}),
    Case("magnitude", "abs of complex numbers", magnitude, complex_vector, passes=1, forms={"numexpr": magnitude_numexpr}),
    Case(
        "count_positive",
        "count_nonzero(x > 0)",
        count_positive,
        vectors(1),
        passes=1,
        forms={"numba": count_positive_numba, "numexpr": count_positive_numexpr},
    ),
    Case("count_inside", "sum((x > -1) & (x < 1))", count_inside, vectors(1), passes=1, forms={"numexpr": count_inside_numexpr}),
    Case("transposed_sum", "a.T + b", transposed_sum, squares, passes=1, forms={"numexpr": transposed_sum_numexpr}),
]
