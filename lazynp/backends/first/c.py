"""The C backend: a graph becomes one C file, one shared object and a plan that says what to pass to it.

    compile(graph, key) -> Program      partition, lower, render, gcc; kept on disk under the key
    load(key) -> Program | None         from disk: no rewriting, no compiler

Consecutive kernels form a segment, one foreign call; nodes without C run through NumPy between segments.
"""

import pickle
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from lazynp.backends import blas, diskcache, prelude, threads, toolchain
from lazynp.backends.first import lower, memory, render
from lazynp.backends.first.partition import gemm_form, has_c, is_leaf, partition, prepare
from lazynp.ir.node import Graph, Node, const, dim, toposort
from lazynp.ir.op import Kind, Op
from lazynp.ir.types import ArrayType
from lazynp.ops import reduction as red
from lazynp.ops.indexing import scatter, update
from lazynp.ops.movement import Step, join, reshape, slice_

# --- what a plan holds: plain data, pickled beside the shared object ------------------------------------------------------


class Slot(NamedTuple):
    """Memory of a program. kind: "input", "output" (number), "temp" (number of its lifetime) or "const"."""

    kind: str
    number: int
    shape: tuple[Any, ...]
    dtype: np.dtype


class PythonStep(NamedTuple):
    """A node that runs through NumPy: args and targets are slots, or ("object", n) for the value of a multi-output node."""

    op: Op
    args: tuple[Any, ...]
    attrs: dict[str, Any]
    target: Any
    origin: int


class Plan(NamedTuple):
    """slots by number; segments: a C segment's number or a PythonStep; temps: (first, last, bytes) with sizes as expressions; outputs: their
    types; copies: (output, slot) that are copied at the end; pointers: BLAS routines passed in; constants: arrays passed in."""

    slots: list[Slot]
    segments: list[Any]
    temps: list[tuple[int, int, Any]]
    outputs: list[tuple[tuple[Any, ...], np.dtype]]
    copies: list[tuple[int, int]]
    pointers: list[str]
    constants: list[np.ndarray]
    inputs: int
    dims: int
    checks: bool
    kernels: int
    library_steps: int
    blas_int: str
    source: str
    loops: str


# --- the program ----------------------------------------------------------------------------------------------------------

ffi = toolchain.ffi


class _Layout(NamedTuple):
    """What depends on the sizes: offsets of temporaries, arena size, output shapes."""

    offsets: list[int]
    arena: int
    shapes: list[tuple[int, ...]]


class CProgram:
    """A plan and its loaded shared object. Re-entrant: everything a run changes is its own."""

    def __init__(self, plan: Plan, library: Any) -> None:
        self.plan = plan
        self.library = library
        self.kernels = plan.kernels
        self.library_steps = plan.library_steps
        self.source = plan.source
        self.loops = plan.loops
        self.foreign_calls = sum(1 for s in plan.segments if type(s) is int)
        self._entry = library.lazynp_run if library is not None else None
        self._layouts: dict[tuple[int, ...], _Layout] = {}
        self._pointers = [ffi.cast("void *", _blas_pointer(name, plan.blas_int)) for name in plan.pointers]
        self._first_temp = plan.inputs + len(plan.outputs)
        self._simple = (
            plan.segments == [0] and not plan.temps and not plan.constants and not plan.pointers and not plan.copies and not plan.checks
        )
        self._dims_cache: dict[Any, Any] = {}

    def run(
        self, inputs: Sequence[np.ndarray], dims: Sequence[int] = (), outputs: Sequence[np.ndarray | None] | None = None
    ) -> list[np.ndarray]:
        dims = tuple(dims)
        layout = self._layouts.get(dims) or self._layout(dims)
        shapes, types = layout.shapes, self.plan.outputs
        if outputs is None:
            results = [memory.empty(shape, t[1]) for shape, t in zip(shapes, types, strict=True)]
        else:
            results = [
                memory.empty(shape, t[1]) if out is None else out for shape, t, out in zip(shapes, types, outputs, strict=True)
            ]
        if self._simple:
            slots = ffi.new("void *[]", [ffi.from_buffer(a) for a in inputs] + [ffi.from_buffer(a) for a in results])
            self._entry(slots, self._c_dims(dims, 0, ()))
            return results
        self._run_steps(inputs, dims, results, layout)
        return results

    def _c_dims(self, dims: tuple[int, ...], segment: int, offsets: Sequence[int]) -> Any:
        """threads, segment, the program's dims, the offsets of temporaries."""
        count = threads.thread_count()
        key = (dims, segment, count)
        known = self._dims_cache.get(key)
        if known is None:
            if len(self._dims_cache) > 256:
                self._dims_cache.clear()
            known = self._dims_cache[key] = ffi.new("int64_t[]", [count, segment, *dims, *offsets])
        return known

    def _layout(self, dims: tuple[int, ...]) -> _Layout:
        plan = self.plan
        lives = [memory.Lifetime(first, last, memory.evaluate_size(size, dims)) for first, last, size in plan.temps]
        offsets, total = memory.place(lives)
        shapes = [tuple([memory.evaluate_size(n, dims) for n in shape]) for shape, _ in plan.outputs]
        if len(self._layouts) > 256:
            self._layouts.clear()
        layout = self._layouts[dims] = _Layout(offsets, total, shapes)
        return layout

    def _run_steps(self, inputs: Sequence[np.ndarray], dims: tuple[int, ...], results: list[np.ndarray], layout: _Layout) -> None:
        plan = self.plan
        arena = memory.empty((layout.arena,), np.dtype(np.uint8))
        error = ffi.new("int64_t[4]")
        held = [ffi.from_buffer(a) for a in (*inputs, *results, *plan.constants, arena)]
        slots = ffi.new("void *[]", [*held, ffi.cast("void *", error), *self._pointers])
        objects: dict[int, Any] = {}
        for segment in plan.segments:
            if type(segment) is int:
                self._entry(slots, self._c_dims(dims, segment, layout.offsets))
                if plan.checks and error[0]:
                    raise _index_error(error)
            else:
                self._python_step(segment, inputs, dims, results, arena, layout, objects)
        for output, slot in plan.copies:
            results[output][...] = self._array(slot, inputs, dims, results, arena, layout)

    def _array(self, slot: int, inputs: Any, dims: Any, results: Any, arena: np.ndarray, layout: _Layout) -> np.ndarray:
        kind, number, shape, dtype = self.plan.slots[slot]
        if kind == "input":
            return inputs[number]  # type: ignore[no-any-return]
        if kind == "output":
            return results[number]  # type: ignore[no-any-return]
        if kind == "const":
            return self.plan.constants[number]
        return np.ndarray(tuple([memory.evaluate_size(n, dims) for n in shape]), dtype, arena, layout.offsets[number])

    def _python_step(
        self, step: PythonStep, inputs: Any, dims: Any, results: Any, arena: np.ndarray, layout: _Layout, objects: dict[int, Any]
    ) -> None:
        args = [
            objects[a[1]] if type(a) is tuple else self._array(a, inputs, dims, results, arena, layout) for a in step.args
        ]
        attrs = {name: _plain(value, dims) for name, value in step.attrs.items()}
        try:
            value = step.op.numpy(*args, **attrs)
        except Exception as error:
            error.lazynp_origin = step.origin  # type: ignore[attr-defined]
            raise
        if type(step.target) is tuple:
            objects[step.target[1]] = value
        else:
            self._array(step.target, inputs, dims, results, arena, layout)[...] = value


def _index_error(error: Any) -> IndexError:
    """What a check in the C code found: error = [1, origin, ...] and the index, axis and size in the message."""
    found = IndexError(f"index {error[2]} is out of bounds for axis {error[3] % 64} with size {error[3] // 64}")
    found.lazynp_origin = error[1]  # type: ignore[attr-defined]
    return found


def _blas_pointer(name: str, int_type: str) -> int:
    table = blas.table()
    if table is None or table.int_type != int_type:
        raise LookupError("the program was compiled for another BLAS")
    return table.pointer(name)


# --- sizes and attributes as plain data -------------------------------------------------------------------------------------


def _size(n: Any) -> Any:
    if not isinstance(n, Node):
        return int(n)
    known: dict[Node, Any] = {}
    for node in toposort([n]):
        if node.op is dim:
            known[node] = ("dim", node.key)
        elif node.op is const:
            known[node] = int(node.value.array)
        elif node.op.name == "cast":
            known[node] = known[node.args[0]]
        else:
            known[node] = (node.op.name, known[node.args[0]], known[node.args[1]])
    return known[n]


class _SizeOf(NamedTuple):
    """A size inside an attribute of a NumPy step."""

    expression: Any


def _stored(value: Any) -> Any:
    if isinstance(value, Node):
        return _SizeOf(_size(value))
    if type(value) is tuple:
        return tuple([_stored(v) for v in value])
    if hasattr(value, "_make"):
        return value._make([_stored(v) for v in value])
    return value


def _plain(value: Any, dims: Any) -> Any:
    if type(value) is _SizeOf:
        return memory.evaluate_size(value.expression, dims)
    if type(value) is tuple:
        return tuple([_plain(v, dims) for v in value])
    if hasattr(value, "_make"):
        return value._make([_plain(v, dims) for v in value])
    return value


# --- building ---------------------------------------------------------------------------------------------------------------


def load(key: str) -> CProgram | None:
    """The program under this key, from the disk cache; None if there is none (or it was made for another BLAS)."""
    blob = diskcache.get(key, ".plan")
    if blob is None:
        return None
    plan: Plan = pickle.loads(blob)
    library = toolchain.load(key) if plan.source else None
    if plan.source and library is None:
        return None
    table = blas.table() if plan.pointers else None
    if plan.pointers and (table is None or table.int_type != plan.blas_int):
        return None
    return CProgram(plan, library)


def compile(graph: Graph, key: str) -> CProgram:  # noqa: A001  (the field's name for it)
    """Compile an optimised graph and keep it under the key. Raises CompileError if gcc refuses our text."""
    plan = _Builder(prepare(graph)).plan()
    library = toolchain.build(plan.source, key) if plan.source else None
    diskcache.put(key, ".plan", pickle.dumps(plan))
    return CProgram(plan, library)


_C_KINDS = (Kind.ELEMENTWISE, Kind.MOVE, Kind.GATHER, Kind.REDUCE, Kind.ACCUMULATE, Kind.UPDATE, Kind.CONTRACT)


class _Builder:
    """From a prepared graph to a plan. Stored nodes become steps in an order in which every reader of a buffer runs before the buffer
    is overwritten."""

    def __init__(self, graph: Graph) -> None:
        outputs = tuple([_identity(o) if is_leaf(o) and not self._is_own(graph, i, o) else o for i, o in enumerate(graph.outputs)])
        self.graph = graph._replace(outputs=outputs)
        self.order, self.stored = partition(self.graph)
        self.position = {node: k for k, node in enumerate(self.order)}
        self.slots: list[Slot] = []
        self.slot: dict[Node, int] = {}
        self.constants: list[np.ndarray] = []
        self.reads = {node: self._reads(node) for node in self.order if node in self.stored}
        self.in_place: dict[Node, Node] = {}
        self.copies: list[tuple[int, int]] = []
        self.lives: list[list[Any]] = []
        self.pointers: list[str] = []
        self.functions: dict[str, str] = {}
        self.helpers: set[str] = set()
        self.blas_suffixes: set[str] = set()
        self.checks = False
        self.kernels = 0
        self.python_steps = 0
        self.listing: list[str] = []
        self.objects: dict[Node, int] = {}
        self.dims = max([d.key + 1 for node in toposort((*graph.inputs, *self.order)) for d in _dims_of(node)], default=0)

    @staticmethod
    def _is_own(graph: Graph, output: int, leaf: Node) -> bool:
        """Whether an aliased output is simply the untouched input."""
        return any(o == output and graph.inputs[i] is leaf for o, i in graph.aliases)

    def _reads(self, root: Node) -> set[Node]:
        """The stored nodes and leaves that computing a node reads."""
        found: set[Node] = set()
        stack = list(root.args)
        seen: set[Node] = set()
        while stack:
            node = stack.pop()
            if node in seen:
                continue
            seen.add(node)
            if node in self.stored or is_leaf(node) or (node.op is const and node.ndim):
                found.add(node)
            else:
                stack.extend(node.args)
        return found

    # --- order and memory ---

    def _schedule(self) -> list[Node]:
        """Stored nodes in an order that respects data and lets updates overwrite their base; an update that cannot gets a copy."""
        steps = [n for n in self.order if n in self.stored]
        readers: dict[Node, list[Node]] = {}
        for node in steps:
            for source in self.reads[node]:
                readers.setdefault(source, []).append(node)
        aliased = {self.graph.inputs[i]: self.graph.outputs[o] for o, i in self.graph.aliases}
        outputs = set(self.graph.outputs)
        overwritten: dict[Node, Node] = {}
        for node in steps:
            base = self._base(node)
            if base is not None and base not in overwritten and self._may_overwrite(base, aliased, outputs):
                overwritten[base] = node
        for leaf, output in aliased.items():
            if output in self.stored and leaf not in overwritten and self._root(output, overwritten) is not leaf and self._is_map(output):
                if not self._base(output):
                    overwritten[leaf] = output
        return self._sorted(steps, readers, overwritten)

    @staticmethod
    def _is_map(node: Node) -> bool:
        return node.op.kind in (Kind.ELEMENTWISE, Kind.MOVE, Kind.GATHER) and node.op is not join and has_c(node)

    @staticmethod
    def _base(node: Node) -> Node | None:
        return node.args[0] if node.op is update or node.op is scatter else None

    def _may_overwrite(self, base: Node, aliased: dict[Node, Node], outputs: set[Node]) -> bool:
        if is_leaf(base):
            return base in aliased and aliased[base] is not base
        return base in self.stored and base not in outputs and not isinstance(base.type[0], ArrayType)

    @staticmethod
    def _root(node: Node, overwritten: dict[Node, Node]) -> Node:
        while node.op in (update, scatter) and overwritten.get(node.args[0]) is node:
            node = node.args[0]
        return node

    def _sorted(self, steps: list[Node], readers: dict[Node, list[Node]], overwritten: dict[Node, Node]) -> list[Node]:
        """Kahn's algorithm with an edge from every other reader of a base to the step that overwrites it. A cycle is broken by a copy."""
        after: dict[Node, list[Node]] = {n: [] for n in steps}
        waits: dict[Node, int] = dict.fromkeys(steps, 0)
        for node in steps:
            for source in self.reads[node]:
                if source in waits:
                    after[source].append(node)
                    waits[node] += 1
        extra: dict[Node, list[Node]] = {}
        for base, writer in overwritten.items():
            extra[writer] = [r for r in readers.get(base, ()) if r is not writer]
            for reader in extra[writer]:
                after[reader].append(writer)
                waits[writer] += 1
        writer_of = {writer: base for base, writer in overwritten.items()}
        result: list[Node] = []
        ready = [n for n in reversed(steps) if waits[n] == 0]
        emitted: set[Node] = set()
        stuck = iter(steps)
        while len(result) < len(steps):
            if not ready:
                victim = next(n for n in stuck if n not in emitted and n in writer_of)
                for reader in extra[victim]:
                    if reader not in emitted:
                        after[reader].remove(victim)
                        waits[victim] -= 1
                del writer_of[victim]
                if waits[victim] == 0:
                    ready.append(victim)
                continue
            node = ready.pop()
            emitted.add(node)
            result.append(node)
            for user in reversed(after[node]):
                waits[user] -= 1
                if waits[user] == 0:
                    ready.append(user)
        self.in_place = writer_of
        return result

    def _assign_slots(self, schedule: list[Node]) -> None:
        graph = self.graph
        for number, leaf in enumerate(graph.inputs):
            self.slot[leaf] = self._new_slot("input", number, leaf)
        for number, output in enumerate(graph.outputs):
            self.slots.append(Slot("output", number, tuple([_size(n) for n in output.shape]), output.dtype))
        for node in self.order:
            if node.op is const and node.ndim:
                self.slot[node] = self._new_slot("const", len(self.constants), node)
                self.constants.append(node.value.array)
        first = len(graph.inputs)
        wanted: dict[Node, int] = {}
        alias_of = {o: graph.inputs[i] for o, i in graph.aliases}
        for number, output in enumerate(graph.outputs):
            if is_leaf(output):
                continue
            if output in wanted:
                continue
            leaf = alias_of.get(number)
            if leaf is None or self.in_place.get(output) is leaf or self._chain_start(output) is leaf:
                wanted[output] = number
        for node in schedule:
            base = self.in_place.get(node)
            if base is not None and (node.op is update or node.op is scatter):
                self.slot[node] = self.slot[base]
            elif node in wanted:
                self.slot[node] = first + wanted[node]
            elif not isinstance(node.type[0], ArrayType):
                chain_end = self._chain_end(node)
                if chain_end in wanted and wanted[chain_end] not in alias_of:
                    self.slot[node] = first + wanted[chain_end]
                else:
                    self.slot[node] = self._new_slot("temp", len(self.lives), node)
                    self.lives.append([None, 0, _bytes(node)])
        for number, output in enumerate(graph.outputs):
            if is_leaf(output):
                continue
            slot = self.slot[output]
            own = first + number
            leaf = alias_of.get(number)
            if slot != own and not (leaf is not None and slot == self.slot[leaf]):
                self.copies.append((number, slot))

    def _chain_start(self, node: Node) -> Node:
        while node in self.in_place and (node.op is update or node.op is scatter):
            node = self.in_place[node]
        return node

    def _chain_end(self, node: Node) -> Node:
        followers = self._followers
        while node in followers:
            node = followers[node]
        return node

    def _new_slot(self, kind: str, number: int, node: Node) -> int:
        self.slots.append(Slot(kind, number, tuple([_size(n) for n in node.shape]), node.dtype))
        return len(self.slots) - 1

    # --- steps ---

    def plan(self) -> Plan:
        schedule = self._schedule()
        self._followers = {b: n for n, b in self.in_place.items() if n.op is update or n.op is scatter}
        self._assign_slots(schedule)
        segments: list[Any] = []
        bodies: list[list[str]] = []
        step = 0
        groups = self._grouped(schedule)
        many = len(groups) > 16
        for step, group in enumerate(groups):
            node = group[0]
            for member in group:
                self._touch(member, step)
            if self._runs_in_python(node):
                segments.append(self._python(node))
                self.python_steps += 1
                continue
            if not segments or type(segments[-1]) is not int:
                segments.append(len(bodies))
                bodies.append([])
            bodies[-1] += self._c_step(group, many, step)
        for number, slot in self.copies:
            if self.slots[slot].kind == "temp":
                self.lives[self.slots[slot].number][1] = len(groups) + 1
        source = self._source(bodies) if bodies else ""
        table = blas.table() if self.pointers else None
        return Plan(
            self.slots, segments, [(a or 0, b, size) for a, b, size in self.lives],
            [(tuple([_size(n) for n in o.shape]), o.dtype) for o in self.graph.outputs],
            self.copies, self.pointers, self.constants, len(self.graph.inputs), self.dims, self.checks, self.kernels, self.python_steps,
            table.int_type if table else "", source, "\n".join(self.listing),
        )  # fmt: skip

    def _touch(self, node: Node, step: int) -> None:
        """Extend the lifetimes of the temporaries that a step reads or writes."""
        for other in (node, *self.reads[node]):
            slot = self.slot.get(other)
            if slot is not None and self.slots[slot].kind == "temp":
                life = self.lives[self.slots[slot].number]
                if life[0] is None:
                    life[0] = step
                life[1] = max(life[1], step)

    def _grouped(self, schedule: list[Node]) -> list[list[Node]]:
        """Neighbouring maps of one shape that read each other only element by element share a nest."""
        groups: list[list[Node]] = []
        for node in schedule:
            if groups and self._joins(groups[-1], node):
                groups[-1].append(node)
            else:
                groups.append([node])
        return groups

    def _joins(self, group: list[Node], node: Node) -> bool:
        head = group[0]
        if len(group) >= 8 or not self._is_map(node) or not self._is_map(head) or node.shape != head.shape:
            return False
        if node in self.in_place or any(m in self.in_place for m in group):
            return False
        members = set(group)
        if not self.reads[node] & (members | set().union(*[self.reads[m] for m in group])):
            return False
        return self._reads_aligned(node, members)

    def _reads_aligned(self, root: Node, members: set[Node]) -> bool:
        stack = [(a, root.op.kind is Kind.ELEMENTWISE) for a in root.args]
        seen = set()
        while stack:
            state = stack.pop()
            if state in seen:
                continue
            seen.add(state)
            node, aligned = state
            if node in members:
                if not aligned:
                    return False
            elif node not in self.stored and not is_leaf(node):
                stack.extend([(a, aligned and node.op.kind is Kind.ELEMENTWISE) for a in node.args])
        return True

    def _runs_in_python(self, node: Node) -> bool:
        return node.op.kind not in _C_KINDS or not has_c(node)

    def _python(self, node: Node) -> PythonStep:
        args = tuple([("object", self.objects[a]) if a in self.objects else self.slot[a] for a in node.args])
        if isinstance(node.type[0], ArrayType):
            self.objects[node] = len(self.objects)
            target: Any = ("object", self.objects[node])
        else:
            target = self.slot[node]
        self.listing.append(f"numpy: {node.op.name} {node.type}")
        origin = node.where if isinstance(node.where, int) else -1
        return PythonStep(node.op, args, {k: _stored(v) for k, v in node.attributes.items()}, target, origin)

    def _slot_for_kernel(self, node: Node) -> int | None:
        return self.slot.get(node) if node in self.stored or is_leaf(node) or (node.op is const and node.ndim) else None

    def _c_step(self, group: list[Node], many: bool, step: int) -> list[str]:
        node = group[0]
        kind = node.op.kind
        if kind is Kind.CONTRACT:
            return self._gemm(node)
        if node.op is join:
            return self._join(node, many)
        if node.op is update:
            return self._update(node, many, step)
        if node.op is scatter:
            lines = self._copy_base(node)
            return lines + self._call(render.render_scatter(node, self.slot[node], self._slot_for_kernel), node, False)
        if kind is Kind.REDUCE:
            if node.op in (red.argmax, red.argmin):
                return self._call(render.render_arg_reduce(node, self.slot[node], self._slot_for_kernel), node, many)
            kernel = render.render_reduce(node, self.slot[node], self._slot_for_kernel)
            return self._call(kernel, node, many, folded="partial" in kernel.text)
        if kind is Kind.ACCUMULATE:
            return self._call(render.render_accumulate(node, self.slot[node], self._slot_for_kernel), node, many)
        return self._map(group, many, step)

    def _map(self, group: list[Node], many: bool, step: int) -> list[str]:
        targets = [self.slot[n] for n in group]
        kernel = render.render_map(group, targets, None, None, self._slot_for_kernel, set(group))
        if not kernel.hazard:
            return self._call(kernel, group[0], many)
        node = group[0]
        spare = self._spare(node.type, step)
        kernel = render.render_map([node], [spare], None, None, self._slot_for_kernel, {node})
        return self._call(kernel, node, many) + self._memcpy(targets[0], spare, node)

    def _spare(self, type_: ArrayType, step: int) -> int:
        """Scratch memory for one step."""
        self.slots.append(Slot("temp", len(self.lives), tuple([_size(n) for n in type_.shape]), type_.dtype))
        self.lives.append([step, step, _bytes_of(type_)])
        return len(self.slots) - 1

    def _copy_base(self, node: Node) -> list[str]:
        base = node.args[0]
        if self.in_place.get(node) is base:
            return []
        if self._slot_for_kernel(base) is None:
            return self._call(render.render_map([base], [self.slot[node]], None, None, self._slot_for_kernel, {base}), base, False)
        return self._memcpy(self.slot[node], self.slot[base], node)

    def _update(self, node: Node, many: bool, step: int) -> list[str]:
        base, new = node.args
        lines = self._copy_base(node)
        target = self.slot[node]
        kernel = render.render_map([new], [target], node.path, base, self._slot_for_kernel, set())
        if self.in_place.get(node) is base and kernel.hazard:  # reads its old neighbours: the new values first go elsewhere
            spare = self._spare(new.type, step)
            first = render.render_map([new], [spare], None, None, self._slot_for_kernel, {new} - self.stored)
            lines += self._call(first, node, many)
            back = render.render_map([new], [target], node.path, base, lambda n: spare if n is new else None, set())
            return lines + self._call(back, node, many)
        return lines + self._call(kernel, node, many)

    def _join(self, node: Node, many: bool) -> list[str]:
        """Each part is written into its region."""
        lines: list[str] = []
        before: Any = 0
        for part in node.args:
            starts = tuple([before if axis == node.axis else 0 for axis in range(node.ndim)])
            path = (_slice_step(starts, part.shape),)
            kernel = render.render_map([part], [self.slot[node]], path, node, self._slot_for_kernel, set())
            lines += self._call(kernel, node, many)
            n = part.shape[node.axis]
            before = n if type(before) is int and before == 0 else before + n
        return lines

    def _gemm(self, node: Node) -> list[str]:
        form = gemm_form(node)
        assert form is not None
        x, y = node.args
        suffix = prelude.suffix(node.dtype)
        self.blas_suffixes.add(suffix)
        sizes = dict(zip(node.xs, x.shape, strict=True)) | dict(zip(node.ys, y.shape, strict=True))
        m, n, k, batch = (_product([sizes[a] for a in g]) for g in (form.rows, form.columns, form.summed, form.batch))
        a, b, c = (f"(({prelude.ctype(node.dtype)} *){self._pointer(v)})" for v in (x, y, node))
        if form.batch:
            a, b, c = f"{a} + t * {m} * {k}", f"{b} + t * {k} * {n}", f"{c} + t * {m} * {n}"
        one, none = ("1", "0") if node.dtype.kind != "c" else (f"(({prelude.ctype(node.dtype)}){{1, 0}})", lower.zero(node.dtype))
        letter = {"f32": "s", "f64": "d", "c64": "c", "c128": "z"}[suffix]
        if not form.columns:
            turned, rows, columns = ("'T'", k, m) if form.x_transposed else ("'N'", m, k)
            call = f"lz_gemv_{suffix}({self._blas(letter + 'gemv')}, {turned}, {rows}, {columns}, {one}, {a}, {columns}, {b}, 1, {none}, {c}, 1);"
            guard = m
        elif not form.rows:
            turned, rows, columns = ("'N'", n, k) if form.y_transposed else ("'T'", k, n)
            call = f"lz_gemv_{suffix}({self._blas(letter + 'gemv')}, {turned}, {rows}, {columns}, {one}, {b}, {columns}, {a}, 1, {none}, {c}, 1);"
            guard = n
        else:
            ta, lda = ("'T'", m) if form.x_transposed else ("'N'", k)
            tb, ldb = ("'T'", k) if form.y_transposed else ("'N'", n)
            call = (
                f"lz_gemm_{suffix}({self._blas(letter + 'gemm')}, {ta}, {tb}, {m}, {n}, {k}, {one}, {a}, {lda}, {b}, {ldb}, {none}, {c}, {n});"
            )
            guard = f"{m} && {n}"
        self.kernels += 1
        self.listing.append(f"blas: {call}")
        ctype = prelude.ctype(node.dtype)
        clear = f"__builtin_memset({c}, 0, sizeof({ctype}) * {_product([sizes[g] for g in (*form.rows, *form.columns)])});"
        inner = f"if (!({k})) {{ {clear} }} else if ({guard}) {{ {call} }}"
        return [f"for (int64_t t = 0; t < {batch}; t++) {{ {inner} }}" if form.batch else inner]

    def _blas(self, name: str) -> str:
        if name not in self.pointers:
            self.pointers.append(name)
        return f"@BLAS{self.pointers.index(name)}@"

    def _memcpy(self, target: int, source: int, node: Node) -> list[str]:
        size = " * ".join([lower.size_text(n) for n in node.shape] or ["1"])
        if target == source:
            return []
        self.kernels += 1
        return [f"__builtin_memcpy({self._slot_text(target)}, {self._slot_text(source)}, {node.dtype.itemsize} * ({size}));"]

    def _pointer(self, node: Node) -> str:
        return self._slot_text(self.slot[node])

    def _slot_text(self, slot: int) -> str:
        kind, number, _, _ = self.slots[slot]
        first = len(self.graph.inputs)
        if kind == "input":
            return f"slots[{number}]"
        if kind == "output":
            return f"slots[{first + number}]"
        if kind == "const":
            return f"slots[{first + len(self.graph.outputs) + number}]"
        return f"(arena + offsets[{number}])"

    def _call(self, kernel: render.Kernel, node: Node, many: bool, folded: bool = False) -> list[str]:
        if many:
            kernel = render.lift_offsets(kernel)
        self.kernels += 1
        self.checks = self.checks or kernel.checks
        self.helpers |= kernel.helpers
        name = self.functions.setdefault(kernel.text, f"k{len(self.functions)}")
        buffers = ", ".join([self._slot_text(s) for s in kernel.buffers])
        constants = ", ".join(map(str, kernel.constants)) or "0"
        self.listing.append(f"{name}({buffers}): {node.op.name} {node.type}")
        run = "lz_run_folded" if folded else "lz_run"
        return [
            f"{{ void *b[] = {{{buffers}}}; const int64_t q[] = {{{constants}}}; "
            f"{run}({name}, b, q, dims, error, {kernel.count}, {kernel.chunk}); }}"
        ]

    def _source(self, bodies: list[list[str]]) -> str:
        first = len(self.graph.inputs) + len(self.graph.outputs) + len(self.constants)
        declare = "".join([f"const int64_t n{k} = dims[{2 + k}]; (void)n{k};\n" for k in range(self.dims)])
        text = [prelude.emit(self.helpers), _RUNTIME.replace("CHUNK", str(render.CHUNK))]
        table = blas.table() if self.pointers else None
        if table is not None:
            text += [table.calls(s) for s in sorted(self.blas_suffixes)]
        for body, name in self.functions.items():
            text.append(f"static void {name}{_SIGNATURE} {{\n{declare}{body}\n}}\n")
        cases = []
        for number, lines in enumerate(bodies):
            joined = "\n".join(lines)
            for k in range(len(self.pointers)):
                joined = joined.replace(f"@BLAS{k}@", f"slots[{first + 2 + k}]")
            text.append(f"static void segment{number}(void **slots, const int64_t *dims, char *arena, int64_t *error) {{\n{declare}")
            text.append(f"const int64_t *offsets = dims + {2 + self.dims}; (void)offsets; (void)arena;\n{joined}\n}}\n")
            cases.append(f"case {number}: segment{number}(slots, dims, arena, error); break;")
        simple = not self.lives and not self.constants and not self.pointers and not self.copies and not self.checks
        reserved = "char *arena = 0; int64_t *error = 0;"
        if not (simple and self.python_steps == 0 and len(bodies) == 1):
            reserved = f"char *arena = slots[{first}]; int64_t *error = slots[{first + 1}];"
        entry = f"int64_t {toolchain.ENTRY}(void **slots, const int64_t *dims) {{ {reserved} switch (dims[1]) {{ {' '.join(cases)} }} return 0; }}\n"
        return "\n".join([*text, entry])


def _identity(leaf: Node) -> Node:
    """A copy of an input: an output of its own."""
    return reshape.make((leaf,), out_shape=leaf.shape)


def _slice_step(starts: tuple[Any, ...], sizes: tuple[Any, ...]) -> Step:
    return Step(slice_, (starts, (1,) * len(starts), sizes))


def _product(sizes: list[Any]) -> str:
    return "(" + (" * ".join([lower.size_text(n) for n in sizes]) or "1") + ")"


def _bytes(node: Node) -> Any:
    return _bytes_of(node.type)


def _bytes_of(type_: ArrayType) -> Any:
    total: Any = type_.dtype.itemsize
    for n in type_.shape:
        size = _size(n)
        total = total * size if type(total) is int and type(size) is int else ("multiply", total, size)
    return total


def _dims_of(node: Node) -> list[Node]:
    found: list[Node] = []
    stack: list[Any] = [*node.attrs]
    if not isinstance(node.type[0], ArrayType):
        stack += list(node.shape)
    while stack:
        value = stack.pop()
        if isinstance(value, Node):
            found += [n for n in toposort([value]) if n.op is dim]
        elif isinstance(value, tuple):
            stack.extend(value)
    return found


_SIGNATURE = (
    "(void *const *b, const int64_t *q, const int64_t *dims, int64_t *error, void *partial, int64_t chunk, int64_t begin, int64_t end)"
)

_RUNTIME = (
    """\
typedef void (*lz_kernel)"""
    + _SIGNATURE
    + """;
LZ_INLINE void lz_fail(int64_t *error, int64_t origin, int64_t index, int64_t axis, int64_t size) {
    error[1] = origin; error[2] = index; error[3] = size * 64 + axis; error[0] = 1;
}
LZ_INLINE int64_t lz_chunk(int64_t inner) { const int64_t c = CHUNK / (inner > 0 ? inner : 1); return c > 1 ? c : 1; }
LZ_INLINE int64_t lz_wide_chunk(int64_t count, int64_t inner) {
    const int64_t least = lz_chunk(inner), even = ((count + 255) / 256 + 255) / 256 * 256;
    return least * 256 >= count ? least : even;
}
LZ_INLINE void lz_run(lz_kernel k, void *const *b, const int64_t *q, const int64_t *dims, int64_t *error, int64_t count, int64_t chunk) {
    const int64_t chunks = (count + chunk - 1) / chunk;
    if (dims[0] > 1 && chunks > 1) {
        #pragma omp parallel for schedule(dynamic, 1) num_threads((int)dims[0])
        for (int64_t c = 0; c < chunks; c++) k(b, q, dims, error, 0, chunk, c * chunk, (c + 1) * chunk < count ? (c + 1) * chunk : count);
    } else if (count > 0) k(b, q, dims, error, 0, chunk, 0, count);
}
LZ_INLINE void lz_run_folded(lz_kernel k, void *const *b, const int64_t *q, const int64_t *dims, int64_t *error, int64_t count, int64_t chunk) {
    const int64_t chunks = (count + chunk - 1) / chunk;
    char partial[257 * 16] __attribute__((aligned(64)));
    if (dims[0] > 1 && chunks > 1) {
        #pragma omp parallel for schedule(dynamic, 1) num_threads((int)dims[0])
        for (int64_t c = 0; c < chunks; c++) k(b, q, dims, error, partial, chunk, c * chunk, (c + 1) * chunk < count ? (c + 1) * chunk : count);
    } else
        for (int64_t c = 0; c < chunks; c++) k(b, q, dims, error, partial, chunk, c * chunk, (c + 1) * chunk < count ? (c + 1) * chunk : count);
    k(b, q, dims, error, partial, chunk, chunks, -1);
}
"""
)
