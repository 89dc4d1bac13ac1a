"""numpy.linalg's routines inside compiled programs: the same bits as NumPy, its errors, also in loops."""

import numpy as np
import pytest

import lazynp
from lazynp.backends import lapack

SHAPES = [(5, 5), (3, 4, 4), (2, 0, 3, 3), (0, 0), (1, 1), (40, 40)]
TALL = [(6, 3), (3, 6), (2, 5, 2), (0, 3), (3, 0)]

FUNCTIONS = {
    "cholesky": lambda a: np.linalg.cholesky(a),
    "inv": lambda a: np.linalg.inv(a),
    "solve": lambda a: np.linalg.solve(a, a[..., :2]),
    "det": lambda a: np.linalg.det(a),
    "slogdet": lambda a: tuple(np.linalg.slogdet(a)),
    "eigh": lambda a: tuple(np.linalg.eigh(a)),
    "eigvalsh": lambda a: np.linalg.eigvalsh(a),
    "qr": lambda a: tuple(np.linalg.qr(a)),
    "svd": lambda a: tuple(np.linalg.svd(a, full_matrices=False)),
    "one of svd": lambda a: np.linalg.svd(a, full_matrices=False)[1],
    "one of qr": lambda a: np.linalg.qr(a)[1],
}
IN_C = {name: lapack.ROUTINES[name.removeprefix("one of ")].dtypes for name in FUNCTIONS}


def matrix(shape, dtype, seed=0):
    """Hermitian and positive definite where it is square."""
    rng = np.random.default_rng(seed)
    a = rng.normal(size=shape) + (1j * rng.normal(size=shape) if np.dtype(dtype).kind == "c" else 0)
    if shape[-1] == shape[-2]:
        a = a @ np.swapaxes(a, -1, -2).conj() / max(shape[-1], 1) + 0.1 * np.eye(shape[-1])
    return a.astype(dtype)


def equal(found, expected):
    found, expected = [x if isinstance(x, tuple) else (x,) for x in (found, expected)]
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        one = np.asarray(one)
        assert (one.dtype, one.shape) == (other.dtype, other.shape)
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("dtype", ["float64", "float32", "complex128", "complex64"])
def test_bits_of_numpy(name, dtype):
    square = name in ("cholesky", "inv", "solve", "det", "slogdet", "eigh", "eigvalsh")
    compiled = lazynp.jit(FUNCTIONS[name], strict=True)
    for shape in SHAPES if square else [*SHAPES, *TALL]:
        if name == "solve" and shape[-1] < 2:
            continue
        a = matrix(shape, dtype)
        with lazynp.config(level="exact"):  # elsewhere positive definite matrices have no pivots
            equal(compiled(a), FUNCTIONS[name](a))
    steps = lazynp.explain(FUNCTIONS[name])(matrix((4, 4), dtype)).library_steps
    assert steps == (0 if {"float32": "d", "complex64": "D"}.get(dtype, np.dtype(dtype).char) in IN_C[name] else 1)


@pytest.mark.parametrize("shape", TALL, ids=str)
def test_singular_values_alone_are_those_of_numpy_without_vectors(shape):
    def f(a):
        return np.linalg.svd(a, compute_uv=False)

    a = matrix(shape, "float64")
    equal(lazynp.jit(f)(a), f(a))


@pytest.mark.parametrize("lower", [True, False])
@pytest.mark.parametrize("unit", [True, False])
@pytest.mark.parametrize("dtype", ["float64", "float32", "complex128", "complex64"])
@pytest.mark.parametrize("shape", [(5,), (5, 3)], ids=str)
def test_triangular_systems(lower, unit, dtype, shape):
    scipy_linalg = pytest.importorskip("scipy.linalg", reason="SciPy is not installed")
    a, b = matrix((5, 5), dtype) + 2 * np.eye(5, dtype=dtype), np.ones(shape, dtype)

    def f(a, b):
        return lazynp.scipy.linalg.solve_triangular(a, b, lower=lower, unit_diagonal=unit)

    found = lazynp.jit(f, strict=True)(a, b)
    expected = scipy_linalg.solve_triangular(a, b, lower=lower, unit_diagonal=unit)
    assert found.dtype == expected.dtype
    np.testing.assert_allclose(found, expected, rtol=2e-5 if dtype in ("float32", "complex64") else 1e-12)


FAILURES = {
    "inv of zeros": (lambda a: np.linalg.inv(a * 0), "Singular matrix"),
    "solve with zeros": (lambda a: np.linalg.solve(a * 0, a), "Singular matrix"),
    "cholesky of a negative": (lambda a: np.linalg.cholesky(-a), "Matrix is not positive definite"),
}


@pytest.mark.parametrize("name", FAILURES)
def test_errors(name):
    function, message = FAILURES[name]
    with pytest.raises(np.linalg.LinAlgError) as caught:
        lazynp.jit(function, strict=True)(matrix((3, 3), float))
    assert str(caught.value) == message


def test_a_singular_triangle():
    with pytest.raises(np.linalg.LinAlgError, match="diagonal 1"):
        lazynp.jit(lambda a: lazynp.scipy.linalg.solve_triangular(a, a[:, 0]), strict=True)(np.diag([1.0, 0.0, 2.0]))


def test_nothing_is_written_after_an_error():
    def f(a, out):
        out[0] = 1.0
        out[1] = np.linalg.inv(a)[0, 0]
        out[2] = 3.0

    out, expected = np.zeros(3), np.zeros(3)
    for function, target in ((f, expected), (lazynp.jit(f, strict=True), out)):
        with pytest.raises(np.linalg.LinAlgError):
            function(np.zeros((2, 2)), target)
    assert out[2] == expected[2] == 0.0


def test_singular_at_a_later_turn():
    def f(a):
        total = 0.0
        for i in range(3):
            a[i, 0] = 7.0
            total += np.linalg.inv(a * (i - 1.0))[0, 0]
            a[i, 1] = 8.0
        return total

    mine, numpys = matrix((3, 3), float), matrix((3, 3), float)
    for function, a in ((f, numpys), (lazynp.jit(f, strict=True), mine)):
        with pytest.raises(np.linalg.LinAlgError, match="Singular matrix"):
            function(a)
    np.testing.assert_array_equal(mine, numpys)


def test_loops_with_matrices_run_in_c():
    """A Kalman filter of several variables: nothing of a turn is Python's."""

    def smoothed(observed, turn, see, noise, error):
        x, spread, found = np.zeros(4), np.eye(4), np.zeros((len(observed), 4))
        for i in range(len(observed)):
            x = turn @ x
            spread = turn @ spread @ turn.T + noise
            gain = spread @ see.T @ np.linalg.inv(see @ spread @ see.T + error)
            x = x + gain @ (observed[i] - see @ x)
            spread = (np.eye(4) - gain @ see) @ spread
            found[i] = x
        return found, spread

    rng = np.random.default_rng(1)
    turn, see = np.eye(4) + 0.1 * np.eye(4, k=2), np.eye(2, 4)
    given = rng.normal(size=(50, 2)), turn, see, 0.01 * np.eye(4), 0.1 * np.eye(2)
    for found, expected in zip(lazynp.jit(smoothed, strict=True)(*given), smoothed(*given), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)
    assert lazynp.explain(smoothed)(*given).library_steps == 0


def test_no_floating_point_warnings_of_lapack():
    with np.errstate(all="raise"):
        lazynp.jit(lambda a: np.linalg.det(a), strict=True)(np.zeros((3, 3)))
