"""A compiled program as it lies on disk and runs: what a warm process needs, without the compiler's modules.

load(key) -> Program | None         from the disk cache: no rewriting, no compiler
"""

from __future__ import annotations

import builtins
import marshal
import math
import pickle
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import CodeType, SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

from lazynp.backends import base, blas, diskcache, interrupts, threads, toolchain, workers
from lazynp.backends.pool import empty, give_arena, take_arena
from lazynp.config import settings
from lazynp.ir.node import numbered_dim
from lazynp.native import numpy_sorter
from lazynp.ops.structured import CONTROL, interpreter

PLAN = ".plan"
ERRORS, ARENA, POOL, SIGNALS, CALLS, OWN, FIRST_SLOT = 0, 1, 2, 3, 4, 5, 6
"""Slots: the error record, the arena of temporaries, the pool of threads, what lets signals in, what runs callbacks, in a loop on threads a
thread's own arena, then the memories."""
NO_MEMORY = 0x7FFFFFFE
"""The error code of a program that found no memory for the temporaries of its threads."""
NO_WORKSPACE = -1
"""What a routine of LAPACK's answers that found no memory; smaller numbers are LAPACK's own (-4: a NaN in a matrix)."""
FIRST_DIM = 3
"""dims: threads, segment, work threshold, then the program's sizes."""
FEW = 4096
"""Kernels over so few elements never ask for threads."""


# --- what is stored beside the shared object -------------------------------------------------------------------------


class SizeText:
    """A size inside an attribute of a Python step, as an expression over n0, n1, ..."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __reduce__(self) -> tuple[Any, ...]:
        return SizeText, (self.text,)


@dataclass
class Outline:
    """What calls of a program of one segment have in common, for callers that are not Python: texts of sizes, numbers of slots.

    inputs: (slot, number of the input); outputs: per output (slot, shape, dtype), or None where it is an input's memory;
    volumes: of the kernels that may use threads.
    """

    arena: str
    inputs: list[tuple[int, int]]
    outputs: list[tuple[int, str, np.dtype] | None]
    volumes: list[str]


class Bytecode(NamedTuple):
    """Marshalled by a Python."""

    python: str
    code: bytes


_THIS_PYTHON = f"{sys.implementation.cache_tag} {sys.hexversion:x}"


@dataclass
class Blueprint:
    """Everything about a program that is not machine code. Picklable.

    python: text of the function `run`; bytecode: the same, compiled; tables: its constants;
    steps: the Python steps (op, attributes, origin, dtypes);
    parallel: whether a kernel may ask the pool of threads; interruptible: whether loops look for signals;
    extra: sizes that are no polynomials, as (op, attributes, argument texts), None for those that C sets;
    failures: per error code (origin, class of the error, its text);
    callbacks: what C calls in Python, as (op, attributes, (ndim, dtype) of the values);
    outline: None for programs with Python steps; integers: of the BLAS it was compiled for;
    arena: text of its bytes; blocks: per memory outside of the arena (kind, text of its elements, bytes of one);
    buffers: bytes that every thread keeps for matrix products;
    threshold: elements from which its kernels use threads, 0: as the settings say; choices: the answers that were measured for it.
    """

    python: str = ""
    bytecode: Bytecode | None = None
    source: str = ""
    loops: str = ""
    kernels: int = 0
    segments: int = 0
    parallel: bool = False
    interruptible: bool = False
    slots: int = 0
    dims: int = 0
    routines: list[str] = field(default_factory=list)
    tables: dict[str, Any] = field(default_factory=dict)
    steps: list[tuple[Any, dict[str, Any], Any, tuple[np.dtype, ...]]] = field(default_factory=list)
    extra: list[tuple[Any, dict[str, Any], tuple[str, ...]] | None] = field(default_factory=list)
    failures: list[tuple[Any, str, str]] = field(default_factory=list)
    callbacks: list[tuple[Any, dict[str, Any], list[tuple[int, np.dtype]]]] = field(default_factory=list)
    outline: Outline | None = None
    integers: str = ""
    arena: str = "0"
    blocks: list[tuple[str, str, int]] = field(default_factory=list)
    buffers: int = 0
    threshold: int = 0
    choices: dict[str, float] = field(default_factory=dict)

    def code(self) -> CodeType:
        """The function `run`, to be executed in a space that has what it needs. What is on disk has its bytecode: compiling the text takes
        as long as everything else about loading a program, half a millisecond."""
        if self.bytecode is None or self.bytecode.python != _THIS_PYTHON:
            code = builtins.compile(self.python, "<lazynp program>", "exec")
            self.bytecode = Bytecode(_THIS_PYTHON, marshal.dumps(code))
            return code
        return marshal.loads(self.bytecode.code)  # type: ignore[no-any-return]


class MemoryPlan(NamedTuple):
    """What a call of a compiled function holds at most, in bytes, known before it runs.

    arguments and constants exist before; results, temporaries and buffers (the blocks of matrices that each thread keeps for products) are
    made by the call: `peak` is their sum. steps: how many routines (a
    singular value decomposition, a sort) run in between; their own workspace is not counted, what they return is. donated: results that
    lie in the memory of donated arguments, not counted in `results`; kept: whether results and temporaries stay for the next call."""

    arguments: int
    constants: int
    results: int
    temporaries: int
    steps: int
    donated: int = 0
    kept: bool = False
    buffers: int = 0

    @property
    def peak(self) -> int:
        return self.results + self.temporaries + self.buffers


class CallTables(NamedTuple):
    """The outline with sizes: the address of the C function, its slots and dims as bytes, and where a call's arrays go."""

    entry: int
    slots: bytes
    dims: bytes
    inputs: list[tuple[int, int]]
    outputs: list[tuple[int, tuple[int, ...], np.dtype] | None]
    arena: int
    work: int


class CProgram(base.Program):
    """A loaded program."""

    def __init__(self, blueprint: Blueprint, lib: Any) -> None:
        self.blueprint = blueprint
        self.kernels = blueprint.kernels
        self.source = blueprint.source
        self.loops = blueprint.loops
        self.foreign_calls = blueprint.segments
        self.library_steps = len(blueprint.steps)
        self.ends_early = blueprint.interruptible
        self.may_fail = bool(blueprint.failures or blueprint.steps or blueprint.callbacks)
        self._lib = lib
        self.limits: Any = SimpleNamespace(parallel_threshold=blueprint.threshold) if blueprint.threshold else settings
        """What says from how many elements on kernels use threads."""
        self._calls = interrupts.callback("int(*)(int64_t, void **, int64_t *)", self._called) if blueprint.callbacks else None
        space: dict[str, Any] = dict(blueprint.tables)
        space |= {
            "empty": empty, "buffer": toolchain.ffi.from_buffer, "entry": lib.lazynp_run, "finish": self.finish, "library": self._library,
            "handed": _handed, "extra": self._extra, "fresh": self._fresh, "pool": [], "take_arena": take_arena, "give_arena": give_arena,
            "thread_count": threads.thread_count, "settings": self.limits,
        }  # fmt: skip
        exec(blueprint.code(), space)
        self.run: Callable[..., list[np.ndarray]] = space["run"]  # type: ignore[method-assign]

    def _fresh(self) -> tuple[Any, Any, Any]:
        """(slots, dims, error record) of one call; pooled, because allocating them costs more than a small kernel."""
        ffi = toolchain.ffi
        blueprint = self.blueprint
        slots = ffi.new("void *[]", blueprint.slots)
        dims = ffi.new("int64_t[]", FIRST_DIM + blueprint.dims)
        errors = ffi.new("int64_t[]", 3)
        slots[ERRORS] = errors
        if blueprint.parallel and workers.are_wanted():
            slots[POOL] = ffi.cast("void *", workers.entry())
        if blueprint.interruptible:
            slots[SIGNALS] = interrupts.address()
        if blueprint.callbacks:
            slots[CALLS] = self._calls
        dims[0] = 1
        for name, array in blueprint.tables.items():
            if isinstance(array, np.ndarray):
                slots[FIRST_SLOT + int(name[1:])] = ffi.from_buffer(array)
        for number, name in enumerate(blueprint.routines):
            slots[blueprint.slots - len(blueprint.routines) + number] = ffi.cast("void *", _address(name))
        return slots, dims, errors

    def memory_plan(self, dims: Sequence[int]) -> MemoryPlan:
        """The bytes of a call with these sizes."""
        blueprint = self.blueprint
        sizes = self._mentioned(dims)
        for k in range(len(blueprint.extra)):
            sizes[f"n{len(sizes)}"] = self._extra(k, sizes)
        total = dict.fromkeys(("input", "const", "output", "array"), 0)
        for kind, text, itemsize in blueprint.blocks:
            total["output" if kind == "returned" else kind] += int(eval(text, {}, sizes)) * itemsize
        temporaries = total["array"] + int(eval(blueprint.arena, {}, sizes))
        buffers = blueprint.buffers * (threads.thread_count() if blueprint.parallel else 1)
        return MemoryPlan(total["input"], total["const"], total["output"], temporaries, len(blueprint.steps), buffers=buffers)

    def _mentioned(self, dims: Sequence[int]) -> dict[str, int]:
        """The sizes by their names, without the last ones if the optimised graph does not need them: their places are those of `extra`."""
        count = self.blueprint.dims - len(self.blueprint.extra)
        return {f"n{k}": n for k, n in enumerate(dims[:count])}

    def call_tables(self, dims: Sequence[int]) -> CallTables | None:
        """What calls with these sizes have in common; None for a program that needs Python in between."""
        outline = self.blueprint.outline
        if outline is None:
            return None
        sizes = self._mentioned(dims)
        slots, numbers, _ = self._fresh()
        for k, n in enumerate(sizes.values()):
            numbers[FIRST_DIM + k] = n

        def value(text: str) -> Any:
            return eval(text, {}, sizes)

        return CallTables(
            int(toolchain.ffi.cast("intptr_t", self._lib.lazynp_run)),
            bytes(toolchain.ffi.buffer(slots)),
            bytes(toolchain.ffi.buffer(numbers)),
            outline.inputs,
            [row and (row[0], value(row[1]), row[2]) for row in outline.outputs],
            value(outline.arena),
            max([value(text) for text in outline.volumes], default=0),
        )

    def finish(self, code: int, errors: Any) -> None:
        """What a run has to say: floating-point flags in the upper half, NumPy's error for an index out of range in the lower one."""
        flags, code = code >> 32, code & 0xFFFFFFFF
        if not code:
            base.raise_flags(flags)
            return
        if code == interrupts.INTERRUPTED:
            raise interrupts.taken()
        if code == NO_MEMORY:
            raise MemoryError("no memory for the temporaries of a loop's threads")
        origin, name, text = self.blueprint.failures[code - 1]
        if name == "LinAlgError":
            error: Exception = MemoryError() if errors[2] == NO_WORKSPACE else np.linalg.LinAlgError(text.format(errors[1]))
        else:
            error = IndexError(text.format(errors[1], errors[2]))
        error.lazynp_origin = origin  # type: ignore[attr-defined]
        raise error

    def _called(self, number: int, addresses: Any, sizes: Any) -> int:
        """A callback in the middle of the program. sizes: of the values' axes, one after the other."""
        op, attrs, types = self.blueprint.callbacks[number]
        values, axis = [], 0
        for place, (ndim, dtype) in enumerate(types):
            shape = tuple([sizes[axis + k] for k in range(ndim)])
            axis += ndim
            count = math.prod(shape)
            block = toolchain.ffi.buffer(toolchain.ffi.cast("char *", addresses[place]), count * dtype.itemsize)
            values.append(np.frombuffer(bytes(block), dtype, count).reshape(shape))
        op.numpy(0, *values, **attrs)
        return 0

    def _library(self, number: int, args: tuple[np.ndarray, ...], sizes: dict[str, int]) -> tuple[np.ndarray, ...]:
        """One Python step: C-contiguous arrays."""
        op, attrs, origin, dtypes = self.blueprint.steps[number]
        given = {name: _resolved(value, sizes) for name, value in attrs.items()}
        if op in CONTROL:
            given |= {"run": interpreter.compiled, "dims": {numbered_dim(int(name[1:])): n for name, n in sizes.items()}}
        try:
            with np.errstate(all="call", call=base.note_flags):
                values = op.numpy(*args, **given)
        except Exception as error:
            error.lazynp_origin = origin  # type: ignore[attr-defined]
            raise
        values = values if isinstance(values, tuple) else (values,)
        return tuple([v if _owned(v, dtype) else np.array(v, dtype, order="C") for v, dtype in zip(values, dtypes, strict=True)])

    def _extra(self, number: int, sizes: dict[str, int]) -> int:
        row = self.blueprint.extra[number]
        if row is None:
            return 0
        op, attrs, args = row
        return int(op.numpy(*[np.int64(eval(text, {}, sizes)) for text in args], **attrs))


def _address(routine: str) -> int:
    if not blas.is_routine(routine):
        return numpy_sorter(routine)
    library = blas.table()
    assert library is not None
    return library.pointer(routine)


def _owned(value: Any, dtype: np.dtype) -> bool:
    """Whether C may read the value's memory as an array of its own of that dtype."""
    return (
        isinstance(value, np.ndarray) and value.dtype == dtype and value.flags.c_contiguous and value.flags.owndata and value.flags.aligned
    )


def _handed(value: np.ndarray, given: np.ndarray | None, shape: tuple[int, ...]) -> np.ndarray:
    """What a Python step has returned as a result of the program: itself, where nobody else knows it."""
    if given is not None:
        given[...] = value.reshape(shape)
        return given
    own = value if sys.getrefcount(value) <= _KNOWN_TO_ONE else value.copy()
    return own if own.shape == shape else own.reshape(shape)


_KNOWN_TO_ONE = 3
"""References to an array in a tuple that is an argument: the tuple's, the argument's, that of sys.getrefcount."""


def _resolved(value: Any, sizes: dict[str, int]) -> Any:
    if isinstance(value, SizeText):
        return int(eval(value.text, {}, sizes))
    if type(value) is tuple:
        return tuple([_resolved(v, sizes) for v in value])
    return value


def load(key: str) -> base.Program | None:
    """The program that an earlier process compiled, or None; also if it was compiled for a BLAS with other integers than this one's."""
    stored = diskcache.get(key, PLAN)
    if stored is None:
        return None
    blueprint: Blueprint = pickle.loads(stored)
    if not all(map(numpy_sorter, [name for name in blueprint.routines if not blas.is_routine(name)])):
        return None
    library = blas.table() if blueprint.integers else None
    if blueprint.integers and (library is None or library.int_type != blueprint.integers):
        return None
    lib = toolchain.load(key)
    return None if lib is None else CProgram(blueprint, lib)
