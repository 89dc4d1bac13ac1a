"""Loops and branches of a program as C: their bodies have plans of their own over the memories around them.

A loop variable lives in `dims`, where kernels find all sizes: at every turn C sets it, and what is computed from it. Carried values live
in the memory of the loop's results; a body's outputs are aliases of its inputs, so the hazards of a turn are those of any plan.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from lazynp.backends.accumulate import accumulated
from lazynp.backends.bands import bands
from lazynp.backends.copies import Arrival
from lazynp.backends.digits import in_digits
from lazynp.backends.fuse import drop_dead_stores, fuse, move, share_outputs, touched_memories
from lazynp.backends.lower import Memory
from lazynp.backends.nests import Nest, nests_of
from lazynp.backends.partition import Given, Plan, Step, partition, strip
from lazynp.backends.polynomial import Poly, Sizes, product
from lazynp.backends.schedule import Scheduled, collapsed, ordered
from lazynp.backends.slide import slide
from lazynp.backends.twins import without_twins
from lazynp.backends.unbranched import selection, takes_long, with_one_load
from lazynp.ir.body import bodies_of, rename
from lazynp.ir.node import Graph, Node, dim
from lazynp.ops.structured import carried_argument, cond, is_immediate, loop, while_

Limit = "Poly | Memory"


class Control:
    """kind: the op; blocks: for each body its kernels in order. limits: start, stop and step of a loop; index: the position in dims of its
    variable; integers: carried integers (position in dims, memory); predicate: the 0-d bool that a branch or a while loop tests."""

    def __init__(self, node: Node, sizes: Sizes) -> None:
        self.kind = node.op
        self.limit: int | None = node.limit if node.op is while_ else None
        self.sizes = sizes
        self.limits: list[Poly | Memory] = []
        self.index = -1
        self.integers: list[tuple[int, Memory]] = []
        self.predicate: Poly | Memory | None = None
        self.blocks: list[Block] = []
        self.attributes: dict[str, Any] = {}
        self.values: list[tuple[Memory, list[Poly]]] = []
        """Of a callback: its attributes, and per value the memory and the shape."""
        self.target: Memory | None = None
        self.interface: set[Memory] = set()
        """Memories of the surroundings: alive during all turns."""
        self.arrivals: list[Arrival] = []
        """Copies that turns make of what they touch first."""

    def items(self) -> Iterator[Scheduled]:
        """Every nest inside."""
        for block in self.blocks:
            yield from block.items()

    def move(self, moved: dict[Memory, Memory]) -> None:
        """Let what lies in some memories lie in others."""
        move([item.nest for item in self.items()], moved)
        for part in self.parts():
            part.limits = [moved.get(p, p) if isinstance(p, Memory) else p for p in part.limits]
            part.integers = [(place, moved.get(memory, memory)) for place, memory in part.integers]
            part.values = [(moved.get(memory, memory), shape) for memory, shape in part.values]
            part.predicate = moved.get(part.predicate, part.predicate) if isinstance(part.predicate, Memory) else part.predicate
            part.target = None if part.target is None else moved.get(part.target, part.target)
            part.interface = {moved.get(memory, memory) for memory in part.interface}

    def parts(self) -> Iterator[Control]:
        """This loop or branch, and all inside it."""
        waiting = [self]
        while waiting:
            part = waiting.pop()
            yield part
            waiting += [inner for block in part.blocks for inner in block.parts if isinstance(inner, Control)]

    def memories(self) -> set[Memory]:
        """Every memory that is touched inside, or that must outlive a turn."""
        found = set(self.interface)
        for item in self.items():
            found |= touched_memories(item.nest)
        return found


class Block:
    """Groups of nests that run as one kernel, and loops between them, in order."""

    def __init__(self, parts: list[list[list[Scheduled]] | Control]) -> None:
        self.parts = parts

    def items(self) -> Iterator[Scheduled]:
        for part in self.parts:
            if isinstance(part, Control):
                yield from part.items()
            else:
                for group in part:
                    yield from group


def block_of(plan: Plan, steps: list[Step], outlive: Callable[[Memory], bool], share: bool = False) -> Block:
    """The kernels of some steps. outlive: whether a memory is read after them; share: whether temporaries may live in outputs."""
    sequence: list[list[Nest] | Control] = []
    for step in steps:
        made: list[Nest] | Control
        if step.kind in ("control", "callback"):
            control = control_of(plan, step) if step.kind == "control" else callback_of(plan, step)
            nest = _selection(control, sequence[-1] if sequence else [])
            made = control if nest is None else [nest]
        else:
            made = nests_of(plan, step)
        if isinstance(made, list) and sequence and isinstance(sequence[-1], list):
            sequence[-1] += made
        else:
            sequence.append(made)
    lists = [fuse([nest for nest in part if not is_empty(nest)]) for part in sequence if isinstance(part, list)]
    lists = [list(map(with_one_load, nests)) for nests in lists]
    kept: set[Memory] = set()
    for part in sequence:
        if isinstance(part, Control):
            kept |= part.memories()
    lists = [without_twins(nests, lambda m, n=n: outlive(m) or m in kept or _elsewhere(m, lists, n)) for n, nests in enumerate(lists)]
    lists = [accumulated(nests, lambda m, n=n: outlive(m) or m in kept or _elsewhere(m, lists, n)) for n, nests in enumerate(lists)]
    lists = drop_dead_stores([n for part in lists for n in part], [len(part) for part in lists], lambda m: outlive(m) or m in kept)
    if share and isinstance(sequence[-1], list):
        _share(sequence, lists, kept)
    used = [{m for nest in nests for m in touched_memories(nest)} for nests in lists] if len(lists) > 1 else [set()]
    parts: list[list[list[Scheduled]] | Control] = []
    for part in sequence:
        if isinstance(part, Control):
            parts.append(part)
            continue
        others = kept.union(*used[: -len(lists)], *used[len(used) - len(lists) + 1 :])
        items = slide([ordered(in_digits(nest)) for nest in lists.pop(0)], lambda m, others=others: outlive(m) or m in others)
        parts.append(bands(list(map(collapsed, items))))
    return Block(parts)


def _selection(control: Control, before: list[Nest] | Control) -> Nest | None:
    """The branch as a nest that computes both sides, where that costs less than wrong guesses. before: what its test is computed in."""
    tests = [s.value for nest in before for s in nest.stores if s.buffer.memory is control.predicate] if isinstance(before, list) else []
    return None if takes_long(tests) else selection(control)


def _share(sequence: list[list[Nest] | Control], lists: list[list[Nest]], kept: set[Memory]) -> None:
    """Temporaries that die in the last nests move into the outputs that are written there, also where a loop leaves them."""
    others = kept.union(*[touched_memories(nest) for nests in lists[:-1] for nest in nests])
    moved = share_outputs(lists[-1], others)
    if not moved:
        return
    controls = [part for part in sequence if isinstance(part, Control)]
    move([nest for nests in lists for nest in nests], moved)
    for control in controls:
        control.move(moved)


def _elsewhere(memory: Memory, lists: list[list[Nest]], number: int) -> bool:
    """Whether nests of other stretches between loops touch a memory."""
    return any(memory in touched_memories(nest) for n, nests in enumerate(lists) if n != number for nest in nests)


def is_empty(nest: Nest) -> bool:
    """Whether nothing is stored at any point of it. An index out of range that nobody uses is no error."""
    return not nest.folds and nest.call is None and any(a.size.constant == 0 for a in nest.axes)


def control_of(plan: Plan, step: Step) -> Control:
    """The loop or branch of a step, its bodies lowered."""
    node = step.node
    control = Control(node, plan.sizes)
    held: list[Memory | None] = [_memory(plan, step, a) for a in node.args]
    for index, target in enumerate(step.targets):
        number = carried_argument(node, index)
        if number is not None:
            held[number] = target.memory
    first = 3 if node.op is loop else 1 if node.op is cond else 0
    inputs = [None, *held[3:]] if node.op is loop else held[first:]
    aliases = []
    fixed: dict[Node, Node] = {}
    carried = {carried_argument(node, index): index for index in range(len(step.targets))}
    for number, argument in enumerate(node.args[first:], first):
        place = number - first + (node.op is loop)
        if number in carried:
            aliases.append((carried[number], place))
        elif is_immediate(strip(argument)):  # also in another shape
            fixed[bodies_of(node)[0].inputs[place]] = argument
    if node.op is cond:  # a result may lie where a branch still reads
        aliases += [
            (index, place)
            for index, target in enumerate(step.targets)
            for place, memory in enumerate(inputs)
            if memory is target.memory and (index, place) not in aliases
        ]
    if node.op is loop:
        control.limits = [plan.sizes(a) if is_immediate(a) else held[k] for k, a in enumerate(node.args[:3])]  # type: ignore[misc]
    elif node.op is cond:
        control.predicate = plan.sizes(node.args[0]) if is_immediate(node.args[0]) else held[0]
    control.interface = {m for m in (*held, *[t.memory for t in step.targets]) if m is not None}
    origin = node.where if plan.origin is None else plan.origin
    bodies = _own_leaves(control, node, inputs, plan.sizes, fixed)
    targets = [t.memory for t in step.targets]
    if node.op is while_:
        control.predicate = Memory("temp", product(()), np.dtype(bool))
        control.blocks.append(_block(plan, bodies[0], inputs, [control.predicate], (), origin))
        control.interface.add(control.predicate)
    for body in bodies[1:] if node.op is while_ else bodies:
        control.blocks.append(_block(plan, body, inputs, targets, tuple(aliases), origin))
    return control


def callback_of(plan: Plan, step: Step) -> Control:
    """A call of Python in the middle of a program: C hands over addresses and sizes."""
    node = step.node
    control = Control(node, plan.sizes)
    control.attributes = node.attributes
    for argument in node.args[1:]:
        memory = _memory(plan, step, argument)
        assert memory is not None
        control.values.append((memory, [plan.sizes(n) for n in argument.shape]))
    control.interface = {step.target.memory, *[memory for memory, _ in control.values]}
    control.target = step.target.memory
    return control


def _memory(plan: Plan, step: Step, argument: Node) -> Memory | None:
    node = strip(argument)
    buffer = step.redirect.get(node) or plan.places.get(node)
    return None if buffer is None else buffer.memory


def _own_leaves(control: Control, node: Node, inputs: list[Memory | None], sizes: Sizes, fixed: dict[Node, Node]) -> list[Graph]:
    """The bodies with a place in dims for each of their integers, and with numbers known outside (`fixed`) in their places."""
    bodies = bodies_of(node)
    leaves = dict(fixed)
    for position, leaf in enumerate(bodies[0].inputs):
        if leaf.op is not dim or leaf in fixed:
            continue
        if node.op is loop and position == 0:
            leaves[leaf] = sizes.loop_dim(*_range(control.limits))
            control.index = leaves[leaf].key
        else:
            leaves[leaf] = sizes.loop_dim(None, None)
            memory = inputs[position]
            assert memory is not None
            control.integers.append((leaves[leaf].key, memory))
    renamed = []
    for body in bodies:
        nodes = rename((*body.inputs, *body.outputs), leaves)
        renamed.append(Graph(_without_fixed(body.inputs, nodes, fixed), tuple(nodes[len(body.inputs) :]), body.aliases))
    return renamed


def _without_fixed(inputs: tuple[Node, ...], renamed: list[Node], fixed: dict[Node, Node]) -> tuple[Node, ...]:
    """The inputs under their new names; the leaf of a fixed number stays, unread."""
    return tuple([leaf if leaf in fixed else new for leaf, new in zip(inputs, renamed, strict=False)])


def _range(limits: list[Poly | Memory]) -> tuple[Poly | None, Poly | None]:
    """The least and the greatest value of a loop variable."""
    start, stop = [p if isinstance(p, Poly) else None for p in limits[:2]]
    step = limits[2].constant if isinstance(limits[2], Poly) else None
    if not step:
        return None, None
    if step > 0:
        return start, None if stop is None else stop - 1
    return None if stop is None else stop + 1, start


def _block(
    plan: Plan, body: Graph, inputs: list[Memory | None], outputs: list[Memory], aliases: tuple[tuple[int, int], ...], origin: Any
) -> Block:
    inner = partition(body._replace(aliases=aliases), plan.sizes, Given(inputs, outputs, plan.consts, origin))
    outer = {m for m in (*inputs, *outputs) if m is not None}
    return block_of(inner, inner.steps, outer.__contains__)


def inner_loops(control: Control) -> Iterator[Control]:
    """The loops of a turn, also those in branches, without the loops in these."""
    for block in control.blocks:
        for part in block.parts:
            if isinstance(part, Control):
                if part.kind in (loop, while_):
                    yield part
                else:
                    yield from inner_loops(part)


# --- the arena -------------------------------------------------------------------------------------------------------


def temporaries(block: Block) -> list[list[Memory]]:
    """For each kernel in order the memories of the arena that it touches; those around a loop are alive from its start to its end."""
    uses: list[list[Memory]] = []
    for part in block.parts:
        if not isinstance(part, Control):
            uses += [[m for item in group for m in touched_memories(item.nest) if m.kind == "temp"] for group in part]
            continue
        inner = [use for body in part.blocks for use in temporaries(body)]
        around = [m for m in part.interface if m.kind == "temp"]
        uses += [around, *inner, around]
    return uses
