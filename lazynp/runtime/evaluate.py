"""From a pending graph to a program that has run: take apart, look up in memory, on disk, or optimise and compile."""

import os
import threading
import warnings
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from types import CodeType
from typing import Any, NamedTuple

import numpy as np

from lazynp import choices, errors
from lazynp.backends import base, diskcache, program, toolchain
from lazynp.backends.pool import Kept
from lazynp.config import settings
from lazynp.ir import canonical
from lazynp.ir.body import bodies_of, free_dims, rename
from lazynp.ir.canonical import Form, Variant
from lazynp.ir.node import Graph, Node, dim, numbered_dim, toposort
from lazynp.ir.op import Kind
from lazynp.ir.types import ArrayType, itemcount
from lazynp.ir.verify import verify
from lazynp.ops.structured import interpreter
from lazynp.runtime import flags, patience
from lazynp.runtime.garbage import rarely_collected
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

    def run(self, arrays: list[np.ndarray], outputs: list[np.ndarray | None] | None = None, kept: Kept | None = None) -> list[np.ndarray]:
        """The program's outputs. kept: where their memory and that of temporaries comes from, None: from the pool of all programs."""
        counters.program_runs += 1
        if base.raised:  # left behind by a run that ended in an error: nobody's
            flags.dropped()
        if kept is not None and isinstance(self.program, program.CProgram):
            return self.program.run([*arrays, *self.scalars], self.dims, outputs, kept.empty, kept.take, kept.give)  # type: ignore[call-arg]
        return self.program.run([*arrays, *self.scalars], self.dims, outputs)


_programs: OrderedDict[Any, list[tuple[Variant, tuple[Any, ...], base.Program]]] = OrderedDict()


_waiting: OrderedDict[Any, patience.Waiting] = OrderedDict()


def _interpreted_at_first(key: Any, form: Form, operations: int) -> Ready | None:
    """For lazy work: the interpreter, as long as `patience` says so. None: a program is due; the one that was compiled meanwhile stands in
    the table."""
    cost = patience.milliseconds(form)
    if settings.compile_after <= 1 or settings.backend != "c" or patience.is_long(cost, form):
        return None
    known = _waiting.get(key)
    variant = None
    if known is None:
        known = _waiting[key] = patience.Waiting(form, operations)
        while len(_waiting) > settings.memory_cache:
            _waiting.popitem(last=False)
    known.spend(cost)
    if known.may_look():
        variant = canonical.specific(form)
        names = _disk_keys(variant.graph)
        if _on_disk(names):
            del _waiting[key]
            return prepare(form)
        if (found := _general_on_disk(key, form, names)) is not None:
            del _waiting[key]
            return found
        known.look(names)
    if known.is_over():
        del _waiting[key]
        if (compiled := known.program()) is not None and known.begun is not None:
            _programs[key] = [(*known.begun, compiled)]
        return None
    if known.is_due():
        others = known.facts not in ((), form.facts)
        if known.due is None or (others and not known.varies):
            known.due = canonical.general(form, [known.facts]) if others else variant or canonical.specific(form)
            known.varies = others
            if others:
                patience.note_general(known.name, [k for k, fact in enumerate(form.facts) if fact != known.facts[k]])
        if known.may_begin():
            counters.programs += 1
            known.begin(_optimized(known.due.graph), _disk_keys(known.due.graph)[0], known.due, form.facts)
    if known.ready is None or known.facts != form.facts:
        known.facts, known.ready = form.facts, interpreted(variant or canonical.specific(form))
    else:
        counters.interpreted += 1
    return known.ready  # type: ignore[no-any-return]


def _on_disk(names: list[str]) -> bool:
    return any(diskcache.locate(name, program.PLAN) is not None for name in names)


def _general_on_disk(key: Any, form: Form, names: list[str]) -> Ready | None:
    """The program for all sizes that an earlier process has compiled for a graph that begins as this one."""
    varying = patience.noted_general(names)
    if varying is None:
        return None
    variant = canonical.general(form, [tuple([None if position in varying else fact for position, fact in enumerate(form.facts)])])
    if not _on_disk(_disk_keys(variant.graph)):
        return None
    built = build(variant.graph)
    _programs[key] = [(variant, form.facts, built)]
    return _ready(variant, built, form)


def interpreted(variant: Variant) -> Ready:
    """A graph of known sizes as a program of NumPy's functions."""
    counters.interpreted += 1
    return Ready(base.reference_program(variant.graph), (), ())


def is_interpreted(ready: Ready) -> bool:
    return isinstance(ready.program, base.Interpreted)


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


def prepare(form: Form, patient: bool = False, operations: int = 0) -> Ready:
    """The program for a graph. The first graph of a skeleton gets a program of its own sizes, the next one a program for all sizes.
    patient: lazy work, which may be interpreted at first; operations: how many recorded it, if lines of a program did."""
    with lock:
        key = (form.skeleton, settings.level, settings.backend, settings.cc, settings.autotune, choices.changed())
        variants = _programs.get(key)
        if variants is None and patient:
            with _lines_kept(form):
                ready = _interpreted_at_first(key, form, operations)
            if ready is not None:
                return ready
            variants = _programs.get(key)
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
            with rarely_collected, _lines_kept(form):
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
            built = _from_disk(keys) or _compiled(graph, keys[0])
    if built is None:
        if settings.backend == "c":
            _warn_no_compiler()
        built = base.reference_program(_optimized(graph))
    counters.kernels += built.kernels
    return built


patience.at_exit(_waiting, build)


def _compiled(graph: Graph, key: str) -> base.Program:
    toolchain.begin()
    try:
        maker = "lazynp.backends.tune" if settings.autotune else "lazynp.backends.c"
        return import_module(maker).compile(_optimized(graph), key)  # type: ignore[no-any-return]
    finally:
        toolchain.abandon()


def _from_disk(keys: list[str]) -> base.Program | None:
    loaded = next((found for key in keys if (found := program.load(key)) is not None), None)
    counters.disk_hits += loaded is not None
    return loaded


def _disk_keys(graph: Graph) -> list[str]:
    """The names under which the program may lie on disk: this compiler's first, then those of compilers whose programs were imported."""
    fingerprints = toolchain.fingerprints()
    _know_machine()
    facts = (settings.autotune, choices.changed()) if settings.autotune or choices.changed() else ()
    return [canonical.digest(graph, VERSION, settings.level, fingerprint, *facts) for fingerprint in fingerprints]


@cache
def _know_machine() -> None:
    """What `python -m lazynp tune` has kept holds from the first program on."""
    choices.load(machine_file())


def machine_file() -> str:
    """Where the constants of the cost model are kept that were measured with this compiler on this processor."""
    own = toolchain.find_compiler()
    return os.path.join(diskcache.root(), f"machine-{own.fingerprint if own is not None else 'none'}.json")


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
    error.lazynp_ran = True  # type: ignore[attr-defined]
    if isinstance(origin, int) and origin < len(form.order):
        node = error.lazynp_node = form.order[origin]  # type: ignore[attr-defined]
        return errors.with_origin(error, _place_in_body(node, error) or node.where)
    return error


def _place_in_body(node: Node, error: BaseException) -> errors.Where | None:
    """Where a loop's body can have raised such an error, if that is one line of the same function. Bodies that are equal are one: what
    another function has recorded in its own is not asked."""
    kinds = (Kind.GATHER, Kind.UPDATE, Kind.MOVE) if isinstance(error, IndexError) else (Kind.LIBRARY,)
    waiting = list(bodies_of(node))
    if not waiting or not isinstance(node.where, errors.Where):
        return None
    codes = set(_codes_in(node.where.code))
    found: dict[int, errors.Where] = {}
    while waiting:
        for inner in toposort(waiting.pop().outputs):
            waiting += bodies_of(inner)
            if inner.op.kind in kinds and isinstance(inner.where, errors.Where) and inner.where.code in codes:
                found[inner.where.line] = inner.where
    return next(iter(found.values())) if len(found) == 1 else None


def _codes_in(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes_in(constant)


def execute(outputs: tuple[Node, ...], arrays: dict[Node, np.ndarray]) -> list[np.ndarray]:
    """The values of some nodes, given those of their leaves."""
    form = canonical.take_apart(outputs, {})
    ready = prepare(form, patient=patience.is_large(form))
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
