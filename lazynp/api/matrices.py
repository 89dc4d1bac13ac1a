"""scipy.linalg: formulas over the ops of linear algebra. Registered for SciPy's functions when first asked for.

`overwrite_*` permits and does not oblige; `check_finite` is kept: SciPy's ValueError comes when the work runs.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

from lazynp.api import linear
from lazynp.api.dispatch import Unsupported, offered
from lazynp.api.shaping import lifted
from lazynp.api.ufuncs import OBJECTS
from lazynp.array import wrap
from lazynp.ir.node import Node, constant
from lazynp.operands import node_of
from lazynp.ops import elementwise as ew
from lazynp.ops import library, matrices
from lazynp.ops.contraction import matmul
from lazynp.ops.factors import adjoint
from lazynp.ops.indexing import gather
from lazynp.ops.movement import broadcast, embed_diagonal, join, permute, reshape, slice_
from lazynp.ops.structured import item
from lazynp.runtime.storage import tracing


def linalg(name: str) -> Any:
    """lazynp's function for a public name of scipy.linalg. Raises AttributeError for a name that SciPy does not have."""
    return offered(getattr(import_module("scipy.linalg"), name), FORMULAS.get(name))


# --- arguments -----------------------------------------------------------------------------------------------------------


def _stack(a: Any, check_finite: bool = True, square: bool = False) -> Node:
    """Matrices in LAPACK's precision. What SciPy refuses or treats in its own way (no elements, half precision) is left to it."""
    node = node_of(a)
    if node.ndim < 2 or 0 in node.shape or node.dtype.kind not in "biufc" or node.dtype.char in "egG":
        raise Unsupported
    if square and node.shape[-1] != node.shape[-2]:
        raise Unsupported
    return _checked(_inexact(node), check_finite)


def _inexact(node: Node) -> Node:
    return node if node.dtype.kind in "fc" else ew.cast(node, to=np.dtype(float))


def _checked(node: Node, check_finite: bool) -> Node:
    return matrices.finite.make((node,)) if check_finite else node


def _right_side(a: Node, b: Any, check_finite: bool) -> tuple[Node, Node, bool]:
    """Both of one dtype and one stack shape, a vector as a column; whether it was one."""
    y = node_of(b)
    if y.ndim == 0 or 0 in y.shape or y.dtype.char in "egG":
        raise Unsupported
    vector = y.ndim == 1
    if (y.shape[-1] if vector else y.shape[-2]) != a.shape[-1]:
        raise Unsupported
    y = _checked(_inexact(y), check_finite)
    y = reshape(y, (*y.shape, 1)) if vector else y
    dtype = np.result_type(a.dtype, y.dtype)
    lead = np.broadcast_shapes(a.shape[:-2], y.shape[:-2])
    a, y = [broadcast(ew.as_node(n, dtype), (*lead, *n.shape[-2:])) for n in (a, y)]
    return a, y, vector


def _side(x: Node, vector: bool) -> Any:
    return wrap(reshape(x, x.shape[:-1]) if vector else x)


def _turned(a: Node) -> Node:
    """The transpose, not conjugated."""
    return permute(a, (*range(a.ndim - 2), a.ndim - 1, a.ndim - 2))


def _whole(a: Node, lower: bool) -> Node:
    """The Hermitian matrix of which one triangle is read."""
    triangle = matrices.triangle(a, lower)
    strict = matrices.triangle(a, lower, unit=True)
    return triangle + adjoint(strict)


# --- systems of equations ------------------------------------------------------------------------------------------------


def inv(a: Any, overwrite_a: bool = False, check_finite: bool = True, *, assume_a: Any = None, lower: bool = False) -> Any:
    if assume_a not in (None, "general", "gen"):
        raise Unsupported
    return wrap(library.inv(_stack(a, check_finite, square=True)))


def det(a: Any, overwrite_a: bool = False, check_finite: bool = True) -> Any:
    return wrap(library.det(_stack(a, check_finite, square=True)))


_GENERAL = (None, "gen", "general")
_HERMITIAN = ("her", "hermitian", "pos", "positive definite")


def solve(
    a: Any,
    b: Any,
    lower: bool = False,
    overwrite_a: bool = False,
    overwrite_b: bool = False,
    check_finite: bool = True,
    assume_a: Any = None,
    transposed: bool = False,
) -> Any:
    x = _stack(a, check_finite, square=True)
    if assume_a in _HERMITIAN or (assume_a in ("sym", "symmetric") and x.dtype.kind != "c"):
        x = _whole(x, lower)
    elif assume_a in ("upper triangular", "lower triangular"):
        x = matrices.triangle(x, assume_a == "lower triangular")
    elif assume_a not in _GENERAL:
        raise Unsupported
    if transposed and x.dtype.kind == "c":
        raise Unsupported
    x, y, vector = _right_side(_turned(x) if transposed else x, b, check_finite)
    return _side(library.solve(x, y), vector)


def solve_triangular(
    a: Any, b: Any, trans: Any = 0, lower: bool = False, unit_diagonal: bool = False, overwrite_b: bool = False, check_finite: bool = True
) -> Any:
    x = _stack(a, check_finite, square=True)
    if trans in (1, "T", 2, "C"):
        x, lower = adjoint(x) if trans in (2, "C") else _turned(x), not lower
    elif trans not in (0, "N"):
        raise Unsupported
    x, y, vector = _right_side(x, b, check_finite)
    return _side(matrices.solve_triangular(x, y, lower=bool(lower), unit=bool(unit_diagonal)), vector)


def cholesky(a: Any, lower: bool = False, overwrite_a: bool = False, check_finite: bool = True) -> Any:
    """SciPy reads the triangle that it returns."""
    x = _stack(a, check_finite, square=True)
    return wrap(library.cholesky(x) if lower else adjoint(library.cholesky(adjoint(x))))


def cho_factor(a: Any, lower: bool = False, overwrite_a: bool = False, check_finite: bool = True) -> tuple[Any, bool]:
    """The factor stands in one triangle; the other one keeps what it was."""
    x = _stack(a, check_finite, square=True)
    factor = node_of(cholesky(wrap(x), lower, check_finite=False))
    return wrap(factor + matrices.triangle(x, not lower, unit=True)), lower


def cho_solve(c_and_lower: Any, b: Any, overwrite_b: bool = False, check_finite: bool = True) -> Any:
    c, lower = c_and_lower
    x, y, vector = _right_side(_stack(c, check_finite, square=True), b, check_finite)
    first = matrices.solve_triangular(x if lower else adjoint(x), y, lower=True, unit=False)
    return _side(matrices.solve_triangular(adjoint(x) if lower else x, first, lower=False, unit=False), vector)


def _lu(a: Any, check_finite: bool) -> tuple[Node, Node, Node]:
    both = matrices.lu(_stack(a, check_finite))
    return item(both, 0), item(both, 1), item(both, 2)


def lu(a: Any, permute_l: bool = False, overwrite_a: bool = False, check_finite: bool = True, p_indices: bool = False) -> Any:
    order, lower, upper = _lu(a, check_finite)
    if permute_l:
        index = broadcast(reshape(order, (*order.shape, 1)), lower.shape)
        return wrap(matrices.take_along(lower, index, lower.ndim - 2)), wrap(upper)
    if p_indices:
        return wrap(order), wrap(lower), wrap(upper)
    return (
        wrap(gather(constant(np.eye(order.shape[-1], dtype=np.empty(0, lower.dtype).real.dtype)), order, axes=(0,), position=0)),
        wrap(lower),
        wrap(upper),
    )


def lu_factor(a: Any, overwrite_a: bool = False, check_finite: bool = True) -> tuple[Any, Any]:
    """Both triangles in one square matrix, and LAPACK's row exchanges, which only SciPy can give."""
    if not tracing():
        raise Unsupported
    x = _stack(a, check_finite, square=True)
    both = matrices.lu(x)
    packed = matrices.triangle(item(both, 1), lower=True, unit=True) + item(both, 2)
    return wrap(packed), wrap(matrices.exchanges(item(both, 0)))


def lu_solve(lu_and_piv: Any, b: Any, trans: int = 0, overwrite_b: bool = False, check_finite: bool = True) -> Any:
    packed, exchanges = lu_and_piv
    x, y, vector = _right_side(_stack(packed, check_finite, square=True), b, check_finite)
    if trans not in (0, 1, 2):
        raise Unsupported
    order = matrices.order_of(broadcast(node_of(exchanges), x.shape[:-1]))
    moved = broadcast(reshape(order, (*order.shape, 1)), y.shape)
    axis = y.ndim - 2
    if trans == 0:
        y = matrices.take_along(y, moved, axis)
        y = matrices.solve_triangular(x, y, lower=True, unit=True)
        return _side(matrices.solve_triangular(x, y, lower=False, unit=False), vector)
    x = _turned(x) if trans == 1 else adjoint(x)
    y = matrices.solve_triangular(x, y, lower=True, unit=False)
    y = matrices.solve_triangular(x, y, lower=False, unit=True)
    return _side(matrices.take_along(y, library.argsort(moved, axis), axis), vector)


def solve_sylvester(a: Any, b: Any, q: Any) -> Any:
    nodes = [_stack(x, False) for x in (a, b, q)]
    dtype = np.result_type(*[n.dtype for n in nodes])
    lead = np.broadcast_shapes(*[n.shape[:-2] for n in nodes])
    return wrap(matrices.solve_sylvester(*[broadcast(ew.as_node(n, dtype), (*lead, *n.shape[-2:])) for n in nodes]))


def solve_continuous_lyapunov(a: Any, q: Any) -> Any:
    """a x + x a^H = q."""
    return solve_sylvester(a, wrap(adjoint(_stack(a, False, square=True))), q)


def solve_discrete_lyapunov(a: Any, q: Any, method: Any = None) -> Any:
    """a x a^H - x + q = 0: by Kronecker products for small matrices, else by Cayley's transform, as SciPy's."""
    x, y = wrap(_stack(a, False, square=True)), wrap(_stack(q, False, square=True))
    n = x.shape[-1]
    if x.ndim != 2 or method not in (None, "direct", "bilinear"):
        raise Unsupported
    conjugate = OBJECTS[np.conjugate](x) if x.dtype.kind == "c" else x
    if method == "direct" or (method is None and n < 10):
        left = linear.kron(x, conjugate)
        return linear.solve(np.eye(left.shape[0]) - left, y.reshape(-1)).reshape(y.shape)
    eye, back = np.eye(n), conjugate.T
    inverse = linear.inv(back + eye)
    b = (back - eye) @ inverse
    c = 2 * (linear.inv(x + eye) @ y @ inverse)
    return solve_sylvester(OBJECTS[np.conjugate](b).T if b.dtype.kind == "c" else b.T, b, -c)


# --- decompositions ------------------------------------------------------------------------------------------------------


def qr(
    a: Any,
    overwrite_a: bool = False,
    lwork: Any = None,
    mode: str = "full",
    pivoting: bool = False,
    check_finite: bool = True,
) -> Any:
    x = _stack(a, check_finite)
    m, n = x.shape[-2:]
    if pivoting or mode not in ("full", "r", "economic") or (m > n and mode != "economic"):
        raise Unsupported
    both = library.qr(x)
    q, r = wrap(item(both, 0)), wrap(item(both, 1))
    return (r,) if mode == "r" else (q, r)


def svd(
    a: Any,
    full_matrices: bool = True,
    compute_uv: bool = True,
    overwrite_a: bool = False,
    check_finite: bool = True,
    lapack_driver: str = "gesdd",
) -> Any:
    if lapack_driver != "gesdd":
        raise Unsupported
    found = linear.svd(wrap(_stack(a, check_finite)), full_matrices, compute_uv)
    return tuple(found) if compute_uv else found


def svdvals(a: Any, overwrite_a: bool = False, check_finite: bool = True) -> Any:
    return svd(a, compute_uv=False, check_finite=check_finite)


def eigh(
    a: Any,
    b: Any = None,
    *,
    lower: bool = True,
    eigvals_only: bool = False,
    overwrite_a: bool = False,
    overwrite_b: bool = False,
    type: int = 1,
    check_finite: bool = True,
    subset_by_index: Any = None,
    subset_by_value: Any = None,
    driver: Any = None,
) -> Any:
    """The generalised problem a v = w b v becomes an ordinary one by b's Cholesky factor. Outside a trace LAPACK's own drivers run."""
    if not tracing() or type != 1 or subset_by_value is not None or driver is not None:
        raise Unsupported
    x = _stack(a, check_finite, square=True)
    x = x if lower else adjoint(x)
    factor = None
    if b is not None:
        y = _stack(b, check_finite, square=True)
        x, factor, _ = _right_side(_whole(x, True), library.cholesky(y if lower else adjoint(y)), False)
        half = matrices.solve_triangular(factor, x, lower=True, unit=False)
        x = matrices.solve_triangular(factor, adjoint(half), lower=True, unit=False)
    both = library.eigh(x)
    values, vectors = wrap(item(both, 0)), item(both, 1)
    chosen = slice(None) if subset_by_index is None else slice(subset_by_index[0], subset_by_index[1] + 1)
    if eigvals_only:
        return values[..., chosen]
    if factor is not None:
        vectors = matrices.solve_triangular(adjoint(factor), vectors, lower=False, unit=False)
    return values[..., chosen], wrap(vectors)[..., chosen]


def eigvalsh(a: Any, b: Any = None, **options: Any) -> Any:
    return eigh(a, b, eigvals_only=True, **options)


def eigvals(a: Any, b: Any = None, overwrite_a: bool = False, check_finite: bool = True, homogeneous_eigvals: bool = False) -> Any:
    """Always complex in SciPy."""
    if b is not None or homogeneous_eigvals or not tracing():
        raise Unsupported
    return wrap(item(library.eig(_stack(a, check_finite, square=True)), 0))


def eig(
    a: Any,
    b: Any = None,
    left: bool = False,
    right: bool = True,
    overwrite_a: bool = False,
    overwrite_b: bool = False,
    check_finite: bool = True,
    homogeneous_eigvals: bool = False,
) -> Any:
    values = eigvals(a, b, check_finite=check_finite, homogeneous_eigvals=homogeneous_eigvals)
    if left:
        raise Unsupported
    return (values, linear._eigen(wrap(_stack(a, False, square=True)))[1]) if right else values


def polar(a: Any, side: str = "right") -> tuple[Any, Any]:
    """u p or p u, from the singular value decomposition; in a trace u is an operation whose derivative divides by no gap, and p = u^H a."""
    if side not in ("left", "right"):
        raise Unsupported
    if tracing():
        x = _stack(a, False)
        w = matrices.unitary(x)
        p = matmul(adjoint(w), x) if side == "right" else matmul(x, adjoint(w))
        return wrap(w), wrap((p + adjoint(p)) * 0.5)
    both = library.svd(_stack(a, False))
    u, s, vh = [item(both, k) for k in range(3)]
    scale = ew.as_node(embed_diagonal(s, axis1=s.ndim - 1, axis2=s.ndim), u.dtype)
    p = matmul(matmul(adjoint(vh), scale), vh) if side == "right" else matmul(matmul(u, scale), adjoint(u))
    return wrap(matmul(u, vh)), wrap(p)


def pinv(a: Any, *, atol: Any = None, rtol: Any = None, return_rank: bool = False, check_finite: bool = True) -> Any:
    """SciPy's cutoff: atol + rtol * (the largest singular value)."""
    x = _stack(a, check_finite)
    if return_rank or atol is not None or not (rtol is None or isinstance(rtol, (int, float))):
        raise Unsupported
    share = max(x.shape[-2:]) * float(np.finfo(x.dtype).eps) if rtol is None else float(rtol)
    return wrap(library.pinv(x, rcond=share))


def lstsq(
    a: Any,
    b: Any,
    cond: Any = None,
    overwrite_a: bool = False,
    overwrite_b: bool = False,
    check_finite: bool = True,
    lapack_driver: Any = None,
) -> Any:
    x = _stack(a, check_finite)
    share = float(np.finfo(x.dtype).eps) if cond is None else cond
    y = _checked(_inexact(node_of(b)), check_finite)
    solution, residuals, rank, values = linear.lstsq(wrap(x), wrap(y), share)
    return solution, residuals[0] if y.ndim == 1 and x.shape[-2] > x.shape[-1] else residuals, rank, values


def norm(a: Any, ord: Any = None, axis: Any = None, keepdims: bool = False, check_finite: bool = True) -> Any:
    node = _inexact(node_of(a))
    return linear.norm(wrap(_checked(node, check_finite)), ord, axis, keepdims)


# --- functions of matrices -----------------------------------------------------------------------------------------------


def expm(A: Any) -> Any:
    return wrap(matrices.expm(_stack(A, False, square=True)))


def _principal(op: Any) -> Callable[..., Any]:
    """A function that is complex for real matrices with eigenvalues on the negative axis: that has to be known for the dtype."""

    def lazy(A: Any) -> Any:
        x = _stack(A, False, square=True)
        if not tracing():
            raise Unsupported
        if x.dtype.kind != "c":
            values = wrap(item(library.eig(x), 0))
            if bool(((values.imag == 0) & (values.real < 0)).any()):
                x = ew.as_node(x, np.result_type(x.dtype, np.complex64))
        return wrap(op(x))

    return lazy


def _by_exponential(real: Callable[[Any], Any], of_complex: Callable[[Any, Any], Any], turned: bool) -> Callable[..., Any]:
    """Trigonometric functions from the exponential at i A (turned) or at A."""

    def lazy(A: Any) -> Any:
        x = _stack(A, False, square=True)
        if turned and x.dtype.kind != "c":
            return real(wrap(matrices.expm(x * 1j)))
        x = x * 1j if turned else x
        return of_complex(wrap(matrices.expm(x)), wrap(matrices.expm(-x)))

    return lazy


_cosm = _by_exponential(lambda e: e.real, lambda e, back: 0.5 * (e + back), True)
_sinm = _by_exponential(lambda e: e.imag, lambda e, back: -0.5j * (e - back), True)
_coshm = _by_exponential(lambda e: e, lambda e, back: 0.5 * (e + back), False)
_sinhm = _by_exponential(lambda e: e, lambda e, back: 0.5 * (e - back), False)


def _tanm(A: Any) -> Any:
    return linear.solve(_cosm(A), _sinm(A))


def _tanhm(A: Any) -> Any:
    return linear.solve(_coshm(A), _sinhm(A))


def expm_frechet(A: Any, E: Any, method: Any = None, compute_expm: bool = True, check_finite: bool = True) -> Any:
    """The exponential and its derivative along E."""
    a, e = _stack(A, check_finite, square=True), _stack(E, check_finite, square=True)
    dtype = np.result_type(a.dtype, e.dtype)
    a, e = ew.as_node(a, dtype), ew.as_node(e, dtype)
    if a.shape != e.shape:
        raise Unsupported
    change = wrap(matrices.along(matrices.expm, a, e))
    return (wrap(matrices.expm(a)), change) if compute_expm else change


# --- matrices of a form --------------------------------------------------------------------------------------------------


def block_diag(*arrs: Any) -> Any:
    parts = [node_of(a) for a in arrs]
    if not parts or any(p.ndim > 2 for p in parts):
        raise Unsupported
    parts = [reshape(p, (1,) * (2 - p.ndim) + p.shape) for p in parts]
    dtype = np.result_type(*[p.dtype for p in parts])
    width, start, rows = sum([p.shape[1] for p in parts]), 0, []
    for part in parts:
        m, n = part.shape
        left, right = [ew.filled((m, k), 0, dtype) for k in (start, width - start - n)]
        rows.append(join(left, ew.as_node(part, dtype), right, axis=1))
        start += n
    return wrap(join(*rows, axis=0)) if len(rows) > 1 else wrap(rows[0])


def _vector(x: Any) -> Node:
    node = node_of(x)
    if node.ndim != 1 or 0 in node.shape:
        raise Unsupported
    return node


def _picked(values: Node, index: np.ndarray) -> Any:
    return wrap(gather(values, constant(index), axes=(0,), position=0))


def toeplitz(c: Any, r: Any = None) -> Any:
    """First column c, first row r (c[0] is taken); r is c's conjugate if not given."""
    column = _vector(c)
    row = ew.conjugate(column) if r is None and column.dtype.kind == "c" else column if r is None else _vector(r)
    dtype = np.result_type(column.dtype, row.dtype)
    column, row = ew.as_node(column, dtype), ew.as_node(row, dtype)
    m, n = column.shape[0], row.shape[0]
    values = join(slice_(row, (n - 1,), (-1,), (n - 1,)), column, axis=0) if n > 1 else column
    return _picked(values, np.arange(m)[:, None] - np.arange(n)[None] + n - 1)


def circulant(c: Any) -> Any:
    values = _vector(c)
    n = values.shape[0]
    return _picked(values, (np.arange(n)[:, None] - np.arange(n)[None]) % n)


def hankel(c: Any, r: Any = None) -> Any:
    column = _vector(c)
    row = ew.filled(column.shape, 0, column.dtype) if r is None else _vector(r)
    dtype = np.result_type(column.dtype, row.dtype)
    m, n = column.shape[0], row.shape[0]
    values = ew.as_node(column, dtype)
    values = join(values, slice_(ew.as_node(row, dtype), (1,), (1,), (n - 1,)), axis=0) if n > 1 else values
    return _picked(values, np.arange(m)[:, None] + np.arange(n)[None])


def companion(a: Any) -> Any:
    values = wrap(_vector(a))
    n = values.shape[0] - 1
    if n < 1:
        raise Unsupported
    first = node_of(-values[1:] / (1.0 * values[0]))
    return wrap(join(reshape(first, (1, n)), constant(np.eye(n - 1, n, dtype=first.dtype)), axis=0))


def solve_toeplitz(c_or_cr: Any, b: Any, check_finite: bool = True) -> Any:
    pair = c_or_cr if isinstance(c_or_cr, tuple) else (c_or_cr,)
    return solve(toeplitz(*[lifted(x) for x in pair]), b, check_finite=check_finite)


def solve_circulant(c: Any, b: Any, singular: str = "raise", tol: Any = None, caxis: int = -1, baxis: int = 0, outaxis: int = 0) -> Any:
    if singular != "raise" or caxis != -1 or baxis != 0 or outaxis != 0:
        raise Unsupported
    return solve(circulant(c), b, check_finite=False)


def khatri_rao(a: Any, b: Any) -> Any:
    """Kronecker's product column by column."""
    x, y = lifted(a), lifted(b)
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1]:
        raise Unsupported
    return (x[:, None, :] * y[None]).reshape(-1, x.shape[1])


def kron(a: Any, b: Any) -> Any:
    return linear.kron(a, b)


def orthogonal_procrustes(A: Any, B: Any, check_finite: bool = True) -> tuple[Any, Any]:
    x, y = _stack(A, check_finite), _stack(B, check_finite)
    if x.ndim != 2 or x.shape != y.shape or x.dtype != y.dtype or x.dtype.kind == "c":
        raise Unsupported
    product = adjoint(matmul(adjoint(y), x))
    u, s, vh = [item(library.svd(product), k) for k in range(3)]
    return wrap(matrices.unitary(product) if tracing() else matmul(u, vh)), wrap(s).sum()


_OWN = (
    inv, det, solve, solve_triangular, cholesky, cho_factor, cho_solve, lu, lu_factor, lu_solve, solve_sylvester,
    solve_continuous_lyapunov, solve_discrete_lyapunov, qr, svd, svdvals, eigh, eigvalsh, eig, eigvals, polar, pinv, lstsq, norm, expm,
    expm_frechet, block_diag, toeplitz, circulant, hankel, companion, solve_toeplitz, solve_circulant, khatri_rao, kron,
    orthogonal_procrustes,
)  # fmt: skip

FORMULAS: dict[str, Callable[..., Any]] = {function.__name__: function for function in _OWN} | {
    "logm": _principal(matrices.logm),
    "sqrtm": _principal(matrices.sqrtm),
    "cosm": _cosm,
    "sinm": _sinm,
    "tanm": _tanm,
    "coshm": _coshm,
    "sinhm": _sinhm,
    "tanhm": _tanhm,
    "solve_lyapunov": solve_continuous_lyapunov,
}
"""The name in scipy.linalg -> its formula."""
