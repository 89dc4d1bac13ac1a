"""The NumPy interpreter: the meaning of every graph, oracle of every other backend."""

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lazynp.backends import pool
from lazynp.errors import with_origin
from lazynp.ir.node import Graph, Node, const, dim, input_, toposort
from lazynp.ir.op import Kind
from lazynp.ir.types import ArrayType, itemcount
from lazynp.ops import elementwise as ew
from lazynp.ops.indexing import update, written_in_place
from lazynp.ops.movement import join
from lazynp.ops.reduction import folded, reduce_add
from lazynp.ops.structured import interpreter, item


def evaluate(graph: Graph, values: "list[Any] | tuple[Any, ...]", dims: Mapping[Node, int] | None = None) -> list[Any]:
    """The outputs as NumPy arrays. values: one array per graph input; dims: values of `dim` leaves and nodes made of them.
    Without floating-point warnings: those belong to the user's line, not to an interpreter's step."""
    with np.errstate(all="ignore"):
        return interpret(graph, values, dims)


def interpret(
    graph: Graph, values: "list[Any] | tuple[Any, ...]", dims: Mapping[Node, int] | None = None, own: frozenset[Node] = frozenset()
) -> list[Any]:
    """The same under the numpy.errstate of the caller. own: updates that may write into the memory of an input."""
    known: dict[Node, Any] = dict(zip(graph.inputs, values, strict=True))
    known |= {node: np.int64(n) for node, n in (dims or {}).items()}
    order = [node for node in toposort(graph.outputs, stop=lambda n: n in known) if node not in known]
    dying = _last_readers(order, graph)
    summed = _only_summed(order, graph)
    for node in order:
        last = dying.get(node, ())
        if node in summed:
            known[node] = known[node.args[0]]
        elif node.op is reduce_add and node.args[0] in summed:
            known[node] = np.asarray(folded(ew.add, known[node.args[0]], node.axes, node.dtype))
        elif (
            node.op is update
            and node.args[0] in last
            and _is_free(
                known[node.args[0]], node in own, values, [v for n, v in known.items() if n not in last and n.op not in (input_, dim)]
            )
        ):
            known[node] = written_in_place(*[known[a] for a in node.args], resolve(node.path, known))
        else:
            known[node] = compute(node, [known[a] for a in node.args], known, _memory_for(node, last, known))
        for a in last:
            del known[a]
    return [known[o] for o in graph.outputs]


def _only_summed(order: list[Node], graph: Graph) -> set[Node]:
    """Conversions to another dtype whose only reader is a sum, which converts as it adds; where that is exact."""
    found = {n.args[0] for n in order if n.op is reduce_add and n.args[0].op is ew.cast and _is_exact(n.args[0])}
    if found:
        for node in order:
            if node.op is not reduce_add:
                found.difference_update(node.args)
        found.difference_update(graph.outputs)
    return found


def _is_exact(conversion: Node) -> bool:
    source, target = conversion.args[0].dtype.kind, conversion.dtype.kind
    return (target in "iu" and source in "biu") or (source == "b" and target in "fc")


def _last_readers(order: list[Node], graph: Graph) -> dict[Node, list[Node]]:
    """For nodes the arguments that nobody reads after them: their memory is the next ones', as in a program that Python runs. Not the
    integers of loops, which attributes mention."""
    inner = {*[node for node in order if node.args], *[node for node in graph.inputs if node.op is not dim]}.difference(graph.outputs)
    dying: dict[Node, list[Node]] = {}
    for node in reversed(order):
        for a in node.args:
            if a in inner:
                inner.discard(a)
                dying.setdefault(node, []).append(a)
    return dying


_LARGE = 1 << 18
"""Bytes from which on it pays to look for memory: where NumPy, too, begins to write into temporaries that nobody else reads."""


def _memory_for(node: Node, last: Sequence[Node], known: dict[Node, Any]) -> np.ndarray | None:
    """Where a ufunc, or what joins arrays, may write a large result: over an argument that nobody reads after it, which only a ufunc can,
    or into a block of the pool, whose pages are there. None: into new memory."""
    kind, ufunc = node.type, node.op.numpy
    joins = node.op is join
    if not joins and (type(ufunc) is not np.ufunc or ufunc.nout != 1 or node.attrs):
        return None
    if not isinstance(kind, ArrayType) or Node in map(type, kind.shape):
        return None
    size = itemcount(kind.shape) * kind.dtype.itemsize  # type: ignore[arg-type]
    if size < _LARGE:
        return None
    for a in () if joins else last:
        value = known[a]
        alike = type(value) is np.ndarray and value.dtype == kind.dtype and value.shape == kind.shape and value.flags.carray
        if alike and a.op is not input_ and _is_unshared(value):
            return value
    return pool.empty(kind.shape, kind.dtype) if size >= pool.POOLED else None  # type: ignore[arg-type]


def _is_unshared(array: np.ndarray) -> bool:
    """Whether an argument is all that there is of its memory: no view of it is alive."""
    return sys.getrefcount(array) == _OF_ARGUMENT and is_owner(array)


def is_owner(array: np.ndarray) -> bool:
    """Whether an array has its memory for itself: it is no view, or the only one of a block of the pool."""
    return array.base is None or (type(array.base) is pool.Block and sys.getrefcount(array.base) == _OF_BLOCK)


_OF_ARGUMENT = 5
"""References to a value that is one argument of a node: of the table of values, the list of arguments, and of those who ask."""
_OF_BLOCK = 2
"""References to a block that one array alone refers to: the array's, and the question's."""
_MANY = 64
"""Values among which nobody looks for one that shares memory."""


def _is_free(base: Any, may_be_input: bool, given: Sequence[Any], later: list[Any]) -> bool:
    """Whether an update may write into its base, which nobody reads by that name afterwards: it is no input that must stay as it is, nor
    memory of what is read later."""
    if len(later) > _MANY or not base.flags.carray:
        return False
    if not (may_be_input or base.base is None):
        return False
    others = [*[value for value in given if not (may_be_input and value is base)], *later]
    return not any(np.may_share_memory(base, part) for value in others for part in (value if isinstance(value, tuple) else (value,)))


def overwritten(graph: Graph) -> frozenset[Node]:
    """The updates that write, one after the other, into the memory of an input; none where a later operation may raise an error, after
    which the input must be what it was."""
    if any(n.op.kind not in _SAFE or n.op is ew.power for n in toposort(graph.outputs) if n.args):
        return frozenset()
    found: set[Node] = set()
    for output, number in graph.aliases:
        chain, node = [], graph.outputs[output]
        while node.op is update:
            chain.append(node)
            node = node.args[0]
        if node is graph.inputs[number]:
            found.update(chain)
    return frozenset(found)


_SAFE = (Kind.ELEMENTWISE, Kind.MOVE, Kind.REDUCE, Kind.ACCUMULATE, Kind.UPDATE)


def compute(node: Node, args: list[Any], known: dict[Node, Any], out: np.ndarray | None = None) -> Any:
    """One node's value from its arguments' values, in the memory `out` if that is given; a failure names the line that created the node."""
    memory = {} if out is None else {"out": out}
    attrs = {name: resolve(value, known) for name, value in node.attributes.items()}
    try:
        if node.op.kind is Kind.STRUCTURED and node.op is not item:
            return node.op.numpy(*args, **attrs, dims={n: v for n, v in known.items() if n.op is dim})
        value = node.op.numpy(*args, **attrs, **memory)
    except (ValueError, IndexError, TypeError, ArithmeticError, np.linalg.LinAlgError) as error:
        if isinstance(node.where, int):  # a canonical graph: the runtime knows the user's line
            error.lazynp_origin = node.where  # type: ignore[attr-defined]
            raise
        raise with_origin(error, node.where) from None
    return value if isinstance(value, tuple) else np.asarray(value)


def resolve(value: Any, known: dict[Node, Any]) -> Any:
    """An attribute with the sizes that are nodes replaced by their values."""
    if isinstance(value, Node):
        return int(size_value(value, known))
    if type(value) is tuple:
        return tuple([resolve(v, known) for v in value])
    if isinstance(value, tuple) and hasattr(value, "_make") and not isinstance(value, Graph):
        return value._make([resolve(v, known) for v in value])
    return value


def size_value(node: Node, known: dict[Node, Any]) -> Any:
    """The value of a size: an expression over dims."""
    if node not in known:
        for part in toposort([node], stop=lambda n: n in known):
            if part not in known:
                assert part.op is not dim and part.op is not input_, f"{part} has no value"
                known[part] = part.value.array if part.op is const else part.op.numpy(*[known[a] for a in part.args], **part.attributes)
    return known[node]


interpreter.evaluate = interpret
