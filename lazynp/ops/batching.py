"""What batching rules are made of: spreading, lifting attributes, and unrolling where an op takes no further axis.

A batched value has one more axis, the first. An op whose kind's rule does not fit says its own in `Op.batch`.
"""

from collections.abc import Callable, Sequence
from typing import Any

from lazynp.ir.node import Node
from lazynp.ir.op import Op
from lazynp.ir.types import ArrayType
from lazynp.ops import elementwise as ew
from lazynp.ops.movement import Path, Step, broadcast, join, permute, reshape, slice_
from lazynp.ops.structured import item

Given = Sequence[Node | None]
"""For each argument of a node its batched form, or None where all examples share the argument itself."""


def spread(argument: Node, given: Node | None, size: int) -> Node:
    """The batched argument; one that the examples share is repeated for all of them (nothing is copied)."""
    return broadcast(argument, (size, *argument.shape)) if given is None else given


def spread_all(node: Node, given: Given, size: int) -> tuple[Node, ...]:
    return tuple([spread(a, g, size) for a, g in zip(node.args, given, strict=True)])


_LIFTED: dict[str, Callable[[Any, int], Any]] = {
    "axis": lambda axis, size: axis + 1,
    "axis1": lambda axis, size: axis + 1,
    "axis2": lambda axis, size: axis + 1,
    "axes": lambda axes, size: tuple([axis + 1 for axis in axes]),
    "out_shape": lambda shape, size: (size, *shape),
    "starts": lambda starts, size: (0, *starts),
    "steps": lambda steps, size: (1, *steps),
    "sizes": lambda sizes, size: (size, *sizes),
    "path": lambda path, size: lifted_path(path, size),
}
"""What an attribute of that name becomes when all arguments have one more axis in front."""


def lifted(op: Op, attrs: Sequence[Any], size: int) -> dict[str, Any]:
    """The attributes of the same operation with one more axis in front."""
    found = {name: _LIFTED[name](value, size) if name in _LIFTED else value for name, value in zip(op.attrs, attrs, strict=True)}
    if op is permute:
        found["axes"] = (0, *found["axes"])
    return found


def lifted_path(path: Path, size: int) -> Path:
    """The same view in every example. A path that is written through has no broadcast in it."""
    return tuple([Step(op, tuple(lifted(op, attrs, size).values())) for op, attrs in path])


def example(batched: Node, number: int) -> Node:
    """One example of a batched value."""
    rest = batched.shape[1:]
    part = slice_(batched, (number, *[0] * len(rest)), (1,) * batched.ndim, (1, *rest))
    return reshape(part, rest)


def unrolled(node: Node, given: Given, size: int) -> Any:
    """The op on each example by itself, and the results stacked: a node, or a tuple for an op with several outputs."""
    results = []
    for number in range(size):
        args = [a if g is None else example(g, number) for a, g in zip(node.args, given, strict=True)]
        results.append(outputs_of(node.op.make(tuple(args), **node.attributes)))
    types = (node.type,) if isinstance(node.type, ArrayType) else node.type
    columns = [_stacked([parts[k] for parts in results], type_) for k, type_ in enumerate(types)]
    return columns[0] if isinstance(node.type, ArrayType) else tuple(columns)


def _stacked(parts: Sequence[Node], type_: ArrayType) -> Node:
    """The examples as one batched value."""
    if not parts:
        return ew.filled((0, *type_.shape), 0, type_.dtype)
    return join(*[reshape(part, (1, *type_.shape)) for part in parts], axis=0)


def moved_first(x: Node, axis: int) -> Node:
    """x with that axis in front."""
    return permute(x, (axis, *[a for a in range(x.ndim) if a != axis]))


def moved_from_first(x: Node, axis: int) -> Node:
    """x with its first axis at that place."""
    order = list(range(1, x.ndim))
    order.insert(axis, 0)
    return permute(x, tuple(order))


def outputs_of(node: Node) -> tuple[Node, ...]:
    """The node's values: itself, or its items."""
    if isinstance(node.type, ArrayType):
        return (node,)
    return tuple([item(node, k) for k in range(len(node.type))])
