"""Compositions with a derivative: what tests/test_differentiable.py runs.

A row is a name, a function of (np, *arrays) that calls it, and the arrays: `np` is NumPy, whose value is the oracle, or lazynp.
Rows of one name are its cases: real and complex, 0-d, empty, broadcast, strided, batched.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np


class Row(NamedTuple):
    """function(np, *args) -> an array or a tuple of them. order: up to which derivatives are checked."""

    name: str
    function: Callable[..., Any]
    args: tuple[Any, ...]
    order: int = 2


ROWS: list[Row] = []
_rng = np.random.default_rng(20240229)


def row(name: str, function: Callable[..., Any], *args: Any, order: int = 2) -> None:
    ROWS.append(Row(name, function, args, order))


def real(*shape: int) -> np.ndarray:
    """Ordinary numbers, far enough from each other and from zero for a difference quotient."""
    size = int(np.prod(shape))
    values = np.linspace(-2, 2, size + 1)[1:] + _rng.uniform(-0.2, 0.2, size) / (size + 1) + 0.013
    return _rng.permutation(values).reshape(shape)


def positive(*shape: int) -> np.ndarray:
    return np.abs(real(*shape)) + 0.3


def complex_(*shape: int) -> np.ndarray:
    return real(*shape) + 1j * real(*shape)


def strided(*shape: int) -> np.ndarray:
    """The same kind of values, every other element of a block, backwards along the last axis."""
    return real(*shape[:-1], 2 * shape[-1])[..., ::-2]


def square(*shape: int) -> np.ndarray:
    """Well-conditioned matrices."""
    return real(*shape) * 0.5 + 2 * np.eye(shape[-1])


def complex_square(*shape: int) -> np.ndarray:
    return complex_(*shape) * 0.4 + 2 * np.eye(shape[-1])


def gram(np: Any, a: Any) -> Any:
    """A Hermitian, positive definite function of any matrix."""
    return np.swapaxes(a, -1, -2).conj() @ a + np.eye(a.shape[-1])


def method(name: str, *rest: Any, **options: Any) -> Callable[..., Any]:
    """np.<name>(x, *rest, **options), x the first operand."""

    def call(np: Any, *args: Any) -> Any:
        return getattr(np, name)(*args, *rest, **options)

    return call


# --- elementwise functions that are compositions -------------------------------------------------------------------------

for _x in (real(3, 4), real(), real(0, 3), strided(2, 3), complex_(2, 3)):
    row("nan_to_num", method("nan_to_num"), _x)
    row("sinc", method("sinc"), _x)
    row("angle", lambda np, x: np.angle(x + 1j * x * x), _x)
    row("real", method("real"), _x)
    row("imag", method("imag"), _x)
    row("conj", method("conj"), _x)
    row("abs", method("abs"), _x)
    row("square", method("square"), _x)
for _x in (real(3, 4), real(), real(0, 3), strided(2, 3)):
    row("clip", method("clip", -0.7, 0.9), _x)
    row("fix", method("fix"), _x, order=1)
row("clip", lambda np, x, a, b: np.clip(x, a, b), real(3, 4), real(4) - 1, real(3, 1) + 2)
row("clip", lambda np, x, a: np.clip(x, a, None), real(3, 4), np.float64(0.05))
row("where", lambda np, x, y: np.where(x > y, x * y, np.sin(x)), real(3, 4), real(4))
row("where", lambda np, x: np.where(x > 0, np.log(np.where(x > 0, x, 1)), x), real(3, 4))
row("where", lambda np, x: np.where(x > 0, np.log(abs(x)), 0), complex_(3).real)
row("select", lambda np, x: np.select([x < -1, x > 1], [x * x, np.exp(x)], np.sin(x)), real(3, 4))
row("choose", lambda np, x, y: np.choose(np.array([0, 1, 1, 0]), [x, y * y]), real(3, 4), real(4))
row("piecewise", lambda np, x: np.where(x < 0, -x * x, x**3), real(5))
row("heaviside", lambda np, x: np.heaviside(x, 0.5) * x, real(5))
row("float_power", lambda np, x, y: np.float_power(x, y), positive(3, 4), real(4))
row("unwrap", lambda np, x: np.unwrap(x * 3), real(7))
row("divmod", lambda np, x, y: np.divmod(x, y)[1], real(5), positive(5))

# --- sums, products, statistics ------------------------------------------------------------------------------------------

_AXES: tuple[dict[str, Any], ...] = ({}, {"axis": 0}, {"axis": -1, "keepdims": True}, {"axis": (0, 1)})
for _name in ("sum", "prod", "mean", "var", "std", "max", "min", "ptp", "nansum", "nanprod", "nanmean", "nanvar", "nanstd",
              "nanmax", "nanmin", "median", "nanmedian"):  # fmt: skip
    for _options in _AXES:
        row(_name, method(_name, **_options), real(3, 4))
    row(_name, method(_name, axis=1), strided(3, 3))
for _name in ("sum", "prod", "mean", "var", "std", "nansum", "nanmean"):
    row(_name, method(_name, axis=0), complex_(3, 2))
    if _name != "std":  # the derivative of a square root at 0 is infinite
        row(_name, method(_name), real())
for _name in ("sum", "prod"):
    row(_name, method(_name, axis=0), real(0, 3))
row("var", method("var", axis=1, ddof=1), real(3, 4))
row("std", method("std", axis=1, ddof=1), real(3, 4))
row("prod", method("prod", axis=1), np.array([[1.0, 0.0, 3.0], [0.0, 0.0, 2.0]]))
row("cumprod", method("cumprod", axis=1), np.array([[1.0, 0.0, 3.0], [0.0, 0.0, 2.0]]))
row("mean", lambda np, x: np.mean(x, where=np.array([True, False, True, True])), real(3, 4))
row("sum", lambda np, x: np.sum(x, where=np.array([True, False, True, True]), initial=2.0), real(3, 4))
row("average", lambda np, x, w: np.average(x, axis=0, weights=w), real(3, 4), positive(3))
row("average", method("average"), real(3, 4))
for _name in ("quantile", "percentile", "nanquantile", "nanpercentile"):
    _scale = 100 if "percentile" in _name else 1
    row(_name, method(_name, 0.3 * _scale), real(7))
    row(_name, method(_name, np.array([0.2, 0.9]) * _scale, axis=1), real(3, 4))
    row(_name, method(_name, 0.4 * _scale, axis=0, keepdims=True), real(4, 3))
row("quantile", lambda np, x, q: np.quantile(x, q), real(7), np.float64(0.37))
row("cov", method("cov"), real(3, 6))
row("cov", lambda np, x, w: np.cov(x, aweights=w, ddof=0), real(3, 6), positive(6))
row("cov", lambda np, x, y: np.cov(x, y, rowvar=True), real(6), real(6))
row("corrcoef", method("corrcoef"), real(3, 6))
row("histogram", lambda np, w: np.histogram(np.array([0.1, 0.4, 0.5, 0.9]), bins=3, range=(0, 1), weights=w)[0], real(4))
row("histogram", lambda np, w: np.histogram(np.array([0.1, 0.4, 0.5, 0.9]), bins=3, weights=w, density=True)[0], positive(4))
row("bincount", lambda np, w: np.bincount(np.array([0, 2, 2, 1]), weights=w), real(4))
row("histogram2d", lambda np, w: np.histogram2d(np.array([0.1, 0.6, 0.9]), np.array([0.2, 0.3, 0.8]), bins=2, weights=w)[0], real(3))
row("histogramdd", lambda np, w: np.histogramdd(np.array([[0.1, 0.6], [0.9, 0.2], [0.3, 0.4]]), bins=2, weights=w)[0], real(3))
for _name in ("cumsum", "cumprod", "nancumsum", "nancumprod", "cumulative_sum", "cumulative_prod"):
    row(_name, method(_name, axis=1), real(3, 4))
    row(_name, method(_name, axis=0), real(0, 3))
row("cumsum", method("cumsum"), complex_(3))
row("cumprod", method("cumprod"), complex_(3))
row("maximum.accumulate", lambda np, x: np.maximum.accumulate(x, axis=1), real(3, 4))
row("logaddexp.reduce", lambda np, x: np.logaddexp.reduce(x, axis=1), real(3, 4))
row("multiply.outer", lambda np, x, y: np.multiply.outer(x, y), real(3), real(2))

# --- order ---------------------------------------------------------------------------------------------------------------

for _name, _options in (("sort", {}), ("sort", {"axis": 0}), ("partition", {"kth": 2}), ("partition", {"kth": 1, "axis": 0}),
                        ("sort_complex", {}), ("msort", {})):  # fmt: skip
    if hasattr(np, _name):
        row(_name, method(_name, **_options), real(4, 3) if _name != "sort_complex" else complex_(4))
row("sort", method("sort", axis=None), real(4, 3))
row("sort", method("sort"), strided(2, 3))
row("take_along_axis", lambda np, x: np.take_along_axis(x, np.argsort(x, 1), 1), real(3, 4))
row("put_along_axis", lambda np, x: _put_along(np, x), real(3, 4))
row("argmax", lambda np, x: x[np.argmax(x)] ** 2, real(5))


def _put_along(np: Any, x: Any) -> Any:
    y = x * x
    np.put_along_axis(y, np.array([[0], [2], [1]]), x[:, :1], 1)
    return y


# --- shapes --------------------------------------------------------------------------------------------------------------

for _x in (real(3, 4), complex_(2, 3), strided(2, 3), real(0, 3)):
    row("reshape", method("reshape", (-1,)) if _x.size else method("reshape", (3, 0)), _x)
    row("ravel", method("ravel", order="F"), _x)
    row("transpose", method("transpose"), _x)
    row("swapaxes", method("swapaxes", 0, 1), _x)
    row("moveaxis", method("moveaxis", 0, 1), _x)
    row("rollaxis", method("rollaxis", 1), _x)
    row("flip", method("flip", axis=1), _x)
    row("fliplr", method("fliplr"), _x)
    row("flipud", method("flipud"), _x)
    row("rot90", method("rot90"), _x)
    row("roll", method("roll", 2), _x)
    row("roll", method("roll", (1, -1), axis=(0, 1)), _x)
    row("tile", method("tile", (2, 1, 2)), _x)
    row("repeat", method("repeat", 2, axis=1), _x)
    row("expand_dims", method("expand_dims", 1), _x)
    row("squeeze", lambda np, x: np.squeeze(x[None]), _x)
    row("broadcast_to", method("broadcast_to", (2, *_x.shape)), _x)
    row("concatenate", lambda np, x: np.concatenate([x, x * x], axis=1), _x)
    row("stack", lambda np, x: np.stack([x, x * x], axis=1), _x)
    row("vstack", lambda np, x: np.vstack([x, x * x]), _x)
    row("hstack", lambda np, x: np.hstack([x, x * x]), _x)
    row("dstack", lambda np, x: np.dstack([x, x * x]), _x)
    row("column_stack", lambda np, x: np.column_stack([x, x * x]), _x)
    row("block", lambda np, x: np.block([[x, x * x], [2 * x, x]]), _x)
    row("append", lambda np, x: np.append(x, x * x, axis=0), _x)
    row("triu", method("triu"), _x)
    row("tril", method("tril", -1), _x)
    row("diagonal", method("diagonal"), _x)
    row("trace", method("trace"), _x)
    row("diff", method("diff", axis=1), _x)
    row("copy", method("copy"), _x)
    row("atleast_3d", method("atleast_3d"), _x)
row("repeat", lambda np, x: np.repeat(x, [1, 0, 3], axis=0), real(3, 2))
row("atleast_1d", method("atleast_1d"), real())
row("atleast_2d", method("atleast_2d"), real(3))
row("diag", method("diag"), real(3))
row("diag", method("diag", 1), real(3, 4))
row("diagflat", method("diagflat"), real(2, 2))
row("split", lambda np, x: tuple(np.split(x, 2, axis=1)), real(3, 4))
row("array_split", lambda np, x: tuple(np.array_split(x, 3, axis=1)), real(3, 4))
row("hsplit", lambda np, x: tuple(np.hsplit(x, 2)), real(3, 4))
row("vsplit", lambda np, x: np.vsplit(x, 2)[1], real(4, 3))
row("unstack", lambda np, x: np.unstack(x)[1], real(3, 2))
row("broadcast_arrays", lambda np, x, y: np.broadcast_arrays(x, y)[0] * y, real(3, 1), real(4))
row("meshgrid", lambda np, x, y: np.meshgrid(x, y)[0] * np.meshgrid(x, y)[1], real(3), real(2))
row("array", lambda np, x: np.array([[x[0], 1.0], [x[1] * x[0], 2.0]]), real(2))
row("full_like", lambda np, x: np.full_like(np.zeros(3), x) * x, real())
row("full", lambda np, x: np.full((2, 3), x) * x, real())
row("linspace", lambda np, a, b: np.linspace(a, b, 5), real(), real() + 5)
row("logspace", lambda np, a, b: np.logspace(a, b, 4), np.float64(0.2), np.float64(1.1))
row("geomspace", lambda np, a, b: np.geomspace(a, b, 4), np.float64(0.2), np.float64(3.1))
row("vander", method("vander", 4), real(3))
row("insert", lambda np, x, y: np.insert(x, 1, y, axis=0), real(3, 2), real(2))
row("delete", lambda np, x: np.delete(x, 1, axis=0), real(3, 2))
row("ediff1d", method("ediff1d"), real(5))
row("resize", lambda np, x: np.resize(x, (2, 5)), real(3, 2))
row("fill_diagonal", lambda np, x, v: _filled_diagonal(np, x, v), real(3, 3), real())
row("copyto", lambda np, x, y: _copied_to(np, x, y), real(3, 3), real(3))
row("put", lambda np, x, y: _put(np, x, y), real(3, 3), real(2))
row("putmask", lambda np, x, y: _putmask(np, x, y), real(4), real(4))
row("place", lambda np, x, y: _place(np, x, y), real(4), real(4))


def _filled_diagonal(np: Any, x: Any, v: Any) -> Any:
    y = x * x
    np.fill_diagonal(y, v)
    return y


def _copied_to(np: Any, x: Any, y: Any) -> Any:
    z = x * x
    np.copyto(z, y, where=np.array([True, False, True]))
    return z * x


def _put(np: Any, x: Any, y: Any) -> Any:
    z = x * x
    np.put(z, [1, 5], y)
    return z


def _putmask(np: Any, x: Any, y: Any) -> Any:
    z = x * x
    np.putmask(z, np.array([True, False, True, False]), y)
    return z


def _place(np: Any, x: Any, y: Any) -> Any:
    z = x * x
    np.place(z, np.array([True, False, True, False]), y)
    return z


for _mode, _options in (("constant", {"constant_values": 2.0}), ("edge", {}), ("reflect", {}), ("symmetric", {}), ("wrap", {}),
                        ("mean", {}), ("maximum", {}), ("minimum", {}), ("median", {})):  # fmt: skip
    row("pad", method("pad", ((1, 2), (0, 1)), mode=_mode, **_options), real(3, 4))

# --- indexing ------------------------------------------------------------------------------------------------------------

row("x[i]", lambda np, x: x[np.array([0, 2, 2, -1])], real(4, 3))
row("x[i, j]", lambda np, x: x[np.array([0, 2, 2]), np.array([1, 1, 1])], complex_(4, 3))
row("x[mask]", lambda np, x: x[np.array([True, False, True, True])], real(4, 3))
row("x[mask of x]", lambda np, x: np.sum(x[x > 0] ** 3), real(4, 3))
row("x[a:b:-c]", lambda np, x: x[::-2, 1:] * 2, real(4, 3))
row("x[...] = y", lambda np, x, y: _written(np, x, y), real(4, 3), real(3))
row("x[i] += y", lambda np, x, y: _added(np, x, y), real(4, 3), real(2, 3))
row("x[mask] = y", lambda np, x: _masked(np, x), real(4, 3))
row("add.at", lambda np, x, y: _added_at(np, x, y), real(4), real(3))
row("take", lambda np, x: np.take(x, np.array([[0, 2], [2, 1]]), axis=1), real(2, 3))
row("compress", lambda np, x: np.compress([True, False, True], x, axis=0), real(3, 2))
row("extract", lambda np, x: np.extract(np.array([True, False, True]), x), real(3))
row("nonzero", lambda np, x: x[np.nonzero(x > 0)], real(5))
row("tril_indices", lambda np, x: x[np.tril_indices(3)], real(3, 3))
row("ix_", lambda np, x: x[np.ix_([0, 2], [1, 0])], real(3, 3))
row("sliding_window_view", lambda np, x: np.lib.stride_tricks.sliding_window_view(x, 3) ** 2, real(6))


def _written(np: Any, x: Any, y: Any) -> Any:
    z = x * x
    z[1:3] = y
    z[0, :2] *= y[1:]
    return z


def _added(np: Any, x: Any, y: Any) -> Any:
    z = x * x
    z[np.array([0, 2])] += y
    return z


def _masked(np: Any, x: Any) -> Any:
    z = x * x
    z[x < 0] = 0.5
    return z * x


def _added_at(np: Any, x: Any, y: Any) -> Any:
    z = x * x
    np.add.at(z, np.array([1, 1, 3]), y * y)
    return z


# --- products ------------------------------------------------------------------------------------------------------------

for _a, _b in (
    (real(3, 4), real(4, 2)),
    (real(4), real(4)),
    (complex_(2, 3), complex_(3)),
    (strided(3, 2), strided(2, 3)),
    (real(0, 3), real(3, 2)),
):
    row("dot", method("dot"), _a, _b)
    row("matmul", method("matmul"), _a, _b)
for _a, _b in ((real(3), real(2)), (complex_(3), real(2))):
    row("outer", method("outer"), _a, _b)
    row("kron", method("kron"), _a, _b)
row("matmul", method("matmul"), real(2, 3, 4), real(4, 2))
row("kron", method("kron"), real(2, 3), real(3, 2))
row("inner", method("inner"), real(2, 3), real(4, 3))
row("vdot", method("vdot"), complex_(3), complex_(3))
row("vecdot", method("vecdot"), complex_(2, 3), complex_(3))
row("matvec", method("matvec"), real(2, 3), real(3))
row("vecmat", method("vecmat"), complex_(2), complex_(2, 3))
row("tensordot", method("tensordot", axes=([1, 0], [0, 1])), real(2, 3, 4), real(3, 2, 5))
row("einsum", lambda np, x, y: np.einsum("ij,jk->ki", x, y), real(2, 3), real(3, 4))
row("einsum", lambda np, x, y, z: np.einsum("bij,bjk,k->b", x, y, z), real(2, 3, 2), real(2, 2, 3), real(3))
row("einsum", lambda np, x: np.einsum("ii->i", x), complex_(3, 3))
row("cross", method("cross"), real(4, 3), real(3))
row("convolve", method("convolve"), real(5), real(3))
row("convolve", method("convolve", mode="same"), real(5), real(3))
row("convolve", method("convolve", mode="valid"), complex_(5), complex_(3))
row("correlate", method("correlate"), real(5), real(3))
row("correlate", method("correlate", mode="same"), complex_(3), complex_(5))
row("correlate", method("correlate", mode="full"), complex_(4), complex_(3))
row("interp", lambda np, x, xp, fp: np.interp(x, xp, fp), real(6) * 1.1, np.array([-1.5, -0.6, 0.3, 1.4]), real(4))
row("interp", lambda np, x, fp: np.interp(x, np.array([-1.5, -0.6, 0.3, 1.4]), fp, period=4.0), real(6), real(4))
row("polyval", method("polyval"), real(4), real(3))
row("polyval", method("polyval"), complex_(3), complex_(2, 2))
row("polyfit", lambda np, x, y: np.polyfit(x, y, 2), np.linspace(-1, 1, 6), real(6))
row("polyadd", method("polyadd"), real(3), real(2))
row("polysub", method("polysub"), real(3), real(2))
row("polyder", method("polyder"), real(4))
row("polyint", method("polyint"), real(4))
row("poly", method("poly"), real(3))
row("gradient", method("gradient"), real(6))
row("gradient", lambda np, x: tuple(np.gradient(x, 0.5, 2.0)), real(3, 4))
row("gradient", lambda np, x: np.gradient(x, np.array([0.0, 0.3, 1.0, 1.2]), axis=1, edge_order=2), real(3, 4))
row("trapezoid", lambda np, y, x: np.trapezoid(y, x), real(5), np.sort(real(5)))
row("trapezoid", lambda np, y: np.trapezoid(y, dx=0.3, axis=0), real(5, 2))
row("apply_along_axis", lambda np, x: np.apply_along_axis(lambda v: v * v[0], 1, x), real(2, 3))

# --- numpy.linalg --------------------------------------------------------------------------------------------------------

for _a in (square(3, 3), complex_square(3, 3), square(2, 3, 3), square(3, 3).T, np.zeros((0, 2, 2))):
    row("linalg.inv", lambda np, a: np.linalg.inv(a), _a)
    row("linalg.det", lambda np, a: np.linalg.det(a), _a)
    row("linalg.slogdet", lambda np, a: tuple(np.linalg.slogdet(a)), _a)
    row("linalg.matrix_power", lambda np, a: np.linalg.matrix_power(a, 3), _a)
    row("linalg.matrix_power", lambda np, a: np.linalg.matrix_power(a, -2), _a)
    row("linalg.cholesky", lambda np, a: np.linalg.cholesky(gram(np, a)), _a)
    row("linalg.cholesky", lambda np, a: np.linalg.cholesky(gram(np, a), upper=True), _a)
    row("linalg.eigvalsh", lambda np, a: np.linalg.eigvalsh(gram(np, a)), _a)
    row("linalg.eigvalsh", lambda np, a: np.linalg.eigvalsh(gram(np, a), UPLO="U"), _a)
    row("linalg.pinv", lambda np, a: np.linalg.pinv(a), _a)
for _a in (square(3, 3), complex_square(3, 3), square(2, 3, 3)):
    row("linalg.eigh", lambda np, a: _spectral(np, *np.linalg.eigh(gram(np, a))), _a)
    row("linalg.eigh", lambda np, a: _spectral(np, *np.linalg.eigh(gram(np, a), "U")), _a)
    row("linalg.eig", lambda np, a: _similar(np, *np.linalg.eig(a)), _a + 0j)
    row("linalg.eigvals", lambda np, a: np.sum(np.linalg.eigvals(a) ** 3, axis=-1), _a + 0j)
row("linalg.matrix_power", lambda np, a: np.linalg.matrix_power(a, 0), square(3, 3), order=1)
row("linalg.eig", lambda np, a: _similar(np, *np.linalg.eig(a)).real, square(3, 3) @ np.diag([1.0, 2.0, 4.0]))
row("linalg.eigvals", lambda np, a: np.sum(np.linalg.eigvals(a) ** 3, axis=-1).real, square(3, 3))
row("linalg.solve", lambda np, a, b: np.linalg.solve(a, b), square(3, 3), real(3))
row("linalg.solve", lambda np, a, b: np.linalg.solve(a, b), complex_square(2, 3, 3), complex_(3, 2))
row("linalg.lstsq", lambda np, a, b: np.linalg.lstsq(a, b, rcond=None)[0], real(5, 3), real(5))
row("linalg.lstsq", lambda np, a, b: np.linalg.lstsq(a, b, rcond=None)[0], complex_(5, 3), complex_(5, 2))
row("linalg.lstsq", lambda np, a, b: np.linalg.lstsq(a, b, rcond=None)[0], real(3, 5), real(3, 2))
row("linalg.lstsq", lambda np, a, b: np.linalg.lstsq(a, b, rcond=None)[1], real(5, 3), real(5))
row("linalg.pinv", lambda np, a: np.linalg.pinv(a), complex_(4, 3))
row("linalg.pinv", lambda np, a: np.linalg.pinv(a), real(2, 3, 4))
row("linalg.tensorinv", lambda np, a: np.linalg.tensorinv(a, ind=1), square(6, 6).reshape(6, 2, 3))
row("linalg.tensorsolve", lambda np, a, b: np.linalg.tensorsolve(a, b), square(6, 6).reshape(2, 3, 6), real(2, 3))
row("linalg.multi_dot", lambda np, a, b, c: np.linalg.multi_dot([a, b, c]), real(3, 2), real(2, 4), real(4))
row("linalg.cond", lambda np, a: np.linalg.cond(a), square(3, 3))
for _a in (real(4, 3), real(3, 4), complex_(4, 3), complex_square(3, 3), real(2, 4, 3)):
    row("linalg.qr", lambda np, a: tuple(np.linalg.qr(a)), _a)
    row("linalg.qr", lambda np, a: np.linalg.qr(a, mode="r"), _a)
    row("linalg.svd", lambda np, a: _recomposed(np, *np.linalg.svd(a, full_matrices=False)), _a)
    row("linalg.svd", lambda np, a: np.linalg.svd(a, compute_uv=False), _a)
    row("linalg.svdvals", lambda np, a: np.linalg.svdvals(a), _a)
row("linalg.qr", lambda np, a: tuple(np.linalg.qr(a, mode="complete")), real(3, 3))
row("linalg.svd", lambda np, a: _projectors(np, *np.linalg.svd(a)), real(4, 3))
row("linalg.svd", lambda np, a: _projectors(np, *np.linalg.svd(a)), real(3, 4))
row("linalg.svd", lambda np, a: np.linalg.svd(gram(np, a), hermitian=True)[1], real(3, 3))
for _a in (real(3, 4), complex_(3, 3), real(3, 5)):
    for _ord in (None, "fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf):
        row("linalg.norm", lambda np, a, o=_ord: np.linalg.norm(a, o), _a)
        row("linalg.norm", lambda np, a, o=_ord: np.linalg.norm(np.stack([a, 2 * a]), o, axis=(1, 2)), _a)
for _a in (real(5), complex_(4)):
    for _ord in (None, 0, 1, -1, 2, 3, -2, 0.5, np.inf, -np.inf):
        row("linalg.norm", lambda np, a, o=_ord: np.linalg.norm(a, o), _a)
        row("linalg.vector_norm", lambda np, a, o=_ord: np.linalg.vector_norm(a, ord=2 if o is None else o), _a)
row("linalg.norm", lambda np, a: np.linalg.norm(a, axis=1, keepdims=True), real(3, 4))
row("linalg.matrix_norm", lambda np, a: np.linalg.matrix_norm(a, ord=2), real(2, 3, 4))


def _spectral(np: Any, w: Any, v: Any) -> Any:
    """A function of the matrix that is free of the vectors' signs and phases."""
    return (v * np.sin(w)[..., None, :]) @ np.swapaxes(v, -1, -2).conj()


def _similar(np: Any, w: Any, v: Any) -> Any:
    return (v * np.exp(w / 3)[..., None, :]) @ np.linalg.inv(v)


def _recomposed(np: Any, u: Any, s: Any, vh: Any) -> Any:
    return (u * np.sin(s)[..., None, :]) @ vh


def _projectors(np: Any, u: Any, s: Any, vh: Any) -> Any:
    """What full matrices determine: singular values, products of thin parts, projectors on the rest."""
    k = s.shape[-1]
    rest, tail = u[:, k:], vh[k:]
    return (u[:, :k] * s) @ vh[:k], rest @ rest.T, tail.T @ tail, s


# --- numpy.fft -----------------------------------------------------------------------------------------------------------

for _norm in (None, "ortho", "forward"):
    for _name in ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft"):
        for _a in (real(5), real(2, 6), complex_(3, 4), strided(2, 3)):
            if not (_name in ("rfft", "ihfft") and _a.dtype.kind == "c"):
                row(f"fft.{_name}", lambda np, a, f=_name, n=_norm: getattr(np.fft, f)(a, norm=n), _a)
        row(f"fft.{_name}", lambda np, a, f=_name, n=_norm: getattr(np.fft, f)(a, 7, axis=0, norm=n), real(4, 2))
        row(f"fft.{_name}", lambda np, a, f=_name, n=_norm: getattr(np.fft, f)(a, 3, norm=n), real(6))
    for _name in ("fft2", "ifft2", "fftn", "ifftn", "rfft2", "irfft2", "rfftn", "irfftn"):
        row(f"fft.{_name}", lambda np, a, f=_name, n=_norm: getattr(np.fft, f)(a, norm=n), real(2, 3, 4))
        row(f"fft.{_name}", lambda np, a, f=_name, n=_norm: getattr(np.fft, f)(a, (3, 6), axes=(0, 1), norm=n), real(4, 5))
for _name in ("fftshift", "ifftshift"):
    row(f"fft.{_name}", lambda np, a, f=_name: getattr(np.fft, f)(a), complex_(3, 5))

# --- conventions: where there is no derivative, or a polynomial hides behind a factorisation ---------------------------------

_RANK_TWO = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]])
row("linalg.det", lambda np, a: np.linalg.det(a), _RANK_TWO)
row("linalg.det", lambda np, a: np.linalg.det(a), np.outer(real(3), real(3)))
row("linalg.det", lambda np, a: np.linalg.det(a), np.zeros((2, 3, 3)))
row("linalg.det", lambda np, a: np.linalg.det(a), np.outer(complex_(3), complex_(3)))
row("polymul", method("polymul"), real(3), real(4))
row("polymul", method("polymul"), complex_(3), real(2))
for _ord in ("fro", 1, -1, 2, -2, np.inf, -np.inf):
    row("linalg.cond", lambda np, a, o=_ord: np.linalg.cond(a, o), square(3, 3))
for _method in ("inverted_cdf", "averaged_inverted_cdf", "closest_observation", "interpolated_inverted_cdf", "hazen", "weibull",
                "median_unbiased", "normal_unbiased", "lower", "higher", "midpoint", "nearest"):  # fmt: skip
    row("quantile", lambda np, x, m=_method: np.quantile(x, 0.3, method=m), real(7))
    row("percentile", lambda np, x, m=_method: np.percentile(x, np.array([20.0, 75.0]), axis=1, method=m), real(3, 4))
for _mode in ("linear_ramp", "maximum", "mean", "median", "minimum", "reflect", "symmetric", "wrap", "edge"):
    row("pad", lambda np, x, m=_mode: np.pad(x, (2, 1), mode=m), real(4))
for _name in ("add", "multiply", "maximum"):
    row(f"{_name}.reduceat", lambda np, x, f=_name: getattr(np, f).reduceat(x, [0, 3, 1]), real(6))
    row(f"{_name}.reduceat", lambda np, x, f=_name: getattr(np, f).reduceat(x, [0, 2], axis=1), real(2, 4))
row("trim_zeros", method("trim_zeros"), np.array([0.0, 0.0, 1.2, 0.0, -0.7, 0.0]), order=1)
row("real_if_close", lambda np, x: np.real_if_close(x * x + 0j), real(4))
row("std", method("std"), np.float64(1.3), order=1)
row("i0", method("i0"), real(5))
row("i0", lambda np, x: np.i0(x * 6), real(5))

# --- every keyword that changes the formula -----------------------------------------------------------------------------------

_MASK = np.array([[True], [False], [True], [True]])
for _name in ("var", "std", "nanvar", "nanstd"):
    row(_name, method(_name, axis=1, correction=1.5), real(3, 5))
    row(_name, lambda np, x, f=_name: getattr(np, f)(x, axis=0, where=_MASK), real(4, 3))
    row(_name, lambda np, x, f=_name: getattr(np, f)(x, axis=0, mean=np.sum(x, axis=0, keepdims=True)), real(4, 3))
    row(_name, method(_name, axis=0, ddof=1), complex_(4, 3))
row("nanmean", lambda np, x: np.nanmean(x, axis=0, where=_MASK), real(4, 3))
for _method in ("inverted_cdf", "averaged_inverted_cdf", "closest_observation", "interpolated_inverted_cdf", "hazen", "weibull",
                "median_unbiased", "normal_unbiased", "lower", "higher", "midpoint", "nearest", "linear"):  # fmt: skip
    row("nanquantile", lambda np, x, m=_method: np.nanquantile(x, np.array([0.1, 0.55, 1.0]), axis=(0, 2), method=m), real(2, 3, 4))
    row("quantile", lambda np, x, m=_method: np.quantile(x, np.array([0.0, 0.55]), axis=0, method=m, keepdims=True), real(5, 2))
_WEIGHTS = np.array([1.0, 2.0, 0.5, 0.0, 3.0])
for _name in ("quantile", "nanquantile"):
    row(_name, lambda np, x, f=_name: getattr(np, f)(x, [0.1, 0.9], weights=_WEIGHTS, method="inverted_cdf"), real(5))
row("percentile", lambda np, x: np.percentile(x, 30, axis=1, weights=_WEIGHTS, method="inverted_cdf"), real(2, 5))
for _name in ("quantile", "percentile", "nanquantile", "nanpercentile"):
    _scale = 100 if "percentile" in _name else 1
    row(_name, lambda np, q, f=_name, s=_scale: getattr(np, f)(np.array([3.0, 1.0, 2.5, 7.0]), q * s), np.array([0.2, 0.7]))
for _mode in ("wrap", "clip"):
    row("take", method("take", np.array([-7, 1, 9]), axis=0, mode=_mode), real(4, 2))
row("interp", lambda np, x, fp: np.interp(x, np.array([-1.5, -0.6, 0.3, 1.4]), fp), real(6) * 1.3, complex_(4))
row("interp", lambda np, x, fp: np.interp(x, np.array([-1.5, -0.6, 0.3, 1.4]), fp), np.float64(0.11), real(4))
row("interp", lambda np, a, fp: np.interp([-5.0, 5.0, 0.0], [-1.5, -0.6, 0.3, 1.4], fp, left=a, right=a * a), np.float64(0.4), real(4))
row("cross", method("cross", axisa=0, axisb=1, axisc=0), real(3, 4), real(4, 3))
row("cross", method("cross"), complex_(3), complex_(3))
row("bincount", lambda np, w: np.bincount(np.array([0, 2, 2, 1]), weights=w, minlength=6), real(4))
row("polyval", lambda np, a, x: np.polyval([a, 2.0, a * a], x), np.float64(0.3), real(3))
row("polyval", method("polyval"), real(80), np.array([0.3, 0.9]))
for _name in ("cumulative_sum", "cumulative_prod"):
    row(_name, method(_name, axis=0, include_initial=True), real(3, 2))
for _name in ("subtract", "divide", "hypot"):
    row(f"{_name}.reduce", lambda np, x, f=_name: getattr(np, f).reduce(x, axis=1), positive(3, 4))
for _name in ("subtract", "divide", "hypot", "power"):
    row(f"{_name}.accumulate", lambda np, x, f=_name: getattr(np, f).accumulate(x, axis=1), positive(3, 4))
for _name in ("multiply", "divide", "maximum", "power", "subtract"):
    row(f"{_name}.at", lambda np, x, y, f=_name: _at(np, f, x, np.array([1, 1, 3, 1]), y), positive(4), positive(4))
    row(f"{_name}.at", lambda np, x, y, f=_name: _at(np, f, x, [1, 1, 2], y), positive(4, 2), positive(2))
row("negative.at", lambda np, x: _at(np, "negative", x, np.array([0, 0, 1])), real(4))
for _text in ("...ij,...jk->...ik", "...ij,...jk"):
    row("einsum", lambda np, x, y, t=_text: np.einsum(t, x, y), real(2, 3, 4), real(1, 4, 2))
row("einsum", lambda np, x, y: np.einsum(x, [0, 1], y, [1, 2], [2, 0]), complex_(2, 3), real(3, 4))
row("einsum", lambda np, x, y: np.einsum("i...,i...", x, y), real(2, 3, 4), real(2, 3, 4))
row("matmul", method("matmul"), real(2, 1, 3, 4), real(5, 4, 2))
row("linalg.vecdot", lambda np, x, y: np.linalg.vecdot(x, y, axis=0), complex_(3, 2), complex_(3, 2))
row("linalg.qr", lambda np, a: np.linalg.qr(a, mode="complete")[1], real(4, 3))
row("linalg.qr", lambda np, a: _column_projector(np, np.linalg.qr(a, mode="complete")[0], 3), complex_(4, 3))
row("linspace", lambda np, a, b: np.linspace(a, b, 4, retstep=True), real(), real() + 3)
row("linspace", lambda np, a, b: np.linspace(a, b, 4, axis=1, endpoint=False), real(3), real(3))
row("arange", lambda np, x: np.arange(x, 2.0, x) * x, np.float64(0.3))
row("meshgrid", lambda np, x, y: tuple(a * a for a in np.meshgrid(x, y, indexing="ij")), real(2), real(3))
row("kaiser", lambda np, b: np.kaiser(5, b), np.float64(3.0))
row("fft.fftfreq", lambda np, d: np.fft.fftfreq(5, d), np.float64(3.0))
row("piecewise", lambda np, x: np.piecewise(x, [x < 0, x >= 0], [lambda v: v**2, lambda v: 3 * v]), real(4))
row("roots", lambda np, x: np.sort(np.roots(x)), np.array([1.0, 2.0, -3.0]))
row("gradient", lambda np, x, c, d: tuple(np.gradient(x, c, d)), real(4, 5), np.cumsum(positive(4)), np.cumsum(positive(5)))
row("gradient", lambda np, x, c: np.gradient(x, c, edge_order=2), complex_(6), np.cumsum(positive(6)))
row("cov", lambda np, x, w: np.cov(x, aweights=w, fweights=np.array([1, 2, 1, 3, 1, 1])), complex_(3, 6), positive(6))
row("corrcoef", lambda np, x, y: np.corrcoef(x, y, rowvar=False), real(6, 2), real(6, 1))
row("pad", method("pad", ((2, 1), (3, 3)), mode="reflect", reflect_type="odd"), real(3, 4))
row("diff", lambda np, x, p: np.diff(x, n=2, prepend=p, append=2.0 * p), real(5), np.float64(0.3))
row("partition", lambda np, x: np.partition(x, (1, 3), axis=None), real(2, 3))
row("take_along_axis", lambda np, x: np.take_along_axis(x, np.array([[0], [0], [1]]), 0), complex_(2, 1))
row("average", lambda np, x, w: np.average(x, axis=1, weights=w, returned=True), real(3, 4), positive(4))

row("pad", method("pad", (2, 1), mode="linear_ramp"), real(2, 4))
row("nanmax", method("nanmax", axis=0), complex_(3, 2))
row("nanmedian", method("nanmedian", axis=0), complex_(3, 2))
row("convolve", method("convolve"), real(70), real(68))
row("convolve", method("convolve"), real(), real(3))
row("putmask", lambda np, x, y: _putmask(np, x, y), real(4), real(1))
row("take", method("take", [0, 0], axis=0), real())
row("quantile", lambda np, x: np.quantile(x, np.array([[0.1, 0.4], [0.5, 0.9]]), axis=0), real(4, 2))
row("x[True]", lambda np, x: x[x > -9] * x, real())
row("linalg.norm", lambda np, x: np.linalg.norm(x, np.inf), real(0))
row("cumulative_sum", method("cumulative_sum"), real())
for _a in (real(3, 3), complex_(3, 3), 2 * np.linalg.qr(real(3, 3))[0], np.eye(3)):
    row("linalg.pinv", lambda np, a: np.linalg.pinv(gram(np, a), hermitian=True), _a)

# --- elements that a mask selects, in functions that need them as an array ------------------------------------------------------

for _number, _of in enumerate((
    lambda np, v, x: v[0] * v[-1], lambda np, v, x: np.sort(v)[1:], lambda np, v, x: np.median(v), lambda np, v, x: np.concatenate([v, x]),
    lambda np, v, x: np.dot(x[:3], v), lambda np, v, x: np.max(v), lambda np, v, x: v * np.arange(3.0),
    lambda np, v, x: v.reshape(3, 1) @ v[None], lambda np, v, x: np.multiply.accumulate(v), lambda np, v, x: np.add.outer(x, v),
    lambda np, v, x: _put_into(np, x, v), lambda np, v, x: v[: len(v)],
    lambda np, v, x: _at(np, "add", x, [0, 0, 1], v), lambda np, v, x: np.stack([a * b for a, b in zip(v, x, strict=False)]),
)):  # fmt: skip
    row("x[mask of x]", lambda np, x, f=_of: f(np, x[x > 0], x), np.array([3.0, -1.0, 2.0, 5.0, -4.0]))


def _put_into(np: Any, x: Any, v: Any) -> Any:
    z = x * 1.0
    z[:3] = v
    return z * z


def _at(np: Any, name: str, x: Any, index: Any, *operands: Any) -> Any:
    z = x * 1.0
    getattr(np, name).at(z, index, *operands)
    return z


def _column_projector(np: Any, q: Any, start: int) -> Any:
    rest = q[:, start:]
    return rest @ rest.conj().T
