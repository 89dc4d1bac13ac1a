"""lazynp.scipy.linalg against scipy.linalg: values, exceptions, derivatives of first and second order, batches."""

import numpy
import pytest

linalg = pytest.importorskip("scipy.linalg", reason="SciPy, whose functions these are, is not installed")

import lazynp as np
from lazynp.api.matrices import FORMULAS
from lazynp.scipy import linalg as lazy_linalg
from lazynp.testing import check_grads

rng = numpy.random.default_rng(11)
A = rng.normal(size=(3, 3)) + 3 * numpy.eye(3)
C = A + 1j * rng.normal(size=(3, 3))
B, V = rng.normal(size=(3, 2)), rng.normal(size=3)
TALL, WIDE = rng.normal(size=(4, 3)), rng.normal(size=(3, 5))
SMALL = 0.3 * rng.normal(size=(2, 2)) + 2 * numpy.eye(2)


@pytest.fixture(autouse=True)
def interpreted(request):
    """Second derivatives are large graphs that run a few times: NumPy's interpreter takes less time than a compiler."""
    with np.config(backend="reference" if "derivatives" in request.node.name else "c"):
        yield


def positive(a):
    """A Hermitian, positive definite function of a matrix."""
    return a @ np.conj(np.swapaxes(a, -1, -2)) + np.eye(a.shape[-1])


def of_positive(f):
    return lambda sl, a, *rest: f(sl, positive(a), *rest)


ROWS = [
    ("inv", lambda sl, a: sl.inv(a), (A,)),
    ("inv", lambda sl, a: sl.inv(a), (C,)),
    ("det", lambda sl, a: sl.det(a), (A,)),
    ("solve", lambda sl, a, b: sl.solve(a, b), (A, B)),
    ("solve", lambda sl, a, b: sl.solve(a, b), (C, V)),
    ("solve", lambda sl, a, b: sl.solve(a, b, transposed=True), (A, V)),
    ("solve", of_positive(lambda sl, a, b: sl.solve(a, b, assume_a="pos")), (A, V)),
    ("solve", lambda sl, a, b: sl.solve(a, b, assume_a="sym", lower=True), (A, V)),
    ("solve", lambda sl, a, b: sl.solve(a, b, assume_a="upper triangular"), (A, B)),
    *[("solve_triangular", lambda sl, a, b, t=t, lo=lo: sl.solve_triangular(a, b, trans=t, lower=lo), (a, B))
      for a in (A, C) for t in (0, 1, 2) for lo in (False, True)],
    ("solve_triangular", lambda sl, a, b: sl.solve_triangular(a, b, unit_diagonal=True), (A, V)),
    *[("cholesky", of_positive(lambda sl, a, lo=lo: sl.cholesky(a, lower=lo)), (a,)) for a in (A, C) for lo in (False, True)],
    *[("cho_factor", of_positive(lambda sl, a, lo=lo: sl.cho_factor(a, lower=lo)[0]), (a,)) for a in (A, C) for lo in (False, True)],
    *[("cho_solve", of_positive(lambda sl, a, b, lo=lo: sl.cho_solve(sl.cho_factor(a, lower=lo), b)), (a, V))
      for a in (A, C) for lo in (False, True)],
    *[("lu", lambda sl, a: sl.lu(a), (a,)) for a in (A, C, TALL, WIDE)],
    ("lu", lambda sl, a: sl.lu(a, permute_l=True), (TALL,)),
    ("lu", lambda sl, a: sl.lu(a, p_indices=True)[1:], (A,)),
    *[("lu_factor", lambda sl, a: sl.lu_factor(a)[0], (a,)) for a in (A, C)],
    *[("lu_solve", lambda sl, a, b, t=t: sl.lu_solve(sl.lu_factor(a), b, trans=t), (a, b))
      for a in (A, C) for b in (B, V) for t in (0, 1, 2)],
    ("solve_sylvester", lambda sl, a, b, q: sl.solve_sylvester(a, b, q), (A, SMALL, B)),
    ("solve_continuous_lyapunov", lambda sl, a, q: sl.solve_continuous_lyapunov(a, q), (C, A)),
    ("solve_lyapunov", lambda sl, a, q: sl.solve_continuous_lyapunov(a, q), (A, A)),
    *[("solve_discrete_lyapunov", lambda sl, a, q, m=m: sl.solve_discrete_lyapunov(a, q, method=m), (A, A.T))
      for m in (None, "direct", "bilinear")],
    *[("qr", lambda sl, a: sl.qr(a, mode="economic"), (a,)) for a in (A, TALL, WIDE, C)],
    ("qr", lambda sl, a: sl.qr(a), (A,)),
    ("qr", lambda sl, a: sl.qr(a, mode="r"), (WIDE,)),
    ("svd", lambda sl, a: _recomposed(*sl.svd(a, full_matrices=False)), (TALL,)),
    ("svd", lambda sl, a: sl.svd(a, compute_uv=False), (WIDE,)),
    ("svdvals", lambda sl, a: sl.svdvals(a), (C,)),
    *[("eigh", of_positive(lambda sl, a: _spectral(*sl.eigh(a))), (a,)) for a in (A, C)],
    ("eigh", of_positive(lambda sl, a: _spectral(*sl.eigh(a, lower=False))), (A,)),
    ("eigh", of_positive(lambda sl, a, b: _spectral(*sl.eigh(a, positive(b)))), (A, A.T)),
    ("eigh", of_positive(lambda sl, a: sl.eigh(a, eigvals_only=True, subset_by_index=[1, 2])), (A,)),
    ("eigvalsh", of_positive(lambda sl, a: sl.eigvalsh(a)), (A,)),
    ("eigvals", lambda sl, a: np.sum(sl.eigvals(a) ** 3), (A,)),
    ("eig", lambda sl, a: _similar(*sl.eig(a)), (A,)),
    *[("polar", lambda sl, a, s=s: sl.polar(a, side=s), (a,)) for a in (A, TALL) for s in ("left", "right")],
    ("polar", lambda sl, a: sl.polar(a), (WIDE,)),
    ("polar", lambda sl, a: sl.polar(a), (C,)),
    ("pinv", lambda sl, a: sl.pinv(a), (TALL,)),
    ("pinv", lambda sl, a: sl.pinv(a, rtol=1e-6), (WIDE,)),
    ("lstsq", lambda sl, a, b: sl.lstsq(a, b)[:2], (TALL, rng.normal(size=4))),
    ("norm", lambda sl, a: sl.norm(a), (A,)),
    ("norm", lambda sl, a: sl.norm(a, 1), (A,)),
    *[("expm", lambda sl, a: sl.expm(a), (a,)) for a in (A / 3, C / 3)],
    ("expm_frechet", lambda sl, a, e: sl.expm_frechet(a, e), (A / 3, A.T)),
    *[("logm", lambda sl, a: sl.logm(a), (a,)) for a in (SMALL, A, C)],
    *[("sqrtm", lambda sl, a: sl.sqrtm(a), (a,)) for a in (SMALL, A, C)],
    *[(name, lambda sl, a, f=name: getattr(sl, f)(a), (a,))
      for a in (A / 4, C / 4) for name in ("cosm", "sinm", "tanm", "coshm", "sinhm", "tanhm")],
    ("block_diag", lambda sl, a, b, v: sl.block_diag(a, b, v), (A, B, V)),
    ("toeplitz", lambda sl, c, r: sl.toeplitz(c, r), (V, rng.normal(size=5))),
    ("toeplitz", lambda sl, c: sl.toeplitz(c), (C[0],)),
    ("circulant", lambda sl, c: sl.circulant(c), (V,)),
    ("hankel", lambda sl, c, r: sl.hankel(c, r), (V, rng.normal(size=4))),
    ("hankel", lambda sl, c: sl.hankel(c), (V,)),
    ("companion", lambda sl, a: sl.companion(a), (V,)),
    ("solve_toeplitz", lambda sl, c, b: sl.solve_toeplitz(c, b), (V + numpy.array([5, 0, 0]), B)),
    ("solve_circulant", lambda sl, c, b: sl.solve_circulant(c, b), (V + numpy.array([5, 0, 0]), B)),
    ("khatri_rao", lambda sl, a, b: sl.khatri_rao(a, b), (A, TALL)),
    ("kron", lambda sl, a, b: np.kron(a, b), (A, B)),
    ("orthogonal_procrustes", lambda sl, a, b: sl.orthogonal_procrustes(a, b), (TALL, rng.normal(size=(4, 3)))),
]  # fmt: skip
IDS = [f"{name}-{number}" for number, (name, _, _) in enumerate(ROWS)]


def _spectral(w, v):
    return (v * np.sin(w)) @ np.conj(v).T


def _similar(w, v):
    return (v * np.exp(w / 3)) @ np.linalg.inv(v)


def _recomposed(u, s, vh):
    return (u * np.sin(s)) @ vh


def parts(value):
    return [numpy.asarray(v) for v in (value if isinstance(value, tuple) else (value,))]


@pytest.mark.parametrize(("name", "f", "args"), ROWS, ids=IDS)
@pytest.mark.parametrize("traced", [False, True], ids=["lazy", "jit"])
def test_values_are_scipys(name, f, args, traced, all_lazy):
    if traced and name in ("eig", "logm", "sqrtm"):
        pytest.skip("of a real matrix these are real or complex, which its values decide: jit runs them in lazy mode")
    expected = parts(f(linalg, *args))
    found = parts(np.jit(lambda *a: f(lazy_linalg, *a))(*args) if traced else f(lazy_linalg, *[np.array(a) for a in args]))
    for one, other in zip(found, expected, strict=True):
        assert one.shape == other.shape
        assert one.dtype == other.dtype
        numpy.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-11)


ONE_BY_ONE = {"logm", "sqrtm", "eig", "eigvals", "lu_solve"}
"""Of a real matrix real or complex, which its values decide; or arguments that are not arrays."""


@pytest.mark.parametrize(("name", "f", "args"), ROWS, ids=IDS)
def test_derivatives(name, f, args):
    check_grads(lambda *a: f(lazy_linalg, *a), args, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "f", "args"),
    [r for r in ROWS if r[0] not in ONE_BY_ONE],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_batches(name, f, args):
    """vmap is a stacked loop."""
    stacks = [numpy.stack([a, a + 0.1, a * 0.9]) for a in args]
    found = parts(np.vmap(lambda *a: f(lazy_linalg, *a))(*stacks))
    for number, example in enumerate(zip(*stacks, strict=True)):
        for one, other in zip(found, parts(f(lazy_linalg, *example)), strict=True):
            numpy.testing.assert_allclose(one[number], other, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("name", ["polar", "orthogonal_procrustes", "expm", "sqrtm", "logm", "cosm", "pinv", "svdvals"])
@pytest.mark.parametrize("a", [numpy.eye(3), 2 * numpy.linalg.qr(A)[0]], ids=["unit", "orthogonal"])
def test_derivatives_of_equal_singular_values(name, a):
    """None of these divides by gaps between eigenvalues or singular values."""
    f = {
        "orthogonal_procrustes": lambda x: lazy_linalg.orthogonal_procrustes(x, numpy.eye(3))[0],
        "sqrtm": lambda x: lazy_linalg.sqrtm(x @ x.T),
        "logm": lambda x: lazy_linalg.logm(x @ x.T),
        "svdvals": lambda x: np.sum(lazy_linalg.svdvals(x) ** 3),
    }.get(name, getattr(lazy_linalg, name))
    check_grads(f, (a,), order=1, rtol=1e-5, atol=1e-6)


def test_every_formula_is_tested():
    assert {name for name, _, _ in ROWS} == set(FORMULAS)


# --- errors, and what stays SciPy's --------------------------------------------------------------------------------------


def test_infinities_and_singular_matrices_raise(all_lazy):
    with pytest.raises(ValueError, match="must not contain infs or NaNs"):
        numpy.asarray(lazy_linalg.inv(np.array([[1.0, numpy.nan], [0.0, 1.0]])))
    with pytest.raises(numpy.linalg.LinAlgError):
        numpy.asarray(lazy_linalg.inv(np.array(numpy.zeros((2, 2)))))
    with pytest.raises(numpy.linalg.LinAlgError):
        numpy.asarray(lazy_linalg.cholesky(np.array(-numpy.eye(2))))
    with pytest.raises(numpy.linalg.LinAlgError):
        numpy.asarray(lazy_linalg.solve_triangular(np.array(numpy.zeros((2, 2))), np.array(numpy.ones(2))))
    with pytest.raises(ValueError, match="square"):
        lazy_linalg.cholesky(np.array(numpy.ones((2, 3))))


def test_what_has_no_formula_is_scipys(all_lazy):
    values = lazy_linalg.schur(np.array(A))
    numpy.testing.assert_allclose(numpy.asarray(values[0]), linalg.schur(A)[0])
    assert lazy_linalg.issymmetric(numpy.eye(2))
    assert lazy_linalg.hilbert(3).tolist() == linalg.hilbert(3).tolist()
    assert lazy_linalg.LinAlgError is numpy.linalg.LinAlgError
    with pytest.raises(TypeError, match=r"scipy.linalg.schur has no derivative"):
        np.grad(lambda a: np.sum(lazy_linalg.schur(a)[0]))(A)


def test_lu_factor_outside_a_trace_is_lapacks():
    packed, exchanges = lazy_linalg.lu_factor(A[::-1])
    one, other = linalg.lu_factor(A[::-1])
    assert packed.tolist() == one.tolist() and exchanges.tolist() == other.tolist()
    traced = np.jit(lambda a: lazy_linalg.lu_factor(a))(A[::-1].copy())
    assert traced[1].tolist() == other.tolist()


def test_logarithm_with_negative_eigenvalues_is_complex():
    a = numpy.array([[-2.0, 0.3], [0.1, 1.5]])
    check_grads(lambda a: np.sum(lazy_linalg.sqrtm(a).real), (a,), rtol=1e-5)
    slope = np.grad(lambda a: np.sum(lazy_linalg.logm(a).real))(a)
    ends = [np.sum(linalg.logm(a + s * 1e-6 * A[:2, :2]).real) for s in (1, -1)]
    assert np.sum(slope * A[:2, :2]) == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-6)
