"""Lowering: an index is pushed through the graph down to the memory it reads. What comes out are scalar nodes of the loop dialect.

`Lowering.at(node, index)` is the value of one element. Elementwise ops become the same ops on 0-d nodes; views vanish into the index;
values that have a place in memory become `load`s. pad and join ask which part an index falls into: where the loop's range does not decide
it, the range is split (`Split`), or, if it cannot be, the loads are guarded and the parts selected.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from lazynp.backends import polynomial
from lazynp.backends.polynomial import ZERO, Atom, Poly, Sizes, lower_bound, never_negative, poly, quotient, upper_bound, variable
from lazynp.ir.node import Node, const, constant, dim
from lazynp.ir.op import Kind, Op
from lazynp.ir.types import ArrayType
from lazynp.ops import elementwise as ew
from lazynp.ops import indexing, movement
from lazynp.ops.sizes import size_

# --- the loop dialect ------------------------------------------------------------------------------------------------


def _never(*args: Any, **attrs: Any) -> Any:
    raise LookupError("ops of the loop dialect are printed as C, not interpreted")


def _loop_op(name: str, attrs: tuple[str, ...], infer: Any) -> Op:
    return Op(name=name, kind=Kind.LOOP, attrs=attrs, infer=infer, numpy=_never)


load = _loop_op("load", ("buffer", "address", "guards", "to"), lambda buffer, address, guards, to: ArrayType((), to))
"""The element at `address` of a buffer; where a guard fails nothing is read and the value is arbitrary."""
position = _loop_op("position", ("expression",), lambda expression: ArrayType((), np.dtype(np.int64)))
"""A polynomial as an int64 value."""
select = _loop_op("select", ("conditions",), lambda a, b, conditions: a)
"""a where all conditions hold, else b."""
checked = _loop_op("checked", ("size", "axis", "origin", "guards"), lambda x, size, axis, origin, guards: x)
"""An index made non-negative; out of range it becomes 0 and the program fails."""


class Condition(NamedTuple):
    """expression >= 0, or expression == 0 if `zero`."""

    expression: Poly
    zero: bool = False


Guards = tuple[Condition, ...]


class Memory:
    """A block of memory. kind: "input", "output", "const", "temp" (arena), "band" (rows of a temporary on
    the stack), "array" (a NumPy array: what Python steps read or write) or "returned" (an output that is what a Python step returns)."""

    __slots__ = ("dtype", "kind", "name", "number", "size", "slot")

    def __init__(self, kind: str, size: Poly, dtype: np.dtype, number: int = -1) -> None:
        self.kind = kind
        self.size = size
        self.dtype = dtype
        self.number = number
        self.slot = -1
        self.name = ""

    def __repr__(self) -> str:
        return self.name or f"{self.kind}{self.number}"


class Buffer:
    """One version of the contents of a memory: a value of the graph in C order. writers: the steps that make it."""

    __slots__ = ("memory", "node", "shape", "writers")

    def __init__(self, node: Node, shape: tuple[Poly, ...], memory: Memory) -> None:
        self.node = node
        self.shape = shape
        self.memory = memory
        self.writers: list[Any] = []

    def __repr__(self) -> str:
        return f"{self.memory}"


Index = "tuple[Poly, ...] | Poly"
"""One polynomial per axis, or a single one: the element's number in C order."""


class Axis(NamedTuple):
    """A loop: begin <= variable < end."""

    variable: Atom
    begin: Poly
    end: Poly

    @property
    def size(self) -> Poly:
        return self.end - self.begin


class Split(Exception):
    """A loop's range must be cut at a point, so that a condition is constant on either side."""

    def __init__(self, variable: Atom, at: Poly) -> None:
        super().__init__(variable, at)
        self.variable = variable
        self.at = at


def linear(index: Any, shape: tuple[Poly, ...]) -> Poly:
    """The element's number in C order."""
    if isinstance(index, Poly):
        return index
    total = ZERO
    for i, n in zip(index, shape, strict=True):
        total = total * n + i
    return total


class Box:
    """What is known about the loop variables while lowering: their range, and cuts that were made in it."""

    __slots__ = ("axes", "bounds", "facts", "may_split")

    def __init__(self, axes: tuple[Axis, ...], facts: tuple[Poly, ...] = (), may_split: int = 0) -> None:
        self.axes = axes
        self.facts = facts
        """Polynomials known to be >= 0 in this box."""
        self.may_split = may_split
        self.bounds = {a.variable: (a.begin, a.end - 1) for a in axes}

    def cut(self, split: Split) -> tuple[Box, Box]:
        """The boxes below and from split.at on; bounds of unknown sizes are clamped when the loops are printed. The rim of a large
        box is not cut any further: of a stencil in three dimensions only the inside is worth loops of its own."""
        low, high = [], []
        sizes: list[int | None] = []
        for axis in self.axes:
            if axis.variable is split.variable:
                low.append(axis._replace(end=split.at))
                high.append(axis._replace(begin=split.at))
                sizes = [low[-1].size.constant, high[-1].size.constant]
            else:
                low.append(axis)
                high.append(axis)
        rims = [_is_rim(sizes[0], sizes[1]), _is_rim(sizes[1], sizes[0])]
        rest = [0 if rim else self.may_split - 1 for rim in rims]
        return Box(tuple(low), self.facts, rest[0]), Box(tuple(high), self.facts, rest[1])


def _is_rim(size: int | None, other: int | None) -> bool:
    """Whether a piece is thin beside the other one."""
    return size is not None and size <= _THIN and (other is None or other >= 8 * _THIN)


_THIN = 4


Task = "Generator[tuple[Node, Any, Guards], Node, Node]"


class Lowering:
    """The values of one step. places: nodes that are in memory; box: the ranges of the loops."""

    def __init__(self, places: Mapping[Node, Buffer], sizes: Sizes, box: Box) -> None:
        self.places = places
        self.sizes = sizes
        self.box = box
        self.origin: Any = None
        self._memo: dict[Any, Node] = {}
        self._values: dict[Node, Poly] = {}

    def where(self, node: Node) -> Any:
        """What an error in the node names as its origin."""
        return node.where if self.origin is None else self.origin

    def shape(self, node: Node) -> tuple[Poly, ...]:
        return tuple([self.sizes(n) for n in node.shape])

    def at(self, node: Node, index: Any, guards: Guards = ()) -> Node:
        """The element of a node at an index, as a scalar node. Raises Split. No recursion: tasks wait on a stack."""
        key = (node, index, guards)
        if key in self._memo:
            return self._memo[key]
        return self._run(key, self._task(*key))

    def compute(self, node: Node, index: Any) -> Node:
        """The same for a node that has a place, from its arguments."""
        return self._run((node, index, ()), self._fresh(node, index, ()))

    def _run(self, key: Any, task: Any) -> Node:
        stack = [(key, task)]
        answer: Any = None
        while stack:
            key, task = stack[-1]
            try:
                wanted = task.send(answer)
            except StopIteration as done:
                answer = self._memo[key] = done.value
                stack.pop()
                continue
            answer = self._memo.get(wanted)
            if answer is None:
                stack.append((wanted, self._task(*wanted)))
        return answer

    def _task(self, node: Node, index: Any, guards: Guards) -> Any:
        buffer = self.places.get(node)
        if buffer is not None:
            return self._load(node, buffer, index, guards)
        return self._fresh(node, index, guards)

    def _fresh(self, node: Node, index: Any, guards: Guards) -> Any:
        if node.op.kind is Kind.ELEMENTWISE:
            return self._elementwise(node, index, guards)
        if node.op is const:
            return self._immediate(node)
        if node.op is dim or node.op is size_:
            return self._immediate(position.make((), expression=self.sizes(node)))
        if node.op is indexing.unset:
            return self._immediate(constant(0, node.dtype))
        if node.op is indexing.iota:
            return self._immediate(position.make((), expression=linear(index, self.shape(node))))
        if node.op is movement.after:
            return self._same(node, index, guards)
        if node.op is indexing.gather:
            return self._gather(node, self._tuple(node, index), guards)
        if node.op in (movement.pad, movement.embed_diagonal):
            return self._placed(node, self._tuple(node, index), guards)
        if node.op is movement.join:
            return self._join(node, self._tuple(node, index), guards)
        return self._view(node, index, guards)

    def _tuple(self, node: Node, index: Any) -> tuple[Poly, ...]:
        return unflatten(index, self.shape(node), self.box.bounds) if isinstance(index, Poly) else index

    # each task is a generator: it yields what it needs and returns the scalar

    def _immediate(self, value: Node) -> Any:
        yield from ()
        return value

    def _same(self, node: Node, index: Any, guards: Guards) -> Any:
        return (yield node.args[0], index, guards)

    def _load(self, node: Node, buffer: Buffer, index: Any, guards: Guards) -> Any:
        yield from ()
        return load.make((), buffer=buffer, address=linear(index, self.shape(node)), guards=guards, to=node.dtype)

    def _elementwise(self, node: Node, index: Any, guards: Guards) -> Any:
        args = []
        for a in node.args:
            args.append((yield a, index, guards))
        return node.op.make(tuple(args), **node.attributes)

    def _view(self, node: Node, index: Any, guards: Guards) -> Any:
        x = node.args[0]
        if node.op is movement.broadcast and not x.shape:
            return (yield x, (), guards)
        if node.op is not movement.reshape:
            index = self._tuple(node, index)
        return (yield x, view_index(node.op, node.attrs, self.shape(x), self.shape(node), index, self), guards)

    def _gather(self, node: Node, index: tuple[Poly, ...], guards: Guards) -> Any:
        x, *indices = node.args
        rank = indices[0].ndim
        inner, outer = index[node.position : node.position + rank], index[: node.position] + index[node.position + rank :]
        full: list[Poly] = []
        rest = iter(outer)
        sizes = self.shape(x)
        for axis in range(x.ndim):
            if axis not in node.axes:
                full.append(next(rest))
                continue
            raw = yield indices[node.axes.index(axis)], inner, guards
            full.append(self.checked(raw, sizes[axis], axis, self.where(node), guards))
            if not sizes[axis].constant:
                guards = (*guards, Condition(sizes[axis] - 1))
        return (yield x, tuple(full), guards)

    def checked(self, raw: Node, size: Poly, axis: int, origin: Any, guards: Guards) -> Poly:
        """A computed index as a polynomial, after the test that it is in range."""
        if raw.op is const and size.constant is not None and -size.constant <= int(raw.value.array) < size.constant:
            value = int(raw.value.array)
            return poly(value + size.constant if value < 0 else value)
        if raw.op is position and self._in_range(raw.expression, size):
            return raw.expression
        node = checked.make((raw,), size=size, axis=axis, origin=origin, guards=guards)
        if node not in self._values:
            self._values[node] = polynomial.value_atom(node, variables_of(node))
        return self._values[node]

    def _in_range(self, p: Poly, size: Poly) -> bool:
        low, high = lower_bound(p, self.box.bounds), upper_bound(p, self.box.bounds)
        return low is not None and high is not None and never_negative(low) and never_negative(size - 1 - high)

    def _placed(self, node: Node, index: tuple[Poly, ...], guards: Guards) -> Any:
        """pad and embed_diagonal: x where the index falls on an element of it, else zero."""
        x = node.args[0]
        inner, conditions = _placement(node, index, self)
        held = self.decide(conditions)
        zero = constant(0, node.dtype)
        if held is None:
            return zero
        inside = yield x, inner, (*guards, *held)
        return select.make((inside, zero), conditions=held) if held else inside

    def _join(self, node: Node, index: tuple[Poly, ...], guards: Guards) -> Any:
        """The parts one after the other: the last one is what is left."""
        axis, offset = node.axis, ZERO
        chosen: list[tuple[Guards, Node]] = []
        taken: Guards = ()
        for number, part in enumerate(node.args):
            size = self.sizes(part.shape[axis])
            here = index[axis] - offset
            held = self.decide((Condition(size - 1 - here),)) if number < len(node.args) - 1 else ()
            offset = offset + size
            if held is None:
                continue
            place = (*index[:axis], here, *index[axis + 1 :])
            chosen.append((held, (yield part, place, (*guards, *taken, *held))))
            if not held:
                break
            taken = (*taken, Condition(here - size))
        value = chosen.pop()[1]
        for held, other in reversed(chosen):
            value = select.make((other, value), conditions=held)
        return value

    def decide(self, conditions: Guards) -> Guards | None:
        """The conditions left to test in this box; None: one of them fails everywhere. Raises Split where cutting decides it."""
        open_: list[Condition] = []
        for condition in conditions:
            p = condition.expression
            truth = self._truth(condition)
            if truth is False:
                return None
            if truth is None:
                if not condition.zero and self.box.may_split > 0:
                    self._try_split(p)
                open_.append(condition)
        return tuple(open_)

    def _truth(self, condition: Condition) -> bool | None:
        p = condition.expression
        if condition.zero:
            return None if p.constant is None else p.constant == 0
        low, high = lower_bound(p, self.box.bounds), upper_bound(p, self.box.bounds)
        if low is not None and never_negative(low):
            return True
        if high is not None and never_negative(high * -1 - 1):
            return False
        return None

    def _try_split(self, p: Poly) -> None:
        """p = v + rest >= 0 from v = -rest on; p = rest - v >= 0 up to v = rest."""
        if len(p.variables) != 1:
            return
        (variable,) = p.variables
        slope = p.coefficient(variable)
        if slope is None or slope.constant not in (1, -1) or variable not in self.box.bounds:
            return
        rest = p - Poly({(variable,): slope.constant})
        begin, last = self.box.bounds[variable]
        at = rest * -1 if slope.constant == 1 else rest + 1
        if never_negative(at - begin - 1) and never_negative(last - at):
            raise Split(variable, at)


def variables_of(node: Node) -> frozenset[Atom]:
    """The loop variables that a scalar node depends on."""
    found: set[Atom] = set()
    stack, seen = [node], {node}
    while stack:
        current = stack.pop()
        found |= own_variables(current)
        for a in current.args:
            if a not in seen:
                seen.add(a)
                stack.append(a)
    return frozenset(found)


def own_variables(node: Node) -> frozenset[Atom]:
    """The loop variables in the attributes of a scalar node."""
    if node.op is load:
        return node.address.variables.union(*[c.expression.variables for c in node.guards])
    if node.op is position:
        return node.expression.variables
    if node.op is select:
        return frozenset().union(*[c.expression.variables for c in node.conditions])
    if node.op is checked:
        return frozenset().union(*[c.expression.variables for c in node.guards])
    return frozenset()


# --- views as maps of indices ----------------------------------------------------------------------------------------


def view_index(op: Op, attrs: tuple[Any, ...], inner: tuple[Poly, ...], outer: tuple[Poly, ...], index: Any, low: Lowering) -> Any:
    """Where the element `index` of a view lies in the array viewed; inner, outer: the shapes of the array and of the view."""
    named = dict(zip(op.attrs, attrs, strict=True))
    if op is movement.permute:
        return tuple([index[named["axes"].index(axis)] for axis in range(len(index))])
    if op is movement.broadcast:
        tail = index[len(outer) - len(inner) :]
        return tuple([ZERO if n.constant == 1 else i for i, n in zip(tail, inner, strict=True)])
    if op is movement.slice_:
        return tuple(
            [i * low.sizes(step) + low.sizes(start) for i, step, start in zip(index, named["steps"], named["starts"], strict=True)]
        )
    if op is movement.diagonal:
        return _insert(index[:-1], {named["axis1"]: index[-1], named["axis2"]: index[-1]})
    if op is movement.window:
        return tuple([i + index[-1] if axis == named["axis"] else i for axis, i in enumerate(index[:-1])])
    assert op is movement.reshape, op
    return _reshaped(index, inner, outer, low)


def _insert(rest: tuple[Poly, ...], placed: dict[int, Poly]) -> tuple[Poly, ...]:
    left = iter(rest)
    return tuple([placed[axis] if axis in placed else next(left) for axis in range(len(rest) + len(placed))])


def _reshaped(index: Any, inner: tuple[Poly, ...], outer: tuple[Poly, ...], low: Lowering) -> Any:
    """Axis by axis where sizes meet; the element's number where that would need a division."""
    number = linear(index, outer)
    if isinstance(index, Poly):
        return number
    found: list[Poly] = []
    for ours, theirs in _groups(inner, outer):
        part = linear(tuple([index[a] for a in theirs]), tuple([outer[a] for a in theirs]))
        places = unflatten(part, tuple([inner[a] for a in ours]), low.box.bounds)
        if any(atom.kind in ("div", "mod") for place in places for atom in place.atoms()):
            return number
        found.extend(places)
    return tuple(found)


def _groups(inner: tuple[Poly, ...], outer: tuple[Poly, ...]) -> list[tuple[list[int], list[int]]]:
    """Axes of both shapes, cut wherever the products of the sizes so far agree."""
    groups: list[tuple[list[int], list[int]]] = []
    ours: list[int] = []
    theirs: list[int] = []
    a = b = 0
    left = right = polynomial.ONE
    while a < len(inner) or b < len(outer):
        if b == len(outer) or (a < len(inner) and (not ours or _smaller(left, right))):
            left = left * inner[a]
            ours.append(a)
            a += 1
        else:
            right = right * outer[b]
            theirs.append(b)
            b += 1
        if ours and theirs and left == right:
            groups.append((ours, theirs))
            ours, theirs = [], []
            left = right = polynomial.ONE
    if ours or theirs:
        groups.append((ours, theirs))
    return groups


def _smaller(left: Poly, right: Poly) -> bool:
    """Which product to let grow: the smaller one, of unknown ones that of fewer factors."""
    if left.constant is not None and right.constant is not None:
        return left.constant < right.constant
    return sum(map(len, left.terms)) <= sum(map(len, right.terms)) and left != right


def unflatten(number: Poly, shape: tuple[Poly, ...], bounds: Any) -> tuple[Poly, ...]:
    """The index per axis of an element's number in C order."""
    places: list[Poly] = []
    for n in reversed(shape[1:]):
        number, place = quotient(number, n, bounds)
        places.append(place)
    if shape:
        places.append(number)
    return tuple(reversed(places))


def _placement(node: Node, index: tuple[Poly, ...], low: Lowering) -> tuple[tuple[Poly, ...], Guards]:
    """For pad and embed_diagonal: the index in x, and the conditions under which there is one."""
    x = node.args[0]
    if node.op is movement.embed_diagonal:
        first, second = index[node.axis1], index[node.axis2]
        rest = [i for axis, i in enumerate(index) if axis not in (node.axis1, node.axis2)]
        return (*rest, first), (Condition(first - second, zero=True),)
    places: list[Poly] = []
    conditions: list[Condition] = []
    for i, start, step, n in zip(index, node.starts, node.steps, low.shape(x), strict=True):
        backwards = type(step) is int and step < 0
        by = low.sizes(step) * (-1 if backwards else 1)
        away = (i - low.sizes(start)) * (-1 if backwards else 1)
        if by.constant == 1:
            place = away
        else:
            place, remainder = quotient(away, by, low.box.bounds)
            conditions.append(Condition(away))
            conditions.append(Condition(remainder, zero=True))
        conditions.append(Condition(place))
        conditions.append(Condition(n - 1 - place))
        places.append(place)
    return tuple(places), tuple(conditions)


# --- loops -----------------------------------------------------------------------------------------------------------


def loops(shape: tuple[Poly, ...], letter: str = "i") -> tuple[tuple[Axis, ...], tuple[Poly, ...]]:
    """One loop per axis that has more than one element, and the index they form."""
    axes: list[Axis] = []
    index: list[Poly] = []
    for number, n in enumerate(shape):
        if n.constant == 1:
            index.append(ZERO)
            continue
        v = variable(f"{letter}{number}")
        (atom,) = v.variables
        axes.append(Axis(atom, ZERO, n))
        index.append(v)
    return tuple(axes), tuple(index)


def follow_index(path: Any, base: tuple[Any, ...], index: Any, low: Lowering) -> Any:
    """The index in the base of the element `index` of the view that a path leads to. base: the base's Dim shape."""
    shapes = [base]
    dtype = np.dtype(np.int8)
    for op, attrs in path:
        shapes.append(op.infer(ArrayType(shapes[-1], dtype), **dict(zip(op.attrs, attrs, strict=True))).shape)
    for number in range(len(path) - 1, -1, -1):
        op, attrs = path[number]
        inner, outer = [tuple([low.sizes(n) for n in shape]) for shape in (shapes[number], shapes[number + 1])]
        if isinstance(index, Poly) and op is not movement.reshape:
            index = unflatten(index, outer, low.box.bounds)
        index = view_index(op, attrs, inner, outer, index, low)
    return index


def as_bool(value: Node) -> Node:
    """A scalar's truth value."""
    return value if value.dtype == bool else ew.cast.make((value,), to=np.dtype(bool))
