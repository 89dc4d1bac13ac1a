"""Lowering: push an index to the leaves. `at(tanh(x), i) = tanh(at(x, i))`, `at(permute(x, p), i) = at(x, p(i))`; views vanish.

A `Body` collects the scalar statements of one loop nest, each at the depth of the innermost loop it depends on.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from lazynp.backends import prelude
from lazynp.ir.node import Node, const, dim, toposort
from lazynp.ir.op import Kind
from lazynp.ir.types import Dim, Shape
from lazynp.ops import elementwise as ew
from lazynp.ops.indexing import gather, iota
from lazynp.ops.movement import Path, broadcast, diagonal, embed_diagonal, pad, permute, reshape, slice_, window


class Index(NamedTuple):
    """An integer in C: `text` + `offset`. depth: the innermost loop it depends on (0: none). text "" is zero."""

    text: str
    offset: int = 0
    depth: int = 0

    def __str__(self) -> str:
        if not self.text:
            return str(self.offset)
        return self.text if not self.offset else f"({self.text} {'+' if self.offset > 0 else '-'} {abs(self.offset)})"


ZERO = Index("")


def size_text(n: Dim) -> str:
    """A size as C: a number, or an expression over the program's dims n0, n1, ..."""
    if type(n) is int:
        return str(n)
    text: dict[Node, str] = {}
    for node in toposort([n]):  # type: ignore[list-item]
        if node.op is dim:
            text[node] = f"n{node.key}"
        elif node.op is const:
            text[node] = str(int(node.value.array))
        else:
            text[node] = _SIZE_OPS[node.op.name].format(*[text[a] for a in node.args])
    return text[n]  # type: ignore[index]


_SIZE_OPS = {
    "add": "({0} + {1})", "subtract": "({0} - {1})", "multiply": "({0} * {1})", "floor_divide": "({0} / {1})", "negative": "(-{0})",
    "minimum": "({0} < {1} ? {0} : {1})", "maximum": "({0} > {1} ? {0} : {1})", "cast": "{0}",
}  # fmt: skip


def plus(a: Index, b: Index) -> Index:
    text = f"({a.text} + {b.text})" if a.text and b.text else a.text or b.text
    return Index(text, a.offset + b.offset, max(a.depth, b.depth))


def times(a: Index, n: Dim) -> Index:
    if type(n) is int:
        if n == 0:
            return ZERO
        return Index(a.text if n == 1 or not a.text else f"({n} * {a.text})", a.offset * n, a.depth)
    text = f"({size_text(n)} * {a})" if a.text or a.offset else ""
    return Index(text, 0, a.depth)


def of_size(n: Dim) -> Index:
    return Index("", n) if type(n) is int else Index(size_text(n))


def ravel(index: tuple[Index, ...], shape: Shape) -> Index:
    """The position in C order."""
    flat, stride = ZERO, 1
    known: str | None = None  # text of the stride once it is not a number
    for i, n in zip(reversed(index), reversed(shape), strict=True):
        if i.text or i.offset:
            part = times(i, stride) if known is None else Index(f"({known} * {i})", 0, i.depth)
            flat = plus(part, flat)
        if type(n) is int and known is None:
            stride *= n
        elif not (type(n) is int and n == 1):
            known = size_text(n) if known is None and stride == 1 else f"({known or stride} * {size_text(n)})"
    return flat


def through(path: Path, shapes: list[Shape], index: tuple[Index, ...]) -> tuple[Index, ...]:
    """Where in the base the element of a view is: the path's steps undone from the last. shapes: of the base and after each step."""
    for step, shape in zip(reversed(path), reversed(shapes[:-1]), strict=True):
        index = step_back(step.op, dict(zip(step.op.attrs, step.attrs, strict=True)), shape, index)
    return index


def step_back(op: Any, attrs: dict[str, Any], shape: Shape, index: tuple[Index, ...]) -> tuple[Index, ...]:
    """at(op(x), index) = at(x, step_back(index)), x of the given shape."""
    if op is permute:
        out = [ZERO] * len(shape)
        for position, axis in enumerate(attrs["axes"]):
            out[axis] = index[position]
        return tuple(out)
    if op is broadcast:
        tail = index[len(index) - len(shape) :]
        return tuple([ZERO if type(n) is int and n == 1 else i for n, i in zip(shape, tail, strict=True)])
    if op is slice_:
        return tuple([plus(of_size(s), times(i, k)) for s, k, i in zip(attrs["starts"], attrs["steps"], index, strict=True)])
    if op is reshape:
        return unravel(index, attrs["out_shape"], shape)
    if op is diagonal:
        *rest, last = index
        places = iter(rest)
        return tuple([last if axis in (attrs["axis1"], attrs["axis2"]) else next(places) for axis in range(len(shape))])
    assert op is window, op
    axis = attrs["axis"]
    return tuple([plus(i, index[-1]) if a == axis else i for a, i in enumerate(index[:-1])])


def unravel(index: tuple[Index, ...], out_shape: Shape, shape: Shape) -> tuple[Index, ...]:
    """The index into `shape` of the same element of a C-order reshape. Axes of size 1 and equal leading and trailing axes need no division."""
    ins = [n for n in shape if not _one(n)]
    pairs = [(i, n) for i, n in zip(index, out_shape, strict=True) if not _one(n)]
    front: list[Index] = []
    while ins and pairs and ins[0] == pairs[0][1]:
        front.append(pairs.pop(0)[0])
        ins.pop(0)
    back: list[Index] = []
    while ins and pairs and ins[-1] == pairs[-1][1]:
        back.append(pairs.pop()[0])
        ins.pop()
    middle: list[Index] = []
    if ins:
        flat = ravel(tuple([i for i, _ in pairs]), tuple([n for _, n in pairs]))
        for n in reversed(ins[1:]):
            middle.append(Index(f"({flat} % {size_text(n)})", 0, flat.depth) if flat.text or flat.offset else ZERO)
            flat = Index(f"({flat} / {size_text(n)})", 0, flat.depth) if flat.text or flat.offset else ZERO
        middle.append(flat)
    places = iter([*front, *reversed(middle), *reversed(back)])
    return tuple([ZERO if _one(n) else next(places) for n in shape])


def _one(n: Dim) -> bool:
    return type(n) is int and n == 1


class Value(NamedTuple):
    """A scalar in C and the depth of the loop in which it is known."""

    text: str
    depth: int


class Guard(NamedTuple):
    """A condition on the index under which loads are allowed."""

    text: str
    depth: int


NO_GUARD = Guard("", 0)


class Body:
    """The statements of one loop nest. buffer(node) names the array that holds a node, or None for values that are fused."""

    def __init__(self, buffer: Callable[[Node], str | None], flat: bool = False) -> None:
        self.buffer = buffer
        self.flat = flat
        self.statements: list[tuple[int, str]] = []
        self.helpers: set[str] = set()
        self.loads: list[tuple[str, str]] = []
        self.checks: list[int] = []
        self.prefix = "v"
        self._known: dict[Any, Value] = {}
        self._count = 0

    def lines(self, depth: int) -> list[str]:
        return [text for d, text in self.statements if d == depth]

    def define(self, text: str, dtype: np.dtype, depth: int) -> Value:
        name = f"{self.prefix}{self._count}"
        self._count += 1
        self.statements.append((depth, f"const {prelude.ctype(dtype)} {name} = {text};"))
        return Value(name, depth)

    def at(self, node: Node, index: tuple[Index, ...], guard: Guard = NO_GUARD) -> Value:
        """The element of a node at an index. An explicit stack: graphs are deep."""
        root = (node, index, guard)
        stack = [root]
        known = self._known
        while stack:
            key = stack[-1]
            if key in known:
                stack.pop()
                continue
            wanted = [k for k in self._demands(*key) if k not in known]
            if wanted:
                stack.extend(wanted)
            else:
                known[key] = self._emit(*key)
                stack.pop()
        return known[root]

    def _fused_index(self, node: Node, index: tuple[Index, ...]) -> tuple[Index, ...]:
        argument = node.args[0]
        if self.flat:  # one loop over everything in C order: reshape keeps the position, a broadcast repeats one element
            return index if node.op is reshape else ()
        return step_back(node.op, node.attributes, argument.shape, index)

    def _demands(self, node: Node, index: tuple[Index, ...], guard: Guard) -> list[Any]:
        if self.buffer(node) is not None or node.op.kind is Kind.LEAF:
            return []
        if node.op.kind is Kind.ELEMENTWISE:
            return [(a, index, guard) for a in node.args]
        if node.op is gather:
            return [(a, self._gather_parts(node, index)[0], guard) for a in node.args[1:]]
        if node.op is pad:
            inner, condition = self._pad_parts(node, index)
            return [(node.args[0], inner, _both(guard, condition))]
        if node.op is embed_diagonal:
            inner, condition = self._embed_parts(node, index)
            return [(node.args[0], inner, _both(guard, condition))]
        return [(node.args[0], self._fused_index(node, index), guard)]

    def _emit(self, node: Node, index: tuple[Index, ...], guard: Guard) -> Value:
        known = self._known
        name = self.buffer(node)
        if name is not None:
            return self._load(node, name, index, guard)
        op = node.op
        if op is const:
            return Value(literal(node), 0)
        if op is iota:
            return Value(f"(int64_t){index[0]}", index[0].depth)
        if op.kind is Kind.ELEMENTWISE:
            values = [known[a, index, guard] for a in node.args]
            return self.define(self.scalar(node, [v.text for v in values]), node.dtype, max([v.depth for v in values]))
        if op is gather:
            return self._gather(node, index, guard)
        if op is pad or op is embed_diagonal:
            inner, condition = (self._pad_parts if op is pad else self._embed_parts)(node, index)
            value = known[node.args[0], inner, _both(guard, condition)]
            if not condition.text:
                return value
            return self.define(f"({condition.text}) ? {value.text} : {zero(node.dtype)}", node.dtype, max(value.depth, condition.depth))
        return known[node.args[0], self._fused_index(node, index), guard]

    def _load(self, node: Node, name: str, index: tuple[Index, ...], guard: Guard) -> Value:
        position = index[0] if self.flat and index else ZERO if self.flat else ravel(index, node.shape)
        self.loads.append((name, str(position)))
        text = f"{name}[{position}]"
        if guard.text:
            text = f"({guard.text}) ? {text} : {zero(node.dtype)}"
        return self.define(text, node.dtype, max(position.depth, guard.depth))

    # --- reads whose position depends on values or conditions ---

    def _gather_parts(self, node: Node, index: tuple[Index, ...]) -> tuple[tuple[Index, ...], tuple[Index, ...]]:
        inner = node.args[1].ndim
        return index[node.position : node.position + inner], index[: node.position] + index[node.position + inner :]

    def _gather(self, node: Node, index: tuple[Index, ...], guard: Guard) -> Value:
        where, rest = self._gather_parts(node, index)
        source = node.args[0]
        places = iter(rest)
        full = []
        for axis in range(source.ndim):
            if axis in node.axes:
                value = self._known[node.args[1 + node.axes.index(axis)], where, guard]
                full.append(self.checked(value, source.shape[axis], axis, node, guard))
            else:
                full.append(next(places))
        return self._load(source, self.buffer(source) or "", tuple(full), guard)

    def checked(self, value: Value, n: Dim, axis: int, node: Node, guard: Guard = NO_GUARD) -> Index:
        """An index value made non-negative; out of range it is reported and replaced by 0."""
        origin = node.where if isinstance(node.where, int) else -1
        self.checks.append(origin)
        place = self.define(f"{value.text} < 0 ? {value.text} + {size_text(n)} : {value.text}", np.dtype(np.int64), value.depth)
        bad = f"(uint64_t){place.text} >= (uint64_t){size_text(n)}" + (f" && ({guard.text})" if guard.text else "")
        depth = max(place.depth, guard.depth)
        self.statements.append((depth, f"if ({bad}) lz_fail(error, {origin}, {value.text}, {axis}, {size_text(n)});"))
        safe = self.define(f"{bad} ? 0 : {place.text}", np.dtype(np.int64), depth)
        return Index(safe.text, 0, safe.depth)

    def _pad_parts(self, node: Node, index: tuple[Index, ...]) -> tuple[tuple[Index, ...], Guard]:
        inner, tests, depth = [], [], 0
        shape = node.args[0].shape
        for i, start, step, n, full in zip(index, node.starts, node.steps, shape, node.out_shape, strict=True):
            if type(start) is int and start == 0 and step == 1 and n == full:
                inner.append(i)
                continue
            moved = plus(i, times(of_size(start), -1))
            depth = max(depth, moved.depth)
            if step == 1:
                tests.append(f"(uint64_t){moved} < (uint64_t){size_text(n)}")
                inner.append(moved)
            else:
                quotient = f"({moved} / {step})"
                tests.append(f"{moved} % {step} == 0 && (uint64_t){quotient} < (uint64_t){size_text(n)}")
                inner.append(Index(quotient, 0, moved.depth))
        return tuple(inner), Guard(" && ".join(tests), depth)

    def _embed_parts(self, node: Node, index: tuple[Index, ...]) -> tuple[tuple[Index, ...], Guard]:
        one, other = index[node.axis1], index[node.axis2]
        rest = [i for axis, i in enumerate(index) if axis not in (node.axis1, node.axis2)]
        return (*rest, one), Guard(f"{one} == {other}", max(one.depth, other.depth))

    # --- arithmetic ---

    def scalar(self, node: Node, args: list[str]) -> str:
        """The C expression of an elementwise node."""
        op = node.op
        if op is ew.where:
            return f"{args[0]} ? {args[1]} : {args[2]}"
        dtype = node.args[0].dtype
        if op is ew.cast:
            return self.call(prelude.cast(node.dtype, dtype), args) if node.dtype != dtype else args[0]
        if op is ew.make_complex:
            return f"({prelude.ctype(node.dtype)}){{{args[0]}, {args[1]}}}"
        if (op is ew.real or op is ew.imag) and dtype.kind != "c":
            return args[0] if op is ew.real else zero(dtype)
        if op in _INFIX and dtype.char in "fdilq":
            return f"{args[0]} {_INFIX[op]} {args[1]}"
        return self.call(prelude.helper(op.name, dtype), args)

    def call(self, name: str, args: list[str]) -> str:
        self.helpers.add(name)
        return f"{name}({', '.join(args)})"


_INFIX = {ew.add: "+", ew.subtract: "-", ew.multiply: "*"}


def _both(a: Guard, b: Guard) -> Guard:
    if not a.text or not b.text:
        return a if a.text else b
    return Guard(f"{a.text} && {b.text}", max(a.depth, b.depth))


def zero(dtype: np.dtype) -> str:
    return f"({prelude.ctype(dtype)}){{0}}" if dtype.kind == "c" or dtype == np.float16 else "0"


def literal(node: Node) -> str:
    """A 0-d constant as C, exact."""
    value = node.value.array[()]
    dtype = node.dtype
    if dtype.kind == "c":
        return f"(({prelude.ctype(dtype)}){{{_real(value.real)}, {_real(value.imag)}}})"
    if dtype == np.float16:
        return f"((lz_f16){{{int(value.view(np.uint16))}}})"
    if dtype.kind == "f":
        return f"({_real(value)})" if dtype == np.float64 else f"((float){_real(value)})"
    if dtype.kind == "b":
        return str(int(value))
    if dtype == np.int64 and value == np.iinfo(np.int64).min:
        return "(-9223372036854775807LL - 1)"
    return f"(({prelude.ctype(dtype)}){int(value)}{'ULL' if dtype.kind == 'u' else 'LL'})"


def _real(value: Any) -> str:
    if np.isnan(value):
        return "-LZ_NAN" if np.signbit(value) else "LZ_NAN"
    if np.isinf(value):
        return "LZ_INF" if value > 0 else "-LZ_INF"
    return float(value).hex()
