"""Interned, immutable graph nodes, and the walks over them. Equal nodes are one object: CSE is free and equality is `is`."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple
from weakref import ref

import numpy as np

from lazynp.errors import Where
from lazynp.ir import op as op_module
from lazynp.ir.op import Kind, Op, register
from lazynp.ir.types import ArrayType, Symbolic, settled


class Node:
    """op applied to args with static attrs. `type` is inferred; `where` is the user's position and no part of identity.

    Attributes are read by name: `node.axes`. An attribute never has a name that Node itself uses (shape, dtype, type, ...).
    """

    __slots__ = ("__weakref__", "args", "attrs", "op", "type", "where")
    op: Op
    args: tuple[Node, ...]
    attrs: tuple[Any, ...]
    type: ArrayType
    where: Where | None

    def __getattr__(self, name: str) -> Any:
        try:
            return self.attrs[self.op.attrs.index(name)]
        except ValueError:
            raise AttributeError(f"node of op {self.op.name!r} has no attribute {name!r}") from None

    @property
    def shape(self) -> tuple[Any, ...]:
        return self.type.shape

    @property
    def dtype(self) -> np.dtype:
        return self.type.dtype

    @property
    def ndim(self) -> int:
        return len(self.type.shape)

    @property
    def attributes(self) -> dict[str, Any]:
        return dict(zip(self.op.attrs, self.attrs, strict=True))

    def with_args(self, args: tuple[Node, ...]) -> Node:
        """The same operation on other arguments (of fitting types)."""
        if all(a is b for a, b in zip(args, self.args, strict=True)):
            return self
        node = make_node(self.op, args, self.attrs)
        if node.where is None:
            node.where = self.where
        return node

    def __reduce__(self) -> tuple[Any, ...]:
        """For sizes in attributes: expressions of a few nodes. A graph is stored by its nodes' numbers."""
        return make_node, (self.op, self.args, self.attrs)

    def __repr__(self) -> str:
        inner = [a.op.name if a.args else repr(a) for a in self.args] + [f"{k}={v}" for k, v in self.attributes.items()]
        return f"{self.op.name}({', '.join(inner)})"


class _Entry(ref):
    """The weak reference by which the intern table holds a node; knows its key, so that a dying node removes itself."""

    __slots__ = ("key",)
    key: Any


_table: dict[Any, _Entry] = {}


def _forget(entry: _Entry, table: dict[Any, _Entry] = _table) -> None:
    if table.get(entry.key) is entry:
        del table[entry.key]


_new_node = Node.__new__


def make_node(op: Op, args: tuple[Node, ...], attrs: tuple[Any, ...]) -> Node:
    """The one node of this op, these arguments and attributes.

    The key holds the ids of the arguments, not the arguments: they live as long as the node does, and a dying chain of
    20,000 nodes must not recurse through the callbacks of the table.
    """
    key = (op, *[id(a) for a in args], attrs)
    entry = _table.get(key)
    if entry is not None:
        known = entry()
        if known is not None:
            return known
    if Symbolic.used and op.dims:
        attrs = settled(attrs)
        key = (op, *[id(a) for a in args], attrs)
    node = _new_node(Node)
    node.op = op
    node.args = args
    node.attrs = attrs
    node.type = op.infer_type(args, attrs)  # type: ignore[assignment]
    node.where = None
    entry = _Entry(node, _forget)
    entry.key = key
    _table[key] = entry
    return node


op_module.make_node = make_node


class Literal:
    """The value of a constant: dtype, shape and bytes, so that -0.0 and 0.0, and 1, 1.0 and True, stay apart and NaN equals itself."""

    __slots__ = ("array", "key")

    def __init__(self, value: Any) -> None:
        array = np.array(value, order="C")
        array.flags.writeable = False
        self.array = array
        self.key = (array.dtype.str, array.shape, array.tobytes())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Literal) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    def __repr__(self) -> str:
        return repr(self.array[()].item()) if self.array.ndim == 0 else f"array{self.array.shape}"

    def __reduce__(self) -> tuple[Any, ...]:
        return Literal, (self.array,)


const = register(
    Op(
        name="const",
        kind=Kind.LEAF,
        attrs=("value",),
        infer=lambda value: ArrayType(value.array.shape, value.array.dtype),
        numpy=lambda value: value.array,
    )
)


def constant(value: Any, dtype: np.dtype | None = None) -> Node:
    """A constant node. value: a scalar or small array of a lazy dtype -> same shape."""
    if dtype is not None and (type(value) is float or type(value) is int) and value:  # zeros may differ in sign
        return _number(type(value), value, dtype)  # type: ignore[arg-type]
    return make_node(const, (), (Literal(np.asarray(value, dtype, order="C")),))


@lru_cache(maxsize=1024)
def _number(kind: type, value: float, dtype: np.dtype) -> Node:
    """The constants of a program's formulas; kind tells 1 from 1.0."""
    return make_node(const, (), (Literal(np.asarray(value, dtype)),))


def _input_value(**attrs: Any) -> Any:
    raise LookupError(f"input {attrs['key']} has no value here: the interpreter binds inputs before it runs")


input_ = register(Op(name="input", kind=Kind.LEAF, attrs=("key", "out_type"), infer=lambda key, out_type: out_type, numpy=_input_value))
dim = register(Op(name="dim", kind=Kind.LEAF, attrs=("key",), infer=lambda key: ArrayType((), np.dtype(np.int64)), numpy=_input_value))
_serial = itertools.count()


def new_input(type_: ArrayType) -> Node:
    """A fresh leaf: an array known only at run time. Never equal to another."""
    return make_node(input_, (), (next(_serial), type_))


def numbered_input(position: int, type_: ArrayType) -> Node:
    """The leaf at a fixed position of a canonical graph; equal for equal position and type."""
    return make_node(input_, (), (("argument", position), type_))


def new_dim() -> Node:
    """A fresh 0-d int64 leaf: an integer known only at run time that may stand in attributes. Its text sorts by age."""
    return make_node(dim, (), (("free", f"{next(_serial):09d}"),))


def loop_dim(height: int, position: int) -> Node:
    """The leaf of a canonical loop body: height counts the loops inside it, so that an inner body may mention outer leaves."""
    return make_node(dim, (), (("loop", height, position),))


def numbered_dim(position: int) -> Node:
    """The size or offset at a fixed position of a size-generic program's parameters; 0-d int64."""
    return make_node(dim, (), (position,))


class Graph(NamedTuple):
    """inputs: leaves in the order in which values are passed; outputs: the values wanted, in order;
    aliases: (output, input) pairs: the output is written into that input's memory."""

    inputs: tuple[Node, ...]
    outputs: tuple[Node, ...]
    aliases: tuple[tuple[int, int], ...] = ()

    def __reduce__(self) -> tuple[Any, ...]:
        number: dict[Node, int] = {}
        rows = []
        for node in toposort((*self.inputs, *self.outputs)):
            number[node] = len(number)
            rows.append((node.op, [number[a] for a in node.args], node.attrs))
        return _rebuilt_graph, (rows, [number[i] for i in self.inputs], [number[o] for o in self.outputs], self.aliases)


def _rebuilt_graph(rows: list[Any], inputs: list[int], outputs: list[int], aliases: Any) -> Graph:
    nodes: list[Node] = []
    for op, args, attrs in rows:
        nodes.append(make_node(op, tuple([nodes[a] for a in args]), attrs))
    return Graph(tuple([nodes[i] for i in inputs]), tuple([nodes[o] for o in outputs]), aliases)


def toposort(outputs: Iterable[Node], stop: Callable[[Node], bool] | None = None) -> list[Node]:
    """Every node that the outputs need, arguments before users, each once. Linear, no recursion.

    Below a node for which `stop` is true nothing is visited (the node itself is listed).
    """
    order: list[Node] = []
    seen: set[Node] = set()
    for output in outputs:
        stack: list[tuple[Node, bool]] = [(output, False)]
        while stack:
            node, ready = stack.pop()
            if ready:
                order.append(node)
            elif node not in seen:
                seen.add(node)
                stack.append((node, True))
                if stop is None or not stop(node):
                    stack.extend([(a, False) for a in reversed(node.args) if a not in seen])
    return order


def transform(outputs: Iterable[Node], visit: Callable[[Node, tuple[Node, ...]], Node], memo: dict[Node, Node] | None = None) -> list[Node]:
    """Rebuild bottom-up: visit(node, new_args) -> replacement. `memo` maps nodes already replaced."""
    outputs = list(outputs)
    done: dict[Node, Node] = {} if memo is None else memo
    for node in toposort(outputs, stop=lambda n: n in done):
        if node not in done:
            done[node] = visit(node, tuple([done[a] for a in node.args]))
    return [done[o] for o in outputs]


def substitute(outputs: Iterable[Node], replacements: Mapping[Node, Node]) -> list[Node]:
    """The outputs with some nodes replaced by others of the same type."""
    return transform(outputs, lambda node, args: node.with_args(args), dict(replacements))


def users_of(nodes: Iterable[Node]) -> dict[Node, list[Node]]:
    """For each node the list of nodes that take it as an argument (once per argument position)."""
    users: dict[Node, list[Node]] = {}
    for node in nodes:
        users.setdefault(node, [])
        for argument in node.args:
            users.setdefault(argument, []).append(node)
    return users
