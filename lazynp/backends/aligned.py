"""Loops that begin where most of their loads begin a line of the cache.

Large arrays of NumPy begin 16 bytes after a line, so each vector of 64 bytes lies on two lines, which takes two loads. Stencils whose
rows are whole lines long load many vectors of one array that all lie alike: after a few single elements all of them are whole. A limited
diffusion of fourth order over 125 x 125 x 64: 2.0 -> 1.5 ms.
"""

from __future__ import annotations

from lazynp.backends.lower import Axis, Memory, load
from lazynp.backends.nests import Nest, scalars
from lazynp.backends.polynomial import Atom, Poly
from lazynp.ir.node import Node
from lazynp.ir.op import Kind

_LINE = 64
_LEAST_LOADS, _LEAST_SIZE = 6, 256
"""Loads that lie alike, and elements of the loop, from which a head of single elements pays."""
_EXACT = 5.0
"""The cost of operations that have the same bits in single elements and in vectors: arithmetic and roots."""


def common_load(nest: Nest, inner: Axis) -> Node | None:
    """One of the loads that lie alike, if they are most of what the nest's innermost loop reads and writes."""
    nodes = scalars(nest.computed())
    if any(n.op.kind is Kind.ELEMENTWISE and n.op.cost > _EXACT for n in nodes) or (inner.size.constant or _LEAST_SIZE) < _LEAST_SIZE:
        return None
    alike: dict[tuple[Memory, int], list[Node]] = {}
    loads = [n for n in nodes if n.op is load and inner.variable in n.address.variables]
    for node in loads:
        place = _place(node, inner.variable)
        if place is not None and not node.guards:
            alike.setdefault((node.buffer.memory, place), []).append(node)
    most = max(alike.values(), key=len, default=[])
    return most[0] if len(most) >= max(_LEAST_LOADS, (len(loads) + len(nest.stores) + 1) // 2) else None


def _place(node: Node, along: Atom) -> int | None:
    """Where in a line the loads of a loop begin, in elements, if its array began a line; None where that differs from row to row."""
    step, rest = node.address.coefficient(along), node.address - Poly({(along,): 1})
    lanes = _LINE // node.dtype.itemsize
    if step is None or step.constant != 1 or any(n % lanes for monomial, n in rest.terms.items() if monomial):
        return None
    return rest.terms.get((), 0) % lanes


def head(begin: str, end: str, place: str, itemsize: int) -> list[str]:
    """C: whole_begin, the first element from `begin` on that begins a line, or end. place: the address of the element at `begin`."""
    return [
        f"const int64_t room = {end} - ({begin}), loose = (-(uint64_t){place} & {_LINE - 1}) / {itemsize};",
        f"const int64_t whole_begin = {begin} + (loose < room ? loose : room > 0 ? room : 0);",
    ]
