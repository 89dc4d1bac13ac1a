"""Calls that a derivative treats in a way of its own: by a rule of the user's, or by computing them again."""

from collections.abc import Sequence
from typing import Any

from lazynp.ir.body import bodies_of
from lazynp.ir.node import Graph, Node, make_node, toposort, transform
from lazynp.ir.op import Kind, Op, register
from lazynp.ops.batching import unrolled
from lazynp.ops.structured import inline, interpreter, item


def _run(*values: Any, body: Any, rule: Any = None, dims: Any = None) -> Any:
    return tuple(interpreter.evaluate(body, list(values), dims))


def _custom_vjp(cts: Any, node: Node, index: int) -> Node | None:
    return node.rule.vjp_one(cts, node, index)  # type: ignore[no-any-return]


custom = register(
    Op(
        name="custom",
        kind=Kind.STRUCTURED,
        attrs=("body", "rule"),
        infer=lambda *types, body, rule: tuple([o.type for o in body.outputs]),
        numpy=_run,
        vjp=_custom_vjp,
        jvp=lambda tangents, node: node.rule.jvp(tangents, node),
        batch=unrolled,
    )
)
"""custom(*args, body, rule): a call whose derivative the user has given. rule.vjp_one(cts, node, index) -> an argument's cotangent,
rule.jvp(tangents, node) -> a tangent per output. Lives inside derivatives only; what leaves them is its body."""

checkpointed = register(
    Op(
        name="checkpointed",
        kind=Kind.STRUCTURED,
        attrs=("body",),
        infer=lambda *types, body: tuple([o.type for o in body.outputs]),
        numpy=_run,
    )
)
"""checkpointed(*args, body): a call whose derivative backwards keeps the arguments only and computes the rest again. Lives inside
derivatives only; what leaves them is its body."""

_RULES = frozenset({custom, checkpointed})


def without_rules(roots: Sequence[Node]) -> list[Node]:
    """The same nodes with every call that only a derivative tells from its body replaced by the body, also inside loops and branches."""
    found = list(roots)
    while any(_has_rules(node) for node in toposort(found)):
        found = transform(found, _Inlining())
    return found


def _has_rules(node: Node) -> bool:
    return node.op in _RULES or any(_has_rules(inner) for body in bodies_of(node) for inner in toposort(body.outputs))


class _Inlining:
    """One sweep: visit(node, new arguments) -> what stands for the node."""

    def __init__(self) -> None:
        self.results: dict[Node, tuple[Node, ...]] = {}

    def __call__(self, node: Node, args: tuple[Node, ...]) -> Node:
        if node.op is item and args[0].op in _RULES:
            if args[0] not in self.results:
                self.results[args[0]] = inline(args[0])
            return self.results[args[0]][node.index]
        if node.op in _RULES or not bodies_of(node):
            return node.with_args(args)
        attrs = [v._replace(outputs=tuple(without_rules(v.outputs))) if isinstance(v, Graph) else v for v in node.attrs]
        fresh = make_node(node.op, args, tuple(attrs))
        fresh.where = fresh.where or node.where
        return fresh
