"""`contract`: the sum of products over labelled axes, the one op behind dot, matmul, einsum, tensordot, inner and outer."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from lazynp.ir.node import Node
from lazynp.ir.op import Kind, Op, register
from lazynp.ir.types import ArrayType, itemcount
from lazynp.ops import elementwise as ew
from lazynp.ops.movement import broadcast, join, permute, reshape

Labels = tuple[int, ...]


def _sizes(x: ArrayType, y: ArrayType, xs: Labels, ys: Labels) -> dict[int, Any]:
    sizes: dict[int, Any] = {}
    for label, n in (*zip(xs, x.shape, strict=True), *zip(ys, y.shape, strict=True)):
        if sizes.setdefault(label, n) != n:
            raise ValueError(f"contract: label {label} has sizes {sizes[label]} and {n}")
    return sizes


def _infer(x: ArrayType, y: ArrayType, xs: Labels, ys: Labels, out: Labels) -> ArrayType:
    sizes = _sizes(x, y, xs, ys)
    return ArrayType(tuple([sizes[label] for label in out]), x.dtype)


def _numpy(x: Any, y: Any, xs: Labels, ys: Labels, out: Labels) -> Any:
    inner = [label for label in xs if label in ys and label not in out]
    if len(inner) == 1 and max(len(xs), len(ys)) <= 2 and len(out) == len(xs) + len(ys) - 2:
        product = (x if xs[-1] == inner[0] else x.T) @ (y if ys[0] == inner[0] else y.T)
        return product if out == tuple([label for label in (*xs, *ys) if label != inner[0]]) else product.T
    batch = out[:-2]
    if batch and inner and xs == (*batch, out[-2], inner[0]) and ys == (*batch, inner[0], out[-1]):
        return x @ y
    return np.einsum(x, xs, y, ys, out, optimize=x.dtype.kind in "fc")


def _door(op: Op, x: Any, y: Any, xs: Labels, ys: Labels, out: Labels) -> Node:
    dtype = ew.loop_dtypes(np.multiply, (ew.operand_type(x), ew.operand_type(y)))[0]
    return op.make((ew.as_node(x, dtype), ew.as_node(y, dtype)), xs=tuple(xs), ys=tuple(ys), out=tuple(out))


def _transpose(ct: Node, node: Node, index: int) -> Node:
    """d(sum x*y) wrt x is the contraction of the cotangent with y, back onto x's labels; summed-away labels of x alone repeat."""
    own, other = (node.xs, node.ys) if index == 0 else (node.ys, node.xs)
    partner = node.args[1 - index]
    lost = [label for label in own if label not in node.out and label not in other]
    kept = tuple([label for label in own if label not in lost])
    grad = contract(ct, ew.conjugate(partner) if partner.dtype.kind == "c" else partner, node.out, other, kept)
    if not lost:
        return grad
    shape = node.args[index].shape
    grad = reshape(grad, tuple([1 if label in lost else n for label, n in zip(own, shape, strict=True)]))
    return broadcast(grad, shape)


def _jvp(tangents: tuple[Any, ...], node: Node) -> Node:
    """Linear in each argument: the sum over the arguments that have a tangent."""
    total = None
    for index, tangent in enumerate(tangents):
        if tangent is not None:
            args = (tangent, node.args[1]) if index == 0 else (node.args[0], tangent)
            part = contract(*args, **node.attributes)
            total = part if total is None else total + part
    assert total is not None
    return total


contract = register(
    Op(
        name="contract",
        kind=Kind.CONTRACT,
        attrs=("xs", "ys", "out"),
        infer=_infer,
        numpy=_numpy,
        door=_door,
        transpose=_transpose,
        jvp=_jvp,
    )
)
"""contract(x, y, xs, ys, out): labels of x's axes, of y's, and of the result's (einsum with numbers). Labels are unique within
each operand (take diagonals first); labels not in `out` are summed. Both arguments have one dtype."""


def matmul(x: Node, y: Node) -> Node:
    """numpy.matmul of at least 1-d nodes of one dtype; batch axes are broadcast. Raises NumPy's ValueError."""
    if x.ndim == 0 or y.ndim == 0:
        which = 0 if x.ndim == 0 else 1
        raise ValueError(
            f"matmul: Input operand {which} does not have enough dimensions "
            "(has 0, gufunc core with signature (n?,k),(k,m?)->(n?,m?) requires 1)"
        )
    inner_y = 0 if y.ndim == 1 else y.ndim - 2
    if x.shape[-1] != y.shape[inner_y]:
        raise ValueError(
            f"matmul: Input operand 1 has a mismatch in its core dimension 0, with gufunc signature (n?,k),(k,m?)->(n?,m?)"
            f" (size {y.shape[inner_y]} is different from {x.shape[-1]})"
        )
    lead_x, lead_y = x.ndim - min(x.ndim, 2), y.ndim - min(y.ndim, 2)
    rank = max(lead_x, lead_y)
    (x, xs), (y, ys) = _batch(x, y, lead_x, lead_y, rank), _batch(y, x, lead_y, lead_x, rank)
    row, inner, column = rank, rank + 1, rank + 2
    xs += (row, inner) if x.ndim - len(xs) == 2 else (inner,)
    ys += (inner, column) if y.ndim - len(ys) == 2 else (inner,)
    batch = tuple(range(rank))
    out = batch + tuple([label for label in (row, column) if label in xs or label in ys])
    return contract(x, y, xs, ys, out)


def _batch(x: Node, other: Node, lead: int, other_lead: int, rank: int) -> tuple[Node, Labels]:
    """The operand without batch axes of size 1 that the other one stretches, and the labels of its batch axes."""
    labels, keep = [], []
    for axis in range(lead):
        label = rank - lead + axis
        partner = other_lead - rank + label
        n = other.shape[partner] if partner >= 0 else 1
        mine = x.shape[axis]
        stretch = type(mine) is int and mine == 1 and partner >= 0 and not (type(n) is int and n == 1)
        if not stretch:
            if partner >= 0 and mine != n and not (type(n) is int and n == 1):
                raise ValueError(
                    f"operands could not be broadcast together with remapped shapes [original->remapped]: {x.shape} and {other.shape}"
                )
            labels.append(label)
            keep.append(axis)
    if len(keep) < lead:
        x = reshape(x, tuple([x.shape[a] for a in keep]) + x.shape[lead:])
    return x, tuple(labels)


def reorder(x: Node, labels: Labels, wanted: Labels) -> Node:
    """x with its labelled axes in the wanted order."""
    return permute(x, tuple([labels.index(label) for label in wanted]))


_FEWEST = 4
"""Sums of fewer products are left as they are."""


def joined_products(terms: Sequence[Node]) -> list[Node]:
    """Terms of a sum with the same sum, in which many like products have become one of joined operands: a weight that a hundred steps
    share receives one matrix product, not a hundred that are added up."""
    groups: dict[Any, list[Node]] = {}
    for term in terms:
        groups.setdefault(_likeness(term), []).append(term)
    found: list[Node] = []
    for likeness, group in groups.items():
        found += [_joined(group)] if likeness is not None and len(group) >= _FEWEST else group
    return found


def _likeness(term: Node) -> Any:
    """What products must share to be joined along a label that they sum over; None for terms that are not to be joined."""
    if term.op is not contract or not _summed(term):
        return None
    shapes = (term.args[0].shape, term.args[1].shape, term.shape)
    if not all(type(n) is int for shape in shapes for n in shape):
        return None
    x, y, out = [itemcount(shape) for shape in shapes]
    return (term.attrs, *shapes) if x + y <= 4 * out else None  # else the operands are what costs


def _summed(node: Node) -> list[int]:
    return [label for label in node.xs if label in node.ys and label not in node.out]


def _joined(group: Sequence[Node]) -> Node:
    first = group[0]
    label = _summed(first)[0]
    x = join(*[term.args[0] for term in group], axis=first.xs.index(label))
    y = join(*[term.args[1] for term in group], axis=first.ys.index(label))
    return contract.make((x, y), **first.attributes)
