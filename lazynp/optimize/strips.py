"""Loops in strips: what a turn computes without the turns before it is computed for many turns at once.

A loop that carries something from turn to turn is no vector loop, and the exp, the root or the product with a row of data that each of its
turns begins with is done one by one. Here the loop becomes a loop over strips of 64 turns: first these values for all of them, in arrays
that stay in the first-level cache, as kernels that the compiler makes vectors of; then the turns, which read them. The turns that are left
over run as before. (Loop distribution and strip mining: Allen and Kennedy, Optimizing Compilers for Modern Architectures, chapters 5, 9.)
"""

from __future__ import annotations

import functools

from lazynp.ir.body import canonical_bodies, own_dims, rename
from lazynp.ir.node import Graph, Node, const, constant, dim, new_dim, new_input, substitute, toposort, transform
from lazynp.ir.op import Kind
from lazynp.ir.rewrite import Listener
from lazynp.ir.types import ArrayType, Dim, itemcount
from lazynp.ops.elementwise import add, cast, doubtful, floor_divide, logical_or, multiply, subtract
from lazynp.ops.indexing import iota, update
from lazynp.ops.movement import broadcast, permute, reshape, slice_
from lazynp.ops.reduction import reduce_logical_or
from lazynp.ops.sizes import greatest, is_size, polynomial, simplify_size, size_node
from lazynp.ops.structured import is_immediate, item, loop, while_
from lazynp.transform.batch import batch

TURNS = 64
"""Of a strip: eight vectors of eight numbers; what is left over is short."""
_LEAST = 4 * TURNS
"""Turns of a loop of known length that is worth it."""
_MOST = 256
"""Elements of a row, and of what is computed of it, for one turn: those of a strip stay in a cache. Longer rows are vectors anyway."""
_WORTH = 4.0
"""What a value must take beyond simple arithmetic, in additions for each element, to be stored and read: a square root, a function."""


def strips(graph: Graph, level: str = "", listener: Listener | None = None) -> Graph:
    """The graph with its own loops in strips where that pays; those in bodies have had their turn."""
    if not any(node.op is loop for node in toposort(graph.outputs)):
        return graph
    made: dict[Node, dict[int, Node]] = {}

    def visit(node: Node, args: tuple[Node, ...]) -> Node:
        if node.op is item and args[0] in made:
            return made[args[0]][node.index]
        fresh = node.with_args(args)
        if fresh.op is loop and fresh not in made and (results := _in_strips(fresh)) is not None:
            made[fresh] = results
        return fresh

    return graph._replace(outputs=tuple(transform(graph.outputs, visit)))


def _in_strips(node: Node) -> dict[int, Node] | None:
    """What stands for each result of a loop, or None where it stays as it is."""
    start, stop, step = node.args[:3]
    by = polynomial(step).get((), 0) if is_size(step) else 0
    if not by or polynomial(step) != {(): by} or not (is_immediate(start) and is_immediate(stop)):
        return None
    distance = simplify_size(subtract(stop, start) if by > 0 else subtract(start, stop))
    turns = simplify_size(floor_divide(size_node(_sum(distance, abs(by) - 1)), constant(abs(by))))
    if type(turns) is int and turns < _LEAST:
        return None
    if not is_serial(node.body):
        return None
    body = _Body(node)
    wanted = body.wanted()
    if not wanted:
        return None
    whole = turns // TURNS if type(turns) is int else simplify_size(floor_divide(size_node(greatest(0, turns)), constant(TURNS)))
    first = _strip_loop(node, body, wanted, whole, by)
    results = [item(first, index=k) for k in range(len(first.type))]
    if type(turns) is not int or turns % TURNS:
        begin = size_node(_sum(start, _times(whole, by * TURNS)))
        rest = loop(begin, stop, step, *results, *node.args[3 + len(results) :], body=node.body, again=node.again)
        rest.where = rest.where or node.where
        results = [item(rest, index=k) for k in range(len(results))]
    return dict(enumerate(results))


def is_serial(body: Graph) -> bool:
    """Whether a turn reads what the last one has left, other than to count or to raise a flag: turns that do not are vectors, or
    run on threads, as they are. A turn with loops in it takes its time there."""
    order = toposort(body.outputs)
    if body.inputs[0].op is not dim or any(node.op is loop or node.op is while_ for node in order):
        return False
    leaves = set(body.inputs[1 : 1 + len(body.outputs)])
    return any(a in leaves and not _is_left(node, a) for node in order for a in node.args)


def _is_left(node: Node, leaf: Node) -> bool:
    """Whether an operation only adds to a carried value."""
    if node.op is update:
        return node.args[0] is leaf
    return (node.op is add and leaf.dtype.kind in "iub") or (node.op is logical_or and leaf.dtype.kind == "b")


def _sum(a: Dim, b: Dim) -> Dim:
    return simplify_size(add(size_node(a), size_node(b)))


def _times(a: Dim, factor: int) -> Dim:
    return simplify_size(multiply(size_node(a), constant(factor)))


class _Body:
    """What a turn computes of data that no turn changes."""

    def __init__(self, node: Node) -> None:
        graph = node.body
        self.index = graph.inputs[0]
        self.carried = graph.inputs[1 : 1 + len(graph.outputs)]
        self.others = graph.inputs[1 + len(graph.outputs) :]
        self.outputs = graph.outputs
        self.order = toposort(graph.outputs)
        self.changing = {self.index, *[leaf for leaf in self.carried if leaf.op is dim]}
        """Integers that stand in attributes."""
        self.rows: dict[Node, tuple[int, int]] = {}
        """Slices of one row of an array that no turn changes: the axis, and how far the row moves when the loop variable grows by one."""
        self.efforts: dict[Node, float] = {self.index: 0.0}
        """Of what is computed of such rows, and of the loop variable, in additions."""
        self._follow()
        self.doubts = self._doubts()

    def _follow(self) -> None:
        """Find rows, and what is computed of them alone."""
        fixed = set(self.others)
        for node in self.order:
            if node.op is const:
                fixed.add(node)
            if node in fixed or node is self.index:
                continue
            possible = node.args and isinstance(node.type, ArrayType) and node.type.static and _is_harmless(node)
            if not possible or not all(a in fixed or a in self.efforts for a in node.args):
                continue
            if self.changing.isdisjoint(own_dims(node)):
                if all(a in fixed for a in node.args):
                    fixed.add(node)
                elif itemcount(node.shape) <= _MOST:  # type: ignore[operator]
                    self.efforts[node] = _effort(node) + sum([self.efforts.get(a, 0.0) for a in node.args])
            elif node.args[0] in fixed and (row := self._row(node)) is not None:
                self.rows[node] = row
                self.efforts[node] = 0.0

    def _row(self, node: Node) -> tuple[int, int] | None:
        if node.op is not slice_:
            return None
        moving = [
            axis for axis, place in enumerate(node.starts) if isinstance(place, Node) and not self.changing.isdisjoint(toposort([place]))
        ]
        if len(moving) != 1 or node.sizes[moving[0]] != 1 or itemcount(node.shape) > _MOST:  # type: ignore[operator]
            return None
        terms = polynomial(node.starts[moving[0]])
        by = terms.pop((self.index,), 0)
        return (moving[0], by) if by and all(self.changing.isdisjoint(toposort(monomial)) for monomial in terms) else None

    def _doubts(self) -> dict[int, list[Node]]:
        """For results that are flags, by position: doubts that depend on such rows alone. A strip tests them once, all turns together."""
        found: dict[int, list[Node]] = {}
        for k, output in enumerate(self.outputs):
            terms = _terms(output)
            if self.carried[k] in terms:
                doubts = [term for term in terms if term.op is doubtful and term.args[0] in self.efforts]
                found |= {k: doubts} if doubts else {}
        return found

    def certain(self) -> tuple[Node, ...]:
        """The results without these doubts."""
        outputs = list(self.outputs)
        for k, doubts in self.doubts.items():
            outputs[k] = functools.reduce(logical_or, [term for term in _terms(outputs[k]) if term not in doubts])
        return tuple(outputs)

    def wanted(self) -> list[Node]:
        """The values that a strip computes in advance; none if that does not pay."""
        found: dict[Node, None] = {}
        outputs = self.certain()
        for node in toposort(outputs):
            if node not in self.efforts:
                for a in node.args:
                    self._want(a, found)
        for output in outputs:
            self._want(output, found)
        return list(found)

    def _want(self, node: Node, found: dict[Node, None]) -> None:
        """The value below views and below what is as quick to compute again, where it is not quick itself."""
        waiting = [node]
        while waiting:
            node = waiting.pop()
            if node not in self.efforts:
                continue
            if node.op.kind is Kind.MOVE or (node.dtype.kind == "b" and _effort(node) == 0.0):
                waiting += node.args
            elif self.efforts[node] >= _WORTH * itemcount(node.shape):  # type: ignore[arg-type]
                found[node] = None


def _terms(flag: Node) -> list[Node]:
    """What a flag is or-ed of."""
    found, waiting = [], [flag]
    while waiting:
        node = waiting.pop()
        if node.op is logical_or:
            waiting += reversed(node.args)
        else:
            found.append(node)
    return found


def _is_harmless(node: Node) -> bool:
    """Whether an op raises nothing and leaves nothing: the turns before may end the loop."""
    return node.op.kind in (Kind.ELEMENTWISE, Kind.MOVE, Kind.REDUCE, Kind.CONTRACT) and node.op is not doubtful


def _effort(node: Node) -> float:
    """Beyond simple arithmetic, in additions, for all elements. With an integer made of a float comes a test."""
    if node.op is cast and node.dtype.kind in "iu" and node.args[0].dtype.kind == "f":
        return _WORTH * itemcount(node.shape)  # type: ignore[arg-type]
    if node.op.kind is Kind.ELEMENTWISE:
        return (node.op.cost - 1.0) * itemcount(node.shape)  # type: ignore[arg-type]
    return 0.0 if node.op.kind is Kind.MOVE else itemcount(node.args[0].shape)  # type: ignore[arg-type]


def _strip_loop(node: Node, body: _Body, wanted: list[Node], whole: Dim, by: int) -> Node:
    """The loop over `whole` strips."""
    strip, turn = new_dim(), new_dim()
    begin = size_node(_sum(node.args[0], _times(strip, by * TURNS)))
    places = {row: _strip(row, axis, begin, body.index, by * step) for row, (axis, step) in body.rows.items()}
    places[body.index] = add(broadcast(begin, (TURNS,)), broadcast(constant(by), (TURNS,)) * iota(TURNS))
    leaves = (*body.carried, *body.others)
    outer = {leaf: _fresh(leaf) for leaf in leaves}
    tests = [doubt.args[0] for doubts in body.doubts.values() for doubt in doubts]
    ahead = rename(batch([*wanted, *tests], places, TURNS), outer, simplify_size)  # type: ignore[arg-type]
    wrong = iter([doubtful(reduce_logical_or(test, tuple(range(test.ndim)))) for test in ahead[len(wanted) :]])
    start = {
        body.carried[k]: functools.reduce(logical_or, [next(wrong) for _ in doubts], outer[body.carried[k]])
        for k, doubts in body.doubts.items()
    }
    del ahead[len(wanted) :]
    inner = {leaf: _fresh(leaf) for leaf in leaves}
    stored = [new_input(value.type) for value in ahead]
    values = {value: _one_turn(leaf, turn) for value, leaf in zip(wanted, stored, strict=True)}
    outputs = rename(substitute(body.certain(), values), inner | {body.index: size_node(_sum(begin, _times(turn, by)))}, simplify_size)
    (turns,) = canonical_bodies([Graph((turn, *inner.values(), *stored), tuple(outputs))], simplify_size)
    within = loop(constant(0), constant(TURNS), constant(1), *(outer | start).values(), *ahead, body=turns, again=node.again)
    (strips_,) = canonical_bodies(
        [Graph((strip, *outer.values()), tuple([item(within, index=k) for k in range(len(body.carried))]))], simplify_size
    )
    made = loop(constant(0), size_node(whole), constant(1), *node.args[3:], body=strips_, again=node.again)
    made.where = within.where = node.where
    return made


def _fresh(leaf: Node) -> Node:
    return new_dim() if leaf.op is dim else new_input(leaf.type)


def _strip(row: Node, axis: int, begin: Node, index: Node, step: int) -> Node:
    """The rows of all turns of a strip, one after the other."""
    (first,) = rename([row.starts[axis]], {index: begin})
    starts, steps, sizes = [
        (*place[:axis], new, *place[axis + 1 :]) for place, new in zip(row.attrs, (simplify_size(first), step, TURNS), strict=True)
    ]
    order = (axis, *[k for k in range(row.ndim) if k != axis])
    return reshape(permute(slice_(row.args[0], starts, steps, sizes), order), (TURNS, *row.shape))


def _one_turn(strip: Node, turn: Node) -> Node:
    shape = strip.shape[1:]
    return reshape(slice_(strip, (turn, *(0,) * len(shape)), (1,) * strip.ndim, (1, *shape)), shape)
