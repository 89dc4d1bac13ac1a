"""Derivatives of graphs: `pullback` (reverse mode) and `pushforward` (forward mode). Both return graphs, so they nest to any order.

One rule per kind of op; what an op knows about its derivative stands in its entry of the op table:
* ELEMENTWISE ops give local derivatives (`partials`); the cotangent is multiplied by them, the tangent too.
* Linear ops give their `transpose`; their tangent is the op itself applied to the tangents.
* Everything else gives `vjp` and `jvp`. `call` is inlined; `item` collects the cotangents of an op with several outputs.

Conventions, relied upon by every rule and tested by the identity <ct, J t> == <vjp(ct), t>:
* A cotangent and a tangent have the type of the value they belong to: float32 stays float32. Integers and booleans have neither.
* None is an exact zero: it is never built, multiplied or added.
* Complex numbers are pairs of reals with the inner product <a, b> = Re(sum(conj(a) * b)). The gradient of a real loss is therefore
  dL/dx + i dL/dy, the direction of steepest ascent: `p - rate * g` descends. A holomorphic f pulls ct back to ct * conj(f'(z)).
* A cotangent that `where` masks stays masked while it is multiplied: where(x > 0, log(x), 0) has derivative 0 at 0, not 0 * inf.

Where a function has no derivative, the value is a convention:
* maximum, minimum, fmax, fmin at a tie: half to each; reductions: equal shares of all extreme elements. Running extrema
  (`maximum.accumulate`): all to the first element that reached the value.
* absolute, fabs, sign, copysign at 0: 0. hypot at (0, 0): 0. A complex absolute at 0: 0.
* sqrt, cbrt at 0: inf. log at 0: inf. arctan2 at (0, 0): nan.
* power(x, y): by x at y = 0: 0, also at x = 0; by y at x = 0: 0 (the limit from the right for y > 0).
* prod and cumprod are exact with any number of zeros, to any order (no division by an element).
* floor, ceil, rint, trunc, sign, heaviside, comparisons, floor_divide: 0 everywhere; remainder: as between the jumps.
* sort follows the permutation; of equal elements the first comes first. A write at repeated indices: the last one counts.
* cholesky, eigh, eigvalsh take their argument as Hermitian: the cotangent is Hermitian. Eigenvalues or singular values that are
  equal up to rounding do not contribute through the vectors: right for a loss that sees only their values or the space they span.
  (v * f(w)) @ v.T of a real symmetric matrix is a function of the matrix, exact to first order: see transform/spectra.py.
  pinv and lstsq are differentiated at constant rank; vectors of eig keep their length. norm and std at 0: 0.
  det is differentiated as the polynomial that it is (adjugate), also at singular matrices; slogdet, inv and solve of one raise LinAlgError.
* logaddexp(-inf, -inf): 1 by each argument.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lazynp.errors import with_origin
from lazynp.ir.node import Node, toposort
from lazynp.ir.op import Op
from lazynp.ir.types import ArrayType, itemcount
from lazynp.ops import elementwise as ew
from lazynp.ops.contraction import joined_products
from lazynp.ops.custom import checkpointed
from lazynp.ops.indexing import is_most, scatter, update
from lazynp.ops.movement import Step, pad, slice_
from lazynp.ops.structured import CONTROL, item, without_calls
from lazynp.transform import checkpoints, loops
from lazynp.transform.origins import Origins

_FUSED_PADS = 8
"""So many padded cotangents of one array are added as a whole; more (a loop that reads slices) are added region by region."""
_FUSED_SIZE = 1024
"""Cotangents of arrays of so many elements are added as a whole."""


def pullback(
    outputs: Sequence[Node], cotangents: Sequence[Node | None], wrt: Sequence[Node], initial: Mapping[Node, Node] | None = None
) -> list[Node | None]:
    """Reverse mode: for each node of `wrt` the cotangent of its type that the outputs' cotangents induce, or None for zero.

    Linear in the size of the graph. A node of `wrt` that depends on another one does not hide it: derivatives are total.
    Raises TypeError for an op that has no derivative, naming the op and the user's line.
    """
    outputs, wrt = _split(outputs, wrt)
    order = toposort(outputs)
    active = _depending(order, wrt)
    inside = initial is not None
    parts: dict[Node, Any] = {leaf: [value] for leaf, value in (initial or {}).items()}
    for output, cotangent in zip(outputs, cotangents, strict=True):
        if cotangent is not None and output in active:
            _collect(parts, output, cotangent)
    origins = Origins(order)
    for node in reversed(order):
        if node in parts and node in active:
            parts[node] = total = _total(node, parts[node], inside)
            if node.op in CONTROL or node.op is checkpointed:
                _collect_structured(parts, node, total, active, origins)
                continue
            for index, argument in enumerate(node.args):
                if argument in active:
                    part = _argument_cotangent(total, node, index)
                    if part is not None:
                        _collect(parts, argument, origins.mark(part, node.where), node)
    return [_sum(parts[node], inside) if isinstance(parts.get(node), list) else parts.get(node) for node in wrt]


def _collect_structured(parts: dict[Node, Any], node: Node, total: Any, active: set[Node], origins: Origins) -> None:
    """What the arguments of a loop, branch or checkpointed call receive; a body is differentiated once for all of them."""
    try:
        rules = checkpoints if node.op is checkpointed else loops
        found = rules.pulled_back(node, total, active.__contains__, pullback)
    except TypeError as error:
        raise with_origin(error, node.where) from None
    for argument, part in zip(node.args, found, strict=True):
        if part is not None and argument in active:
            _collect(parts, argument, origins.mark(part, node.where), node)


def pushforward(outputs: Sequence[Node], inputs: Sequence[Node], tangents: Sequence[Node | None]) -> list[Node | None]:
    """Forward mode: for each output the tangent of its type that the inputs' tangents induce, or None for zero.

    Linear in the size of the graph. Raises TypeError for an op that has no derivative, naming the op and the user's line.
    """
    outputs, inputs = _split(outputs, inputs)
    known: dict[Node, Any] = {}
    for node, tangent in zip(inputs, tangents, strict=True):
        if tangent is not None and differentiable(node.type):
            known[node] = tangent
    order = toposort(outputs, stop=lambda node: node in known)
    origins = Origins(order)
    for node in order:
        if node not in known and differentiable(node.type) and any(a in known for a in node.args):
            tangent = _output_tangent(tuple([known.get(a) for a in node.args]), node)
            if tangent is not None:
                known[node] = tangent
                for part in tangent if isinstance(tangent, tuple) else (tangent,):
                    if part is not None:
                        origins.mark(part, node.where)
    return [known.get(node) for node in outputs]


def differentiable(type_: Any) -> bool:
    """Whether values of this type (or one of several outputs) have tangents: floating and complex ones do."""
    types = (type_,) if isinstance(type_, ArrayType) else type_
    return any(t.dtype.kind in "fc" for t in types)


def _depending(order: Iterable[Node], wrt: Iterable[Node]) -> set[Node]:
    """The nodes through which a derivative by `wrt` can flow."""
    active = {node for node in wrt if differentiable(node.type)}
    for node in order:
        if node not in active and differentiable(node.type) and any(a in active for a in node.args):
            active.add(node)
    return active


def _split(outputs: Sequence[Node], leaves: Sequence[Node]) -> tuple[list[Node], list[Node]]:
    """The same graph without calls."""
    roots = without_calls([*outputs, *leaves])
    return roots[: len(outputs)], roots[len(outputs) :]


# --- reverse mode ----------------------------------------------------------------------------------------------------


def _collect(parts: dict[Node, Any], node: Node, part: Node, user: Node | None = None) -> None:
    """Note one more cotangent of a node: a list, or for an op with several outputs one list per output."""
    if isinstance(node.type, ArrayType):
        parts.setdefault(node, []).append(ew.recast(part, node.dtype))
    else:
        assert user is not None
        lists = parts.setdefault(node, tuple([[] for _ in node.type]))
        lists[user.index].append(part)


def _total(node: Node, parts: Any, inside: bool) -> Any:
    """The sum of the collected cotangents; for an op with several outputs one sum or None per output."""
    if isinstance(parts, tuple):
        return tuple([_sum(p, inside) if p else None for p in parts])
    return _sum(parts, inside)


def _sum(parts: list[Node], inside: bool) -> Node:
    """Regions are added into what is there: 5000 slices of one array must not become 5000 arrays of its size, and a turn of a loop
    (`inside`) must not touch all of an array of which it reads an element."""
    padded = [part for part in parts if part.op is pad]
    if len(padded) <= _FUSED_PADS:
        padded = [part for part in padded if (not is_most(part.args[0].shape, part.shape) if inside else _is_small(part))]
    scattered = [part for part in parts if inside and _adds_elements(part)]
    regions = {*padded, *scattered}
    whole = joined_products([part for part in parts if part not in regions])
    total = whole[0] if whole else ew.filled(parts[0].shape, 0, parts[0].dtype)
    for part in whole[1:]:
        total = total + part
    for part in scattered:
        total = part.with_args((total, *part.args[1:]))
    for part in padded:
        region = part.args[0]
        attrs = (part.starts, part.steps, region.shape)
        total = update(total, slice_(total, *attrs) + region, path=(Step(slice_, attrs),))
    return total


def _is_small(padded: Node) -> bool:
    """Whether touching the region alone saves passes over a large array: a loop that reads and writes slices has a sum per turn."""
    sizes = (*padded.args[0].shape, *padded.shape)
    if not all(type(n) is int for n in sizes):
        return False
    whole = itemcount(padded.shape)
    return whole > _FUSED_SIZE and itemcount(padded.args[0].shape) * 8 <= whole


def _adds_elements(part: Node) -> bool:
    """Whether a cotangent is elements added to zeros: where a gather has read."""
    return part.op is scatter and part.combine is ew.add and ew.constant_value(part.args[0]) == 0


def _argument_cotangent(cotangent: Any, node: Node, index: int) -> Node | None:
    """What one argument receives. cotangent: a node, or a tuple for an op with several outputs."""
    op = node.op
    if op is item:
        return cotangent
    if op.partials is not None:
        partial = op.partials[index]
        return None if partial is None else _masked_product(cotangent, _conjugate(_local(partial, node)))
    rule = op.vjp or op.transpose
    if rule is None:
        raise _no_derivative(op, node)
    try:
        return rule(cotangent, node, index)
    except TypeError as error:
        raise with_origin(error, node.where) from None


def _local(partial: Any, node: Node) -> Any:
    """A local derivative at a node. Raises TypeError, with the user's line, where the function has none by this argument."""
    try:
        return partial(node, *node.args)
    except TypeError as error:
        raise with_origin(error, node.where) from None


def _masked_product(cotangent: Node, factor: Any) -> Node:
    """cotangent * factor, and exactly 0 where the cotangent is masked out, whatever the factor is there."""
    known = ew.masked(cotangent)
    if known is None:
        return _product(cotangent, factor)
    mask, value = known
    return ew.where(mask, _product(value, factor), 0)


def _product(value: Node, factor: Any) -> Node:
    """value * factor in the dtype of value where the factor is real or a number."""
    if isinstance(factor, Node):
        return value * factor
    if factor == 1:
        return value
    return -value if factor == -1 else value * factor


def _conjugate(factor: Any) -> Any:
    if isinstance(factor, Node):
        return ew.conjugate(factor) if factor.dtype.kind == "c" else factor
    return factor.conjugate()


def _no_derivative(op: Op, node: Node) -> BaseException:
    where = node.where
    return with_origin(TypeError(f"lazynp: {op.name} has no derivative; give it arguments that do not depend on the variables"), where)


# --- forward mode ----------------------------------------------------------------------------------------------------


def _output_tangent(tangents: tuple[Any, ...], node: Node) -> Any:
    """The tangent of a node from its arguments' (None for zero); a tuple for an op with several outputs."""
    op = node.op
    if op is item:
        return tangents[0][node.index]
    if op in CONTROL or op is checkpointed:
        try:
            return (checkpoints if op is checkpointed else loops).pushed_forward(node, tangents, pushforward)
        except TypeError as error:
            raise with_origin(error, node.where) from None
    if op.partials is not None:
        return _total_differential(tangents, node)
    if op.jvp is not None:
        try:
            return op.jvp(tangents, node)
        except TypeError as error:
            raise with_origin(error, node.where) from None
    if op.transpose is None:
        raise _no_derivative(op, node)
    filled = [ew.filled(a.shape, 0, a.dtype) if t is None else t for t, a in zip(tangents, node.args, strict=True)]
    return op.make(tuple(filled), **node.attributes)


def _total_differential(tangents: tuple[Node | None, ...], node: Node) -> Node | None:
    """The sum of partial * tangent over the arguments."""
    assert node.op.partials is not None
    total: Node | None = None
    for partial, tangent in zip(node.op.partials, tangents, strict=True):
        if partial is not None and tangent is not None:
            part = ew.recast(_product(tangent, _local(partial, node)), node.dtype)
            total = part if total is None else total + part
    return total
