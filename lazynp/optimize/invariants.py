"""What no turn of a loop changes is computed once, before the loop: also routines, and whole loops and branches.

A loop without turns computes nothing, so what takes long or may fail is computed under the condition that there is a first turn. An error
must come where it comes in NumPy: what may raise one stays where something else of a turn may raise another, or print, before it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from weakref import WeakKeyDictionary

from lazynp.ir.body import bodies_of, canonical_bodies, own_dims, rename
from lazynp.ir.node import Graph, Node, const, new_input, substitute, toposort, transform
from lazynp.ir.op import Kind
from lazynp.ir.types import ArrayType
from lazynp.ops.elementwise import greater, less, logical_and, logical_or, subtract
from lazynp.ops.indexing import gather, iota, scatter, unset
from lazynp.ops.movement import broadcast
from lazynp.ops.printing import printed
from lazynp.ops.pruning import rebuilt
from lazynp.ops.sizes import is_size, never_negative, simplify_size, size_
from lazynp.ops.structured import CONTROL, cond, is_immediate, item, loop, while_

_WORTH = 2.0
"""What costs no more than so many additions per element is computed again at every turn rather than stored before the loop."""

_PURE = (Kind.ELEMENTWISE, Kind.MOVE, Kind.REDUCE, Kind.ACCUMULATE, Kind.CONTRACT, Kind.GATHER, Kind.UPDATE, Kind.LIBRARY)
_PLAIN = (item, iota, unset, size_)
_FREE = (Kind.MOVE, Kind.GATHER, Kind.UPDATE)
"""What costs no more than a copy."""


def hoist(graph: Graph) -> Graph:
    def visit(node: Node, args: tuple[Node, ...]) -> Node:
        fresh = node.with_args(args)
        return _hoisted(fresh) if fresh.op is loop or (fresh.op is while_ and fresh.limit != 0) else fresh

    return graph._replace(outputs=tuple(transform(graph.outputs, visit)))


def _hoisted(node: Node) -> Node:
    first = 1 if node.op is loop else 0
    limits = node.args[:3] if node.op is loop else ()
    inputs, outputs = node.body.inputs, node.body.outputs
    tests = node.condition.outputs if node.op is while_ else ()
    others = dict(zip(inputs[first + len(outputs) :], node.args[len(limits) + len(outputs) :], strict=True))
    moved = _invariant((*tests, *outputs), set(others), set(inputs))
    if not moved:
        return node
    leaves = {value: new_input(value.type) for value in moved}
    fresh = (*inputs, *leaves.values())
    values = _computed_before(node, moved, others, set(toposort(tests)))
    body = Graph(fresh, tuple(substitute(outputs, leaves)))
    graphs = [Graph(fresh, tuple(substitute(tests, leaves))), body] if tests else [body]
    return rebuilt(node, limits, [*node.args[len(limits) :], *values], graphs)


# --- what does not change --------------------------------------------------------------------------------------------


def _invariant(roots: tuple[Node, ...], others: set[Node], inputs: set[Node]) -> list[Node]:
    """The largest values that depend on `others` alone and are worth computing once."""
    order = toposort(roots)
    fixed = _fixed(order, others, inputs, True)
    if _would_come_early(order, fixed):
        fixed = _fixed(order, others, inputs, False)
    wanted: dict[Node, None] = {}
    for node in order:
        if node not in fixed:
            for a in node.args:
                _add_source(a, fixed, others, wanted)
    for root in roots:
        _add_source(root, fixed, others, wanted)
    return list(wanted)


def _fixed(order: list[Node], others: set[Node], inputs: set[Node], failing: bool) -> dict[Node, float]:
    """What does not change, and what it costs in additions per element. failing: also what may raise an error."""
    fixed: dict[Node, float] = dict.fromkeys(others, 0.0)
    for node in order:
        known = node in fixed or node.op is const
        if known or not (node.op.kind in _PURE or node.op in CONTROL or node.op in _PLAIN) or prints(node):
            continue
        if all(a in fixed or a.op is const for a in node.args) and inputs.isdisjoint(own_dims(node)) and (failing or not may_raise(node)):
            fixed[node] = _effort(node) + sum([fixed.get(a, 0.0) for a in node.args])
    return fixed


def _add_source(node: Node, fixed: dict[Node, float], others: set[Node], wanted: dict[Node, None]) -> None:
    """The value below views: what is broadcast is stored before it is broadcast."""
    while node.op is broadcast or node.op.kind is Kind.MOVE:
        if node not in fixed:
            return
        node = node.args[0]
    if node not in fixed or node in others or not node.args or not isinstance(node.type, ArrayType) or is_immediate(node):
        return
    if fixed[node] > _WORTH or (not node.shape and not may_raise(node)):
        wanted[node] = None


def _effort(node: Node) -> float:
    if node.op.kind is Kind.ELEMENTWISE:
        return node.op.cost
    return 0.0 if not node.args or node.op is item or node.op.kind in _FREE else 2 * _WORTH


# --- what may happen in a turn ---------------------------------------------------------------------------------------


def may_raise(node: Node) -> bool:
    """Whether values decide if an operation, or one in its bodies, raises an error, or never ends."""
    if node.op is gather or node.op is scatter:
        return any(index.op is not const for index in node.args[1 if node.op is gather else 2 :])
    return node.op.raises or (node.op is while_ and node.limit is None) or _within(node, may_raise)


def prints(node: Node) -> bool:
    return node.op is printed or _within(node, prints)


def _within(node: Node, wanted: Callable[[Node], bool]) -> bool:
    """Whether that is true of a node in the bodies of a loop or branch; it is looked for once."""
    if node.op not in CONTROL:
        return False
    known = _known.setdefault(node, {})
    if wanted not in known:
        known[wanted] = any(wanted(inner) for body in bodies_of(node) for inner in toposort(body.outputs))
    return known[wanted]


_known: WeakKeyDictionary[Node, dict[Callable[[Node], bool], bool]] = WeakKeyDictionary()


def _would_come_early(order: list[Node], fixed: dict[Node, float]) -> bool:
    """Whether an error of what does not change would come before something that a turn may do before it: raise another one, or print."""
    failing = [node for node in order if node in fixed and may_raise(node)]
    acting = [node for node in order if node not in fixed and (may_raise(node) or prints(node))] if failing else []
    return bool(acting) and not all(_above(order, {source}.__contains__).issuperset(acting) for source in failing)


# --- before the loop -------------------------------------------------------------------------------------------------


def _computed_before(node: Node, moved: list[Node], others: dict[Node, Node], asked: set[Node]) -> list[Node]:
    """The values for the loop: those that are more than arithmetic, and not asked for by its condition, only if there is a first turn."""
    values = rename(moved, others, simplify_size)
    heavy = _above(toposort(moved), _is_heavy)
    guarded = [k for k, value in enumerate(moved) if value in heavy and value not in asked]
    begins = _begins(node) if guarded else None
    if begins is not None:
        for k, value in zip(guarded, _if(begins, [values[k] for k in guarded], others.values()), strict=True):
            value.where = value.where or node.where
            values[k] = value
    return values


def _above(order: list[Node], wanted: Callable[[Node], bool]) -> set[Node]:
    """The wanted nodes and what depends on them."""
    found: set[Node] = set()
    for node in order:
        if wanted(node) or not found.isdisjoint(node.args):
            found.add(node)
    return found


def _is_heavy(node: Node) -> bool:
    return node.op.kind is Kind.LIBRARY or node.op in CONTROL or may_raise(node)


def _begins(node: Node) -> Node | None:
    """Whether there is a first turn; None where that is certain."""
    if node.op is while_:
        given = dict(zip(node.condition.inputs, node.args, strict=True))
        return rename(node.condition.outputs, given, simplify_size)[0]
    start, stop, step = node.args[:3]
    by = simplify_size(step) if is_size(step) else None
    if type(by) is not int:
        return logical_or(logical_and(greater(step, 0), less(start, stop)), logical_and(less(step, 0), greater(start, stop)))  # type: ignore[no-any-return]
    low, high = (start, stop) if by > 0 else (stop, start)
    if is_size(low) and is_size(high) and never_negative(simplify_size(subtract(subtract(high, low), 1))):
        return None
    return less(low, high)  # type: ignore[no-any-return]


def _if(begins: Node, values: list[Node], given: Iterable[Node]) -> list[Node]:
    """The values, computed from what is given, where there is a first turn, else anything."""
    leaves = {node: new_input(node.type) for node in given}
    inside = substitute(values, leaves)
    needed = set(toposort(inside))
    leaves = {node: leaf for node, leaf in leaves.items() if leaf in needed}
    sides = [Graph(tuple(leaves.values()), tuple(outputs)) for outputs in (inside, [unset(v.shape, v.dtype) for v in values])]
    yes, no = canonical_bodies(sides, simplify_size)
    chosen = cond.make((begins, *leaves), yes=yes, no=no)
    return [item(chosen, index=k) for k in range(len(values))]
