"""The C backend: a graph becomes one C file and one generated Python function that calls it.

    compile(graph, key) -> Program      partition, nests, schedule, memory plan, text, compiler; the result also goes to the disk cache

C and Python share two arrays per call: `slots` (error record, arena, memories, BLAS routines) and `dims` (threads, segment, work threshold,
sizes). A Python step (LAPACK, FFT, sort, random draws) divides the program into segments of one C function.
"""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from lazynp import choices
from lazynp.backends import base, blas, diskcache, lapack, products, sorting, toolchain, workers
from lazynp.backends.arrivals import arrivals
from lazynp.backends.bands import confine
from lazynp.backends.compact import alike, compact
from lazynp.backends.control import Block, Control, block_of, temporaries
from lazynp.backends.lower import Memory
from lazynp.backends.memory import plan_arena
from lazynp.backends.partition import Plan, Step, Unbounded, partition, strip
from lazynp.backends.polynomial import Poly, Sizes
from lazynp.backends.program import ARENA, FEW, FIRST_DIM, FIRST_SLOT, PLAN, Blueprint, CProgram, Outline, SizeText
from lazynp.backends.render import source
from lazynp.backends.spread import SpreadPrinter, shared_text
from lazynp.backends.writer import Program as Text
from lazynp.errors import CompileError
from lazynp.ir.node import Graph, Node, dim, toposort
from lazynp.ir.types import Dim

Result = TypeVar("Result")

# --- compiling -------------------------------------------------------------------------------------------------------


def compile(graph: Graph, key: str) -> base.Program:
    """The program of a graph. Raises CompileError: a defect of lazynp."""
    return linked(draft(graph), key)


def linked(blueprint: Blueprint, key: str) -> base.Program:
    pool = threading.Thread(target=workers.entry) if blueprint.parallel and workers.are_wanted() else None
    if pool is not None:  # the first time on a machine the pool is compiled too: on another processor, in the same time
        pool.start()
    lib = toolchain.build(blueprint.source, key)
    if pool is not None:
        pool.join()
    program = CProgram(blueprint, lib)
    diskcache.put(key, PLAN, pickle.dumps(blueprint, pickle.HIGHEST_PROTOCOL))
    return program


class Compilation(threading.Thread):
    """The program of a graph, while the C compiler works beside this process. Python waits for it before it exits: what was begun is
    there for the next process."""

    def __init__(self, graph: Graph, key: str) -> None:
        super().__init__(name=f"lazynp compiles {key}")
        self._blueprint = draft(graph)
        self._key = key
        self._program: base.Program | None = None
        self.start()

    def run(self) -> None:
        try:
            self._program = linked(self._blueprint, self._key)
        except (CompileError, OSError):  # a Ctrl-C reaches the compiler too: `result` tries again, and says what is wrong
            self._program = None

    def result(self) -> base.Program:
        """Waits. In a forked child, where no thread runs, and after a failure it compiles here. Raises CompileError."""
        self.join()
        return self._program or linked(self._blueprint, self._key)


def draft(graph: Graph) -> Blueprint:
    """C text, Python text and tables of a graph's program."""
    blueprint = _drafted(graph, _Draft.blueprint)
    blueprint.threshold = choices.whole("parallel")
    return blueprint


def parts_of(graph: Graph) -> tuple[Plan, list[Block | Step]]:
    """The plan of a graph's program, and its kernels and Python steps in order, before they are printed."""
    return _drafted(graph, lambda drafted: (drafted.plan, drafted.parts))


def _drafted(graph: Graph, result: Callable[[_Draft], Result]) -> Result:
    """What is asked of a draft in which C runs the loops; if a temporary inside one has no bound, Python runs them."""
    sizes = Sizes(_dim_count(graph))
    try:
        return result(_Draft(partition(graph, sizes), sizes))
    except Unbounded:
        sizes = Sizes(_dim_count(graph))
        return result(_Draft(partition(graph, sizes, None, loops_in_python=True), sizes))


def _dim_count(graph: Graph) -> int:
    """One more than the highest position of a size that the graph mentions."""
    found = -1
    roots: dict[Node, None] = {}
    _collect_sizes(graph, roots)
    for node in toposort(roots):
        if node.op is dim and type(node.key) is int:
            found = max(found, node.key)
    return found + 1


def _collect_sizes(value: Any, found: dict[Node, None]) -> None:
    if isinstance(value, Node):
        found[value] = None
    elif isinstance(value, Graph):
        for node in toposort((*value.inputs, *value.outputs)):
            if node.op is dim:
                found[node] = None
            for part in (*node.attrs, *[t.shape for t in (node.type if type(node.type) is tuple else (node.type,))]):
                _collect_sizes(part, found)
    elif isinstance(value, tuple):
        for v in value:
            _collect_sizes(v, found)


class _Draft:
    """From a plan to texts."""

    def __init__(self, plan: Plan, sizes: Sizes) -> None:
        self.plan = plan
        self.sizes = sizes
        self.result = Blueprint()
        stretches: list[list[Step] | Step] = []
        for step in plan.steps:
            if step.kind == "library":
                stretches.append(step)
            elif stretches and isinstance(stretches[-1], list):
                stretches[-1].append(step)
            else:
                stretches.append([step])
        several = len(stretches) > 1
        read = _read_by(stretches) if several else {}
        self.parts: list[Block | Step] = [
            part if isinstance(part, Step) else block_of(plan, part, lambda m, n=n: any(k != n for k in read.get(m, ())), not several)
            for n, part in enumerate(stretches)
        ]
        self._confine_bands()

    def _confine_bands(self) -> None:
        """Temporaries of bands outside of loops: nobody else touches them but the other kernels outside, and loops that have them."""
        blocks = [part for part in self.parts if isinstance(part, Block)]
        controls = [part for block in blocks for part in block.parts if isinstance(part, Control)]
        held = {memory for control in controls for memory in control.memories()}
        confine([group for block in blocks for part in block.parts if not isinstance(part, Control) for group in part], held)

    def blueprint(self) -> Blueprint:
        result = self.result
        blocks = [part for part in self.parts if isinstance(part, Block)]
        for block in blocks:
            arrivals(block, self.sizes, len(self.parts) == 1)
        uses = [use for block in blocks for use in temporaries(block)]
        if any(self.sizes.loop_places(memory.size) for use in uses for memory in use):
            raise CompileError("a temporary whose size depends on a loop variable")  # Python does not know it when it takes the arena
        arena = plan_arena(uses)
        text = self.text = Text(arena.offsets, self.sizes)
        printer = SpreadPrinter(text, self.sizes)
        printed = [printer.block(block) for block in blocks]
        segments = self._segments(printed)
        result.kernels = printer.count + len(self.parts) - len(segments)
        result.segments = len(segments)
        result.python = self._python(arena.size, printer.volumes)
        result.outline = self._outline(arena.size, printer.volumes)
        result.arena = arena.size
        known = dict.fromkeys((*self.plan.inputs, *self.plan.outputs, *text.memories))
        result.blocks = [(m.kind, m.size.text(), m.dtype.itemsize) for m in known if m.kind != "temp"]
        result.routines = text.routines
        result.buffers = sum(text.products.values())
        result.failures = [(_origin(where), *error) for where, *error in text.failures]
        result.slots = FIRST_SLOT + len(text.memories) + len(text.routines)
        if printer.spread:
            text.shared_turns = shared_text(text, result.slots, FIRST_DIM + self.sizes.count + len(self.sizes.extra), arena.size)
        result.source = source(text, segments or [[]], self._blas())
        result.parallel = "lz_parallel" in result.source
        result.interruptible = text.interruptible
        result.callbacks = text.callbacks
        result.loops = "\n\n".join(text.functions)
        result.dims = self.sizes.count + len(self.sizes.extra)
        return result

    def _segments(self, printed: list[list[tuple[str, str]]]) -> list[list[str]]:
        """The calls of each segment; functions go to the text. Only a program of one segment shares functions between kernels."""
        together = iter(alike([kernel for kernels in printed for kernel in kernels]))
        printed = [[next(together) for _ in kernels] for kernels in printed]
        if len(printed) == 1:
            functions, calls = compact(printed[0])
            self.text.functions += functions
            return [calls]
        self.text.functions += [definition for kernels in printed for definition, _ in kernels if definition]
        return [[call for _, call in kernels] for kernels in printed]

    def _blas(self) -> str:
        helpers = sorted(self.text.helpers, key=str)
        sorters = [(name, dtype) for name, dtype in helpers if name in sorting.TEXTS]
        parts = [sorting.text(sorters)] if sorters else []
        if not any(map(blas.is_routine, self.text.routines)):
            return "\n".join(parts)
        library = blas.table()
        if library is None:
            raise CompileError("no BLAS library: matrix products cannot be compiled")
        self.result.integers = library.int_type
        letters = {name[0] for name in self.text.routines if name[1:] in blas.CALLED}
        helpers = [(name, dtype) for name, dtype in helpers if name not in sorting.TEXTS]
        parts += [library.calls(suffix) for suffix, letter in blas.LETTERS.items() if letter in letters]
        parts += map(products.text, sorted(self.text.products))
        return "\n".join([*parts, lapack.text(helpers, library)] if helpers else parts)

    # -- the Python function

    def _python(self, arena: str, volumes: set[Poly]) -> str:
        lines = [
            "def run(inputs, dims=(), outputs=None, empty=empty, take_arena=take_arena, give_arena=give_arena):",
            "try: s, d, e = pool.pop()",
            "except IndexError: s, d, e = fresh()",
        ]
        lines += self._sizes()
        lines += self._threads(volumes)
        if arena != "0":
            lines += [f"z = take_arena({arena})", f"s[{ARENA}] = buffer(z)"]
        names = self._arrays(lines)
        segment = 0
        for part in self.parts:
            if isinstance(part, Block):
                lines += self._call(segment)
                segment += 1
            else:
                self._step(part, names, lines)
        if arena != "0":
            lines.append("give_arena(z)")
        lines.append("pool.append((s, d, e))")
        lines.append(f"return [{', '.join(self._results(names))}]")
        return "\n    ".join(lines) + "\n"

    def _sizes(self) -> list[str]:
        count = self.sizes.count
        lines = [f"n{k} = d[{FIRST_DIM + k}] = dims[{k}]" for k in range(count)]
        for k, node in enumerate(self.sizes.extra):
            if node is None:  # C sets it
                lines.append(f"n{count + k} = 0")
                self.result.extra.append(None)
                continue
            self.result.extra.append((node.op, node.attributes, tuple([self.sizes(a).text() for a in node.args])))
            known = ", ".join([f"'n{j}': n{j}" for j in range(count + k)])
            lines.append(f"n{count + k} = d[{FIRST_DIM + count + k}] = extra({len(self.result.extra) - 1}, {{{known}}})")
        return lines

    def _threads(self, volumes: set[Poly]) -> list[str]:
        """Threads are asked for only where a kernel may be large enough: the question costs as much as a small program."""
        fixed = max([v.constant for v in volumes if v.constant is not None], default=0)
        unknown = sorted({v.text() for v in volumes if v.constant is None})
        if not unknown and fixed <= FEW:
            return []
        work = f"max({', '.join([str(fixed), *unknown])})" if unknown else str(fixed)
        return [f"d[0] = thread_count() if {work} * 4 > settings.parallel_threshold else 1", "d[2] = settings.parallel_threshold"]

    def _arrays(self, lines: list[str]) -> dict[Memory, str]:
        """Python names of the memories that are arrays; fills the slots of those that exist before the program runs."""
        plan = self.plan
        names: dict[Memory, str] = {}
        for k, memory in enumerate(plan.inputs):
            names[memory] = f"inputs[{k}]"
        if plan.outputs:
            lines.append("if outputs is None: outputs = (None,) * " + str(len(plan.outputs)))
        for k, memory in enumerate(plan.outputs):
            if memory.kind == "output":
                shape = self._shape_text(plan.graph.outputs[k].shape)
                self.result.tables[f"dtype_{memory.dtype.num}"] = memory.dtype
                lines.append(f"y{k} = outputs[{k}]")
                lines.append(f"if y{k} is None: y{k} = empty({shape}, dtype_{memory.dtype.num})")
            if memory.kind in ("output", "returned"):
                names[memory] = f"y{k}"
        for memory in self._python_memories():
            self.text.name(memory)
        for memory in self.text.memories:
            if memory.kind == "const":
                self.result.tables[f"c{memory.slot}"] = plan.consts[memory.number].value.array
                names[memory] = f"c{memory.slot}"
            elif memory in names and memory.kind != "returned":
                lines.append(f"s[{FIRST_SLOT + memory.slot}] = buffer({names[memory]})")
            elif memory in names:
                continue
            elif not self._made_by_python(memory):
                self.result.tables[f"dtype_{memory.dtype.num}"] = memory.dtype
                lines.append(f"a{memory.slot} = empty({memory.size.text()}, dtype_{memory.dtype.num})")
                lines.append(f"s[{FIRST_SLOT + memory.slot}] = buffer(a{memory.slot})")
                names[memory] = f"a{memory.slot}"
            else:
                names[memory] = f"a{memory.slot}"
        return names

    def _outline(self, arena: str, volumes: set[Poly]) -> Outline | None:
        """For callers in C: programs that are one segment, and whose arrays are all inputs, constants and outputs."""
        plan = self.plan
        kinds = {memory.kind for memory in self.text.memories}
        if len(self.parts) != 1 or not isinstance(self.parts[0], Block) or any(n is not None for n in self.sizes.extra):
            return None
        if not kinds <= {"input", "output", "const"} or any(m.kind == "output" and m.slot < 0 for m in plan.outputs):
            return None
        outputs = [
            (FIRST_SLOT + memory.slot, self._shape_text(plan.graph.outputs[k].shape), memory.dtype) if memory.kind == "output" else None
            for k, memory in enumerate(plan.outputs)
        ]
        numbers = {memory: k for k, memory in enumerate(plan.inputs)}
        inputs = [(FIRST_SLOT + memory.slot, numbers[memory]) for memory in self.text.memories if memory in numbers]
        return Outline(arena, inputs, outputs, sorted({v.text() for v in volumes}))

    def _python_memories(self) -> list[Memory]:
        """What Python steps read and write."""
        found: list[Memory] = []
        for part in self.parts:
            if not isinstance(part, Block):
                found += [part.reads[strip(a)].memory for a in part.node.args]
                found += [t.memory for t in part.targets]
        return found

    def _made_by_python(self, memory: Memory) -> bool:
        return any(t.memory is memory for part in self.parts if not isinstance(part, Block) for t in part.targets)

    def _call(self, segment: int) -> list[str]:
        lines = [f"d[1] = {segment}"] if self.result.segments > 1 else []
        return [*lines, "code = entry(s, d)", "if code: finish(code, e)"]

    def _step(self, step: Step, names: dict[Memory, str], lines: list[str]) -> None:
        node = step.node
        number = len(self.result.steps)
        attrs = {name: self._attribute(value) for name, value in node.attributes.items()}
        types = node.type if type(node.type) is tuple else (node.type,)
        self.result.steps.append((node.op, attrs, _origin(node.where), tuple([t.dtype for t in types])))
        args = [f"{names[step.reads[strip(a)].memory]}.reshape({self._shape_text(a.shape)})" for a in node.args]
        known = ", ".join([f"'n{k}': n{k}" for k in range(self.sizes.count + len(self.sizes.extra))])
        lines.append(f"r = library({number}, ({', '.join(args)},), {{{known}}})")
        for k, target in enumerate(step.targets):
            place = target.node.index if type(node.type) is tuple else k
            name = names[target.memory]
            number = target.memory.number
            lines.append(
                f"{name} = handed(r[{place}], outputs[{number}], {self._shape_text(self.plan.graph.outputs[number].shape)})"
                if target.memory.kind == "returned"
                else f"{name} = r[{place}]"
            )
            if target.memory.slot >= 0:
                lines.append(f"s[{FIRST_SLOT + target.memory.slot}] = buffer({name})")

    def _attribute(self, value: Any) -> Any:
        if isinstance(value, Node):
            return SizeText(self.sizes(value).text())
        return tuple([self._attribute(v) for v in value]) if type(value) is tuple else value

    def _shape_text(self, shape: tuple[Dim, ...]) -> str:
        return f"({''.join([self.sizes(n).text() + ', ' for n in shape])})"

    def _results(self, names: dict[Memory, str]) -> list[str]:
        found = []
        for k, memory in enumerate(self.plan.outputs):
            if memory.kind in ("output", "returned"):
                found.append(f"y{k}")
            else:
                found.append(f"inputs[{memory.number}] if outputs[{k}] is None else outputs[{k}]")
        return found


def _origin(where: Any) -> int | None:
    """The number of the user's operation. A node without inputs is one with the node of another graph, and may have that one's line, which
    means nothing to a program that is kept on disk."""
    return where if type(where) is int else None


def _read_by(stretches: list[list[Step] | Step]) -> dict[Memory, set[int]]:
    """For each memory the stretches between Python steps that read it."""
    readers: dict[Memory, set[int]] = {}
    for number, part in enumerate(stretches):
        for step in [part] if isinstance(part, Step) else part:
            for buffer in (*step.reads.values(), *step.begun):
                readers.setdefault(buffer.memory, set()).add(number)
    return readers
