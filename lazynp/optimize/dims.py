"""Sizes known only at run time, as polynomials: `n - 1 + 1` becomes `n`, so that equal sizes are one node."""

from typing import Any

from lazynp.ir.node import Graph, Node, const, constant, dim, input_, make_node, toposort
from lazynp.ir.rewrite import Listener
from lazynp.ir.show import size_text
from lazynp.ir.types import Dim
from lazynp.ops.elementwise import add, floor_divide, multiply, negative, subtract

Monomial = tuple[Node, ...]
Polynomial = dict[Monomial, int]
"""Products of indivisible nodes (sorted by their text) -> coefficient; () is the constant term. Zero coefficients are left out."""

_MOST_TERMS = 32


def simplify_size(size: Dim) -> Dim:
    """The normal form of a size: an int where it is constant."""
    if type(size) is int:
        return size
    known: dict[Node, Polynomial] = {}
    for node in toposort([size]):  # type: ignore[list-item]
        known[node] = _polynomial(node, known)
    return _size(known[size])  # type: ignore[index]


def _polynomial(node: Node, known: dict[Node, Polynomial]) -> Polynomial:
    """The polynomial of a node whose arguments' polynomials are known."""
    if node.op is const:
        return _clean({(): int(node.value.array)})
    if node.op is dim:
        return {(node,): 1}
    parts = [known[a] for a in node.args]
    if node.op is add:
        return _sum(parts[0], parts[1], 1)
    if node.op is subtract:
        return _sum(parts[0], parts[1], -1)
    if node.op is negative:
        return _sum({}, parts[0], -1)
    if node.op is multiply and len(parts[0]) * len(parts[1]) <= _MOST_TERMS:
        return _product(parts[0], parts[1])
    if node.op is floor_divide:
        exact = _quotient(parts[0], parts[1])
        if exact is not None:
            return exact
    return _opaque(node, parts)


def _opaque(node: Node, parts: list[Polynomial]) -> Polynomial:
    """A node that is no polynomial stands for itself, over simplified arguments."""
    sizes = [_size(p) for p in parts]
    if sizes and all(type(n) is int for n in sizes):
        return _clean({(): int(node.op.numpy(*[constant(n, node.dtype).value.array for n in sizes], **node.attributes))})
    args = [constant(n, a.dtype) if type(n) is int else n for n, a in zip(sizes, node.args, strict=True)]
    return {(make_node(node.op, tuple(args), node.attrs),): 1}  # type: ignore[arg-type]


def _clean(terms: Polynomial) -> Polynomial:
    return {monomial: n for monomial, n in terms.items() if n}


def _sum(first: Polynomial, second: Polynomial, sign: int) -> Polynomial:
    total = dict(first)
    for monomial, n in second.items():
        total[monomial] = total.get(monomial, 0) + sign * n
    return _clean(total)


def _product(first: Polynomial, second: Polynomial) -> Polynomial:
    total: Polynomial = {}
    for one, n in first.items():
        for other, m in second.items():
            monomial = tuple(sorted((*one, *other), key=size_text))
            total[monomial] = total.get(monomial, 0) + n * m
    return _clean(total)


def _quotient(first: Polynomial, second: Polynomial) -> Polynomial | None:
    """The quotient by a constant that divides every coefficient."""
    divisor = second.get((), 0)
    if set(second) != {()} or any(n % divisor for n in first.values()):
        return None
    return {monomial: n // divisor for monomial, n in first.items()}


def _size(terms: Polynomial) -> Dim:
    """The node of a polynomial: higher degrees first, the constant last."""
    if not terms:
        return 0
    first, *rest = sorted(terms, key=lambda m: (-len(m), [size_text(a) for a in m]))
    total = _term(first, terms[first])
    for monomial in rest:
        term = _term(monomial, abs(terms[monomial]))
        total = total - term if terms[monomial] < 0 else total + term
    return total


def _term(monomial: Monomial, factor: int) -> Any:
    """factor * product: an int where the product is empty."""
    if not monomial:
        return factor
    product = monomial[0]
    for node in monomial[1:]:
        product = product * node
    return product if factor == 1 else product * factor


def simplify_sizes(graph: Graph, level: str, listener: Listener | None) -> Graph:
    """The graph with every size and offset in normal form, leaves untouched."""
    order = toposort(graph.outputs)
    if not any(_has_sizes(node.attrs) for node in order):
        return graph
    known: dict[Node, Dim] = {}
    done: dict[Node, Node] = {}
    for node in order:
        done[node] = _rebuilt(node, tuple([done[a] for a in node.args]), known)
    return graph._replace(outputs=tuple([done[o] for o in graph.outputs]))


def _has_sizes(value: Any) -> bool:
    return isinstance(value, Node) or (isinstance(value, tuple) and any(_has_sizes(v) for v in value))


def _rebuilt(node: Node, args: tuple[Node, ...], known: dict[Node, Dim]) -> Node:
    if node.op is input_ or node.op is dim:
        return node
    fresh = make_node(node.op, args, tuple([_simplified(v, known) for v in node.attrs]))
    if fresh.where is None:
        fresh.where = node.where
    return fresh


def _simplified(value: Any, known: dict[Node, Dim]) -> Any:
    if isinstance(value, Node):
        if value not in known:
            known[value] = simplify_size(value)
        return known[value]
    if not isinstance(value, tuple) or not _has_sizes(value):
        return value
    parts = [_simplified(v, known) for v in value]
    return type(value)._make(parts) if hasattr(value, "_make") else tuple(parts)  # type: ignore[attr-defined]
