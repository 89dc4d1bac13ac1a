"""Partition: which values get a place in memory, who shares which memory, and in which order the steps that make them run.

Everything starts fused. A value is materialised when it is an output, what an opaque routine or a matrix product reads or returns, a
reduction, a target of `update`, or when recomputing it for another reader costs more than loading it. Each materialised value is a version
of the contents of one memory. An `update` takes over the memory of its base; who reads the older version must run before it. Where that
order is impossible, those readers get a copy of the older version instead.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from lazynp import choices
from lazynp.backends import lapack, prelude, sorting
from lazynp.backends.expand import expand
from lazynp.backends.lower import Buffer, Memory
from lazynp.backends.polynomial import Poly, Sizes, product
from lazynp.backends.stored import read_back
from lazynp.ir.body import bodies_of
from lazynp.ir.node import Graph, Node, const, dim, input_, toposort
from lazynp.ir.op import Kind
from lazynp.ops import elementwise as ew
from lazynp.ops import indexing, movement
from lazynp.ops.printing import printed
from lazynp.ops.structured import CONTROL, carried_argument, item, loop, read_arguments, while_

_CHEAP_FROM_FAR, _FAR, _SOURCES = 32.0, 1 << 22, 2
"""A value of so many bytes comes from memory, which takes as long as more additions: a limited fourth-order diffusion of 8 MB by one kernel
takes 2.3 ms, by four 3.5 ms. That holds for additions and products of at most so many arrays; more of them would be loaded again."""
_ARITHMETIC = 2.0
"""The cost of an operation that is no more than that."""
_ROW = 16
"""Elements of a row, at least, where nobody knows."""
_WINDOWED = 16.0
"""Additions for all elements of a window that read a value: beyond them it is stored (a convolution with 200 weights reads each padded
element 200 times: 4.4 -> 1.1 ms for 100,000)."""
_MOST_OPS = 250
"""Operations in one kernel: compile time stays linear in the length of a chain."""


class Step:
    """What is made at once. kind: "map" (the node is computed from its arguments), "copy" (read from where it lives, or recomputed),
    "update" (the region of node.path is stored into base's memory), "scatter", "reduce", "scan", "gemm", "lapack" (targets: results, one by
    one), "library" (the same, by Python) or "control" (a loop or branch with a plan of its own; targets: its results).
    reads: the nodes in memory that it reads; redirect: those of them that it reads from a copy."""

    __slots__ = ("base", "begun", "kind", "node", "number", "reads", "redirect", "targets")

    def __init__(self, kind: str, node: Node, targets: list[Buffer], base: Buffer | None = None) -> None:
        self.kind = kind
        self.node = node
        self.targets = targets
        self.base = base
        self.begun: list[Buffer] = []
        """control: the versions that it overwrites."""
        self.number = 0
        self.redirect: dict[Node, Buffer] = {}
        self.reads: dict[Node, Buffer] = {}

    @property
    def target(self) -> Buffer:
        return self.targets[0]

    def __repr__(self) -> str:
        return f"{self.kind} {self.targets}"


class Plan:
    """places: node -> buffer; steps in order; outputs: per output its memory; inputs: per input its memory."""

    def __init__(self, graph: Graph, sizes: Sizes) -> None:
        self.graph = graph
        self.sizes = sizes
        self.given: Given | None = None
        self.origin: Any = None
        """Where the operations of a loop's body belong to: the loop."""
        self.loops_in_python = False
        self.places: dict[Node, Buffer] = {}
        self.steps: list[Step] = []
        self.inputs: list[Memory] = []
        self.outputs: list[Memory] = []
        self.consts: list[Node] = []
        self.waits = False
        """Whether something waits for an event."""
        self.follows: list[tuple[Buffer, Step]] = []
        """(older version, first writer of the next version of the same memory)."""

    def buffer(self, node: Node, memory: Memory | None = None) -> Buffer:
        """A new version holding a node's value, by default in a memory of its own."""
        shape = tuple([self.sizes(n) for n in node.shape])
        return Buffer(node, shape, memory or self.temporary(shape, node.dtype))

    def temporary(self, shape: Iterable[Poly], dtype: np.dtype) -> Memory:
        """A memory in the arena for the largest size that the shape has at any turn of the loops around. Raises Unbounded."""
        most = [self.sizes.upper(n) for n in shape]
        if any(n is None for n in most):
            raise Unbounded
        return Memory("temp", product(most), dtype)


def strip(node: Node) -> Node:
    """The node of which this one is only another shape: they can share memory."""
    while node.op is movement.reshape or node.op is movement.after:
        node = node.args[0]
    return node


class Unbounded(Exception):
    """A temporary inside a loop has a size that is computed from data: the loop runs step by step in Python."""


class Given(NamedTuple):
    """The plan around a loop's body: memories of its inputs (None for integers, which live in dims), and of its outputs."""

    inputs: Sequence[Memory | None]
    outputs: Sequence[Memory]
    consts: list[Node]
    origin: Any


def partition(graph: Graph, sizes: Sizes, given: Given | None = None, loops_in_python: bool = False) -> Plan:
    """The steps that compute a graph, in an order that respects every hazard. loops_in_python: Python runs every loop and branch."""
    graph = read_back(expand(graph))
    plan = Plan(graph, sizes)
    plan.given = given
    plan.loops_in_python = loops_in_python
    if given is not None:
        plan.consts, plan.origin = given.consts, given.origin
    order = toposort((*graph.inputs, *graph.outputs))
    plan.waits = any(node.op is movement.after for node in order)
    chosen = _materialised(plan, graph, order)
    _place_leaves(plan, order)
    _place_outputs(plan, chosen)
    _make_steps(plan, order, chosen)
    _copy_remaining_outputs(plan)
    _find_reads(plan)
    plan.steps = _Order(plan).run()
    return plan


# --- what to materialise ---------------------------------------------------------------------------------------------

_OWN_STEP = (Kind.REDUCE, Kind.ACCUMULATE, Kind.CONTRACT, Kind.UPDATE, Kind.LIBRARY)


def is_library(node: Node) -> bool:
    """Whether Python runs this op: opaque routines, elementwise ops that the C prelude does not have, and loops that contain such."""
    if node.op in CONTROL:
        return not runs_in_c(node)
    if node.op is printed:
        return False
    if node.op.kind is Kind.LIBRARY:
        return not (lapack.has(node) or sorting.has(node))
    return node.op.kind is Kind.ELEMENTWISE and not has_c(node)


def runs_in_c(node: Node) -> bool:
    """Whether nothing inside a loop or branch needs Python."""
    known = _compiled.get(node)
    if known is None:
        bodies = [toposort(body.outputs) for body in bodies_of(node)]
        known = _compiled[node] = not any(is_library(n) for order in bodies for n in order)
    return known


_compiled: WeakKeyDictionary[Node, bool] = WeakKeyDictionary()


def has_c(node: Node) -> bool:
    """Whether an elementwise node can be printed as C."""
    dtypes = [a.dtype for a in node.args]
    template = node.op.c(*dtypes) if callable(node.op.c) else node.op.c
    if node.op is ew.cast or template is not None:
        return True
    return prelude.has(prelude.helper(node.op.name, dtypes[0]))


def _materialised(plan: Plan, graph: Graph, order: list[Node]) -> set[Node]:
    """The nodes that get memory. Linear: each node knows how much a reader would have to recompute."""
    chosen = _forced(plan, graph, order)
    users = _user_counts(order)
    known: dict[Node, _Effort] = {}
    for node in order:
        if type(node.type) is tuple:
            continue
        effort = _effort(plan, node, known)
        if node not in chosen and node.args and _worth_storing(plan, node, effort, users):
            chosen.add(strip(node))
        known[node] = _loaded(node) if node in chosen or strip(node) in chosen else effort
    return chosen


class _Effort(NamedTuple):
    """What a reader of one element does if a node is not stored. dearest: the cost of its dearest operation; sources: the arrays that it
    loads from, or None for more than _SOURCES."""

    additions: float
    operations: int
    dearest: float
    sources: frozenset[Node] | None


def _loaded(node: Node) -> _Effort:
    single = type(node.type) is not tuple and not node.shape
    return _Effort(0.0, 0, 0.0, frozenset() if single else frozenset((strip(node),)))


def _effort(plan: Plan, node: Node, known: dict[Node, _Effort]) -> _Effort:
    if node.op is movement.broadcast and not _repeats(node, node.args[0]):
        return _shared(plan, node, known.get(node.args[0]) or _loaded(node.args[0]))
    own = node.op.cost if node.op.kind is Kind.ELEMENTWISE else 0.0
    parts = [known[a] if a in known else _loaded(a) for a in node.args]
    more = 2.0 if node.op in (movement.pad, movement.join, movement.embed_diagonal, indexing.gather) else 0.0
    sources: frozenset[Node] | None = frozenset()
    for part in parts:
        sources = None if sources is None or part.sources is None else sources | part.sources
        if sources is not None and len(sources) > _SOURCES:
            sources = None
    return _Effort(
        own + more + sum([p.additions for p in parts]),
        1 + sum([p.operations for p in parts]),
        max([own, more, *[p.dearest for p in parts]]),
        sources,
    )


def _shared(plan: Plan, node: Node, once: _Effort) -> _Effort:
    """What is computed once for all elements of inner loops: `x - mean` of rows is one subtraction, however the mean comes about."""
    count = product(map(plan.sizes, node.shape)).constant
    before = product(map(plan.sizes, node.args[0].shape)).constant
    many = _ROW if count is None or before is None else max(count // max(before, 1), 1)
    return once._replace(additions=once.additions / many, dearest=once.dearest / many)


def _worth_storing(plan: Plan, node: Node, effort: _Effort, users: dict[Node, tuple[int, int, int]]) -> bool:
    if effort.operations > _MOST_OPS:
        return True
    count, repeated, windows = users[node]
    if windows * effort.additions > _WINDOWED:
        return True
    if effort.additions <= choices.value("recompute") or (count < 2 and not repeated):
        return False
    near = repeated or effort.sources is None or effort.dearest > _ARITHMETIC
    return bool(near or (count - 1) * effort.additions > _CHEAP_FROM_FAR or not _is_far(plan, node))


def _is_far(plan: Plan, node: Node) -> bool:
    """Whether the value would be larger than a core's caches."""
    size = product(map(plan.sizes, node.shape)).constant
    return size is not None and size * node.dtype.itemsize >= _FAR


def _user_counts(order: list[Node]) -> dict[Node, tuple[int, int, int]]:
    """For each node how many nodes read it, how many of them read an element many times, and the size of the largest window over it."""
    counts: dict[Node, tuple[int, int, int]] = {}
    for node in order:
        for a in dict.fromkeys(node.args):
            count, repeated, windows = counts.get(a, (0, 0, 0))
            size = node.size if node.op is movement.window and type(node.size) is int else 0
            counts[a] = (count + 1, repeated + _repeats(node, a), max(windows, size))
        counts.setdefault(node, (0, 0, 0))
    return counts


def _repeats(node: Node, argument: Node) -> bool:
    """Whether the node reads one element of the argument for several of its own, in such a way that it cannot be kept in a register."""
    if node.op is movement.window:
        return True
    if node.op is indexing.gather:
        return True
    if node.op is not movement.broadcast:
        return False
    lead = len(node.out_shape) - argument.ndim
    stretched = set(movement.broadcast_axes(argument.shape, node.out_shape))
    kept = [a for a in range(lead, len(node.out_shape)) if a not in stretched and not _one(node.out_shape[a])]
    return any(s < k for s in stretched for k in kept)


def _one(n: Any) -> bool:
    return type(n) is int and n == 1


def _forced(plan: Plan, graph: Graph, order: list[Node]) -> set[Node]:
    chosen: set[Node] = set(graph.inputs)
    chosen.update([strip(o) for o in graph.outputs])
    for node in order:
        if node.op is item or node.op.kind in _OWN_STEP or _is_python_step(plan, node) or (node.op is const and node.shape):
            chosen.add(node)
        if node.op is printed:
            chosen.add(node)
            chosen.update([strip(a) for a in node.args[1:]])
        elif node.op.kind in (Kind.LIBRARY, Kind.CONTRACT) or _is_python_step(plan, node):
            chosen.update([strip(a) for a in node.args])
        elif node.op in CONTROL:
            chosen.update([strip(a) for a in read_arguments(node)])
        elif node.op is movement.after:
            chosen.update([strip(a) for a in node.args if a.op is not const])
    return chosen


# --- places ----------------------------------------------------------------------------------------------------------


def _place_leaves(plan: Plan, order: list[Node]) -> None:
    for number, node in enumerate(plan.graph.inputs):
        memory = Memory("input", product(map(plan.sizes, node.shape)), node.dtype, number)
        if plan.given is not None:
            memory = plan.given.inputs[number]  # type: ignore[assignment]
        plan.inputs.append(memory)
        if memory is not None and node.op is not dim:
            plan.places[node] = plan.buffer(node, memory)
    for node in order:
        if node.op is const and node.shape and node not in plan.places:
            memory = Memory("const", product(map(plan.sizes, node.shape)), node.dtype, len(plan.consts))
            plan.places[node] = plan.buffer(node, memory)
            plan.consts.append(node)


def _place_outputs(plan: Plan, chosen: set[Node]) -> None:
    """Outputs are written where the caller wants them; an aliased one into its input's memory. What a Python step returns is handed out.
    The first to ask for a node gets it."""
    aliases = dict(plan.graph.aliases)
    taken: set[Node] = set()
    for number, output in enumerate(plan.graph.outputs):
        size = product(map(plan.sizes, output.shape))
        memory = plan.inputs[aliases[number]] if number in aliases else Memory("output", size, output.dtype, number)
        if plan.given is not None:
            memory = plan.given.outputs[number]
        plan.outputs.append(memory)
        node = strip(output)
        if _made_in_python(plan, node) and node not in taken and memory.kind == "output" and plan.given is None:
            memory.kind = "returned"
        elif node in taken or node.op in (input_, const, dim) or _made_in_python(plan, node):
            continue
        if not _read_by_own_loop(plan, node, memory):
            taken.add(node)
            plan.places[node] = plan.buffer(node, memory)
    _share_with_bases(plan, chosen)


def _share_with_bases(plan: Plan, chosen: set[Node]) -> None:
    """Let each update take the memory of its base: from outputs down the chains, then the others, latest first."""
    pinned = {strip(o) for o in plan.graph.outputs}
    owner: dict[Node, Node] = {}
    order = toposort(plan.graph.outputs)
    writers = [n for n in order if _overwritten(plan, n) is not None]
    aliased = [strip(plan.graph.outputs[o]) for o, _ in plan.graph.aliases]
    for last in (*aliased, *reversed(writers)):
        node = last
        while True:
            base = _overwritten(plan, node)
            if base is None:
                break
            memory = _memory_of(plan, node)
            place = plan.places.get(base)
            if base in owner or (place is not None and place.memory is not memory) or (base in pinned and place is None):
                break
            if place is None:
                if base not in chosen or _made_in_python(plan, base) or base.op is dim:
                    break
                plan.places[base] = plan.buffer(base, memory)
            owner[base] = node
            node = base


def _read_by_own_loop(plan: Plan, node: Node, memory: Memory) -> bool:
    """Whether a loop reads, turn after turn, what lies where one of its results is wanted."""
    if node.op is not item or node.args[0].op not in (loop, while_):
        return False
    own = carried_argument(node.args[0], node.index)
    others = [strip(a) for position, a in enumerate(node.args[0].args) if position != own]
    return any(a in plan.places and plan.places[a].memory is memory for a in others)


def _is_python_step(plan: Plan, node: Node) -> bool:
    return is_library(node) or (plan.loops_in_python and node.op in CONTROL)


def _made_in_python(plan: Plan, node: Node) -> bool:
    """Whether the value is what a Python step returns: a NumPy array of its own."""
    if node.op is item:
        return _is_python_step(plan, node.args[0])
    return is_library(node)


def _overwritten(plan: Plan, node: Node) -> Node | None:
    """The value whose memory this one takes over: the base of an update, the first value of what a loop carries. None: it has none, or
    the loop reads it beside."""
    if node.op.kind is Kind.UPDATE:
        return strip(node.args[0])
    if node.op is not item or node.args[0].op not in CONTROL or _made_in_python(plan, node):
        return None
    control = node.args[0]
    number = carried_argument(control, node.index)
    if number is None:
        return None
    base = strip(control.args[number])
    return base if [strip(a) for a in control.args].count(base) == 1 else None


def _memory_of(plan: Plan, node: Node) -> Memory:
    if node not in plan.places:
        plan.places[node] = plan.buffer(node)
    return plan.places[node].memory


# --- steps -----------------------------------------------------------------------------------------------------------

_KINDS = {Kind.REDUCE: "reduce", Kind.ACCUMULATE: "scan", Kind.CONTRACT: "gemm"}


def _make_steps(plan: Plan, order: list[Node], chosen: set[Node]) -> None:
    items: dict[Node, list[Node]] = {}
    for node in order:
        if node.op is item:
            items.setdefault(node.args[0], []).append(node)
    for node in order:
        if node.op in CONTROL and not _is_python_step(plan, node):
            _control_step(plan, node, items.get(node, []))
            continue
        if node.op in (input_, item, dim) or (node.op is const and node.shape) or node not in chosen:
            continue
        if _is_python_step(plan, node):
            _library_step(plan, node, items.get(node, [node]))
        elif node.op.kind is Kind.UPDATE:
            _update_step(plan, node)
        elif node.op is printed:
            _memory_of(plan, node)
            _add(plan, Step("callback", node, [plan.places[node]]))
        elif node.op.kind is Kind.LIBRARY:
            _lapack_step(plan, node, items.get(node, []))
        else:
            _memory_of(plan, node)
            _add(plan, Step(_KINDS.get(node.op.kind, "map"), node, [plan.places[node]]))
    _order_overwrites(plan)


def _add(plan: Plan, step: Step) -> Step:
    step.number = len(plan.steps)
    plan.steps.append(step)
    for target in step.targets:
        target.writers.append(step)
    return step


def _library_step(plan: Plan, node: Node, results: list[Node]) -> None:
    for result in results:
        if result not in plan.places:
            plan.places[result] = plan.buffer(result, Memory("array", product(map(plan.sizes, result.shape)), result.dtype))
    for a in node.args:
        place = plan.places[strip(a)]
        if place.memory.kind == "temp":
            place.memory.kind = "array"
    _add(plan, Step("library", node, [plan.places[r] for r in results]))


def _lapack_step(plan: Plan, node: Node, used: list[Node]) -> None:
    """The results that somebody reads; the others are computed for nobody, or not at all."""
    results = used if type(node.type) is tuple else [node]
    for result in results:
        _memory_of(plan, result)
    _add(plan, Step("lapack", node, [plan.places[r] for r in results]))


def _update_step(plan: Plan, node: Node) -> None:
    """The store into the region; before it, where the base lives elsewhere, the base is copied (or computed) into this memory."""
    memory = _memory_of(plan, node)
    base = strip(node.args[0])
    older = plan.places.get(base)
    if older is None or older.memory is not memory:
        older = plan.buffer(node.args[0], memory)
        _add(plan, Step("copy", node.args[0], [older]))
    step = Step("update" if node.op is indexing.update else "scatter", node, [plan.places[node]], older)
    _add(plan, step)
    plan.follows.append((older, step))


def _control_step(plan: Plan, node: Node, used: list[Node]) -> None:
    """A loop or branch. What it carries starts as a copy in the memory of the result, unless it is there already."""
    items = {one.index: one for one in used}
    results = [items.get(index) or item(node, index=index) for index in range(len(node.type))]
    begun: list[Buffer] = []
    beside = {strip(a) for a in read_arguments(node)}
    kept: dict[Node, Buffer] = {}
    for result in results:
        memory = _memory_of(plan, result)
        number = carried_argument(node, result.index)
        if number is None:
            continue
        first = node.args[number]
        older = plan.places.get(strip(first))
        if older is None or older.memory is not memory:
            older = plan.buffer(first, memory)
            _add(plan, Step("copy", first, [older]))
        elif strip(first) in beside:  # what its turns overwrite is also read as it was before them
            kept[strip(first)] = plan.buffer(first)
            _add(plan, Step("copy", first, [kept[strip(first)]]))
        begun.append(older)
    step = _add(plan, Step("control", node, [plan.places[result] for result in results]))
    step.begun = begun
    step.redirect |= kept
    plan.follows += [(older, step) for older in begun]


def _order_overwrites(plan: Plan) -> None:
    """The first step that writes into an aliased input's memory follows all that read what the caller passed."""
    for _, number in plan.graph.aliases:
        memory = plan.inputs[number]
        given = plan.places.get(plan.graph.inputs[number])
        if given is None or any(older is given for older, _ in plan.follows):
            continue
        first = next((s for s in plan.steps if any(t.memory is memory for t in s.targets)), None)
        if first is not None:
            plan.follows.append((given, first))


def _copy_remaining_outputs(plan: Plan) -> None:
    """Outputs whose node lives elsewhere: inputs, constants, one value returned twice."""
    for number, output in enumerate(plan.graph.outputs):
        memory = plan.outputs[number]
        place = plan.places.get(strip(output))
        if place is not None and place.memory is memory:
            continue
        step = _add(plan, Step("copy", output, [plan.buffer(output, memory)]))
        for alias, source in plan.graph.aliases:
            if alias == number and plan.graph.inputs[source] in plan.places:
                plan.follows.append((plan.places[plan.graph.inputs[source]], step))


# --- order -----------------------------------------------------------------------------------------------------------


def _find_reads(plan: Plan) -> None:
    for step in plan.steps:
        step.reads = {n: step.redirect.get(n) or plan.places[n] for n in _leaves(operands(step), plan.places)}


def operands(step: Step) -> tuple[Node, ...]:
    """The nodes whose elements a step reads."""
    if step.kind == "copy":
        return (step.node,)
    if step.kind == "control":
        return read_arguments(step.node)
    return step.node.args[1:] if step.kind in ("update", "scatter") else step.node.args


def _leaves(roots: Iterable[Node], places: dict[Node, Buffer]) -> list[Node]:
    """The nodes in memory that are reached from roots through nodes that are not; with the events that these wait for."""
    found: dict[Node, None] = {}
    stack = list(roots)
    seen: set[Node] = set(stack)
    while stack:
        node = stack.pop()
        if node in places:
            found[node] = None
            continue
        for a in node.args:
            if a not in seen:
                seen.add(a)
                stack.append(a)
    return list(found)


def events(plan: Plan, step: Step) -> frozenset[Memory]:
    """The memories that the step's `after` operands wait for."""
    if not plan.waits:
        return frozenset()
    inner = toposort(operands(step), stop=plan.places.__contains__)
    found = [strip(node.args[1]) for node in inner if node.op is movement.after and node not in plan.places]
    return frozenset([plan.places[node].memory for node in found if node in plan.places])


def _regions(plan: Plan, reader: Step, keys: set[Node]) -> dict[Node, Node] | None:
    """The small regions through which a step reads some values in memory -> the value; None where it reads more."""
    found: dict[Node, Node] = {}
    stack = list(operands(reader))
    seen = set(stack)
    while stack:
        node = stack.pop()
        if node in keys:
            return None
        if node in plan.places:
            continue
        following = node.args
        if node.op in (movement.slice_, indexing.gather) and strip(node.args[0]) in keys:
            key = strip(node.args[0])
            if not _is_small(plan, node, key):
                return None
            found[node] = key
            following = node.args[1:]
        for a in following:
            if a not in seen:
                seen.add(a)
                stack.append(a)
    return found or None


def _is_small(plan: Plan, region: Node, whole: Node) -> bool:
    """Whether a region has at most a quarter of the elements."""
    sizes = [plan.sizes.upper(product(map(plan.sizes, node.shape))) for node in (region, whole)]
    counts = [None if size is None else size.constant for size in sizes]
    return None not in counts and counts[0] * 4 <= counts[1]  # type: ignore[operator]


class _Order:
    """Kahn's algorithm. needs: steps that must run before, because this one reads their result; waits: readers of what it overwrites."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.done: set[Step] = set()
        self.order: list[Step] = []
        readers: dict[Buffer, list[Step]] = {}
        for step in plan.steps:
            for buffer in step.reads.values():
                readers.setdefault(buffer, []).append(step)
        self.needs = {step: self._needs(step) for step in plan.steps}
        self.waits: dict[Step, set[Step]] = {step: set() for step in plan.steps}
        self.older: dict[tuple[Step, Step], Buffer] = {}
        for older, writer in plan.follows:
            for reader in readers.get(older, ()):
                if reader is not writer:
                    self.waits[writer].add(reader)
                    self.older[reader, writer] = older
        self.after: dict[Step, list[Step]] = {}
        for step in plan.steps:
            for before in (*self.needs[step], *self.waits[step]):
                self.after.setdefault(before, []).append(step)

    def _needs(self, step: Step) -> set[Step]:
        buffers = [*step.reads.values(), *step.begun, *([step.base] if step.base is not None else [])]
        return {writer for buffer in buffers for writer in buffer.writers if writer is not step}

    def run(self) -> list[Step]:
        ready = [_rank(s) for s in self.plan.steps if not self.needs[s] and not self.waits[s]]
        heapq.heapify(ready)
        steps = self.plan.steps
        while len(self.done) < len(steps):
            if not ready:
                self._break(ready)
            step = steps[heapq.heappop(ready)[1]]
            self.order.append(step)
            self.done.add(step)
            for later in self.after.get(step, ()):
                self.needs[later].discard(step)
                self.waits[later].discard(step)
                self._offer(later, ready)
        return self.order

    def _offer(self, step: Step, ready: list[tuple[bool, int]]) -> None:
        if step not in self.done and not self.needs[step] and not self.waits[step] and _rank(step) not in ready:
            heapq.heappush(ready, _rank(step))

    def _break(self, ready: list[tuple[bool, int]]) -> None:
        """No step can run: the first that only waits for readers goes ahead, and they will read a copy."""
        writer = next(s for s in self.plan.steps if s not in self.done and not self.needs[s])
        copies: dict[Any, Buffer] = {}
        for reader in sorted(self.waits[writer], key=lambda step: step.number):
            older = self.older[reader, writer]
            if self._keep_regions(reader, older, copies):
                continue
            if older not in copies:
                copies[older] = self._copy(older)
            for node, buffer in reader.reads.items():
                if buffer is older:
                    reader.redirect[node] = reader.reads[node] = copies[older]
        self.waits[writer].clear()
        self._offer(writer, ready)

    def _keep_regions(self, reader: Step, older: Buffer, copies: dict[Any, Buffer]) -> bool:
        """Copy only the regions of the older version that the reader sees, if they are small: a turn of a loop that reads and writes an
        element of a large array must not copy the array."""
        keys = {node for node, buffer in reader.reads.items() if buffer is older}
        regions = _regions(self.plan, reader, keys)
        if regions is None:
            return False
        made = [(region, self._region(region, key, older, reader)) for region, key in regions.items()]
        if any(writer not in self.done for _, step in made for place in step.reads.values() for writer in place.writers):
            return False  # where the region is will be known too late
        for region, step in made:
            if (older, region) not in copies:
                self.order.append(step)
                copies[older, region] = step.target
            reader.redirect[region] = reader.reads[region] = copies[older, region]
        for key in keys:
            del reader.reads[key]
        return True

    def _region(self, region: Node, key: Node, older: Buffer, reader: Step) -> Step:
        """The copy of a region; its indices are read from where the reader has them: their own places may hold newer ones by now."""
        step = Step("copy", region, [self.plan.buffer(region)])
        step.redirect = {**reader.redirect, key: older}
        step.reads = {n: step.redirect.get(n) or self.plan.places[n] for n in _leaves(region.args, self.plan.places)}
        return step

    def _copy(self, older: Buffer) -> Buffer:
        node = older.node
        step = Step("copy", node, [self.plan.buffer(node)])
        step.redirect[node] = older
        step.reads[node] = older
        self.order.append(step)
        return step.target


def _rank(step: Step) -> tuple[bool, int]:
    """Python steps wait until nothing else can run: fewer calls into C."""
    return step.kind == "library", step.number
