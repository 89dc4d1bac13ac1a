"""Functions of the namespace against NumPy: values, dtypes, shapes, exception classes, with everything lazy and at the default size."""

import warnings

import numpy as np
import pytest

import lazynp as lnp

A = np.random.default_rng(0).standard_normal((4, 6))
B = np.random.default_rng(1).standard_normal((4, 6))
C = np.arange(24).reshape(4, 6) % 7
V = np.linspace(-2.0, 3.0, 9)
S = A[:, :4] @ A[:, :4].T + 4 * np.eye(4)
Z = A + 1j * B
N = np.where(A > 1, np.nan, A)
M = A > 0
T3 = np.arange(24.0).reshape(2, 3, 4)

CALLS = {
    # shaping
    "reshape": [((A, (3, 8)), {}), ((A, -1), {}), ((A, (2, -1)), {"order": "F"}), ((A, (5, 5)), {})],
    "ravel": [((A,), {}), ((A,), {"order": "F"})],
    "transpose": [((T3,), {}), ((T3, (1, 2, 0)), {}), ((T3, (0, 0, 1)), {})],
    "swapaxes": [((T3, 0, 2), {}), ((T3, 0, 5), {})],
    "moveaxis": [((T3, 0, -1), {}), ((T3, (0, 1), (2, 0)), {}), ((T3, 4, 0), {})],
    "squeeze": [((A[:, None],), {}), ((A[:, None], 1), {}), ((A, 0), {})],
    "expand_dims": [((A, 1), {}), ((A, (0, 3)), {})],
    "broadcast_to": [((V, (3, 9)), {}), ((V, (3, 8)), {})],
    "flip": [((A,), {}), ((A, 1), {})],
    "rot90": [((A,), {}), ((A, 2), {}), ((A, 3), {})],
    "diagonal": [((A,), {}), ((A, 1), {}), ((A, -2), {}), ((T3, 0, 1, 2), {})],
    "diag": [((V,), {}), ((V, -2), {}), ((A, 1), {})],
    "trace": [((A,), {}), ((A, 1), {})],
    "concatenate": [(([A, B],), {}), (([A, C], 1), {}), (([A, V],), {}), (([A, B], None), {})],
    "stack": [(([A, B], 1), {}), (([A, V],), {})],
    "vstack": [(([V, V],), {})],
    "hstack": [(([A, B],), {}), (([V, V],), {})],
    "dstack": [(([A, B],), {})],
    "column_stack": [(([V, V],), {})],
    "split": [((A, 2), {}), ((A, [1, 3], 1), {}), ((A, 3), {})],
    "array_split": [((V, 4), {})],
    "tile": [((A, 2), {}), ((V, (2, 3)), {})],
    "repeat": [((A, 3), {}), ((A, 2, 1), {}), ((V[:3], [1, 0, 2]), {})],
    "roll": [((A, 2), {}), ((A, -1, 1), {}), ((A, (1, 2), (0, 1)), {})],
    "pad": [((A, 2), {}), ((A, ((1, 0), (2, 3))), {"constant_values": 5}), ((V, 3), {"mode": "reflect"}), ((V, 2), {"mode": "edge"})],
    "append": [((V, A), {}), ((A, B), {"axis": 0})],
    "delete": [((V, [1, 3]), {}), ((A, 1, 0), {})],
    "atleast_2d": [((V,), {})],
    "tril": [((A,), {}), ((A, -1), {})],
    "triu": [((A, 1), {})],
    "meshgrid": [((V, V[:3]), {}), ((V, V[:3]), {"indexing": "ij", "sparse": True})],
    "linspace": [((0, 1, 7), {}), ((0, 1, 7), {"endpoint": False})],
    "arange": [((5,), {}), ((2, 9, 2.5), {})],
    "eye": [((3, 4, 1), {})],
    "full": [(((2, 3), 7), {}), (((2,), 1.5), {"dtype": np.float32})],
    "zeros_like": [((C,), {}), ((C,), {"dtype": float})],
    # reductions
    "sum": [((A,), {}), ((A, 0), {}), ((C, (0, 1)), {}), ((M, 1), {}), ((A,), {"keepdims": True}), ((A, 2), {}), ((A,), {"where": M})],
    "prod": [((A, 1), {}), ((C + 1, 0), {})],
    "mean": [((A,), {}), ((C, 0), {}), ((A.astype(np.float32), 1), {}), ((A.astype(np.float16), 1), {})],
    "var": [((A,), {}), ((A, 0), {"ddof": 1}), ((Z, 1), {})],
    "std": [((A, 1), {}), ((C,), {})],
    "max": [((A,), {}), ((N, 0), {}), ((A[:0],), {}), ((A[:0], 1), {}), ((A[:0],), {"initial": 3.0})],
    "min": [((C, 1), {})],
    "ptp": [((A, 0), {})],
    "all": [((M, 0), {}), ((A,), {})],
    "any": [((M,), {}), ((C, 1), {})],
    "argmax": [((A,), {}), ((N, 1), {}), ((A[:0], 0), {})],
    "argmin": [((C, 0), {}), ((A,), {"keepdims": True})],
    "cumsum": [((A,), {}), ((C, 1), {}), ((M, 0), {})],
    "cumprod": [((A, 0), {})],
    "nansum": [((N,), {}), ((N, 0), {})],
    "nanmean": [((N, 1), {})],
    "average": [((A,), {}), ((A, 0), {"weights": [1.0, 2, 3, 4]})],
    "median": [((A,), {}), ((A, 1), {}), ((V,), {}), ((N, 0), {})],
    "percentile": [((A, 30), {})],
    "count_nonzero": [((C,), {}), ((C, 0), {})],
    "diff": [((V,), {}), ((A, 2, 0), {})],
    "gradient": [((V,), {}), ((A, 0.5), {"axis": 1})],
    "trapezoid": [((A,), {}), ((V, V), {})],
    "cov": [((A,), {}), ((V, V**2), {})],
    "corrcoef": [((A,), {})],
    # products
    "dot": [((A, B.T), {}), ((V, V), {}), ((A, 2.0), {}), ((A, B), {}), ((C, C.T), {}), ((T3, A[:, :2]), {})],
    "matmul": [((A, B.T), {}), ((T3, T3.swapaxes(1, 2)), {}), ((V, V), {}), ((A, V[:6]), {}), ((A, B), {}), ((A, 2.0), {}), ((Z, Z.T), {})],
    "inner": [((A, B), {}), ((V, A), {})],
    "outer": [((V, A), {})],
    "vdot": [((Z, Z), {})],
    "tensordot": [((T3, T3, ([0, 1], [0, 1])), {}), ((A, B, 1), {}), ((A, B.T, 1), {})],
    "einsum": [
        (("ij,kj->ik", A, B), {}),
        (("ii->i", S), {}),
        (("ij->", A), {}),
        (("ij,jk,kl->il", A, B.T, A), {}),
        (("ij,ij->j", A, B), {}),
    ],
    "kron": [((A[:2, :2], B[:2, :3]), {})],
    "cross": [((A[:, :3], B[:, :3]), {})],
    # selecting
    "where": [((M, A, B), {}), ((M, 1, C), {}), ((M,), {})],
    "clip": [((A, -0.5, 0.5), {}), ((C, 2, None), {}), ((A, B - 0.3, 0.5), {})],
    "round": [((A, 2), {}), ((A,), {}), ((C,), {})],
    "select": [(([M, A < -1], [A, B], 7.0), {})],
    "take": [((A, [0, 5, 2]), {}), ((A, [[1], [3]], 0), {}), ((A, 9, 1), {})],
    "take_along_axis": [((A, np.argsort(A, 1), 1), {})],
    "sort": [((A,), {}), ((A, 0), {}), ((N, None), {})],
    "argsort": [((A, 1), {})],
    "searchsorted": [((V, A), {}), ((V, 0.5), {"side": "right"})],
    "interp": [((A, V, V**2), {}), ((A, V, V**2, -1.0, 5.0), {})],
    "convolve": [((V, A[0]), {}), ((V, A[0], "same"), {}), ((V, A[0], "valid"), {})],
    "nan_to_num": [((N,), {})],
    "isclose": [((A, A + 1e-9), {})],
    "real": [((Z,), {})],
    "angle": [((Z,), {}), ((A,), {})],
    "unique": [((C,), {})],
    "nonzero": [((C,), {})],
    "histogram": [((A,), {})],
    "bincount": [((C.ravel(),), {})],
    "linalg.solve": [((S, V[:4]), {}), ((S, A), {}), ((S, V), {}), ((A, A), {})],
    "linalg.inv": [((S,), {}), ((np.zeros((2, 2)),), {}), ((A,), {})],
    "linalg.det": [((S,), {})],
    "linalg.slogdet": [((S,), {})],
    "linalg.cholesky": [((S,), {}), ((-S,), {})],
    "linalg.norm": [((A,), {}), ((A, None, 1), {}), ((V, 1), {}), ((V, np.inf), {}), ((A, "fro"), {}), ((A, 2), {})],
    "linalg.eigh": [((S,), {})],
    "linalg.svd": [((A,), {"full_matrices": False}), ((A,), {"compute_uv": False})],
    "linalg.matrix_power": [((S, 3), {}), ((S, -1), {})],
    "linalg.lstsq": [((A.T, V[:6]), {})],
    "fft.fft": [((A,), {}), ((V, 5), {}), ((V,), {"norm": "ortho"})],
    "fft.rfft": [((A,), {"axis": 0}), ((V, 16), {})],
    "fft.irfft": [((Z[0],), {})],
    "fft.fft2": [((A,), {})],
    "fft.fftshift": [((V,), {})],
}


def look_up(namespace, name):
    for part in name.split("."):
        namespace = getattr(namespace, part)
    return namespace


def same(actual, expected, name):
    if isinstance(expected, (tuple, list)):
        assert len(actual) == len(expected)
        for a, e in zip(actual, expected, strict=True):
            same(a, e, name)
        return
    a, e = np.asarray(actual), np.asarray(expected)
    assert a.dtype == e.dtype, name
    assert a.shape == e.shape, name
    scale = np.max(np.abs(e), initial=1.0) if e.dtype.kind in "fc" and np.isfinite(e).all() else 1.0
    tolerance = {"float16": 2e-3, "float32": 2e-6, "complex64": 2e-6}.get(e.dtype.name, 1e-12)
    np.testing.assert_allclose(a, e, rtol=tolerance, atol=tolerance * scale, err_msg=name)


@pytest.mark.parametrize("name", list(CALLS))
def test_function_is_numpys(name, threshold):
    for args, kwargs in CALLS[name]:
        given = [lnp.array(a) if isinstance(a, np.ndarray) else a for a in args]
        if name in ("concatenate", "stack", "vstack", "hstack", "dstack", "column_stack", "select"):
            given = [[lnp.array(x) if isinstance(x, np.ndarray) else x for x in a] if isinstance(a, list) else a for a in given]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                expected = look_up(np, name)(*args, **kwargs)
            except Exception as error:
                with pytest.raises(type(error)):
                    parts = look_up(lnp, name)(*given, **kwargs)
                    np.asarray(parts)
                continue
            same(look_up(lnp, name)(*given, **kwargs), expected, f"{name}{kwargs}")


@pytest.mark.parametrize("name", [n for n in dir(np) if isinstance(getattr(np, n), np.ufunc) and getattr(np, n).signature is None])
def test_ufunc_is_numpys(name, threshold):
    ufunc = getattr(np, name)
    operands = {"f": np.array([0.3, -1.7, 2.5, 0.0] * 6), "i": np.arange(-3, 21), "b": np.arange(24) % 2 == 0, "c": Z.ravel()}
    for kind, x in operands.items():
        args = [x, np.roll(x, 3)][: ufunc.nin]
        with np.errstate(all="ignore"):
            try:
                expected = ufunc(*args)
            except (TypeError, ValueError) as error:
                with pytest.raises(type(error)), np.errstate(all="ignore"):
                    np.asarray(getattr(lnp, name)(*[lnp.array(a) for a in args]))
                continue
            same(getattr(lnp, name)(*[lnp.array(a) for a in args]), expected, f"{name} {kind}")


def test_methods(threshold):
    x, e = lnp.array(A), A.copy()
    assert x.sum() == pytest.approx(e.sum())
    same(x.reshape(3, 8).T.astype(np.float32).copy(), e.reshape(3, 8).T.astype(np.float32), "chain")
    same(x.argmax(axis=1), e.argmax(axis=1), "argmax")
    x.sort(axis=0)
    e.sort(axis=0)
    same(x, e, "sort")
    x.fill(3)
    assert x.tolist() == np.full((4, 6), 3.0).tolist()
    same(x.flatten(), np.full(24, 3.0), "flatten")


def test_out_and_where(threshold):
    x, out = lnp.array(A), lnp.array(np.zeros((4, 6)))
    assert lnp.multiply(x, 2, out=out) is out
    same(out, A * 2, "out")
    lnp.add(x, 1, out=out, where=lnp.array(M))
    same(out, np.where(M, A + 1, A * 2), "where")
    with pytest.raises(TypeError, match="Cannot cast ufunc 'add' output"):
        lnp.add(x, 1, out=lnp.array(C))
    plain = np.zeros((4, 6))
    lnp.exp(x, out=plain)
    same(plain, np.exp(A), "into NumPy's memory")


def test_ufunc_methods(threshold):
    x = lnp.array(A)
    same(lnp.add.reduce(x, axis=1), A.sum(1), "reduce")
    same(lnp.maximum.accumulate(x, axis=0), np.maximum.accumulate(A, axis=0), "accumulate")
    same(lnp.multiply.outer(lnp.array(V), lnp.array(V)), np.multiply.outer(V, V), "outer")
    y, e = lnp.array(V), V.copy()
    lnp.add.at(y, [0, 0, 3], 1.0)
    np.add.at(e, [0, 0, 3], 1.0)
    same(y, e, "at")
    same(lnp.add.reduceat(x, [0, 2], axis=0), np.add.reduceat(A, [0, 2], axis=0), "reduceat")


def test_numpy_functions_take_our_arrays(threshold):
    x = lnp.array(A)
    same(np.concatenate([x, A]), np.concatenate([A, A]), "protocol")
    same(np.sin(x), np.sin(A), "ufunc")
    same(np.linalg.norm(x, axis=0), np.linalg.norm(A, axis=0), "linalg")


def test_other_dtypes_pass_through(threshold):
    names = lnp.array(["a", "b"])
    assert type(names) is np.ndarray
    assert (names == "a").tolist() == [True, False]
    assert lnp.array([1, 2], dtype=object).sum() == 3
    assert lnp.sum(np.arange(3, dtype=np.longdouble)).dtype == np.longdouble
    assert lnp.array(["2020-01-01"], dtype="M8[D]")[0] == np.datetime64("2020-01-01")


def test_random_streams_are_numpys(threshold):
    ours, theirs = lnp.random.default_rng(5), np.random.default_rng(5)
    assert isinstance(ours, np.random.Generator)
    same(ours.normal(size=(3, 4)), theirs.normal(size=(3, 4)), "normal")
    same(ours.integers(0, 9, 30), theirs.integers(0, 9, 30), "integers")
    x, e = lnp.array(V), V.copy()
    ours.shuffle(x)
    theirs.shuffle(e)
    same(x, e, "shuffle")
    lnp.random.seed(3)
    first = np.asarray(lnp.random.rand(20))
    np.random.seed(3)
    same(first, np.random.rand(20), "legacy")
    legacy = lnp.random.RandomState(1)
    same(legacy.randn(4), np.random.RandomState(1).randn(4), "RandomState")


def test_a_draw_inside_jit_is_not_frozen():
    rng = lnp.random.default_rng(0)

    @lnp.jit(strict=True)
    def noisy(x):
        return x + rng.normal(size=3)

    first = noisy(np.zeros(3))
    assert not np.array_equal(first, noisy(np.zeros(3)))


def test_fallbacks_are_counted_for_the_users_line():
    x = lnp.lazy(np.arange(100.0))
    before = lnp.stats()["fallbacks"]
    lnp.unique(x)
    new = {k: n for k, n in lnp.stats()["fallbacks"].items() if n != before.get(k)}
    ((filename, line, name),) = new
    assert (filename, name) == (__file__, "unique")
    with lnp.fallbacks("error"), pytest.raises(lnp.LazynpError, match="unique"):
        lnp.unique(lnp.lazy(np.arange(100.0)))
    with lnp.fallbacks("warn"), pytest.warns(lnp.FallbackWarning, match="unique") as caught:
        lnp.unique(lnp.lazy(np.arange(100.0)))
    assert caught[0].filename == __file__
    assert caught[0].lineno > line
    with lnp.fallbacks("warn"), lnp.fallbacks("ok"):
        lnp.unique(lnp.lazy(np.arange(100.0)))
    with pytest.raises(ValueError, match="expects"), lnp.fallbacks("perhaps"):
        pass


def test_initial_counts_once_beside_a_mask(all_lazy: None) -> None:
    """Elements that `where` leaves out are replaced by the identity, not by `initial`."""
    x, mask = np.arange(1.0, 13).reshape(3, 4), np.array([True, False, True, True])
    for name in ("sum", "prod", "max"):
        expected = getattr(np, name)(x, axis=1, where=mask, initial=2.0)
        np.testing.assert_array_equal(np.asarray(getattr(lnp, name)(lnp.array(x), axis=1, where=mask, initial=2.0)), expected)
