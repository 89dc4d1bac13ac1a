"""Triangular and positive definite matrices: other routines, the same solutions, and NumPy's errors."""

import numpy as np
import pytest

import lazynp
from lazynp.backends import blas, toolchain

pytestmark = pytest.mark.skipif(toolchain.find_compiler() is None or blas.table() is None, reason="needs a C compiler and LAPACK")

N = 40
rng = np.random.default_rng(0)
FULL = rng.standard_normal((N, N))
SHIFT = 2 * N**0.5 * np.eye(N)
ONES = np.ones((N, N))
MATRICES = {
    "positive definite": FULL.T @ FULL + 0.1 * np.eye(N),
    "lower": np.tril(FULL) + SHIFT,
    "upper": np.triu(FULL) - SHIFT,
    "diagonal": np.diag(rng.standard_normal(N)),
    "symmetric": FULL + FULL.T,
    "symmetric, with a positive diagonal": FULL + FULL.T + 3 * np.eye(N),
    "nearly symmetric": FULL.T @ FULL + np.eye(N) + 1e-9 * np.eye(N, k=N - 1),
    "general": FULL,
    "small": FULL[:5, :5].T @ FULL[:5, :5],
}
SIDES = rng.standard_normal((N, 3))
FUNCTIONS = {
    "solve": lambda a, b: np.linalg.solve(a, b),
    "vector": lambda a, b: np.linalg.solve(a, b[:, 0]),
    "inv": lambda a, b: np.linalg.inv(a),
    "slogdet": lambda a, b: np.stack(np.linalg.slogdet(a)),
    "det": lambda a, b: np.linalg.det(a / N),
}


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("kind", MATRICES)
@pytest.mark.parametrize("dtype", ["float64", "float32", "complex128"])
def test_solutions(name: str, kind: str, dtype: str) -> None:
    a, b = MATRICES[kind].astype(dtype), SIDES.astype(dtype)
    b, f = b[: len(a)], FUNCTIONS[name]
    if name == "slogdet" and dtype == "complex128":
        pytest.skip("signs and logarithms of complex matrices have different dtypes")
    tolerance = 1e-4 if dtype == "float32" else 1e-9
    found, wanted = lazynp.jit(f)(a, b), f(a, b)
    assert found.dtype == wanted.dtype
    np.testing.assert_allclose(found, wanted, rtol=tolerance, atol=tolerance * np.abs(wanted).max())


def test_every_matrix_of_a_stack_has_its_own_kind() -> None:
    stack = np.stack([a for a in MATRICES.values() if len(a) == N])
    sides = np.stack([SIDES] * len(stack))
    np.testing.assert_allclose(lazynp.jit(np.linalg.solve)(stack, sides), np.linalg.solve(stack, sides), rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(lazynp.jit(lambda a: np.linalg.inv(a))(stack), np.linalg.inv(stack), rtol=1e-8, atol=1e-10)


SINGULAR = {
    "ones": ONES,
    "zeros": np.zeros((N, N)),
    "lower": np.tril(ONES) - np.eye(N) * (np.arange(N) == 7),
    "upper": np.triu(ONES) - np.eye(N) * (np.arange(N) == 7),
    "of low rank": np.outer(np.arange(1.0, N + 1), np.arange(1.0, N + 1)),
}


@pytest.mark.parametrize("kind", SINGULAR)
def test_singular_matrices_are_numpys(kind: str) -> None:
    a = SINGULAR[kind]
    for f in (lambda a: np.linalg.solve(a, SIDES), lambda a: np.linalg.inv(a)):
        with pytest.raises(np.linalg.LinAlgError) as expected:
            f(a)
        with pytest.raises(np.linalg.LinAlgError) as found:
            lazynp.jit(f)(a)
        assert str(found.value).startswith(str(expected.value))
    np.testing.assert_array_equal(lazynp.jit(lambda a: np.stack(np.linalg.slogdet(a)))(a), np.stack(np.linalg.slogdet(a)))
    assert lazynp.jit(lambda a: np.linalg.det(a))(a) == np.linalg.det(a)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_pivots_decide_whether_a_triangle_with_a_zero_on_its_diagonal_is_singular(name: str) -> None:
    """Those of a lower triangle are exchanged and rounded: NumPy mostly finds it regular."""
    a, f = np.tril(FULL), FUNCTIONS[name]
    a[1, 1] = 0
    np.testing.assert_array_equal(lazynp.jit(f)(a, SIDES), f(a, SIDES))


def test_nearly_singular_ones_have_the_digits_of_pivots() -> None:
    tall = rng.standard_normal((5, N))
    a = tall.T @ tall + 1e-14 * np.eye(N)
    np.testing.assert_array_equal(lazynp.jit(lambda a: np.linalg.inv(a))(a), np.linalg.inv(a))


@pytest.mark.parametrize("kind", ["positive definite", "lower", "upper"])
def test_nan_reaches_what_it_reaches_in_numpy(kind: str) -> None:
    for place in ((3, 5), (5, 3), (6, 6)):
        a = MATRICES[kind].copy()
        a[place] = np.nan
        np.testing.assert_array_equal(lazynp.jit(np.linalg.solve)(a, SIDES), np.linalg.solve(a, SIDES))
    b = SIDES.copy()
    b[5, 1] = np.nan
    found, wanted = [f(MATRICES[kind], b) for f in (lazynp.jit(np.linalg.solve), np.linalg.solve)]
    np.testing.assert_allclose(found, wanted, rtol=1e-9)


def test_only_exact_results_keep_their_last_bits() -> None:
    a = MATRICES["positive definite"]
    f = lazynp.jit(lambda a: np.linalg.inv(a))
    assert np.abs(f(a) - np.linalg.inv(a)).max() > 0
    np.testing.assert_array_equal(f(a), f(a).T)
    with lazynp.config(level="exact"):
        np.testing.assert_array_equal(lazynp.jit(lambda a: np.linalg.inv(a))(a), np.linalg.inv(a))


SMALL = {
    "solve": lambda a, b: np.linalg.solve(a, b),
    "inv": lambda a, b: np.linalg.inv(a),
    "det": lambda a, b: np.linalg.det(a),
    "slogdet": lambda a, b: np.stack(np.linalg.slogdet(a)),
}


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("n", [1, 2, 3, 5, 8, 9])
def test_stacks_of_small_matrices(name: str, n: int) -> None:
    a, b = rng.standard_normal((200, n, n)), rng.standard_normal((200, n, 2))
    found, wanted = [f(a, b) for f in (lazynp.jit(SMALL[name]), SMALL[name])]
    np.testing.assert_allclose(found, wanted, rtol=1e-8, atol=1e-10)


ODD = {
    "singular but for rounding": [[1, 2, 3], [4, 5, 6], [7, 8, 9]],
    "singular": [[1, 2], [2, 4]],
    "zero": [[0, 0], [0, 0]],
    "determinant below all numbers": [[1e-200, 0], [0, 1e-200]],
    "determinant above all numbers": [[1e300, 0], [0, 1e300]],
    "nan": [[np.nan, 1], [1, 2]],
    "inf": [[np.inf, 1], [1, 2]],
    "exchanged": [[0, 1], [1, 0]],
    "of different sizes": [[1, 1e-17], [1, 1]],
}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("kind", ODD)
def test_odd_small_matrices_are_numpys(name: str, kind: str) -> None:
    a, f = np.array(ODD[kind], float), SMALL[name]
    b = np.ones((len(a), 1))
    try:
        wanted = f(a, b)
    except np.linalg.LinAlgError as error:
        with pytest.raises(np.linalg.LinAlgError, match=str(error)):
            lazynp.jit(f)(a, b)
    else:
        np.testing.assert_allclose(lazynp.jit(f)(a, b), wanted, rtol=1e-12)
