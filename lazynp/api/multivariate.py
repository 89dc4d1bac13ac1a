"""Densities of vectors and matrices of scipy.stats. Each raises Unsupported for parameters that are left to SciPy's own checks."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from lazynp.api.dispatch import Unsupported
from lazynp.api.shaping import squeeze
from lazynp.array import wrap
from lazynp.ir.node import Node, constant
from lazynp.operands import node_of
from lazynp.ops import elementwise as ew
from lazynp.ops import library, matrices
from lazynp.ops import special as sp
from lazynp.ops.densities import both
from lazynp.ops.movement import broadcast, diagonal, permute, reshape
from lazynp.ops.reduction import reduce_add, reduce_logical_and

_FLOAT = np.dtype(float)


def _real(x: Any) -> Node:
    node = node_of(x)
    if node.dtype.kind not in "biuf" or 0 in node.shape:
        raise Unsupported
    return ew.as_node(node, _FLOAT)


def _quantiles(x: Any, dim: int) -> Node:
    """(..., dim), as SciPy reads x: a vector is one point, or in one dimension many points."""
    y = _real(x)
    if y.ndim == 0:
        y = reshape(y, (1,))
    if y.ndim == 1:
        y = reshape(y, (y.shape[0], 1) if dim == 1 else (1, y.shape[0]))
    if y.shape[-1] != dim:
        raise Unsupported
    return y


def _points(value: Node) -> Any:
    """SciPy's result: without axes of length one."""
    return squeeze(wrap(value))


def _sum_last(x: Node) -> Node:
    return reduce_add(x, (x.ndim - 1,))


def _log_diagonal(factor: Node) -> Node:
    d = diagonal(factor, axis1=factor.ndim - 2, axis2=factor.ndim - 1)
    return _sum_last(ew.log(d))


def _covariance(mean: Any, cov: Any) -> tuple[Node | None, Node]:
    """The mean, and the covariance as a matrix: of a number or a vector the diagonal one."""
    centre = None if mean is None else _real(mean)
    spread = _real(1.0 if cov is None else cov)
    dim = math.prod(centre.shape) if centre is not None else (spread.shape[0] if spread.ndim else 1)
    if spread.ndim == 0:
        spread = constant(np.eye(dim)) * spread
    elif spread.ndim == 1:
        spread = broadcast(reshape(spread, (1, spread.shape[0])), (spread.shape[0],) * 2) * constant(np.eye(spread.shape[0]))
    if spread.shape != (dim, dim):
        raise Unsupported
    return None if centre is None else reshape(centre, (dim,)), spread


def _distances(x: Any, mean: Any, cov: Any) -> tuple[Node, Node, int]:
    """(points,): the squared Mahalanobis distances; the logarithm of the root of the determinant; the dimension."""
    centre, spread = _covariance(mean, cov)
    dim = spread.shape[0]
    y = _quantiles(x, dim)
    lead = y.shape[:-1]
    off = y if centre is None else y - centre
    factor = library.cholesky(spread)
    columns = permute(reshape(off, (math.prod(lead), dim)), (1, 0))
    scaled = matrices.solve_triangular(factor, columns, lower=True, unit=False)
    return reshape(reduce_add(scaled * scaled, (0,)), lead), _log_diagonal(factor), dim


def _normal(x: Any, mean: Any = None, cov: Any = 1, allow_singular: bool = False) -> Any:
    """By the Cholesky factor of the covariance, of which the lower triangle counts. Raises LinAlgError if it is not positive definite."""
    if allow_singular or type(cov).__name__.endswith("CovViaPSD"):
        raise Unsupported
    distance, root, dim = _distances(x, mean, cov)
    return _points(distance * -0.5 - root - 0.5 * dim * math.log(2 * math.pi))


def _normal_entropy(mean: Any = None, cov: Any = 1) -> Any:
    """(log det(cov) + d (1 + log 2 pi)) / 2."""
    spread = _covariance(mean, cov)[1]
    dim = spread.shape[0]
    return wrap(_log_diagonal(library.cholesky(spread)) + 0.5 * dim * (1.0 + math.log(2 * math.pi)))


def _t(x: Any, loc: Any = None, shape: Any = 1, df: Any = 1, allow_singular: bool = False) -> Any:
    if allow_singular or (isinstance(df, (int, float)) and not 0 < df < math.inf):
        raise Unsupported
    distance, root, dim = _distances(x, loc, shape)
    nu = _real(df)
    if nu.ndim:
        raise Unsupported
    half = 0.5 * (nu + float(dim))
    norm = sp.gammaln(half) - sp.gammaln(0.5 * nu) - 0.5 * dim * ew.log(math.pi * nu)
    return _points(norm - root - half * ew.log1p(distance / nu))


def _dirichlet(x: Any, alpha: Any) -> Any:
    """x: (k, ...) or without its last row. SciPy raises for points off the simplex; here, where x is a variable, they are not looked at."""
    y, a = _real(x), _real(alpha)
    if a.ndim != 1 or y.ndim == 0 or y.shape[0] not in (a.shape[0], a.shape[0] - 1):
        raise Unsupported
    if y.shape[0] == a.shape[0] - 1:
        last = 1.0 - reduce_add(y, (0,))
        y = matrices.join(y, reshape(last, (1, *last.shape)), axis=0)
    weights = reshape(a - 1.0, (a.shape[0], *[1] * (y.ndim - 1)))
    norm = _sum_last(sp.gammaln(a)) - sp.gammaln(_sum_last(a))
    return _points(reduce_add(sp.xlogy(weights, y), (0,)) - norm)


def _multinomial(x: Any, n: Any, p: Any) -> Any:
    """The last probability is what the others leave, as in SciPy. -inf where the counts do not sum to n; nan for invalid parameters."""
    counts, trials, share = _real(x), _real(n), _real(p)
    if share.ndim != 1 or trials.ndim or counts.ndim == 0 or counts.shape[-1] != share.shape[-1]:
        raise Unsupported
    k = share.shape[0]
    head = matrices.slice_(share, (0,), (1,), (k - 1,)) if k > 1 else None
    if head is not None:
        share = matrices.join(head, reshape(1.0 - _sum_last(head), (1,)), axis=0)
    whole = reduce_logical_and(both(ew.equal(ew.floor(counts), counts), ew.greater_equal(counts, 0)), (counts.ndim - 1,))
    fits = both(ew.equal(_sum_last(counts), trials), whole)
    valid = reduce_logical_and(both(ew.greater_equal(share, 0), ew.less_equal(share, 1)), (0,))
    value = sp.gammaln(trials + 1.0) + _sum_last(sp.xlogy(counts, share) - sp.gammaln(counts + 1.0))
    return wrap(ew.where(both(valid, ew.greater_equal(trials, 0)), ew.where(fits, value, -math.inf), math.nan))


def _log_gammas(half: Node, dim: int) -> Any:
    """The multivariate gamma function's logarithm."""
    total: Any = 0.25 * dim * (dim - 1) * math.log(math.pi)
    for j in range(dim):
        total = sp.gammaln(half - 0.5 * j) + total
    return total


def _matrix_parameters(df: Any, scale: Any) -> tuple[Node, Node, int]:
    nu, spread = _real(df), _real(scale)
    spread = reshape(spread, (1, 1)) if spread.ndim == 0 else spread
    if nu.ndim or spread.ndim != 2 or spread.shape[0] != spread.shape[1]:
        raise Unsupported
    return nu, spread, spread.shape[0]


def _one_matrix(x: Any, dim: int) -> Node:
    y = _real(x)
    if y.ndim == 0 and dim == 1:
        return reshape(y, (1, 1))
    if y.shape != (dim, dim):  # SciPy's stacks have their axis last
        raise Unsupported
    return y


def _trace_of_ratio(factor: Node, a: Node) -> Node:
    """tr(S^-1 a) with S = factor factor^T."""
    left = matrices.solve_triangular(factor, a, lower=True, unit=False)
    return reduce_add(diagonal(matrices.solve_triangular(matrices.adjoint(factor), left, lower=False, unit=False), axis1=0, axis2=1))


def _wishart(x: Any, df: Any, scale: Any) -> Any:
    nu, spread, dim = _matrix_parameters(df, scale)
    y = _one_matrix(x, dim)
    factor = library.cholesky(spread)
    root_x, root = _log_diagonal(library.cholesky(y)), _log_diagonal(factor)
    norm = nu * (0.5 * dim * math.log(2)) + nu * root + _log_gammas(0.5 * nu, dim)
    return wrap((nu - (dim + 1.0)) * root_x - 0.5 * _trace_of_ratio(factor, y) - norm)


def _inverse_wishart(x: Any, df: Any, scale: Any) -> Any:
    nu, spread, dim = _matrix_parameters(df, scale)
    factor = library.cholesky(_one_matrix(x, dim))
    root_x, root = _log_diagonal(factor), _log_diagonal(library.cholesky(spread))
    norm = nu * (0.5 * dim * math.log(2)) - nu * root + _log_gammas(0.5 * nu, dim)
    return wrap(-(nu + (dim + 1.0)) * root_x - 0.5 * _trace_of_ratio(factor, spread) - norm)


def _exponential(log: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *args, **kwargs: wrap(ew.exp(node_of(log(*args, **kwargs))))


def _density(log: Callable[..., Any], name: str = "pdf") -> dict[str, Callable[..., Any]]:
    return {f"log{name}": log, name: _exponential(log)}


MULTIVARIATE: dict[str, dict[str, Callable[..., Any]]] = {
    "multivariate_normal": _density(_normal) | {"entropy": _normal_entropy},
    "multivariate_t": _density(_t),
    "dirichlet": _density(_dirichlet),
    "multinomial": _density(_multinomial, "pmf"),
    "wishart": _density(_wishart),
    "invwishart": _density(_inverse_wishart),
}
"""The name in scipy.stats -> method -> its formula."""
