"""inv(a) @ b becomes solve(a, b), where the inverse serves nothing else: half the work, and the error of a solution instead of that of an
inverse (Higham 2002, "Accuracy and Stability of Numerical Algorithms", section 14.1)."""

from collections.abc import Iterable

from lazynp.ir.node import Graph, Node, toposort, users_of
from lazynp.ir.rewrite import Listener, Rules, rewrite
from lazynp.ir.types import itemcount
from lazynp.ops.contraction import contract, reorder
from lazynp.ops.library import inv, solve
from lazynp.ops.movement import permute, reshape

_MOST_USES = 2
"""An inverse costs three factorisations; one that is multiplied with more is kept."""

_MOST_COLUMNS = 4
"""A system with more right sides than so many times its rows takes longer than the inverse and a product: 2,000 sides of 50 rows 0.74 and
0.27 ms."""


def solve_instead(graph: Graph, level: str, listener: Listener | None) -> Graph:
    """The pass; see `without_inverses`."""
    return graph if level == "exact" else graph._replace(outputs=tuple(without_inverses(graph.outputs, listener)))


def without_inverses(outputs: Iterable[Node], listener: Listener | None = None) -> list[Node]:
    outputs = list(outputs)
    order = toposort(outputs)
    if not any(node.op is inv for node in order):
        return outputs
    users, kept = users_of(order), set(outputs)
    chosen = {n for n in order if n.op is inv and n not in kept and len(users[n]) <= _MOST_USES and all(map(_solvable, users[n]))}
    return rewrite(outputs, _rules(chosen), listener) if chosen else outputs


def _rules(chosen: set[Node]) -> Rules:
    rules = Rules("inverses", level="stable")

    @rules.on(contract)
    def solve_for(node: Node) -> Node | None:
        """inv(a) @ b is solve(a, b)."""
        return _solved(node) if chosen.intersection(node.args) and _solvable(node) else None

    return rules


def _solvable(node: Node) -> bool:
    """Whether a node is a product of one inverse with something along one of the matrix's axes, nothing else being summed."""
    if node.op is not contract or (node.args[0].op is inv) == (node.args[1].op is inv):
        return False
    labels, others = _labels(node)
    *batch, row, column = labels
    summed = [label for label in (row, column) if label in others and label not in node.out]
    return (
        len(summed) == 1
        and len({row, column} & {*others}) == 1
        and _few_sides(node)
        and {*batch} <= {*others}
        and {*others} - {*summed} <= {*node.out}
    )


def _few_sides(node: Node) -> bool:
    inverse, other = node.args if node.args[0].op is inv else node.args[::-1]
    sizes = itemcount(inverse.shape), itemcount(other.shape)
    return not all(type(n) is int for n in sizes) or bool(sizes[1] <= _MOST_COLUMNS * sizes[0])


def _labels(node: Node) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Those of the inverse and those of the other factor."""
    return (node.xs, node.ys) if node.args[0].op is inv else (node.ys, node.xs)


def _solved(node: Node) -> Node:
    inverse, other = node.args if node.args[0].op is inv else node.args[::-1]
    labels, others = _labels(node)
    *batch, row, column = labels
    matrix = inverse.args[0]
    if row in others:  # b @ inv(a) is the transpose of a system with the transpose of a
        matrix = permute(matrix, (*range(len(batch)), matrix.ndim - 1, matrix.ndim - 2))
        row, column = column, row
    rest = tuple([label for label in others if label not in batch and label != column])
    sides = reorder(other, others, (*batch, column, *rest))
    split = len(batch) + 1
    found = solve(matrix, reshape(sides, (*sides.shape[:split], itemcount(sides.shape[split:]))))
    return reorder(reshape(found, sides.shape), (*batch, row, *rest), node.out)
