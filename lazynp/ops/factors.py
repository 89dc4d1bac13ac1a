"""Derivatives of linear algebra, batched, real and complex. The ops stand in library.py; they are read from the table by name.

<a, b> = Re(sum(conj(a) * b)) throughout. Sources: Giles 2008, "An extended collection of matrix derivative results for forward and
reverse mode algorithmic differentiation"; Murray 2016 (Cholesky); Roberts & Roberts 2020 (QR); Wan & Zhang 2019 (complex SVD).
A Hermitian argument (cholesky, eigh, eigvalsh) has a Hermitian cotangent; of its tangent the Hermitian part counts.
"""

from typing import Any

import numpy as np

from lazynp.ir.node import Node, constant
from lazynp.ir.op import op_named
from lazynp.ops import elementwise as ew
from lazynp.ops.contraction import matmul
from lazynp.ops.movement import broadcast, diagonal, embed_diagonal, join, permute, reshape, slice_
from lazynp.ops.reduction import exclusive_products
from lazynp.ops.structured import item

Tangents = tuple[Any, ...]

# --- small matrix language -------------------------------------------------------------------------------------------


def adjoint(a: Node) -> Node:
    """(..., m, n) -> (..., n, m): the conjugate transpose."""
    swapped = permute(a, (*range(a.ndim - 2), a.ndim - 1, a.ndim - 2))
    return ew.conjugate(swapped) if a.dtype.kind == "c" else swapped


def _hermitian(a: Node) -> Node:
    return (a + adjoint(a)) * 0.5


def _solve(a: Node, b: Node) -> Node:
    return op_named("solve")(a, b)


def _right_solve(b: Node, a: Node) -> Node:
    """b a^-1."""
    return adjoint(_solve(adjoint(a), adjoint(b)))


def _inv(a: Node) -> Node:
    return op_named("inv")(a)


def scale_columns(a: Node, s: Node) -> Node:
    """a diag(s); s: (..., n)."""
    return a * broadcast(reshape(s, (*s.shape[:-1], 1, s.shape[-1])), a.shape)


def _scale_rows(s: Node, a: Node) -> Node:
    """diag(s) a."""
    return a * broadcast(reshape(s, (*s.shape, 1)), a.shape)


def _diagonal(a: Node) -> Node:
    return diagonal(a, axis1=a.ndim - 2, axis2=a.ndim - 1)


def _embed(d: Node) -> Node:
    return embed_diagonal(d, axis1=d.ndim - 1, axis2=d.ndim)


def _trace(a: Node) -> Node:
    d = _diagonal(a)
    return op_named("add.reduce")(d, (d.ndim - 1,))


def _spread(scalars: Node, a: Node) -> Node:
    """(...) -> the shape of a: (..., n, n)."""
    return broadcast(reshape(scalars, (*scalars.shape, 1, 1)), a.shape)


def _below(a: Node, on_diagonal: float) -> Node:
    """The strictly lower triangle of a square matrix, and a share of its diagonal."""
    n = a.shape[-1]
    weights = np.tril(np.ones((n, n)), -1) + on_diagonal * np.eye(n)
    return a * constant(weights.astype(np.empty(0, a.dtype).real.dtype))


def _imaginary(d: Node) -> Node:
    """i * Im(d)."""
    return ew.make_complex(0.0, ew.imag(d))


def _sum(*terms: Node | None) -> Node | None:
    total: Node | None = None
    for term in terms:
        if term is not None:
            total = term if total is None else total + term
    return total


def inverse_gaps(s: Node, square: bool = False) -> Node:
    """F[i, j] = 1 / (s[j] - s[i]), or of their squares; 0 on the diagonal and for values equal up to rounding: what LAPACK makes of
    one repeated eigenvalue differs by a few units in the last place of the largest."""
    shape = (*s.shape, s.shape[-1])
    rows = broadcast(reshape(s, (*s.shape, 1)), shape)
    columns = broadcast(reshape(s, (*s.shape[:-1], 1, s.shape[-1])), shape)
    gaps = columns - rows
    if 0 in shape:
        return gaps
    size = op_named("maximum.reduce")(ew.absolute(s), (s.ndim - 1,))
    unit = 8.0 * s.shape[-1] * float(np.finfo(s.dtype).eps)
    equal = ew.less_equal(ew.absolute(gaps), _spread(size * unit, gaps))
    if square:
        gaps = gaps * (columns + rows)
    return ew.where(equal, 0, 1.0 / ew.where(equal, 1, gaps))


def _reciprocal(x: Node) -> Node:
    """1 / x, and 0 where x is 0."""
    zero = ew.equal(x, 0)
    return ew.where(zero, 0, 1.0 / ew.where(zero, 1, x))


# --- inv, solve, det, slogdet ----------------------------------------------------------------------------------------


def inv_vjp(ct: Node, node: Node, index: int) -> Node:
    """-C^H ct C^H."""
    back = adjoint(node)
    return -matmul(matmul(back, ct), back)


def inv_jvp(tangents: Tangents, node: Node) -> Node:
    return -matmul(matmul(node, tangents[0]), node)


def solve_vjp(ct: Node, node: Node, index: int) -> Node:
    """b: A^-H ct; A: minus that times x^H."""
    right = _solve(adjoint(node.args[0]), ct)
    return right if index == 1 else -matmul(right, adjoint(node))


def solve_jvp(tangents: Tangents, node: Node) -> Node:
    """A^-1 (db - dA x)."""
    da, db = tangents
    change = _sum(db, None if da is None else -matmul(da, node))
    assert change is not None
    return _solve(node.args[0], change)


def det_vjp(ct: Node, node: Node, index: int) -> Node:
    """Jacobi's formula: ct adj(A)^H. The determinant is a polynomial, so this holds for singular matrices too."""
    back = adjoint(op_named("adjugate")(node.args[0]))
    return _spread(ct, back) * back


def det_jvp(tangents: Tangents, node: Node) -> Node:
    """tr(adj(A) dA)."""
    return _trace(matmul(op_named("adjugate")(node.args[0]), tangents[0]))


def adjugate_numpy(a: Any) -> Any:
    """det(A) A^-1 where that is accurate, else by singular values: V diag(products of the others) U^H det(U V^H) (Stewart 1998)."""
    n = a.shape[-1]
    if a.size == 0:
        return np.empty_like(a)
    with np.errstate(all="ignore"):
        try:
            inverse = np.linalg.inv(a)
        except np.linalg.LinAlgError:
            inverse = None
        if inverse is not None:
            spread = np.linalg.norm(a, 1, (-2, -1)) * np.linalg.norm(inverse, 1, (-2, -1))
            if np.all(spread < _WELL_CONDITIONED * n):
                return np.linalg.det(a)[..., None, None] * inverse
    u, s, vh = np.linalg.svd(a)
    others = np.stack([np.prod(np.delete(s, k, -1), axis=-1) for k in range(n)], axis=-1)
    scale = (np.linalg.det(u) * np.linalg.det(vh))[..., None] * others
    return np.conj(np.swapaxes(vh, -1, -2)) * scale[..., None, :] @ np.conj(np.swapaxes(u, -1, -2))


_WELL_CONDITIONED = 1e6
"""Condition numbers up to which an inverse keeps ten digits."""


def _adjugate_change(a: Node, e: Node) -> Node:
    """The derivative of the adjugate along e. With A = U S V^H, F = U^H E V and q_ij the product of all singular values but two:
    V M U^H det(U V^H), M_ii = sum of F_kk q_ik over k != i, M_ij = -F_ij q_ij. Complex determinants of U and V are conjugated in V, U."""
    n = a.shape[-1]
    if n < 2:
        return ew.filled(a.shape, 0, a.dtype)
    both = op_named("svd")(a)
    u, s, vh = [item(both, k) for k in range(3)]
    back, v = adjoint(u), adjoint(vh)
    inner = matmul(matmul(back, e), v)
    pairs = _products_without_pairs(s)
    sums = op_named("add.reduce")(pairs * broadcast(reshape(_diagonal(inner), (*s.shape[:-1], 1, n)), pairs.shape), (s.ndim,))
    middle = _embed(sums) - _below(inner, 0.0) * pairs - adjoint(_below(adjoint(inner), 0.0)) * pairs
    phase = op_named("det")(u) * op_named("det")(vh)
    return matmul(matmul(v, middle), back) * _spread(phase, a)


def _products_without_pairs(s: Node) -> Node:
    """(..., n) -> (..., n, n): off the diagonal the products of all but two, on it 0."""
    n = s.shape[-1]
    shape = (*s.shape, n)
    own = constant(np.eye(n, dtype=bool))
    rows = ew.where(broadcast(own, shape), 1, broadcast(reshape(s, (*s.shape[:-1], 1, n)), shape))
    return ew.where(broadcast(own, shape), 0, exclusive_products(rows))


def adjugate_jvp(tangents: Tangents, node: Node) -> Node:
    return _adjugate_change(node.args[0], tangents[0])


def adjugate_vjp(ct: Node, node: Node, index: int) -> Node:
    """The adjoint of the derivative at A is the derivative at A^H."""
    return _adjugate_change(adjoint(node.args[0]), ct)


def slogdet_vjp(cts: Tangents, node: Node, index: int) -> Node | None:
    """With w = tr(A^-1 dA): d log|det| = Re w, d sign = i sign Im w (zero for real matrices)."""
    sign_ct, log_ct = cts
    a = node.args[0]
    scale = log_ct
    if a.dtype.kind == "c":
        turn = None if sign_ct is None else ew.make_complex(0.0, -ew.imag(ew.conjugate(sign_ct) * item(node, 0)))
        scale = _sum(turn, log_ct)
    if scale is None:
        return None
    back = adjoint(_inv(a))
    return _spread(scale, back) * back


def slogdet_jvp(tangents: Tangents, node: Node) -> Tangents:
    a = node.args[0]
    w = _trace(_solve(a, tangents[0]))
    return (_imaginary(w) * item(node, 0), ew.real(w)) if a.dtype.kind == "c" else (None, w)


# --- pseudo-inverse, least squares -----------------------------------------------------------------------------------


def _gap(a: Node, product: Node, x: Node) -> Node:
    """x - product a ...: the part of x outside the row space; product: P = A^+."""
    return x - matmul(product, matmul(a, x))


def pinv_jvp(tangents: Tangents, node: Node) -> Node:
    """-P dA P + P P^H dA^H (I - A P) + (I - P A) dA^H P^H P, at constant rank (Golub & Pereyra 1973, eq. 4.12)."""
    a, da = node.args[0], tangents[0]
    back, turned = adjoint(node), adjoint(da)
    left = matmul(matmul(node, back), turned)
    right = matmul(turned, matmul(back, node))
    return matmul(matmul(-node, da), node) + left - matmul(matmul(left, a), node) + _gap(a, node, right)


def pinv_vjp(ct: Node, node: Node, index: int) -> Node:
    a, turned = node.args[0], adjoint(ct)
    back = adjoint(node)
    left = matmul(turned, matmul(node, back))
    left = left - matmul(a, matmul(node, left))
    right = matmul(matmul(back, node), turned)
    right = right - matmul(matmul(right, node), a)
    return left + right - matmul(matmul(back, ct), back)


def lstsq_jvp(tangents: Tangents, node: Node) -> Node:
    """x = P b, with the derivative of P applied to b; the residual takes the place of (I - A P) b."""
    a, b = node.args
    da, db = tangents
    p = op_named("pinv")(a, rcond=node.rcond)
    change = None if db is None else matmul(p, db)
    if da is not None:
        turned, back = adjoint(da), adjoint(p)
        outside = matmul(p, matmul(back, matmul(turned, b - matmul(a, node))))
        inside = _gap(a, p, matmul(turned, matmul(back, node)))
        change = _sum(change, outside, inside, -matmul(p, matmul(da, node)))
    assert change is not None
    return change


def lstsq_vjp(ct: Node, node: Node, index: int) -> Node:
    a, b = node.args
    p = op_named("pinv")(a, rcond=node.rcond)
    back = adjoint(p)
    own = matmul(back, ct)
    if index == 1:
        return own
    outside = matmul(b - matmul(a, node), adjoint(matmul(p, own)))
    inside = matmul(matmul(back, node), adjoint(_gap(a, p, ct)))
    return outside + inside - matmul(own, adjoint(node))


# --- eig -------------------------------------------------------------------------------------------------------------


def eig_vjp(cts: Tangents, node: Node, index: int) -> Node:
    """V^-H (diag(w_ct) + conj(F) * (V^H G)) V^H; G: the part of V's cotangent that keeps the columns' length (Boeddeker et al. 2019)."""
    values_ct, vectors_ct = cts
    values, vectors = item(node, 0), item(node, 1)
    back = adjoint(vectors)
    inner = None if values_ct is None else _embed(values_ct)
    if vectors_ct is not None:
        turn = matmul(back, vectors_ct)
        length = ew.make_complex(ew.real(_diagonal(turn)), 0.0)
        free = turn - scale_columns(matmul(back, vectors), length)
        inner = _sum(inner, ew.conjugate(inverse_gaps(values)) * free)
    assert inner is not None
    return ew.recast(_solve(back, matmul(inner, back)), node.args[0].dtype)


def eig_jvp(tangents: Tangents, node: Node) -> Tangents:
    values, vectors = item(node, 0), item(node, 1)
    inner = _solve(vectors, matmul(ew.recast(tangents[0], vectors.dtype), vectors))
    change = matmul(vectors, inverse_gaps(values) * inner)
    length = ew.make_complex(ew.real(_diagonal(matmul(adjoint(vectors), change))), 0.0)
    return _diagonal(inner), change - scale_columns(vectors, length)


# --- cholesky --------------------------------------------------------------------------------------------------------


def cholesky_vjp(ct: Node, node: Node, index: int) -> Node:
    """L^-H Phi(L^H ct) L^-1, its Hermitian part; Phi: lower triangle with half of the diagonal (Murray 2016, eq. 9)."""
    lower = adjoint(node)
    inner = _below(matmul(lower, ct), 0.5)
    return _hermitian(_right_solve(_solve(lower, inner), node))


def cholesky_jvp(tangents: Tangents, node: Node) -> Node:
    """L Phi(L^-1 dA L^-H)."""
    inner = _right_solve(_solve(node, _hermitian(tangents[0])), adjoint(node))
    return matmul(node, _below(inner, 0.5))


# --- eigh, eigvalsh --------------------------------------------------------------------------------------------------


def _eigh_vjp(cts: Tangents, values: Node, vectors: Node) -> Node | None:
    """V (diag(w_ct) + F * (V^H V_ct)) V^H (Giles 2008, section 3.1)."""
    values_ct, vectors_ct = cts
    back = adjoint(vectors)
    inner = None if values_ct is None else ew.recast(_embed(values_ct), vectors.dtype)
    if vectors_ct is not None:
        inner = _sum(inner, inverse_gaps(values) * matmul(back, vectors_ct))
    return None if inner is None else _hermitian(matmul(matmul(vectors, inner), back))


def eigh_vjp(cts: Tangents, node: Node, index: int) -> Node | None:
    return _eigh_vjp(cts, item(node, 0), item(node, 1))


def eigh_jvp(tangents: Tangents, node: Node) -> Tangents:
    values, vectors = item(node, 0), item(node, 1)
    inner = matmul(matmul(adjoint(vectors), _hermitian(tangents[0])), vectors)
    return ew.recast(_diagonal(inner), values.dtype), matmul(vectors, inverse_gaps(values) * inner)


def _decomposed(node: Node) -> tuple[Node, Node]:
    both = op_named("eigh")(node.args[0])
    return item(both, 0), item(both, 1)


def eigvalsh_vjp(ct: Node, node: Node, index: int) -> Node | None:
    return _eigh_vjp((ct, None), *_decomposed(node))


def eigvalsh_jvp(tangents: Tangents, node: Node) -> Node:
    _, vectors = _decomposed(node)
    inner = matmul(matmul(adjoint(vectors), _hermitian(tangents[0])), vectors)
    return ew.recast(_diagonal(inner), node.dtype)


# --- qr --------------------------------------------------------------------------------------------------------------


def _columns(a: Node, start: int, stop: int) -> Node:
    lead = a.ndim - 1
    return slice_(a, (*[0] * lead, start), (1,) * a.ndim, (*a.shape[:-1], stop - start))


def _tall_qr_vjp(q_ct: Node | None, r_ct: Node | None, q: Node, r: Node) -> Node:
    """Columns independent: (q_ct + Q C) R^-H, with N = Q^H q_ct - r_ct R^H and C = tril(N - N^H, -1) + i Im diag(N) - N."""
    gap = _sum(
        None if q_ct is None else matmul(adjoint(q), q_ct),
        None if r_ct is None else -matmul(r_ct, adjoint(r)),
    )
    assert gap is not None
    inner = _below(gap - adjoint(gap), 0.0) - gap
    if gap.dtype.kind == "c":
        inner = inner + _embed(_imaginary(_diagonal(gap)))
    total = _sum(q_ct, matmul(q, inner))
    assert total is not None
    return _right_solve(total, adjoint(r))


def _tall_qr_jvp(da: Node, q: Node, r: Node) -> tuple[Node, Node]:
    """With C = Q^H dA R^-1 and the skew W that has C's lower triangle: dQ = dA R^-1 + Q (W - C), dR = (C - W) R."""
    scaled = _right_solve(da, r)
    inner = matmul(adjoint(q), scaled)
    lower = _below(inner, 0.0)
    skew = lower - adjoint(lower)
    if inner.dtype.kind == "c":
        skew = skew + _embed(_imaginary(_diagonal(inner)))
    return scaled + matmul(q, skew - inner), matmul(inner - skew, r)


def qr_vjp(cts: Tangents, node: Node, index: int) -> Node:
    """A wide matrix is [X Y] = Q [U V]: Y = Q V is a product, X = Q U a square decomposition."""
    q_ct, r_ct = cts
    q, r = item(node, 0), item(node, 1)
    m, n = node.args[0].shape[-2:]
    if m >= n:
        return _tall_qr_vjp(q_ct, r_ct, q, r)
    if r_ct is None:
        first = _tall_qr_vjp(q_ct, None, q, _columns(r, 0, m))
        return join(first, ew.filled((*first.shape[:-1], n - m), 0, first.dtype), axis=first.ndim - 1)
    rest_ct = _columns(r_ct, m, n)
    q_ct = _sum(q_ct, matmul(_columns(node.args[0], m, n), adjoint(rest_ct)))
    first = _tall_qr_vjp(q_ct, _columns(r_ct, 0, m), q, _columns(r, 0, m))
    return join(first, matmul(q, rest_ct), axis=first.ndim - 1)


def qr_jvp(tangents: Tangents, node: Node) -> Tangents:
    da, a = tangents[0], node.args[0]
    q, r = item(node, 0), item(node, 1)
    m, n = a.shape[-2:]
    if m >= n:
        return _tall_qr_jvp(da, q, r)
    dq, du = _tall_qr_jvp(_columns(da, 0, m), q, _columns(r, 0, m))
    dv = matmul(adjoint(dq), _columns(a, m, n)) + matmul(adjoint(q), _columns(da, m, n))
    return dq, join(du, dv, axis=du.ndim - 1)


# --- svd -------------------------------------------------------------------------------------------------------------


def svd_vjp(cts: Tangents, node: Node, index: int) -> Node:
    """A = U S V^H -> U P V^H and the parts outside the column spaces; P from the gaps of the squared singular values.

    For complex matrices the phases of the vectors are free: the phase between U and V is shared by both in halves.
    """
    u_ct, s_ct, vh_ct = cts
    u, s, vh = [item(node, k) for k in range(3)]
    inner = None if s_ct is None else ew.recast(_embed(s_ct), u.dtype)
    left = right = None
    if u_ct is not None:
        spread, phase, outside = _vectors_cotangent(u, u_ct, s)
        inner = _sum(inner, scale_columns(spread, s), phase)
        left = None if outside is None else matmul(outside, vh)
    if vh_ct is not None:
        spread, phase, outside = _vectors_cotangent(adjoint(vh), adjoint(vh_ct), s)
        inner = _sum(inner, _scale_rows(s, spread), None if phase is None else -phase)
        right = None if outside is None else matmul(u, adjoint(outside))
    assert inner is not None
    total = _sum(matmul(matmul(u, inner), vh), left, right)
    assert total is not None
    return total


def _vectors_cotangent(vectors: Node, ct: Node, s: Node) -> tuple[Node, Node | None, Node | None]:
    """For U or V: its turns within its own space (Hermitian), the phase, and what leads out of that space (None for a square one)."""
    turn = matmul(adjoint(vectors), ct)
    spread = inverse_gaps(s, square=True) * turn
    inverse = _reciprocal(s)
    outside = None
    if vectors.shape[-2] > vectors.shape[-1]:
        outside = scale_columns(ct - matmul(vectors, turn), inverse)
    return spread + adjoint(spread), _phase(turn, inverse, 0.5), outside


def _phase(turn: Node, inverse: Node, share: float) -> Node | None:
    """i Im(diag) / s, of which each side of the decomposition has half; None for real matrices."""
    if turn.dtype.kind != "c":
        return None
    return _embed(_imaginary(_diagonal(turn)) * inverse * share)


def svd_jvp(tangents: Tangents, node: Node) -> Tangents:
    da = tangents[0]
    u, s, vh = [item(node, k) for k in range(3)]
    m, n = node.args[0].shape[-2:]
    v = adjoint(vh)
    inner = matmul(matmul(adjoint(u), da), v)
    gaps, inverse = inverse_gaps(s, square=True), _reciprocal(s)
    right, left = scale_columns(inner, s), _scale_rows(s, inner)
    u_turn = _sum(gaps * (right + adjoint(right)), _phase(inner, inverse, 0.5))
    v_turn = _sum(gaps * (left + adjoint(left)), _phase(inner, inverse, -0.5))
    assert u_turn is not None and v_turn is not None
    du, dv = matmul(u, u_turn), matmul(v, v_turn)
    if m > n:
        scaled = scale_columns(matmul(da, v), inverse)
        du = du + scaled - matmul(u, matmul(adjoint(u), scaled))
    if n > m:
        scaled = scale_columns(matmul(adjoint(da), u), inverse)
        dv = dv + scaled - matmul(v, matmul(vh, scaled))
    return du, ew.recast(_diagonal(inner), s.dtype), adjoint(dv)
