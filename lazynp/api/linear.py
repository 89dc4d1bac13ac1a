"""Products: dot, matmul, einsum and their relatives, all of them contractions; and numpy.linalg."""

import builtins
import operator as python_operator
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from lazynp import array as arrays
from lazynp import ordering
from lazynp.api.dispatch import HANDLERS, Unsupported, implements, into
from lazynp.api.reductions import max as max_
from lazynp.api.reductions import root_of_squares
from lazynp.api.reductions import sum as sum_
from lazynp.api.shaping import concatenate, lifted, moveaxis, ravel, trace
from lazynp.api.shaping import diagonal as diagonal_view
from lazynp.api.ufuncs import OBJECTS, _promoted
from lazynp.array import as_array, ndarray, wrap
from lazynp.ir.node import Node, constant
from lazynp.operands import named, node_of, silent, warn
from lazynp.ops import contraction, library
from lazynp.ops import elementwise as ew
from lazynp.ops import reduction as red
from lazynp.ops.factors import adjoint
from lazynp.ops.movement import broadcast, diagonal, join, permute, reshape
from lazynp.ops.structured import item
from lazynp.runtime.storage import tracing
from lazynp.views import view_of


def _pair(a: Any, b: Any) -> tuple[Node, Node]:
    """Both as nodes of the promoted dtype. Python's numbers count as arrays here: int16 times 2 is int64."""
    x, y = _promoted([node_of(a), node_of(b)])
    return x, y


@implements(np.dot)
def dot(a: Any, b: Any, out: Any = None) -> Any:
    if out is not None and not (isinstance(out, ndarray) and out.flags.c_contiguous):
        raise Unsupported
    x, y = _pair(a, b)
    if x.ndim == 0 or y.ndim == 0:
        return into(wrap(_scaled(x, y)), out, "no")
    axis = y.ndim - 2 if y.ndim > 1 else 0
    if x.shape[-1] != y.shape[axis]:
        raise ValueError(f"shapes {_text(x)} and {_text(y)} not aligned: {x.shape[-1]} (dim {x.ndim - 1}) != {y.shape[axis]} (dim {axis})")
    result = wrap(_tensordot(x, y, (x.ndim - 1,), (axis,)))
    if out is not None and out.dtype != result.dtype:
        raise Unsupported
    return into(result, out, "no")


def _scaled(x: Node, y: Node) -> Node:
    """The product with a number, added to 0 as by BLAS: none is -0.0."""
    product = named(x * y, "dot")
    return product + ew.as_node(0.0, product.dtype) if product.dtype.kind in "fc" else product


def _text(x: Node) -> str:
    return str(tuple(x.shape)).replace(" ", "")


def _tensordot(x: Node, y: Node, x_axes: tuple[int, ...], y_axes: tuple[int, ...]) -> Node:
    xs = tuple(range(x.ndim))
    ys = tuple([x_axes[y_axes.index(a)] if a in y_axes else x.ndim + a for a in range(y.ndim)])
    out = tuple([a for a in xs if a not in x_axes]) + tuple([s for a, s in enumerate(ys) if a not in y_axes])
    return named(contraction.contract(x, y, xs, ys, out), "dot")


@implements(np.tensordot)
def tensordot(a: Any, b: Any, axes: Any = 2) -> Any:
    x, y = _pair(a, b)
    if isinstance(axes, (int, np.integer)):
        if not 0 <= axes <= min(x.ndim, y.ndim):
            raise Unsupported
        x_axes, y_axes = tuple(range(x.ndim - axes, x.ndim)), tuple(range(axes))
    else:
        x_axes, y_axes = (normalize_axis_tuple(s, n, allow_duplicate=True) for s, n in zip(axes, (x.ndim, y.ndim), strict=True))
    if len(set(x_axes)) != len(x_axes) or len(set(y_axes)) != len(y_axes):
        raise Unsupported  # NumPy's error
    if len(x_axes) != len(y_axes) or any(x.shape[i] != y.shape[j] for i, j in zip(x_axes, y_axes, strict=True)):
        raise ValueError("shape-mismatch for sum")
    return arrays.as_array(wrap(_tensordot(x, y, tuple(x_axes), tuple(y_axes))))


@implements(np.inner)
def inner(a: Any, b: Any, /) -> Any:
    x, y = _pair(a, b)
    if x.ndim == 0 or y.ndim == 0:
        return wrap(_scaled(x, y))
    if x.shape[-1] != y.shape[-1]:
        raise ValueError(
            f"shapes {_text(x)} and {_text(y)} not aligned: {x.shape[-1]} (dim {x.ndim - 1}) != {y.shape[-1]} (dim {y.ndim - 1})"
        )
    return wrap(_tensordot(x, y, (x.ndim - 1,), (y.ndim - 1,)))


@implements(np.vdot)
def vdot(a: Any, b: Any, /) -> Any:
    x, y = _pair(ravel(a), ravel(b))
    return silent(wrap(contraction.contract(ew.conjugate(x) if x.dtype.kind == "c" else x, y, (0,), (0,), ())))


@implements(np.outer)
def outer(a: Any, b: Any, out: Any = None) -> Any:
    x, y = lifted(ravel(a)), lifted(ravel(b))
    return into(x[:, None] * y[None, :], out)


@implements(np.kron)
def kron(a: Any, b: Any) -> Any:
    x, y = _pair(a, b)
    rank = max(x.ndim, y.ndim)
    xs, ys = (1,) * (rank - x.ndim) + x.shape, (1,) * (rank - y.ndim) + y.shape
    left = reshape(x, tuple([n for m in xs for n in (m, 1)]))
    right = reshape(y, tuple([n for m in ys for n in (1, m)]))
    return wrap(reshape(left * right, tuple([m * n for m, n in zip(xs, ys, strict=True)])))


@implements(np.cross)
def cross(a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: Any = None) -> Any:
    if axis is not None:
        axisa = axisb = axisc = axis
    x, y = moveaxis(lifted(a), axisa, 0), moveaxis(lifted(b), axisb, 0)
    if x.shape[0] != 3 or y.shape[0] != 3:
        if not tracing() or x.shape[0] not in (2, 3) or y.shape[0] not in (2, 3):
            raise Unsupported
        words = "Arrays of 2-dimensional vectors are deprecated. Use arrays of 3-dimensional vectors instead. (deprecated in NumPy 2.0)"
        warn(DeprecationWarning(words))
        if x.shape[0] == y.shape[0]:
            return as_array(x[0] * y[1] - x[1] * y[0])
        x, y = [v if v.shape[0] == 3 else concatenate([v, 0 * v[:1]], 0) for v in (x, y)]
    parts = [x[1] * y[2] - x[2] * y[1], x[2] * y[0] - x[0] * y[2], x[0] * y[1] - x[1] * y[0]]
    nodes = [reshape(node_of(p), (1, *p.shape)) for p in parts]
    return moveaxis(wrap(node_of(moveaxis(wrap(join(*nodes, axis=0)), 0, -1))), -1, axisc)


# --- einsum -----------------------------------------------------------------------------------------------------------------


@implements(np.einsum)
def einsum(*operands: Any, out: Any = None, optimize: Any = False, **options: Any) -> Any:
    """Pairwise contractions, in the order that numpy.einsum_path finds for three and more operands."""
    if options:
        raise Unsupported
    operands = _with_labels(*operands)
    subscripts, nodes = operands[0].replace(" ", ""), _promoted([node_of(x) for x in operands[1:]])
    inputs, _, output = subscripts.partition("->")
    terms = inputs.split(",")
    if not subscripts.replace(",", "").replace("->", "", 1).isalpha() and subscripts.strip(",->"):
        raise Unsupported  # NumPy's error
    if "." in subscripts or len(terms) != len(nodes) or any(len(t) != n.ndim for t, n in zip(terms, nodes, strict=True)):
        raise Unsupported
    if "->" not in subscripts:
        output = "".join(sorted(c for c in set(inputs) - {","} if inputs.count(c) == 1))
    if isinstance(optimize, (list, tuple)):
        np.einsum_path(operands[0], *[np.broadcast_to(np.zeros(()), n.shape) for n in nodes], optimize=optimize)  # raises for wrong paths
    terms, nodes = _without_ones(terms, nodes)
    if not set(output) <= set(inputs) or len(set(output)) != len(output):
        raise Unsupported
    if len(terms) == 1 and set(output) == set(inputs) and out is None:
        return _view_by_labels(operands[1], inputs, output)
    pairs = [_without_repeats(term, node) for term, node in zip(terms, nodes, strict=True)]
    for chosen in _order(subscripts, pairs, output):
        picked = [pairs.pop(k) for k in sorted(chosen, reverse=True)]
        left = set(output).union(*[set(t) for t, _ in pairs])
        pairs.append(_contract_two(*picked, keep=left) if len(picked) == 2 else picked[0])
    (term, node) = pairs[0]
    gone = tuple([k for k, c in enumerate(term) if c not in output])
    node = red.reduce_add(node, gone) if gone else node
    term = "".join([c for c in term if c in output])
    result = permute(node, tuple([term.index(c) for c in output]))
    if len(terms) > 1 and set(output) == set(inputs) - {","} and result.dtype.kind in "fc":
        result = result + ew.as_node(0.0, result.dtype)  # NumPy adds products to zeros, also single ones: none is -0.0
    return into(silent(ordering.wrap_einsum(result, f"{inputs}->{output}", operands[1:], optimize)), out, "safe")


def _without_ones(terms: list[str], nodes: list[Node]) -> tuple[list[str], list[Node]]:
    """Axes of size 1 that others stretch are left out. Raises Unsupported for sizes that do not fit."""
    if any(len(set(zip(term, node.shape, strict=True))) > len(set(term)) for term, node in zip(terms, nodes, strict=True)):
        raise Unsupported  # a diagonal of axes that differ
    sizes: dict[str, int] = {}
    for c, n in [pair for term, node in zip(terms, nodes, strict=True) for pair in zip(term, node.shape, strict=True)]:
        sizes[c] = n if sizes.get(c, 1) == 1 else sizes[c]
    found = []
    for term, node in zip(terms, nodes, strict=True):
        keep = [k for k, c in enumerate(term) if node.shape[k] == sizes[c]]
        if any(node.shape[k] != 1 for k in range(len(term)) if k not in keep):
            raise Unsupported
        short = reshape(node, tuple([node.shape[k] for k in keep])) if len(keep) < len(term) else node
        found.append(("".join([term[k] for k in keep]), short))
    return [t for t, _ in found], [n for _, n in found]


def _with_labels(*operands: Any) -> tuple[Any, ...]:
    """The operands of numpy.einsum with subscripts in letters, the axes of an ellipsis among them."""
    if not isinstance(operands[0], str):
        lists = [*operands[1::2], *([operands[-1]] if len(operands) % 2 else [])]
        count = len(operands) // 2
        terms = ["".join(["..." if n is Ellipsis else _letter(n) for n in labels]) for labels in lists]
        operands = (",".join(terms[:count]) + ("->" + terms[count] if len(terms) > count else ""), *operands[: 2 * count : 2])
    text = operands[0].replace(" ", "")
    if "..." not in text:
        return operands
    inputs, arrow, output = text.partition("->")
    terms = inputs.split(",")
    spare = "".join([c for c in _LETTERS if c not in text])
    widths = [node_of(x).ndim - len(t) + 3 if "..." in t else 0 for t, x in zip(terms, operands[1:], strict=True)]
    wide = spare[: builtins.max(widths)]
    if builtins.min(widths) < 0:
        raise Unsupported
    terms = [t.replace("...", wide[len(wide) - w :]) for t, w in zip(terms, widths, strict=True)]
    if not arrow:
        output = "..." + "".join(sorted([c for c in set(inputs) - set(",.") if inputs.count(c) == 1]))
    return (",".join(terms) + "->" + output.replace("...", wide), *operands[1:])


def _letter(label: Any) -> str:
    number = python_operator.index(label)
    if not 0 <= number < len(_LETTERS):
        raise Unsupported
    return _LETTERS[number]


_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
"""The labels of numpy.einsum, in its order."""


def _view_by_labels(x: Any, term: str, output: str) -> Any:
    """One operand, nothing summed: a view that can be written to, `einsum("ii->i", a)[:] = 1`."""
    view = lifted(x)
    for c in dict.fromkeys(term):
        while term.count(c) > 1:
            one = term.index(c)
            two = term.index(c, one + 1)
            view = view_of(view, diagonal, axis1=one, axis2=two)
            term = term[:one] + term[one + 1 : two] + term[two + 1 :] + c
    return view_of(view, permute, axes=tuple([term.index(c) for c in output]))


def _order(subscripts: str, pairs: list[tuple[str, Node]], output: str) -> list[tuple[int, ...]]:
    if len(pairs) == 1:
        return []
    if len(pairs) == 2:
        return [(0, 1)]
    shapes = [np.broadcast_to(np.zeros(()), n.shape) for _, n in pairs]
    path = np.einsum_path(",".join([t for t, _ in pairs]) + "->" + output, *shapes, optimize="greedy")[0][1:]
    return [tuple(step) for step in path for step in _in_twos(step)]


def _in_twos(step: tuple[int, ...]) -> list[tuple[int, ...]]:
    """A path step on more than two operands as steps on two; the result of each stands last."""
    if len(step) <= 2:
        return [step]
    raise Unsupported


def _without_repeats(term: str, node: Node) -> tuple[str, Node]:
    """Repeated labels of one operand are diagonals."""
    for c in dict.fromkeys(term):
        while term.count(c) > 1:
            one = term.index(c)
            two = term.index(c, one + 1)
            node = diagonal(node, axis1=one, axis2=two)
            term = term[:one] + term[one + 1 : two] + term[two + 1 :] + c
    return term, node


def _contract_two(one: tuple[str, Node], two: tuple[str, Node], keep: set[str]) -> tuple[str, Node]:
    (s, x), (t, y) = two, one
    number = {c: k for k, c in enumerate(dict.fromkeys(s + t))}
    out = "".join([c for c in number if c in keep])
    labels = [tuple([number[c] for c in term]) for term in (s, t, out)]
    return out, contraction.contract(x, y, *labels)


# --- numpy.linalg -----------------------------------------------------------------------------------------------------------


def _matrices(a: Any) -> Node:
    node = node_of(a)
    if node.ndim < 2:
        raise np.linalg.LinAlgError(f"{node.ndim}-dimensional array given. Array must be at least two-dimensional")
    if node.dtype == np.float16:  # NumPy's LAPACK has none
        raise Unsupported
    return node


def _square(a: Any) -> Node:
    node = _matrices(a)
    if node.shape[-1] != node.shape[-2]:
        raise np.linalg.LinAlgError("Last 2 dimensions of the array must be square")
    return node


def _outputs(node: Node, kind: type) -> Any:
    return kind(*[wrap(item(node, k)) for k in range(len(node.type))])


@implements(np.linalg.inv)
def inv(a: Any) -> Any:
    return wrap(library.inv(_square(a)))


@implements(np.linalg.det)
def det(a: Any) -> Any:
    return wrap(library.det(_square(a)))


@implements(np.linalg.slogdet)
def slogdet(a: Any) -> Any:
    return _outputs(library.slogdet(_square(a)), type(np.linalg.slogdet(np.eye(1))))


@implements(np.linalg.cholesky)
def cholesky(a: Any, /, *, upper: bool = False) -> Any:
    node = _square(a)
    if upper:  # NumPy reads the upper triangle then
        return wrap(adjoint(library.cholesky(adjoint(node))))
    return wrap(library.cholesky(node))


@implements(np.linalg.solve)
def solve(a: Any, b: Any) -> Any:
    x, y = _square(a), node_of(b)
    if y.dtype == np.float16 or y.ndim == 0:
        raise Unsupported
    vector = y.ndim == 1
    y = reshape(y, (*y.shape, 1)) if vector else y
    if x.shape[-1] != y.shape[-2]:
        raise ValueError(
            "solve: Input operand 1 has a mismatch in its core dimension 0, with gufunc signature (m,m),(m,n)->(m,n) "
            f"(size {y.shape[-2]} is different from {x.shape[-1]})"
        )
    batch = np.broadcast_shapes(x.shape[:-2], y.shape[:-2])
    out = library.solve(broadcast(x, (*batch, *x.shape[-2:])), broadcast(y, (*batch, *y.shape[-2:])))
    return wrap(reshape(out, out.shape[:-1]) if vector else out)


@implements(np.linalg.eigh)
def eigh(a: Any, UPLO: str = "L") -> Any:
    if UPLO.upper() not in ("L", "U"):
        raise Unsupported
    return _outputs(library.eigh(_triangle(a, UPLO)), type(np.linalg.eigh(np.eye(1))))


@implements(np.linalg.eigvalsh)
def eigvalsh(a: Any, UPLO: str = "L") -> Any:
    if UPLO.upper() not in ("L", "U"):
        raise Unsupported
    return wrap(library.eigvalsh(_triangle(a, UPLO)))


def _triangle(a: Any, UPLO: str) -> Node:
    """The matrix whose lower triangle is the one that NumPy would read. LAPACK's signs of the vectors depend on which it reads: outside a
    trace that is NumPy's business."""
    if UPLO.upper() == "U" and not tracing():
        raise Unsupported
    return _square(a) if UPLO.upper() == "L" else adjoint(_square(a))


@implements(np.linalg.eig)
def eig(a: Any) -> Any:
    values, vectors = _eigen(a)
    return type(np.linalg.eig(np.eye(1)))(values, vectors)


@implements(np.linalg.eigvals)
def eigvals(a: Any) -> Any:
    return _eigen(a)[0]


def _eigen(a: Any) -> tuple[Any, Any]:
    """Eigenvalues and vectors; of a real matrix they are real if all eigenvalues are, which has to be computed to know the dtype."""
    node = _square(a)
    if not tracing():
        raise Unsupported
    both = library.eig(node)
    values, vectors = wrap(item(both, 0)), wrap(item(both, 1))
    if node.dtype.kind != "c" and not bool((values.imag != 0).any()):
        return values.real, vectors.real
    return values, vectors


@implements(np.linalg.pinv)
def pinv(a: Any, rcond: Any = None, hermitian: bool = False, *, rtol: Any = np._NoValue) -> Any:
    node = _matrices(a)
    cutoff = rtol if rtol is not np._NoValue and rtol is not None else rcond
    if hermitian and tracing() and node.shape[-1] == node.shape[-2]:  # NumPy's way by eigenvectors divides by gaps between eigenvalues
        node, hermitian = _from_lower(node), False
    if rcond is not None and rtol is not np._NoValue:
        raise Unsupported
    if hermitian or 0 in node.shape[-2:] or (cutoff is not None and not isinstance(cutoff, (int, float))):
        raise Unsupported
    return wrap(library.pinv(node, rcond=cutoff))


def _from_lower(node: Node) -> Node:
    """The Hermitian matrix of which LAPACK would read the lower triangle."""
    n = node.shape[-1]
    below, diagonal_ = [
        wrap(constant(part.astype(np.empty(0, node.dtype).real.dtype))) for part in (np.tril(np.ones((n, n)), -1), np.eye(n))
    ]
    lower = wrap(node) * below
    return node_of(lower + wrap(adjoint(node_of(lower))) + wrap(node).real * diagonal_)


@implements(np.linalg.lstsq)
def lstsq(a: Any, b: Any, rcond: Any = None) -> Any:
    """Inside a trace the matrix is taken to have full rank where the shape of the residuals depends on it."""
    x, y = _matrices(a), node_of(b)
    if not tracing() or x.ndim != 2 or y.ndim not in (1, 2) or y.shape[0] != x.shape[0] or 0 in x.shape or y.dtype == np.float16:
        raise Unsupported
    single = all(n.dtype in (np.float32, np.complex64) for n in (x, y))
    x, y = [ew.as_node(n, np.result_type(x.dtype, y.dtype, np.float64)) for n in (x, y)]
    columns = reshape(y, (*y.shape, 1)) if y.ndim == 1 else y
    share = np.finfo(x.dtype).eps * builtins.max(x.shape) if rcond is None else float(rcond)
    solution = library.lstsq(x, columns, rcond=share)
    values = wrap(item(library.svd(x), 1))
    rank = sum_(values > share * values[0], dtype=np.intc)
    off = wrap(columns - contraction.matmul(x, solution))
    residuals = sum_((off * OBJECTS[np.conjugate](off)).real, axis=0)
    tall = x.shape[0] > x.shape[1]
    solution = reshape(solution, solution.shape[:1]) if y.ndim == 1 else solution
    results = [wrap(solution), residuals if tall else residuals[:0], values]
    if single:  # computed in double precision, as by NumPy
        results = [r.astype(np.complex64 if r.dtype.kind == "c" else np.float32) for r in results]
    return results[0], results[1], rank, results[2]


@implements(np.linalg.qr)
def qr(a: Any, mode: str = "reduced") -> Any:
    node = _matrices(a)
    if mode == "r":
        return wrap(item(library.qr(node), 1))
    tall = node.shape[-2] > node.shape[-1]
    if mode not in ("reduced", "complete") or (mode == "complete" and tall and not tracing()):
        raise Unsupported
    if mode == "complete" and tall:
        q, r = [item(library.qr(node), k) for k in range(2)]
        below = ew.filled((*r.shape[:-2], node.shape[-2] - node.shape[-1], r.shape[-1]), 0, r.dtype)
        return type(np.linalg.qr(np.eye(1)))(wrap(_completed(q)), wrap(join(r, below, axis=r.ndim - 2)))
    return _outputs(library.qr(node), type(np.linalg.qr(np.eye(1))))


@implements(np.linalg.svd)
def svd(a: Any, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False) -> Any:
    node = _matrices(a)
    if hermitian:
        raise Unsupported
    if compute_uv and full_matrices and node.shape[-1] != node.shape[-2]:
        if not tracing():
            raise Unsupported
        return _full(node)
    if not compute_uv:
        return wrap(item(library.svd(node), 1))
    return _outputs(library.svd(node), type(np.linalg.svd(np.eye(1))))


def _full(node: Node) -> Any:
    """The full decomposition: the thin one, and a basis of what it leaves of the longer side, from the projector on that."""
    u, s, vh = [item(library.svd(node), k) for k in range(3)]
    rows, columns = node.shape[-2:]
    if rows > columns:
        u = _completed(u)
    else:
        vh = adjoint(_completed(adjoint(vh)))
    return type(np.linalg.svd(np.eye(1)))(wrap(u), wrap(s), wrap(vh))


def _completed(basis: Node) -> Node:
    """(..., m, k) orthonormal columns -> (..., m, m): with the eigenvectors of the projector I - Q Q^H to eigenvalue 1."""
    m, k = basis.shape[-2:]
    projector = wrap(broadcast(constant(np.eye(m, dtype=basis.dtype)), (*basis.shape[:-2], m, m))) - wrap(
        contraction.matmul(basis, adjoint(basis))
    )
    rest = wrap(item(library.eigh(node_of(projector)), 1))[..., k:]
    return join(basis, node_of(rest), axis=basis.ndim - 1)


@implements(np.linalg.norm)
def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    x, keepdims = lifted(x), bool(keepdims)
    if axis is not None and not isinstance(axis, tuple):
        axis = (_as_int(axis),)
    if axis is not None and len(axis) not in (1, 2):
        raise Unsupported
    if x.dtype.kind in "bui":
        x = wrap(ew.cast(node_of(x), to=np.dtype(np.float64)))
    flat = axis is None and (ord is None or (ord in ("f", "fro") and x.ndim == 2) or (ord == 2 and x.ndim == 1))
    vector = x.ndim == 1 if axis is None else len(axis) == 1
    size = OBJECTS[np.absolute](x)
    if flat or (ord in (None, 2) and vector):
        squares = x.real * x.real + x.imag * x.imag if x.dtype.kind == "c" else x * x
        return root_of_squares(sum_(squares, axis=axis, keepdims=keepdims))
    if not vector:
        if axis is not None and ord in (None, "fro", "f"):
            return root_of_squares(sum_(size * size, axis=axis, keepdims=keepdims))
        raise Unsupported
    if ord == np.inf:
        return max_(size, axis=axis, keepdims=keepdims, initial=0)
    if ord == -np.inf:
        return OBJECTS[np.minimum].reduce(size, axis, keepdims=keepdims)
    if ord == 0:
        return sum_(wrap(ew.cast(node_of(x != 0), to=size.dtype)), axis=axis, keepdims=keepdims)
    if ord == 1:
        return sum_(size, axis=axis, keepdims=keepdims)
    if not isinstance(ord, (int, float)):
        raise Unsupported
    total = sum_(size**ord, axis=axis, keepdims=keepdims)
    if not tracing() or ord <= 1 or total.dtype.kind != "f":
        return OBJECTS[np.power](total, 1.0 / ord)
    nothing = ew.equal(node_of(total), 0)  # where the derivative is 0 by convention, as that of the 2-norm
    return wrap(ew.where(nothing, 0, node_of(OBJECTS[np.power](wrap(ew.where(nothing, 1, node_of(total))), 1.0 / ord))))


def _as_int(axis: Any) -> int:
    try:
        return int(axis)
    except TypeError:
        raise Unsupported from None


@implements(np.linalg.cond)
def cond(x: Any, p: Any = None) -> Any:
    """The product of the norms of a matrix and its inverse; of the outer singular values for the 2-norm."""
    if not tracing():
        raise Unsupported
    a = wrap(_matrices(x) if p in (None, 2, -2) else _square(x))
    if p in (None, 2, -2):
        values = svd(a, compute_uv=False)
        return values[..., -1] / values[..., 0] if p == -2 else values[..., 0] / values[..., -1]
    measure = HANDLERS[np.linalg.norm]
    return measure(a, p, (-2, -1)) * measure(inv(a), p, (-2, -1))


@implements(np.linalg.matrix_power)
def matrix_power(a: Any, n: int) -> Any:
    x = wrap(_square(a))
    if n <= 0:
        raise Unsupported
    result = None
    while n:
        if n & 1:
            result = x if result is None else result @ x
        n >>= 1
        x = x @ x if n else x
    return result


@implements(np.linalg.multi_dot)
def multi_dot(arrays: Any, *, out: Any = None) -> Any:
    """The product of a chain in the order with the fewest multiplications (Godbole 1973)."""
    parts = [lifted(a) for a in arrays]
    ranks = [p.ndim for p in parts]
    if len(parts) < 2 or any(r != 2 for r in ranks[1:-1]) or not {ranks[0], ranks[-1]} <= {1, 2}:
        raise Unsupported
    sizes = [1 if ranks[0] == 1 else parts[0].shape[0], *[p.shape[0] for p in parts[1:]], 1 if ranks[-1] == 1 else parts[-1].shape[1]]
    return into(_chain(parts, _cheapest(sizes), 0, len(parts) - 1), out, "no")


def _cheapest(sizes: list[int]) -> dict[tuple[int, int], int]:
    """(first, last) -> where to split the chain; factor k is sizes[k] by sizes[k+1]."""
    count = len(sizes) - 1
    cost = {(k, k): 0 for k in range(count)}
    split = {}
    for length in range(1, count):
        for i in range(count - length):
            j = i + length
            options = [cost[i, k] + cost[k + 1, j] + sizes[i] * sizes[k + 1] * sizes[j + 1] for k in range(i, j)]
            cost[i, j] = min(options)
            split[i, j] = i + options.index(cost[i, j])
    return split


def _chain(parts: list[Any], split: dict[tuple[int, int], int], i: int, j: int) -> Any:
    return parts[i] if i == j else dot(_chain(parts, split, i, split[i, j]), _chain(parts, split, split[i, j] + 1, j))


# --- the array API's names for them -----------------------------------------------------------------------------------------


@implements(np.linalg.matmul)
def linalg_matmul(x1: Any, x2: Any, /) -> Any:
    return OBJECTS[np.matmul](lifted(x1), lifted(x2))


@implements(np.linalg.vecdot)
def linalg_vecdot(x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    axis = python_operator.index(axis)
    return OBJECTS[np.vecdot](moveaxis(lifted(x1), axis, -1), moveaxis(lifted(x2), axis, -1))


@implements(np.linalg.tensordot)
def linalg_tensordot(x1: Any, x2: Any, /, *, axes: Any = 2) -> Any:
    return tensordot(lifted(x1), lifted(x2), axes)


@implements(np.linalg.outer)
def linalg_outer(x1: Any, x2: Any, /) -> Any:
    x, y = lifted(x1), lifted(x2)
    if x.ndim != 1 or y.ndim != 1:
        raise Unsupported
    return outer(x, y)


@implements(np.linalg.cross)
def linalg_cross(x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    x, y = lifted(x1), lifted(x2)
    if x.shape[axis] != 3 or y.shape[axis] != 3:
        raise Unsupported
    return cross(x, y, axis=axis)


@implements(np.linalg.diagonal)
def linalg_diagonal(x: Any, /, *, offset: int = 0) -> Any:
    return diagonal_view(lifted(x), offset, -2, -1)


@implements(np.linalg.trace)
def linalg_trace(x: Any, /, *, offset: int = 0, dtype: Any = None) -> Any:
    return trace(lifted(x), offset, -2, -1, dtype)


@implements(np.linalg.matrix_norm)
def matrix_norm(x: Any, /, *, keepdims: bool = False, ord: Any = "fro") -> Any:
    return norm(lifted(x), ord, (-2, -1), keepdims)


@implements(np.linalg.vector_norm)
def vector_norm(x: Any, /, *, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Any:
    x = lifted(x)
    if keepdims or (axis is not None and np.ndim(axis)) or (axis is None and x.ndim == 0):
        raise Unsupported
    return norm(ravel(x), ord, 0) if axis is None else norm(x, ord, axis)


@implements(np.linalg.svdvals)
def svdvals(x: Any, /) -> Any:
    return svd(lifted(x), compute_uv=False)
