"""Ops that contain graphs or take values apart: `loop`, `while_`, `cond`, `call`, and `item` of an op with several outputs.

Bodies are graphs over leaves of their own (see ir/body.py). `evaluate` runs them: the interpreter that backends/reference.py sets.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from lazynp.ir.node import Graph, Node, substitute, toposort, transform
from lazynp.ir.op import Kind, Op, register
from lazynp.ir.types import ArrayType
from lazynp.ops.sizes import is_size


class _Interpreter:
    """evaluate(graph, values, dims) -> the outputs; dims: the values of free dims. compiled: the same, by a program of the graph; set by
    the runtime, used where a loop of a compiled program needs Python between its turns."""

    evaluate: Callable[..., list[Any]]
    compiled: Callable[..., list[Any]]


interpreter = _Interpreter()


def _item_infer(x: Any, index: int) -> ArrayType:
    return x[index]


item = register(
    Op(
        name="item",
        kind=Kind.STRUCTURED,
        attrs=("index",),
        infer=_item_infer,
        numpy=lambda values, index: values[index],
        door=lambda op, x, index: op.make((x,), index=index),
    )
)
"""One output of an op that has several."""


def _call_infer(*types: ArrayType, body: Graph) -> tuple[ArrayType, ...]:
    return tuple([o.type for o in body.outputs])


def _call_numpy(*values: Any, body: Graph, dims: Any = None) -> Any:
    return tuple(interpreter.evaluate(body, values, dims))


call = register(Op(name="call", kind=Kind.STRUCTURED, attrs=("body",), infer=_call_infer, numpy=_call_numpy))
"""call(*args, body): the outputs of a graph for these inputs, kept as one node."""


def inline(node: Node) -> tuple[Node, ...]:
    """The outputs of a `call` as nodes of the caller's graph."""
    body: Graph = node.body
    return tuple(substitute(body.outputs, dict(zip(body.inputs, node.args, strict=True))))


# --- loops -----------------------------------------------------------------------------------------------------------


def _fits(types: tuple[ArrayType, ...], leaves: tuple[Node, ...], what: str) -> None:
    """Raises ValueError where an argument is of another type than the leaf that stands for it."""
    if len(types) != len(leaves):
        raise ValueError(f"{what}: {len(types)} values for {len(leaves)} leaves")
    for type_, leaf in zip(types, leaves, strict=True):
        if type_.shape != leaf.type.shape or type_.dtype != leaf.type.dtype:
            raise ValueError(f"{what}: a value of type {type_} for a leaf of type {leaf.type}")


def _carried_types(body: Graph, first: int) -> tuple[ArrayType, ...]:
    """The types of a loop's results; raises ValueError where a turn changes them."""
    carried = body.inputs[first : first + len(body.outputs)]
    _fits(tuple([o.type for o in body.outputs]), carried, "a turn of a loop")
    return tuple([leaf.type for leaf in carried])


def _loop_infer(start: ArrayType, stop: ArrayType, step: ArrayType, *types: ArrayType, body: Graph, again: bool) -> tuple[ArrayType, ...]:
    _fits((start, *types), body.inputs, "loop")
    return _carried_types(body, 1)


def _loop_numpy(
    start: Any, stop: Any, step: Any, *values: Any, body: Graph, again: bool, dims: Any = None, run: Any = None
) -> tuple[Any, ...]:
    count = len(body.outputs)
    carried, rest = list(values[:count]), values[count:]
    run = run or interpreter.evaluate
    for i in range(int(start), int(stop), int(step)):
        carried = run(body, [np.int64(i), *carried, *rest], dims)
    return tuple(carried)


def _loop_door(op: Op, *args: Node, body: Graph, again: bool = False) -> Node:
    return op.make(args, body=body, again=again)


loop = register(Op(name="loop", kind=Kind.STRUCTURED, attrs=("body", "again"), infer=_loop_infer, numpy=_loop_numpy, door=_loop_door))
"""loop(start, stop, step, *carried, *others, body): for i in range(start, stop, step): carried = body(i, *carried, *others).
Returns the carried values; what a body collects per turn is a carried array of which it updates a region. step is not 0.
again: the derivative backwards computes the turns again rather than to keep what they leave behind."""


def _while_infer(*types: ArrayType, condition: Graph, body: Graph, limit: int | None) -> tuple[ArrayType, ...]:
    _fits(types, body.inputs, "while")
    return _carried_types(body, 0)


def _while_numpy(*values: Any, condition: Graph, body: Graph, limit: int | None, dims: Any = None, run: Any = None) -> tuple[Any, ...]:
    count = len(body.outputs)
    carried, rest = list(values[:count]), values[count:]
    run = run or interpreter.evaluate
    turns = 0
    while turns != limit and run(condition, [*carried, *rest], dims)[0]:
        turns += 1
        carried = run(body, [*carried, *rest], dims)
    return tuple(carried)


def _while_door(op: Op, *args: Node, condition: Graph, body: Graph, limit: int | None = None) -> Node:
    return op.make(args, condition=condition, body=body, limit=limit)


while_ = register(
    Op(name="while_", kind=Kind.STRUCTURED, attrs=("condition", "body", "limit"), infer=_while_infer, numpy=_while_numpy, door=_while_door)
)
"""while_(*carried, *others, condition, body, limit): while condition(*carried, *others): carried = body(*carried, *others).
Both graphs have the same inputs; the condition has one 0-d bool output. limit: the most turns, or None."""


def _cond_infer(predicate: ArrayType, *types: ArrayType, yes: Graph, no: Graph) -> tuple[ArrayType, ...]:
    _fits(types, yes.inputs, "cond")
    _fits(tuple([o.type for o in no.outputs]), yes.outputs, "the branches of cond")
    return tuple([o.type for o in yes.outputs])


def _cond_numpy(predicate: Any, *values: Any, yes: Graph, no: Graph, dims: Any = None, run: Any = None) -> tuple[Any, ...]:
    run = run or interpreter.evaluate
    return tuple(run(yes if predicate else no, values, dims))


cond = register(Op(name="cond", kind=Kind.STRUCTURED, attrs=("yes", "no"), infer=_cond_infer, numpy=_cond_numpy))
"""cond(predicate, *args, yes, no): the outputs of one of two graphs over the same inputs; the other one is not evaluated."""

CONTROL = frozenset({loop, while_, cond})
"""Ops whose bodies run any number of times."""


def carried_argument(node: Node, index: int) -> int | None:
    """The position of the argument whose place the output `index` takes: what a loop carries, what a branch only writes regions of."""
    if node.op is loop:
        return 3 + index
    if node.op is while_:
        return index
    origin = _common_origin(node, index)
    if origin is None or any(_common_origin(node, before) is origin for before in range(index)):
        return None
    return 1 + node.yes.inputs.index(origin)


def _common_origin(node: Node, index: int) -> Node | None:
    """The input that both branches of a cond write regions of for one output."""
    origins = {origin_of(branch.outputs[index]) for branch in (node.yes, node.no)}
    origin = origins.pop()
    return None if origins or origin not in node.yes.inputs else origin


def origin_of(node: Node) -> Node:
    """The value that a chain of writes began with."""
    while True:
        if node.op.kind is Kind.UPDATE:
            node = node.args[0]
        elif node.op is item and node.args[0].op in CONTROL:
            position = carried_argument(node.args[0], node.index)
            if position is None:
                return node
            node = node.args[0].args[position]
        else:
            return node


def read_arguments(node: Node) -> tuple[Node, ...]:
    """The arguments that a loop or branch reads beside those whose place its outputs take."""
    carried = {carried_argument(node, index) for index in range(len(node.type))}
    return tuple([a for position, a in enumerate(node.args) if position not in carried and not is_immediate(a)])


def is_immediate(argument: Node) -> bool:
    """Whether an argument is a number made of constants and of the dims around: no value in memory is needed."""
    return argument.type.shape == () and is_size(argument)


def without_calls(roots: Sequence[Node], op: Op = call) -> list[Node]:
    """The same nodes with every `call` (or node of another op with a body) replaced by its body."""
    found = list(roots)
    while any(node.op is op for node in toposort(found)):
        bodies: dict[Node, tuple[Node, ...]] = {}

        def visit(node: Node, args: tuple[Node, ...], bodies: dict[Node, tuple[Node, ...]] = bodies) -> Node:
            if node.op is not item or args[0].op is not op:
                return node.with_args(args)
            if args[0] not in bodies:
                bodies[args[0]] = inline(args[0])
            return bodies[args[0]][node.index]

        found = transform(found, visit)
    return found
