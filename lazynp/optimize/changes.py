"""Whether a loop has changed anything yet: truth values beside what a turn may change.

forget    a truth value that says that nothing has changed yet is found from what there was before the first turn
"""

from __future__ import annotations

from lazynp.ir.node import Graph, Node, const, new_input, substitute, toposort, transform
from lazynp.ir.op import Kind
from lazynp.ir.rewrite import scalar_value
from lazynp.ops.elementwise import logical_and, logical_not, where
from lazynp.ops.pruning import rebuilt
from lazynp.ops.structured import loop

_ASKED_TWICE = 8.0
"""The most additions that a condition may cost to be asked once more of what there was before the loop."""


def forget(graph: Graph) -> Graph:
    """In `if v > m: m, same = v, False` a turn asks v > m as long as `same` is true, and so long m is what it was before the loop: `same`
    depends on no other turn's m, and both are folds that vectors can do (the largest of 100,000 integers, and whether there was any). Of
    loops in loops the outermost only: sweeps do the rows of an inner one in another order."""

    def visit(node: Node, args: tuple[Node, ...]) -> Node:
        fresh = node.with_args(args)
        return _forgotten(fresh) if node.op is loop else fresh

    return graph._replace(outputs=tuple(transform(graph.outputs, visit)))


def _forgotten(node: Node) -> Node:
    inputs, outputs = node.body.inputs, list(node.body.outputs)
    carried, initial = inputs[1 : 1 + len(outputs)], node.args[3 : 3 + len(outputs)]
    first: dict[Node, Node] = {}
    for k, (flag, output) in enumerate(zip(carried, outputs, strict=True)):
        kept = _kept_while(output, flag) if _is_true(initial[k]) else []
        asked = {n for n in toposort(kept) if n in carried}
        steady = {m: n for m, n, after in zip(carried, initial, outputs, strict=True) if m in asked and _is_kept(after, m, kept)}
        if steady and sum([n.op.cost for n in toposort(kept) if n.op.kind is Kind.ELEMENTWISE]) <= _ASKED_TWICE:
            before = {m: n if n.op is const else first.setdefault(n, new_input(n.type)) for m, n in steady.items()}
            outputs[k] = substitute([output], before)[0]
    if outputs == list(node.body.outputs):
        return node
    body = Graph((*inputs, *first.values()), tuple(outputs))
    return rebuilt(node, node.args[:3], [*node.args[3:], *first], [body])


def _is_true(node: Node) -> bool:
    return node.dtype == bool and bool(scalar_value(node))


def _kept_while(output: Node, flag: Node) -> list[Node]:
    """The conditions under which a turn leaves a truth value as it was, if all it can do else is to clear it."""
    terms, waiting = [], [output]
    while waiting:
        node = waiting.pop()
        if node.op is logical_and:
            waiting += node.args
        else:
            terms.append(node)
    return [t for t in terms if t is not flag] if terms.count(flag) == 1 else []


def _is_kept(output: Node, leaf: Node, kept: list[Node]) -> bool:
    """Whether a turn leaves a carried value as it was where all the conditions hold."""
    while output is not leaf:
        if output.op is not where:
            return False
        test, yes, no = output.args
        if test in kept:
            output = yes
        elif any(t.op is logical_not and t.args[0] is test for t in kept):
            output = no
        else:
            return False
    return True
