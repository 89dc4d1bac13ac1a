"""Contractions: canonical labels for BLAS, products that sum nothing back to elementwise code, hand-written matrix products found."""

from typing import Any

from lazynp.ir.node import Node
from lazynp.ir.rewrite import Rules, is_constant, scalar_value
from lazynp.ir.types import Shape, itemcount
from lazynp.ops.contraction import Labels, contract, reorder
from lazynp.ops.elementwise import multiply, negative
from lazynp.ops.movement import broadcast, broadcast_axes, permute, reshape
from lazynp.ops.reduction import reduce_add

contraction = Rules("contraction", level="exact")

_FEWEST = 4
"""Sums of fewer products stay elementwise: three coordinates."""


def _with_operand(node: Node, index: int, operand: Node, labels: Labels) -> Node:
    """The contraction with one operand and its labels replaced."""
    x, y, xs, ys = *node.args, node.xs, node.ys
    return contract(operand, y, labels, ys, node.out) if index == 0 else contract(x, operand, xs, labels, node.out)


def _sides(node: Node) -> tuple[tuple[int, Node, Labels, Labels], ...]:
    """(index, operand, its labels, the other's labels) for both operands."""
    return (0, node.args[0], node.xs, node.ys), (1, node.args[1], node.ys, node.xs)


@contraction.on(contract)
def permuted_operand(node: Node) -> Node | None:
    """A transposed operand is the operand with its labels in another order: BLAS reads either."""
    for index, operand, labels, _ in _sides(node):
        if operand.op is permute:
            back = [labels[operand.axes.index(axis)] for axis in range(operand.ndim)]
            return _with_operand(node, index, operand.args[0], tuple(back))
    return None


@contraction.on(contract)
def repeated_operand(node: Node) -> Node | None:
    """An operand need not be repeated along a label that the other one has, nor along one that only the result has: that is repeated."""
    for index, operand, labels, others in _sides(node):
        if operand.op is not broadcast:
            continue
        repeated = broadcast_axes(operand.args[0].shape, operand.shape)
        droppable = [a for a in repeated if labels[a] in others or labels[a] in node.out]
        if droppable:
            return _without_repeats(node, index, labels, others, droppable)
    return None


def _without_repeats(node: Node, index: int, labels: Labels, others: Labels, axes: list[int]) -> Node:
    operand = node.args[index]
    rest = [a for a in range(operand.ndim) if a not in axes]
    fewer = broadcast(_dropped(operand.args[0], operand.ndim, axes), tuple([operand.shape[a] for a in rest]))
    lost = [labels[a] for a in axes if labels[a] not in others]
    smaller = contract.make(node.args, xs=node.xs, ys=node.ys, out=tuple([label for label in node.out if label not in lost]))
    product = _with_operand(smaller, index, fewer, tuple([labels[a] for a in rest]))
    shape = tuple([1 if label in lost else n for label, n in zip(node.out, node.shape, strict=True)])
    return broadcast(reshape(product, shape), node.shape)


def _dropped(inner: Node, rank: int, axes: list[int]) -> Node:
    """The source of a broadcast to `rank` axes, without those of the result's axes."""
    new = rank - inner.ndim
    return reshape(inner, tuple([n for axis, n in enumerate(inner.shape, new) if axis not in axes]))


@contraction.on(contract)
def single_labels(node: Node) -> Node | None:
    """Axes of size 1 are no axes of a matrix product: they are put back around it."""
    ones = {label for _, x, labels, _ in _sides(node) for label, n in zip(labels, x.shape, strict=True) if type(n) is int and n == 1}
    if not ones:
        return None
    parts: list[Any] = []
    for _, x, labels, _ in _sides(node):
        kept = [(label, n) for label, n in zip(labels, x.shape, strict=True) if label not in ones]
        parts.append((reshape(x, tuple([n for _, n in kept])), tuple([label for label, _ in kept])))
    (x, xs), (y, ys) = parts
    return reshape(contract(x, y, xs, ys, tuple([label for label in node.out if label not in ones])), node.shape)


@contraction.on(contract)
def lonely_labels(node: Node) -> Node | None:
    """A label of one operand only that is summed is summed first: the product then has fewer terms."""
    for index, operand, labels, others in _sides(node):
        lonely = tuple([a for a, label in enumerate(labels) if label not in others and label not in node.out])
        if lonely and operand.dtype.kind in "iufc":
            rest = tuple([label for a, label in enumerate(labels) if a not in lonely])
            return _with_operand(node, index, reduce_add(operand, lonely), rest)
    return None


@contraction.on(contract)
def nothing_summed(node: Node) -> Node | None:
    """Outer and elementwise products sum nothing: as elementwise code they fuse with what is around them."""
    if any(label not in node.out for label in (*node.xs, *node.ys)):
        return None
    first, second = [_aligned(x, labels, node.out, node.shape) for _, x, labels, _ in _sides(node)]
    return multiply(first, second)


def _aligned(x: Node, labels: Labels, out: Labels, shape: Shape) -> Node:
    x = reorder(x, labels, tuple([label for label in out if label in labels]))
    x = reshape(x, tuple([n if label in labels else 1 for label, n in zip(out, shape, strict=True)]))
    return broadcast(x, shape)


@contraction.on(contract)
def negated_operand(node: Node) -> Node | None:
    """The sign of a product is exact: it is applied to the result, not to every element of an operand."""
    for index, operand, labels, _ in _sides(node):
        if operand.op is negative and operand.dtype.kind in "fci":
            return negative(_with_operand(node, index, operand.args[0], labels))
    return None


# --- matrix products written with broadcasting -----------------------------------------------------------------------


@contraction.on(reduce_add, level="stable")
def matrix_product_of(node: Node) -> Node | None:
    """(a[:, :, None] * b[None]).sum(1) is a @ b: BLAS sums in blocks and needs no array of all products."""
    product = node.args[0]
    if product.op is not multiply or product.dtype.kind not in "fc" or product.dtype.itemsize < 4:
        return None
    (x, xs), (y, ys) = _unrepeated(product.args[0]), _unrepeated(product.args[1])
    summed = set(node.axes)
    only_x = set(xs) - set(ys) - summed
    only_y = set(ys) - set(xs) - summed
    if not only_x or not only_y or not summed <= set(xs) & set(ys) or _few(product, node.axes):
        return None
    return contract(x, y, xs, ys, tuple([a for a in range(product.ndim) if a not in summed]))


def _few(product: Node, axes: tuple[int, ...]) -> bool:
    """Whether so few products are summed that code fused with what is around beats a call of BLAS: coordinates of points."""
    sizes = [product.shape[a] for a in axes]
    return all(type(n) is int for n in sizes) and itemcount(tuple(sizes)) < _FEWEST


def _unrepeated(x: Node) -> tuple[Node, Labels]:
    """What a broadcast repeats, without axes to repeat along, and the axes of the result it has."""
    if x.op is not broadcast:
        return x, tuple(range(x.ndim))
    repeated = broadcast_axes(x.args[0].shape, x.shape)
    return _dropped(x.args[0], x.ndim, list(repeated)), tuple([a for a in range(x.ndim) if a not in repeated])


# --- other orders of evaluation --------------------------------------------------------------------------------------


@contraction.on(contract, level="fast")
def scalar_factor(node: Node) -> Node | None:
    """A constant factor is applied to the result: fewer multiplications, or the alpha of gemm. Rounds, overflows elsewhere."""
    for index, operand, labels, _ in _sides(node):
        if operand.op is multiply and operand.dtype.kind in "fc":
            for factor, rest in (operand.args, operand.args[::-1]):
                if is_constant(factor):
                    return _with_operand(node, index, rest, labels) * scalar_value(factor)
    return None


@contraction.on(contract, level="fast")
def better_order(node: Node) -> Node | None:
    """(A @ B) @ v is A @ (B @ v) when that needs fewer multiplications."""
    for index, operand, labels, _ in _sides(node):
        if operand.op is contract and node.type.static and operand.type.static:
            other, other_labels = node.args[1 - index], (node.xs, node.ys)[1 - index]
            found = _regrouped(operand, labels, other, other_labels, node.out)
            if found is not None:
                return found
    return None


def _regrouped(inner: Node, labels: Labels, c: Node, cs: Labels, out: Labels) -> Node | None:
    """(a b) c -> a (b c) or b (a c), whichever is cheapest; None when the given order is."""
    fresh = max((*labels, *cs, *out, -1)) + 1
    names = dict(zip(inner.out, labels, strict=True))
    for label in (*inner.xs, *inner.ys):
        if label not in names:
            names[label] = fresh
            fresh += 1
    (a, b), (la, lb) = inner.args, [tuple([names[label] for label in part]) for part in (inner.xs, inner.ys)]
    sizes = {label: n for x, part in ((a, la), (b, lb), (c, cs)) for label, n in zip(part, x.shape, strict=True)}
    given = _work(sizes, la, lb) + _work(sizes, labels, cs)
    choices = []
    for x, xs, y, ys in ((a, la, b, lb), (b, lb, a, la)):
        middle = tuple(dict.fromkeys([label for label in (*ys, *cs) if label in xs or label in out]))
        choices.append((_work(sizes, ys, cs) + _work(sizes, xs, middle), x, xs, y, ys, middle))
    work, x, xs, y, ys, middle = min(choices, key=lambda choice: choice[0])
    return contract(x, contract(y, c, ys, cs, middle), xs, middle, out) if work < given else None


def _work(sizes: dict[int, Any], xs: Labels, ys: Labels) -> int:
    return itemcount(tuple([sizes[label] for label in {*xs, *ys}]))
