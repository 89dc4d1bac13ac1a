"""From a pending graph to a program that has run: take apart, look up in memory, on disk, or optimise and compile."""

import threading
import time
import warnings
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np

from lazynp import errors
from lazynp.backends import base, diskcache, program, toolchain
from lazynp.config import settings
from lazynp.ir import canonical
from lazynp.ir.body import free_dims, rename
from lazynp.ir.canonical import Form, Variant
from lazynp.ir.node import Graph, Node, dim, numbered_dim
from lazynp.ir.op import Kind
from lazynp.ir.types import ArrayType, itemcount
from lazynp.ir.verify import verify
from lazynp.ops.structured import interpreter
from lazynp.runtime import flags
from lazynp.runtime.nans import check_nans
from lazynp.runtime.stats import counters

VERSION = "0.1.0"
lock = threading.RLock()
"""Held while the pending graph is changed by a force and while programs are looked up or built; never while user code runs."""


class Ready(NamedTuple):
    """A program with what this call passes beside the leaves' arrays."""

    program: base.Program
    dims: tuple[int, ...]
    scalars: tuple[np.ndarray, ...]

    def run(self, arrays: list[np.ndarray], outputs: list[np.ndarray | None] | None = None) -> list[np.ndarray]:
        counters.program_runs += 1
        if base.raised:  # left behind by a run that ended in an error: nobody's
            flags.dropped()
        return self.program.run([*arrays, *self.scalars], self.dims, outputs)


_programs: OrderedDict[Any, list[tuple[Variant, tuple[Any, ...], base.Program]]] = OrderedDict()


COMPILER_MS = 80.0
"""What optimising and compiling a program takes, about."""


class _Waiting(NamedTuple):
    """A graph that is interpreted. spent: milliseconds so far, by estimate; facts, ready: of its last run."""

    spent: float
    facts: tuple[Any, ...]
    ready: Ready


_waiting: OrderedDict[Any, _Waiting] = OrderedDict()

_SEEN = ".seen"
"""In the disk cache: an earlier process has interpreted this graph."""


class _Spent:
    """Seconds that went into compiling for later processes."""

    begun = time.monotonic()
    compiling = 0.0

    @classmethod
    def may_compile(cls) -> bool:
        """Whether it is less than a quarter of a second and a third of this process's time."""
        return cls.compiling < 0.25 + (time.monotonic() - cls.begun) / 3


def _interpreted_at_first(key: Any, form: Form) -> Ready | None:
    """For lazy work: the interpreter, until NumPy has spent `settings.compile_after` milliseconds on the graph.

    A script's preparations and reports run once; compiling them would cost more than running them. Work is counted, not timed: whether
    the last bits are NumPy's or the compiled program's must not depend on how busy the machine is. A graph that an earlier process has
    interpreted is compiled when this one meets it, for the next ones, within limits."""
    cost = milliseconds(form)
    if settings.compile_after <= 1 or settings.backend != "c" or cost > 2 * COMPILER_MS:
        return None
    known = _waiting.get(key)
    spent = cost + (known.spent if known is not None else 0.0)
    if spent > max(cost, settings.compile_after):
        del _waiting[key]
        return None
    if known is not None and known.facts == form.facts:
        ready = known.ready
        counters.interpreted += 1
    else:
        variant = canonical.specific(form)
        if known is None and (built := _from_earlier_processes(variant, form)):
            return built
        ready = interpreted(variant)
    _waiting[key] = _Waiting(spent, form.facts, ready)
    while len(_waiting) > settings.memory_cache:
        _waiting.popitem(last=False)
    return ready


def _from_earlier_processes(variant: Variant, form: Form) -> Ready | None:
    """The program that lies on disk; or one compiled now, because an earlier process has met the graph."""
    names = _disk_keys(variant.graph)
    if any(diskcache.locate(name, program.PLAN) is not None for name in names):
        return prepare(form)
    if toolchain.find_compiler() is None:
        return None
    if diskcache.locate(names[0], _SEEN) is None:
        diskcache.put(names[0], _SEEN, b"")
    elif _Spent.may_compile():
        begun = time.monotonic()
        ready = prepare(form)
        _Spent.compiling += time.monotonic() - begun
        return ready
    return None


def interpreted(variant: Variant) -> Ready:
    """A graph of known sizes as a program of NumPy's functions."""
    counters.interpreted += 1
    return Ready(base.reference_program(variant.graph), (), ())


def milliseconds(form: Form) -> float:
    """What NumPy takes for a graph, about: ten microseconds for a call, a nanosecond for an element of an addition, three where the result
    does not stay in the cache. Movements are views, or copies that a compiled program makes too."""
    total = 0.0
    for node in form.order:
        if node.args and isinstance(node.type, ArrayType):
            total += 0.01
            if node.op.kind is not Kind.MOVE:
                count = itemcount(node.type.shape)
                memory = 2.0 if count * node.type.dtype.itemsize > _CACHED else 0.0
                total += 1e-6 * (min(node.op.cost, 20.0) + memory) * count
    return total


_CACHED = 1 << 21
"""Bytes of an array that stays in a processor's cache until it is read again."""


def work(form: Form) -> int:
    """How many elements the operations of a graph compute."""
    return sum([itemcount(node.type.shape) for node in form.order if node.args and isinstance(node.type, ArrayType)])


@contextmanager
def _lines_kept(form: Form) -> Iterator[None]:
    """A canonical graph numbers its nodes in `where`. What depends on no leaf is one node in both graphs, and keeps the user's line."""
    lines = [node.where for node in form.order]
    try:
        yield
    finally:
        for node, where in zip(form.order, lines, strict=True):
            node.where = where


def prepare(form: Form, patient: bool = False) -> Ready:
    """The program for a graph. The first graph of a skeleton gets a program of its own sizes, the next one a program for all sizes.
    patient: lazy work, which may be interpreted at first."""
    with lock:
        key = (form.skeleton, settings.level, settings.backend, settings.cc)
        variants = _programs.get(key)
        if variants is None and patient:
            with _lines_kept(form):
                ready = _interpreted_at_first(key, form)
            if ready is not None:
                return ready
        if variants is None:
            variants = _programs[key] = []
            while len(_programs) > settings.memory_cache:
                _programs.popitem(last=False)
        else:
            _programs.move_to_end(key)
        for variant, _, program in variants:
            if variant.fits(form.facts):
                counters.memory_hits += 1
                return _ready(variant, program, form)
        try:
            with _lines_kept(form):
                variant = canonical.specific(form) if not variants else canonical.general(form, [facts for _, facts, _ in variants])
                program = build(variant.graph)
        except BaseException:
            if not variants:
                _programs.pop(key, None)
            raise
        variants.append((variant, form.facts, program))
        return _ready(variant, program, form)


def _ready(variant: Variant, program: base.Program, form: Form) -> Ready:
    dims = tuple([form.facts[p] for p in variant.parameters])
    return Ready(program, dims, tuple([form.facts[p].array for p in variant.scalars]))


def clear_memory_cache() -> None:
    """Forget every compiled program of this process (those on disk stay)."""
    with lock:
        _programs.clear()
        _waiting.clear()


def build(graph: Graph) -> base.Program:
    """The program of a canonical graph: from disk, else optimised and compiled; through NumPy when there is no compiler."""
    if settings.verify:
        verify(graph)
    counters.programs += 1
    keys = _disk_keys(graph) if settings.backend == "c" else []
    built = _from_disk(keys)
    if built is None and keys and toolchain.find_compiler() is not None:
        with diskcache.claim(keys[0], program.PLAN):  # of processes that start together one optimises and compiles
            built = _from_disk(keys) or import_module("lazynp.backends.c").compile(_optimized(graph), keys[0])
    if built is None:
        if settings.backend == "c":
            _warn_no_compiler()
        built = base.reference_program(_optimized(graph))
    counters.kernels += built.kernels
    return built


def _from_disk(keys: list[str]) -> base.Program | None:
    loaded = next((found for key in keys if (found := program.load(key)) is not None), None)
    counters.disk_hits += loaded is not None
    return loaded


def _disk_keys(graph: Graph) -> list[str]:
    """The names under which the program may lie on disk: this compiler's first, then those of compilers whose programs were imported."""
    return [canonical.digest(graph, VERSION, settings.level, fingerprint) for fingerprint in toolchain.fingerprints()]


def _optimized(graph: Graph) -> Graph:
    """The rewritten graph. The optimizer and the compiler are loaded here, at the first program that is not on disk: they are
    half of the package, and a process that finds its programs does without."""
    counters.optimised += 1
    return import_module("lazynp.optimize.passes").optimize(graph)  # type: ignore[no-any-return]


def stabilized(outputs: Sequence[Node]) -> list[Node]:
    """The outputs with the rewrites that make them finite, before a derivative is taken."""
    return import_module("lazynp.optimize.passes").stabilize_graph(outputs)  # type: ignore[no-any-return]


_warned = False


def _warn_no_compiler() -> None:
    global _warned
    if not _warned:
        _warned = True
        warnings.warn(
            "lazynp found no C compiler (set LAZYNP_CC, or install gcc, clang or the ziglang wheel): programs run through NumPy",
            errors.PerformanceWarning,
            stacklevel=2,
        )


def located(error: BaseException, form: Form) -> BaseException:
    """A program's error with the line that created the failing operation."""
    origin = getattr(error, "lazynp_origin", None)
    if isinstance(origin, int) and origin < len(form.order):
        error.lazynp_node = form.order[origin]  # type: ignore[attr-defined]
        return errors.with_origin(error, form.order[origin].where)
    return error


def execute(outputs: tuple[Node, ...], arrays: dict[Node, np.ndarray]) -> list[np.ndarray]:
    """The values of some nodes, given those of their leaves."""
    form = canonical.take_apart(outputs, {})
    ready = prepare(form)
    given = [arrays[leaf] for leaf in form.leaves]
    if settings.debug_nans:
        check_nans(form, given)
    try:
        results = ready.run(given)
    except Exception as error:
        raise located(error, form) from None
    if base.raised:
        flags.follow_up(ready.program, form, given)
    return results


# --- bodies of loops that Python runs ----------------------------------------------------------------------------------

_bodies: OrderedDict[Graph, tuple[base.Program, list[Node], list[int]]] = OrderedDict()
"""Programs of bodies; the dims that each takes, in order; the inputs that are arrays."""


def run_body(graph: Graph, values: Sequence[Any], dims: dict[Node, int] | None = None) -> list[np.ndarray]:
    """The outputs of a body by a program of its own: what a loop with opaque routines inside runs at every turn."""
    with lock:
        known = _bodies.get(graph)
        if known is None:
            known = _bodies[graph] = _body_program(graph)
            while len(_bodies) > settings.memory_cache:
                _bodies.popitem(last=False)
    program, leaves, places = known
    numbers = dict(dims or {})
    numbers.update({leaf: int(value) for leaf, value in zip(graph.inputs, values, strict=True) if leaf.op is dim})
    arrays = [np.array(values[place], order="C", copy=None) for place in places]
    return program.run(arrays, [int(numbers[leaf]) for leaf in leaves])


def _body_program(graph: Graph) -> tuple[base.Program, list[Node], list[int]]:
    integers = {leaf: None for leaf in graph.inputs if leaf.op is dim}
    leaves = [*integers, *sorted(free_dims(graph), key=lambda leaf: str(leaf.key))]
    numbered = {leaf: numbered_dim(position) for position, leaf in enumerate(leaves)}
    nodes = rename((*graph.inputs, *graph.outputs), numbered)
    form = canonical.take_apart(tuple(nodes[len(graph.inputs) :]), {})
    places = [nodes.index(leaf) for leaf in form.leaves]
    return build(canonical.specific(form).graph), leaves, places


interpreter.compiled = run_body
