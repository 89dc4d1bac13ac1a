"""Derivatives of loops and branches: their bodies are differentiated once, for all turns.

Forward mode adds the tangents to what is carried. Reverse mode runs the turns backwards: the cotangents of what is carried are carried,
those of what is only read are summed up. Values of a turn that the way back needs and that cannot be computed again from the loop
variable and what is only read are *saved*: the forward loop writes each into its row of a stack. Regions stay regions: the way back of
`A[i, i+1:] = ...` touches A[i, i+1:] only.

The rules get `pullback` and `pushforward` of the file above as arguments; they and these rules call each other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from lazynp.ir.body import canonical_bodies, own_dims
from lazynp.ir.node import Graph, Node, const, constant, dim, new_dim, new_input, substitute, toposort
from lazynp.ir.op import Kind
from lazynp.ir.types import ArrayType, Dim, itemcount
from lazynp.ops import elementwise as ew
from lazynp.ops.indexing import gather, iota, update
from lazynp.ops.movement import Path, Step, broadcast, follow, permute, reshape, slice_
from lazynp.ops.pruning import prune
from lazynp.ops.sizes import greatest, in_range, is_size, simplify_size, size_, size_node, upper_bound
from lazynp.ops.structured import carried_argument, cond, item, loop, while_

Rule = Callable[..., Any]
_CHEAP = 2.0
"""Operations up to this cost are done again on the way back, so that their argument is saved once for all that is made of it."""


def _active(type_: ArrayType) -> bool:
    return type_.dtype.kind in "fc"


def _depends(order: Iterable[Node], leaves: set[Node]) -> set[Node]:
    """The nodes that are computed from some of the leaves, also through sizes."""
    found = set(leaves)
    for node in order:
        if node not in found and (any(a in found for a in node.args) or (node.op is not dim and not found.isdisjoint(own_dims(node)))):
            found.add(node)
    return found


class _Loop:
    """A loop taken apart. carried, others: the leaves of its body and the arguments they stand for; index: the loop variable or None."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.is_for = node.op is loop
        body: Graph = node.body
        self.body = body
        self.outputs = body.outputs
        count, first = len(body.outputs), 1 if self.is_for else 0
        arguments = node.args[3:] if self.is_for else node.args
        self.index = body.inputs[0] if self.is_for else None
        self.carried = body.inputs[first : first + count]
        self.others = body.inputs[first + count :]
        self.carried_arguments = arguments[:count]
        self.other_arguments = arguments[count:]
        self.order = toposort(body.outputs)

    def differentiable(self, active: Callable[[Node], bool]) -> tuple[list[int], list[int]]:
        """The positions of the carried and of the other values that depend on active arguments; a value that becomes so in any turn is."""
        carried = {k for k, (c, a) in enumerate(zip(self.carried, self.carried_arguments, strict=True)) if active(a) and _active(c.type)}
        others = [k for k, (c, a) in enumerate(zip(self.others, self.other_arguments, strict=True)) if active(a) and _active(c.type)]
        while True:
            leaves = {self.carried[k] for k in carried} | {self.others[k] for k in others}
            reached = set(leaves)
            for node in self.order:
                if node not in reached and any(a in reached for a in node.args) and _has_floats(node):
                    reached.add(node)
            more = {k for k, o in enumerate(self.outputs) if o in reached and _active(self.carried[k].type)} - carried
            if not more:
                return sorted(carried), others
            carried |= more

    def limits(self) -> tuple[Node, ...]:
        return self.node.args[:3] if self.is_for else ()

    def leading(self) -> tuple[Node, ...]:
        return () if self.index is None else (self.index,)


def _has_floats(node: Node) -> bool:
    return any(_active(t) for t in _types(node))


def _types(node: Node) -> tuple[Any, ...]:
    """The types of a node's outputs."""
    return (node.type,) if isinstance(node.type, ArrayType) else node.type


# --- forward ---------------------------------------------------------------------------------------------------------


def pushed_forward(node: Node, tangents: Sequence[Node | None], pushforward: Rule) -> tuple[Node | None, ...]:
    """The tangents of a loop's or branch's outputs."""
    if node.op is cond:
        return _pushed_branches(node, tangents, pushforward)
    parts = _Loop(node)
    known = dict(zip(node.args, tangents, strict=True))
    carried, others = parts.differentiable(lambda a: known.get(a) is not None)
    moved = {leaf: new_input(leaf.type) for leaf in [*[parts.carried[k] for k in carried], *[parts.others[k] for k in others]]}
    changes = pushforward([parts.outputs[k] for k in carried], list(moved), list(moved.values()))
    changes = [_filled(parts.carried[k].type) if t is None else t for k, t in zip(carried, changes, strict=True)]
    inputs = (*parts.leading(), *parts.carried, *[moved[parts.carried[k]] for k in carried], *parts.others)
    inputs = (*inputs, *[moved[parts.others[k]] for k in others])
    starts = [_given(known.get(parts.carried_arguments[k]), parts.carried[k].type) for k in carried]
    arguments = (*parts.limits(), *parts.carried_arguments, *starts, *parts.other_arguments)
    arguments = (*arguments, *[known[parts.other_arguments[k]] for k in others])  # type: ignore[arg-type]
    body = Graph(inputs, (*parts.outputs, *changes))
    if node.op is loop:
        (body,) = canonical_bodies([body], simplify_size)
        result = loop(*arguments, body=body, again=node.again)
    else:
        test, body = canonical_bodies([Graph(inputs, node.condition.outputs), body], simplify_size)
        result = while_(*arguments, condition=test, body=body, limit=node.limit)
    places = {k: len(parts.carried) + position for position, k in enumerate(carried)}
    return tuple([item(result, index=places[k]) if k in places else None for k in range(len(parts.carried))])


def _pushed_branches(node: Node, tangents: Sequence[Node | None], pushforward: Rule) -> tuple[Node | None, ...]:
    leaves = node.yes.inputs
    moved = {leaf: new_input(leaf.type) for leaf, t in zip(leaves, tangents[1:], strict=True) if t is not None}
    found = [pushforward(list(branch.outputs), list(moved), list(moved.values())) for branch in (node.yes, node.no)]
    wanted = [k for k in range(len(node.type)) if _active(_types(node)[k]) and any(f[k] is not None for f in found)]
    if not wanted:
        return (None,) * len(node.type)
    outputs = [tuple([_filled(_types(node)[k]) if f[k] is None else f[k] for k in wanted]) for f in found]
    graphs = canonical_bodies([Graph((*leaves, *moved.values()), o) for o in outputs], simplify_size)
    result = cond(*node.args, *[t for t in tangents[1:] if t is not None], yes=graphs[0], no=graphs[1])
    return tuple([item(result, index=wanted.index(k)) if k in wanted else None for k in range(len(node.type))])


def _filled(type_: ArrayType) -> Node:
    return ew.filled(type_.shape, 0, type_.dtype)


def _given(node: Node | None, type_: ArrayType) -> Node:
    return _filled(type_) if node is None else node


# --- reverse ---------------------------------------------------------------------------------------------------------


def pulled_back(node: Node, cotangents: Sequence[Node | None], active: Callable[[Node], bool], pullback: Rule) -> list[Node | None]:
    """The cotangents of a loop's or branch's arguments. active: whether an argument's is wanted."""
    if node.op is cond:
        return _pulled_branches(node, cotangents, active, pullback)
    if node.op is while_:
        if node.limit is None:
            return pulled_back(counted(node), cotangents, active, pullback)[3:]
        node = bounded(node)
        return pulled_back(node, cotangents_of_bounded(cotangents), active, pullback)[4:]
    return _pulled_loop(node, cotangents, active, pullback)


def _pulled_loop(node: Node, cotangents: Sequence[Node | None], active: Callable[[Node], bool], pullback: Rule) -> list[Node | None]:
    parts = _Loop(node)
    carried, others = parts.differentiable(active)
    seeds = [new_input(parts.carried[k].type) for k in carried]
    sums = [new_input(parts.others[k].type) for k in others]
    wanted = [*[parts.carried[k] for k in carried], *[parts.others[k] for k in others]]
    initial = {parts.others[k]: total for k, total in zip(others, sums, strict=True)}
    found = pullback([parts.outputs[k] for k in carried], seeds, wanted, initial)
    back = [_given(f, leaf.type) for f, leaf in zip(found, wanted, strict=True)]
    saved, back = _split(back, {*seeds, *sums}, set(parts.carried))
    assert parts.index is not None
    turns = _Turns(node, parts.index)
    if saved and not turns.bounded():
        nest = in_segments(node)
        return [*(None,) * 3, *_pulled_loop(nest, cotangents, active, pullback)[3 : len(node.args)]]
    stacks, rows = turns.stacks(list(saved))
    forward = _saving_loop(parts, list(saved), stacks, rows)
    back = substitute(back, {saved[s]: follow(stack, row) for s, stack, row in zip(saved, stacks, rows, strict=True)})
    inputs = (parts.index, *seeds, *sums, *parts.others, *stacks)
    (body,) = canonical_bodies([Graph(inputs, tuple(back))], simplify_size)
    starts = [_given(cotangents[k], parts.carried[k].type) for k in carried]
    starts += [_filled(parts.others[k].type) for k in others]
    kept = [item(forward, index=len(parts.carried) + m) for m in range(len(stacks))] if forward is not None else []
    if node.again and kept:  # without what only the results of the loop need
        kept = list(prune(Graph((), tuple(kept))).outputs)
    result = loop(*turns.backwards(), *starts, *parts.other_arguments, *kept, body=body, again=node.again)
    out: list[Node | None] = [None] * len(node.args)
    for position, k in enumerate(carried):
        out[3 + k] = item(result, index=position)
    for position, k in enumerate(others):
        out[3 + len(parts.carried) + k] = item(result, index=len(carried) + position)
    return out


class _Turns:
    """The turns of a loop as sizes: how many there are, the number of the present one, and the way back."""

    def __init__(self, node: Node, index: Node) -> None:
        self.start, self.stop, self.step = node.args[:3]
        self.index = index
        self.stride = int(self.step.value.array)

    def known(self) -> bool:
        return is_size(self.start) and is_size(self.stop)

    def single(self) -> bool:
        """Whether there is one turn, as in the loops that make sizes of data."""
        return self.stride == 1 and simplify_size(self.stop - self.start) == 1

    def most(self) -> int | None:
        """The greatest number of turns of `for t in range(min(n, most))`."""
        if self.stop.op is not ew.minimum or self.stride != 1 or self.start.op is not const or self.start.value.array != 0:
            return None
        return next((int(a.value.array) for a in self.stop.args if a.op is const), None)

    def bounded(self) -> bool:
        """Whether there is a bound of the number of turns that is a size."""
        return self.single() or self.known() or self.most() is not None

    def count(self) -> Dim:
        """The number of turns, or what it is at most where it comes from data."""
        if self.single():
            return 1
        if (most := self.most()) is not None and not self.known():
            return most
        room = simplify_size(self.stop - self.start) if self.stride > 0 else simplify_size(self.start - self.stop)
        if abs(self.stride) != 1:
            room = simplify_size((_node(room) + (abs(self.stride) - 1)) // abs(self.stride))
        return greatest(0, room)

    def range(self) -> tuple[Dim | None, Dim | None]:
        """The least and the greatest loop variable, where they are sizes."""
        if not self.known():
            return None, None
        if self.stride > 0:
            return simplify_size(self.start), simplify_size(self.stop - 1)
        return simplify_size(self.stop + 1), simplify_size(self.start)

    def number(self) -> Dim:
        """The number of the present turn, from 0."""
        if self.single():
            return 0
        away = simplify_size(self.index - self.start) if self.stride > 0 else simplify_size(self.start - self.index)
        return away if abs(self.stride) == 1 else simplify_size(_node(away) // abs(self.stride))

    def backwards(self) -> tuple[Node, Node, Node]:
        if abs(self.stride) == 1:
            last: Any = self.stop - self.stride
        else:
            room = self.stop - self.start - (1 if self.stride > 0 else -1)
            last = self.start + (room // self.stride) * self.stride
        before: Any = self.start - self.stride
        return _known(last), _known(before), constant(-self.stride)

    def stacks(self, values: Sequence[Node]) -> tuple[list[Node], list[Path]]:
        """For each value an array with a row per turn, as a leaf, and the path to the row of the present turn."""
        if not values:
            return [], []
        count, number = self.count(), self.number()
        leaves: list[Node] = []
        paths: list[Path] = []
        for value in values:
            with in_range(self.index, *self.range()):
                most = [upper_bound(n, self.index) for n in value.shape]
            leaves.append(new_input(ArrayType((count, *most), value.dtype)))
            row = Step(slice_, ((number, *(0,) * value.ndim), (1,) * (value.ndim + 1), (1, *value.shape)))
            paths.append((row, Step(reshape, (value.shape,))))
        return leaves, paths


def _node(size: Dim) -> Node:
    return size if isinstance(size, Node) else constant(size)


def _known(node: Node) -> Node:
    return size_node(simplify_size(node)) if is_size(node) else node


def _saving_loop(parts: _Loop, saved: Sequence[Node], stacks: Sequence[Node], rows: Sequence[Path]) -> Node | None:
    """The same loop, which also writes what the way back needs into stacks."""
    if not saved:
        return None
    written = [update(stack, value, path=row) for stack, value, row in zip(stacks, saved, rows, strict=True)]
    inputs = (*parts.leading(), *parts.carried, *stacks, *parts.others)
    (body,) = canonical_bodies([Graph(inputs, (*parts.outputs, *written))], simplify_size)
    empty = [_filled(stack.type) for stack in stacks]
    return loop(*parts.limits(), *parts.carried_arguments, *empty, *parts.other_arguments, body=body, again=parts.node.again)  # type: ignore[no-any-return]


def _split(outputs: list[Node], linear: set[Node], changing: set[Node]) -> tuple[dict[Node, Node], list[Node]]:
    """What must be saved -> the leaf that stands for it, and the outputs made of these leaves.

    linear: the leaves of cotangents; changing: the leaves whose values are gone when the way back is taken."""
    order = toposort(outputs)
    carrying = _depends(order, linear)
    lost = _depends(order, changing)
    waiting = [a for node in order if node in carrying for a in node.args if a not in carrying and a in lost]
    waiting += [o for o in outputs if o not in carrying and o in lost]
    saved: dict[Node, Node] = {}
    seen: set[Node] = set()
    while waiting:
        node = waiting.pop()
        if node in seen:
            continue
        seen.add(node)
        again = _again(node, lost)
        if again is None:
            saved[node] = new_input(node.type)
        else:
            waiting += again
    fresh = substitute(outputs, saved)
    integers = {leaf for leaf in changing if leaf.op is dim}
    if integers and any(not integers.isdisjoint(own_dims(n)) for n in toposort(fresh)):
        raise TypeError("lazynp: the derivative backwards through a loop whose slices depend on a carried integer is not known")
    return saved, fresh


def _again(node: Node, lost: set[Node]) -> list[Node] | None:
    """The arguments to save instead of a node that is cheap to compute again; None where the node itself is saved."""
    if node.op is item and node.args[0].op is loop and node.args[0].again:
        return [a for a in node.args[0].args if a in lost]
    needed = [a for a in dict.fromkeys(node.args) if a in lost]
    if len(needed) != 1 or not isinstance(needed[0].type, ArrayType):
        return None
    if node.op in (broadcast, permute, reshape):
        return needed
    if node.op.kind is Kind.ELEMENTWISE and node.op.cost <= _CHEAP and needed[0].shape == node.shape:
        return needed
    return None


# --- branches backwards ----------------------------------------------------------------------------------------------


def _pulled_branches(node: Node, cotangents: Sequence[Node | None], active: Callable[[Node], bool], pullback: Rule) -> list[Node | None]:
    """Each branch backwards. What a branch computes from arrays that it then writes to is saved by the branch itself."""
    leaves = node.yes.inputs
    given = [k for k, ct in enumerate(cotangents) if ct is not None]
    wanted = [k for k, leaf in enumerate(leaves) if active(node.args[1 + k]) and _active(leaf.type)]
    seeds = [new_input(_types(node)[k]) for k in given]
    overwritten = {carried_argument(node, index) for index in range(len(node.type))}
    changing = {leaf for k, leaf in enumerate(leaves) if 1 + k in overwritten}
    backs, saves = [], []
    for branch in (node.yes, node.no):
        found = pullback([branch.outputs[k] for k in given], seeds, [leaves[k] for k in wanted], {})
        back = [_given(f, leaves[k].type) for f, k in zip(found, wanted, strict=True)]
        saved, back = _split(back, set(seeds), changing)
        backs.append(back)
        saves.append(saved)
    kept: list[Node] = []
    if any(saves):
        outputs = []
        for number, branch in enumerate((node.yes, node.no)):
            mine = [list(saved) if number == place else [_filled(s.type) for s in saved] for place, saved in enumerate(saves)]
            outputs.append((*branch.outputs, *mine[0], *mine[1]))
        graphs = canonical_bodies([Graph(leaves, o) for o in outputs], simplify_size)
        forward = cond(*node.args, yes=graphs[0], no=graphs[1])
        kept = [item(forward, index=len(node.type) + m) for m in range(len(saves[0]) + len(saves[1]))]
    stand_ins = [*saves[0].values(), *saves[1].values()]
    graphs = canonical_bodies([Graph((*leaves, *seeds, *stand_ins), tuple(back)) for back in backs], simplify_size)
    result = cond(*node.args, *[cotangents[k] for k in given], *kept, yes=graphs[0], no=graphs[1])
    out: list[Node | None] = [None] * len(node.args)
    for position, k in enumerate(wanted):
        out[1 + k] = item(result, index=position)
    return out


# --- numbers of turns that come from data ----------------------------------------------------------------------------

_LEVELS = 3
_ROWS, _LEAST_ROWS, _BYTES = 1024, 64, 1 << 23
"""Loops inside each other, turns of each at most, and bytes of what each keeps, where one is enough for so few rows."""


def in_segments(node: Node) -> Node:
    """A loop whose number of turns comes from data as loops inside each other, each of at most a known number of turns, so that the way
    back has room for what it saves: the state at the start of each segment, from which the segment is computed again. A loop that has
    more turns than the segments hold raises IndexError."""
    if node.args[2].op is not const:
        raise TypeError("lazynp: the derivative backwards through a loop whose step comes from data is not known")
    state = sum([itemcount(a.shape) * a.dtype.itemsize for a in node.args[3 : 3 + len(node.body.outputs)] if _fixed(a.shape)])
    rows = min(max(_BYTES // max(state, 1), _LEAST_ROWS), _ROWS)
    start, stop, stride = node.args[0], node.args[1], int(node.args[2].value.array)
    away = stop - start if stride > 0 else start - stop
    turns = ew.maximum(_upwards(away, constant(abs(stride))), constant(0))
    turns = gather(iota(rows**_LEVELS + 1), turns, axes=(0,), position=0)  # the same number, or an IndexError
    return _nest(node, rows, _LEVELS - 1, node.args[3:], (start, constant(0), turns))


def _fixed(shape: tuple[Dim, ...]) -> bool:
    return all(isinstance(n, int) for n in shape)


def _upwards(a: Node, by: Node) -> Node:
    """a / by, rounded up."""
    return ew.floor_divide(a + by - 1, by)


def _nest(node: Node, rows: int, level: int, values: Sequence[Node], numbers: tuple[Node, Node, Node]) -> Node:
    """The segments of one level. numbers: where the loop starts, which of its turns is the segment's first, how many turns it has."""
    leaves = [new_input(a.type) for a in values]
    start, first, turns = places = [new_input(constant(0).type) for _ in numbers]
    index = new_dim()
    count = len(node.body.outputs)
    if level == 0:
        i = start + (first + index) * int(node.args[2].value.array)
        inner = loop(i, i + 1, constant(1), *leaves, body=node.body)
        length = numbers[2]
    else:
        size, size_here = [ew.maximum(_upwards(n, constant(rows)), constant(rows**level)) for n in (numbers[2], turns)]
        done = index * size_here
        inner = _nest(node, rows, level - 1, leaves, (start, first + done, ew.minimum(size_here, turns - done)))
        length = _upwards(numbers[2], size)
    outputs = tuple([item(inner, index=k) for k in range(count)])
    (body,) = canonical_bodies([Graph((index, *leaves, *places), outputs)], simplify_size)
    stop = ew.minimum(length, constant(rows))
    return loop(constant(0), stop, constant(1), *values, *numbers, body=body, again=level < _LEVELS - 1)  # type: ignore[no-any-return]


# --- while ----------------------------------------------------------------------------------------------


def counted(node: Node) -> Node:
    """A while loop without a limit as a loop of as many turns as it has, which it is run once for to know."""
    inputs = node.body.inputs
    done = new_input(constant(0).type)
    graphs = [Graph((done, *inputs), node.condition.outputs), Graph((done, *inputs), (ew.add(done, 1), *node.body.outputs))]
    condition, body = canonical_bodies(graphs, simplify_size)
    turns = item(while_(constant(0), *node.args, condition=condition, body=body, limit=None), index=0)
    (turn,) = canonical_bodies([Graph((new_dim(), *inputs), node.body.outputs)], simplify_size)
    return loop(constant(0), turns, constant(1), *node.args, body=turn)  # type: ignore[no-any-return]


def bounded(node: Node) -> Node:
    """A while loop with a limit as a loop over the limit that does nothing once the condition fails; its first carried value says whether
    it is still running."""
    inputs = node.body.inputs
    running = new_input(ArrayType((), np.dtype(bool)))
    count = len(node.body.outputs)
    carried = inputs[:count]
    idle = Graph(inputs, (constant(False), *carried))
    graphs = canonical_bodies([Graph(inputs, (constant(True), *node.body.outputs)), idle], simplify_size)
    checks = canonical_bodies([Graph(inputs, node.condition.outputs), Graph(inputs, (constant(False),))], simplify_size)
    going = item(cond(running, *inputs, yes=checks[0], no=checks[1]), index=0)
    turn = cond(going, *inputs, yes=graphs[0], no=graphs[1])
    index = new_dim()
    outputs = tuple([item(turn, index=k) for k in range(count + 1)])
    (body,) = canonical_bodies([Graph((index, running, *inputs), outputs)], simplify_size)
    return loop(constant(0), size_(node.limit), constant(1), constant(True), *node.args, body=body)  # type: ignore[no-any-return]


def cotangents_of_bounded(cotangents: Sequence[Node | None]) -> list[Node | None]:
    return [None, *cotangents]
