"""Matrix routines of SciPy as library steps, over stacks of matrices, with their derivatives. SciPy is imported when one is used.

Sources: Higham 2008, "Functions of Matrices", section 3.2 (a function of [[A, E], [0, A]] has its derivative along E in the upper right
block); Giles 2008 for the rest. <a, b> = Re(sum(conj(a) * b)), as in factors.py.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

from lazynp.ir.node import Node, constant
from lazynp.ir.op import Op
from lazynp.ir.types import ArrayType
from lazynp.ops import elementwise as ew
from lazynp.ops.contraction import matmul
from lazynp.ops.factors import Tangents, adjoint
from lazynp.ops.indexing import take_along
from lazynp.ops.library import argsort, linalg, pinv, routine
from lazynp.ops.movement import broadcast, join, reshape, slice_
from lazynp.ops.structured import item


def _scipy() -> Any:
    return import_module("scipy.linalg")


def over_stacks(function: Callable[..., Any], types: tuple[ArrayType, ...], *arrays: Any) -> Any:
    """function of matrices on every matrix of stacks of one shape; types: of its results for the stacks."""
    lead = arrays[0].shape[:-2]
    out = [np.empty(t.shape, t.dtype) for t in types]
    for place in np.ndindex(lead):
        results = function(*[a[place] for a in arrays])
        for whole, part in zip(out, results if len(out) > 1 else (results,), strict=True):
            whole[place] = part
    return out[0] if len(out) == 1 else tuple(out)


def _type(a: Any) -> ArrayType:
    return ArrayType(a.shape, a.dtype)


# --- finite values -------------------------------------------------------------------------------------------------------

finite = routine(
    "finite",
    lambda x: np.asarray_chkfinite(x),
    lambda x: x,
    vjp=lambda ct, node, index: ct,
    jvp=lambda tangents, node: tangents[0],
)
"""The argument itself. Raises SciPy's ValueError if it holds an infinity or a NaN."""

# --- triangular systems --------------------------------------------------------------------------------------------------


def triangle(a: Node, lower: bool, unit: bool = False) -> Node:
    """The part of square matrices that a triangular solver reads; unit: without the diagonal."""
    n = a.shape[-1]
    kept = np.tril(np.ones((n, n), bool), -1 if unit else 0)
    mask = constant(kept if lower else kept.T.copy())
    return ew.where(broadcast(mask, a.shape), a, 0)


def _triangular_numpy(a: Any, b: Any, lower: bool, unit: bool) -> Any:
    solve = _scipy().solve_triangular
    return over_stacks(lambda a, b: solve(a, b, lower=lower, unit_diagonal=unit, check_finite=False), (_type(b),), a, b)


def _triangular_infer(a: ArrayType, b: ArrayType, lower: bool, unit: bool) -> ArrayType:
    if a.shape[:-2] != b.shape[:-2] or a.shape[-1] != b.shape[-2]:
        raise ValueError(f"shapes of a {a.shape} and b {b.shape} are incompatible")
    return b


def _triangular_vjp(ct: Node, node: Node, index: int) -> Node:
    a, lower, unit = node.args[0], node.lower, node.unit
    right = solve_triangular(adjoint(a), ct, lower=not lower, unit=unit)
    return right if index == 1 else triangle(-matmul(right, adjoint(node)), lower, unit)


def _triangular_jvp(tangents: Tangents, node: Node) -> Node:
    da, db = tangents
    change = db
    if da is not None:
        moved = matmul(triangle(da, node.lower, node.unit), node)
        change = -moved if db is None else db - moved
    return solve_triangular(node.args[0], change, lower=node.lower, unit=node.unit)


solve_triangular = linalg(
    "solve_triangular",
    _triangular_infer,
    _triangular_numpy,
    attrs=("lower", "unit"),
    vjp=_triangular_vjp,
    jvp=_triangular_jvp,
    source="scipy.linalg.solve_triangular",
)
"""(..., n, n), (..., n, k) with equal batch axes -> (..., n, k). One triangle of a is read. Raises LinAlgError when singular."""

# --- LU ------------------------------------------------------------------------------------------------------------------


def _lu_infer(a: ArrayType) -> tuple[ArrayType, ...]:
    *lead, m, n = a.shape
    k = min(m, n)
    order = ArrayType((*lead, m), np.dtype(np.int64))
    return order, ArrayType((*lead, m, k), a.dtype), ArrayType((*lead, k, n), a.dtype)


def _lu_numpy(a: Any) -> Any:
    lu = _scipy().lu
    return over_stacks(lambda a: lu(a, p_indices=True, check_finite=False), _lu_infer(_type(a)), a)


def rows_of(a: Node, order: Node) -> Node:
    """a[..., order, :]; order: (..., m)."""
    return take_along(a, broadcast(reshape(order, (*order.shape, 1)), a.shape), a.ndim - 2)


def _full_triangles(lower: Node, upper: Node) -> tuple[Node, Node]:
    """L (..., m, k) and U (..., k, n) filled up to square ones, with ones on the new diagonal."""
    m, k, n = lower.shape[-2], lower.shape[-1], upper.shape[-1]
    lead = lower.shape[:-2]
    if m > k:
        lower = join(lower, _unit_columns(lead, m, k, lower.dtype), axis=lower.ndim - 1)
    if n > k:
        upper = join(upper, adjoint(_unit_columns(lead, n, k, upper.dtype)), axis=upper.ndim - 2)
    return lower, upper


def _unit_columns(lead: tuple[int, ...], m: int, start: int, dtype: np.dtype) -> Node:
    columns = constant(np.eye(m, dtype=dtype)[:, start:])
    return broadcast(columns, (*lead, *columns.shape))


def _cut(a: Node, rows: int, columns: int) -> Node:
    return slice_(a, (0,) * a.ndim, (1,) * a.ndim, (*a.shape[:-2], rows, columns))


def _grown(a: Node, rows: int, columns: int) -> Node:
    """With zeros below and to the right."""
    lead, (m, n) = a.shape[:-2], a.shape[-2:]
    if n < columns:
        a = join(a, ew.filled((*lead, m, columns - n), 0, a.dtype), axis=a.ndim - 1)
    if m < rows:
        a = join(a, ew.filled((*lead, rows - m, columns), 0, a.dtype), axis=a.ndim - 2)
    return a


def _right_triangular(b: Node, upper: Node) -> Node:
    """b U^-1."""
    return adjoint(solve_triangular(adjoint(upper), adjoint(b), lower=True, unit=False))


def _lu_jvp(tangents: Tangents, node: Node) -> Tangents:
    """F = L^-1 dA U^-1: dL = L tril(F, -1), dU = triu(F) U, of the rows in their new order."""
    order, lower, upper = [item(node, k) for k in range(3)]
    m, k, n = lower.shape[-2], lower.shape[-1], upper.shape[-1]
    moved = rows_of(tangents[0], argsort(order, order.ndim - 1))
    left, right = _full_triangles(lower, upper)
    inner = solve_triangular(left, moved, lower=True, unit=True)
    inner = _right_triangular(inner, right)
    below = _fitted(_triangle_of(inner, lower=True), m, m)
    above = _fitted(_triangle_of(inner, lower=False), n, n)
    return None, _cut(matmul(left, below), m, k), _cut(matmul(above, right), k, n)


def _lu_vjp(cts: Tangents, node: Node, index: int) -> Node | None:
    """F_ct = tril(L^H L_ct, -1) + triu(U_ct U^H); A_ct = L^-H F_ct U^-H, its rows back in their order."""
    _, lower_ct, upper_ct = cts
    order, lower, upper = [item(node, k) for k in range(3)]
    m, n = lower.shape[-2], upper.shape[-1]
    left, right = _full_triangles(lower, upper)
    total: Node | None = None
    if lower_ct is not None:
        total = _triangle_of(_fitted(matmul(adjoint(left), _grown(lower_ct, m, m)), m, n), lower=True)
    if upper_ct is not None:
        above = _triangle_of(_fitted(matmul(_grown(upper_ct, n, n), adjoint(right)), m, n), lower=False)
        total = above if total is None else total + above
    if total is None:
        return None
    back = solve_triangular(adjoint(left), total, lower=False, unit=True)
    back = adjoint(solve_triangular(right, adjoint(back), lower=False, unit=False))
    return rows_of(back, order)


def _fitted(a: Node, rows: int, columns: int) -> Node:
    """Cut, or grown with zeros, to that shape."""
    return _grown(_cut(a, min(rows, a.shape[-2]), min(columns, a.shape[-1])), rows, columns)


def _triangle_of(a: Node, lower: bool) -> Node:
    """The strictly lower or the upper triangle of matrices of any shape."""
    kept = np.tril(np.ones(a.shape[-2:], bool), -1)
    mask = constant(kept if lower else ~kept)
    return ew.where(broadcast(mask, a.shape), a, 0)


lu = linalg("lu", _lu_infer, _lu_numpy, vjp=_lu_vjp, jvp=_lu_jvp, source="scipy.linalg.lu")
"""(..., m, n) -> (order, L, U), a = L[order] U."""


def _exchanges_numpy(order: Any) -> Any:
    """LAPACK's ipiv: row i was exchanged with row ipiv[i], one after the other."""
    out = np.empty(order.shape, np.int32)
    for place in np.ndindex(order.shape[:-1]):
        at = np.argsort(order[place])  # the row of the matrix that came to stand at each place
        now = np.arange(at.size)
        for i in range(at.size):
            found = int(np.flatnonzero(now == at[i])[0])
            out[(*place, i)] = found
            now[[i, found]] = now[[found, i]]
    return out


def _order_numpy(exchanges: Any) -> Any:
    out = np.empty(exchanges.shape, np.int64)
    for place in np.ndindex(exchanges.shape[:-1]):
        now = np.arange(exchanges.shape[-1])
        for i, other in enumerate(exchanges[place]):
            now[[i, other]] = now[[other, i]]
        out[place] = now
    return out


exchanges = routine("exchanges", _exchanges_numpy, lambda order: ArrayType(order.shape, np.dtype(np.int32)))
"""The order of `lu` as the row exchanges of scipy.linalg.lu_factor."""
order_of = routine("order_of", _order_numpy, lambda exchanges: ArrayType(exchanges.shape, np.dtype(np.int64)))
"""Row exchanges as the rows that they bring to each place: L U = a[order]."""

# --- Sylvester's equation ------------------------------------------------------------------------------------------------


def _sylvester_infer(a: ArrayType, b: ArrayType, q: ArrayType) -> ArrayType:
    if a.shape[-1] != q.shape[-2] or b.shape[-1] != q.shape[-1]:
        raise ValueError(f"solve_sylvester: shapes {a.shape}, {b.shape} and {q.shape} do not fit")
    return q


def _sylvester_numpy(a: Any, b: Any, q: Any) -> Any:
    return over_stacks(_scipy().solve_sylvester, (_type(q),), a, b, q)


def _sylvester_vjp(ct: Node, node: Node, index: int) -> Node:
    a, b, _ = node.args
    back = solve_sylvester(adjoint(a), adjoint(b), ct)
    if index == 2:
        return back
    return -matmul(back, adjoint(node)) if index == 0 else -matmul(adjoint(node), back)


def _sylvester_jvp(tangents: Tangents, node: Node) -> Node:
    da, db, change = tangents
    for moved in (None if da is None else matmul(da, node), None if db is None else matmul(node, db)):
        if moved is not None:
            change = -moved if change is None else change - moved
    return solve_sylvester(node.args[0], node.args[1], change)


solve_sylvester = linalg(
    "solve_sylvester",
    _sylvester_infer,
    _sylvester_numpy,
    vjp=_sylvester_vjp,
    jvp=_sylvester_jvp,
    source="Bartels & Stewart 1972; scipy.linalg.solve_sylvester",
)
"""a x + x b = q: (..., m, m), (..., n, n), (..., m, n) -> (..., m, n)."""

# --- the polar decomposition ---------------------------------------------------------------------------------------------


def _unitary_numpy(a: Any) -> Any:
    u, _, vh = np.linalg.svd(a, full_matrices=False)
    return u @ vh


def _inverse_part(a: Node, node: Node) -> Node:
    """P^-1 of a = U P, by way of the pseudo-inverse a^+ = P^-1 U^H."""
    return matmul(pinv(a, rcond=None), node)


def _unitary_jvp(tangents: Tangents, node: Node) -> Node:
    """dU = U W + (I - U U^H) dA P^-1, where W P + P W = U^H dA - dA^H U: no difference of singular values is divided by."""
    a, (da,) = node.args[0], tangents
    if a.shape[-2] < a.shape[-1]:
        return adjoint(_unitary_jvp((adjoint(da),), unitary(adjoint(a))))
    p, turn = matmul(adjoint(node), a), matmul(adjoint(node), da)
    found = matmul(node, solve_sylvester(p, p, turn - adjoint(turn)))
    return found + matmul(da - matmul(node, turn), _inverse_part(a, node)) if a.shape[-2] > a.shape[-1] else found


def _unitary_vjp(ct: Node, node: Node, index: int) -> Node:
    a = node.args[0]
    if a.shape[-2] < a.shape[-1]:
        return adjoint(_unitary_vjp(adjoint(ct), unitary(adjoint(a)), 0))
    p, turn = matmul(adjoint(node), a), matmul(adjoint(node), ct)
    inner = solve_sylvester(p, p, turn)
    found = matmul(node, inner - adjoint(inner))
    return found + matmul(ct - matmul(node, turn), adjoint(_inverse_part(a, node))) if a.shape[-2] > a.shape[-1] else found


unitary = linalg(
    "unitary",
    lambda a: a,
    _unitary_numpy,
    vjp=_unitary_vjp,
    jvp=_unitary_jvp,
    source="Higham 2008, Functions of Matrices, chapter 8",
)
"""(..., m, n) -> the same: U of the polar decomposition U P, the nearest matrix with orthonormal columns (rows, if m < n)."""

# --- functions of matrices -----------------------------------------------------------------------------------------------


def _blocks(a: Node, e: Node) -> Node:
    """[[a, e], [0, a]]."""
    top = join(a, e, axis=a.ndim - 1)
    bottom = join(ew.filled(a.shape, 0, a.dtype), a, axis=a.ndim - 1)
    return join(top, bottom, axis=a.ndim - 2)


def along(op: Op, a: Node, e: Node) -> Node:
    """The derivative of a function of matrices at a along e."""
    n = a.shape[-1]
    start = (*[0] * (a.ndim - 2), 0, n)
    return slice_(op(_blocks(a, e)), start, (1,) * a.ndim, a.shape)


def _function(name: str, source: str, jvp: Any = None, vjp: Any = None) -> Op:
    """A row for a function of one matrix whose result has the matrix's type; its power series has real coefficients."""

    def numpy(a: Any) -> Any:
        function, type_ = getattr(_scipy(), name), _type(a)
        if name == "logm":  # in single precision SciPy warns of its own error estimate
            a = a.astype(np.result_type(a.dtype, float))
        return over_stacks(function, (type_,), a)

    def block_jvp(tangents: Tangents, node: Node) -> Node:
        return along(FUNCTIONS[name], node.args[0], tangents[0])

    def block_vjp(ct: Node, node: Node, index: int) -> Node:
        """The adjoint of the derivative at A is the derivative at A^H."""
        return along(FUNCTIONS[name], adjoint(node.args[0]), ct)

    op = linalg(name, lambda a: a, numpy, vjp=vjp or block_vjp, jvp=jvp or block_jvp, source=source)
    FUNCTIONS[name] = op
    return op


FUNCTIONS: dict[str, Op] = {}
expm = _function("expm", "Al-Mohy & Higham 2009; scipy.linalg.expm")
"""(..., n, n) -> the same."""
logm = _function("logm", "Al-Mohy, Higham & Relton 2013; scipy.linalg.logm")
"""(..., n, n) -> the principal logarithm. A real matrix has to have no eigenvalue on the negative axis."""
sqrtm = _function(
    "sqrtm",
    "Deadman, Higham & Ralha 2013; scipy.linalg.sqrtm",
    jvp=lambda tangents, node: solve_sylvester(node, node, tangents[0]),
    vjp=lambda ct, node, index: solve_sylvester(adjoint(node), adjoint(node), ct),
)
"""(..., n, n) -> the principal square root X, whose derivative solves X dX + dX X = dA.
A real matrix has to have no eigenvalue on the negative axis."""
