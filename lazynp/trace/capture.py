"""Tracing: run a Python function once on arrays without values and keep what it did as a graph."""

import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.array_utils import byte_bounds

from lazynp import array as arrays
from lazynp import operands
from lazynp.array import may_write, ndarray
from lazynp.errors import CaptureError
from lazynp.ir.node import Node, constant, new_input
from lazynp.ir.types import LAZY_DTYPES, ArrayType, Symbolic
from lazynp.native import ARRAYS
from lazynp.ops.movement import Path, follow_type, reshape
from lazynp.runtime.storage import Snapshot, Storage, TraceQueue, Unordered, bound, queue, trace_scope
from lazynp.selection import computed
from lazynp.trace import regions, trees
from lazynp.trace.closing import with_data_sizes
from lazynp.trace.either import Either
from lazynp.trace.laid import Laid, laid
from lazynp.trace.leaks import holds_traced, is_new
from lazynp.trace.nothing import OrNothing, Sometimes
from lazynp.trace.outside import noticed_draws, refuse_iterators
from lazynp.trace.queues import Prints


class Output(NamedTuple):
    """One leaf of a traced function's result. kind "value": storage number `index` of the outputs; "scalar": the same as what NumPy hands
    out as a scalar; "number": as a Python number of the type `value`; "either": the first or the second of the outputs `value`, as the
    third one is true or not; "argument": memory of argument `index`; "placed": output number `index`, unless it is a view: `value` is
    (the output that says of which region, {its number: ("argument" or "value", which one, strides)}, how much of the path leads to it);
    "outside": the array `value` from outside, or a view of it; "static": `value` as it is. path: the view that is returned; locked: whether
    nobody may write to it, None for a view of broadcast_arrays, where NumPy warns."""

    kind: str
    index: int = -1
    path: Path = ()
    value: Any = None
    locked: bool | None = False


class Traced(NamedTuple):
    """inputs: the leaf of each array argument (None for the others); values: nodes of the distinct new arrays in the result;
    results: how the
    result's leaves are made of them; structure: its tree; written: {argument number: new value}; outside: {leaf: Storage or NumPy array
    that is read again at every call}; written_outside: {storage: (leaf, new value)}; doubted: the last value is a truth value: if it is
    true, the program has not computed what Python would have; told: warnings that a call tells: the number of the truth value that says
    whether, and the user's position; taken: storages and arrays from outside whose values the trace takes for granted; laid: {argument
    number: how it lies}, of those whose leaf stands for a block that they are views of."""

    inputs: list[Node | None]
    values: list[Node]
    results: list[Output]
    structure: Any
    written: dict[int, Node]
    outside: dict[Node, Any]
    written_outside: dict[Storage, tuple[Node, Node]]
    scalars: bool
    doubted: bool = False
    told: Sequence[tuple[int, Warning, Any]] = ()
    taken: Sequence[Any] = ()
    laid: Mapping[int, Laid] = MappingProxyType({})


def is_array(leaf: Any) -> bool:
    """Whether a leaf of the arguments becomes an input of the graph."""
    kind = type(leaf)
    return (kind is ndarray or kind in ARRAYS or kind in _SCALAR_TYPES) and leaf.dtype in LAZY_DTYPES


_SCALAR_TYPES = frozenset({np.float64, np.float32, np.float16, np.complex128, np.complex64})


def placeholder(array: Any, how: Laid | None) -> tuple[Any, Node]:
    """What stands for an argument inside a trace, an array without a value, and the leaf of the graph for the argument or its block."""
    leaf = new_input(ArrayType(array.shape if how is None else how.shape, array.dtype))
    path = () if how is None else how.path
    handle = arrays.handle(Storage(leaf.shape, leaf.dtype, leaf, None), path, follow_type(leaf.type, path), None)  # type: ignore[arg-type]
    handle._readonly = not may_write(array)
    handle._scalar = type(array) in _SCALAR_TYPES
    if how is None:
        handle._storage.buffer = memory_like(array)
    return handle, leaf


def memory_like(array: Any) -> np.ndarray | None:
    """Memory that nobody reads, with the strides of an argument: NumPy answers from it what of the argument is a view and what a copy. None
    for an array in C order, which needs none."""
    if not array.ndim or array.flags.c_contiguous:
        return None
    memory = arrays.geometry(array) if type(array) is ndarray else array
    lowest, after = byte_bounds(memory)
    start = memory.__array_interface__["data"][0]
    return np.ndarray(memory.shape, memory.dtype, np.empty(after - lowest, np.uint8), start - lowest, memory.strides)


def trace(
    function: Callable[..., Any],
    leaves: list[Any],
    rebuild: Callable[[list[Any]], tuple[tuple[Any, ...], dict[str, Any]]],
    most_writes: int | None = None,
) -> Traced:
    """Call function(*args, **kwargs) with rebuild(leaves') -> (args, kwargs), arrays among the leaves replaced by placeholders.
    most_writes: how many writes into arrays may be recorded.

    Raises CaptureError where the function needs a value that depends on them; any other exception is the function's own."""
    refuse_iterators(leaves)
    try:
        return _trace(function, leaves, rebuild, most_writes, False)
    except Prints:
        return _trace(function, leaves, rebuild, most_writes, True)


def _trace(
    function: Callable[..., Any],
    leaves: list[Any],
    rebuild: Callable[[list[Any]], tuple[tuple[Any, ...], dict[str, Any]]],
    most_writes: int | None,
    prints: bool,
) -> Traced:
    """prints: whether the function is known to print."""
    with trace_scope() as scope:
        if prints:
            scope.printed = Storage((), np.dtype(np.int64), constant(0), None)
        scope.most_writes = most_writes
        scope.binds_sizes = True
        scope.told = {}
        inputs: list[Node | None] = []
        stand_ins: list[Any] = []
        known = [laid(arrays.geometry(leaf) if type(leaf) is ndarray else leaf) if is_array(leaf) else None for leaf in leaves]
        for leaf, how in zip(leaves, known, strict=True):
            handle, node = placeholder(leaf, how) if is_array(leaf) else (leaf, None)
            inputs.append(node)
            stand_ins.append(handle)
        args, kwargs = rebuild(stand_ins)
        try:
            with noticed_draws(leaves):
                result = function(*args, **kwargs)
            written_outside = {s: (leaf, s.node) for s, leaf in scope.written.items() if s.node is not None}
        finally:
            scope.restore()
        if any(n is not None and _looks_different(*x) for n, *x in zip(inputs, stand_ins, leaves, known, strict=True)):
            raise CaptureError("the shape, the size or the flags of an argument are set")
        sometimes = type(result) is OrNothing
        result_leaves, structure = trees.flatten((result.value, result.there) if sometimes else result)
        structure = Sometimes(structure) if sometimes else structure
        result_leaves = computed(result_leaves)
        for leaf in result_leaves:
            if is_new(leaf, function, leaves):
                raise CaptureError(f"a result is a {type(leaf).__name__} that the function makes: a new one at every call")
        owners = {h._storage: i for i, (h, n) in enumerate(zip(stand_ins, inputs, strict=True)) if n is not None}
        values: dict[Storage, int] = {}
        handed_out = _alone(result_leaves, owners)
        results = [_output(leaf, owners, values, scope.written) for leaf in handed_out]
        results = _placed(handed_out, results, owners, values)
        written = {i: s.node for s, i in owners.items() if s.node is not inputs[i]}
        scope.forget_temporaries()
        outside = dict(scope.sources)
        if scope.printed is not None:
            values[scope.printed] = len(values)
            if scope.doubt is not None:
                raise CaptureError(
                    "a program that prints has errors to raise or integers that may outgrow 64 bits: Python could not repeat it"
                )
        told = [(len(values) + k, warning, where) for k, ((_, where), (warning, _)) in enumerate(scope.told.items())]
        values |= {flag: len(values) + k for k, (_, flag) in enumerate(scope.told.values())}
        if scope.doubt is not None:
            values[scope.doubt] = len(values)
        nodes = with_data_sizes(scope, [*[s.value() for s in values], *written.values(), *[node for _, node in written_outside.values()]])
        if any(isinstance(part, Node) for result in results for step in result.path for attr in step.attrs for part in _parts(attr)):
            raise CaptureError("a result has a size that is computed from traced values")
        rest = iter(nodes[len(values) :])
        return Traced(
            inputs,
            nodes[: len(values)],
            results,
            structure,
            {i: next(rest) for i in written},
            outside,
            {s: (leaf, next(rest)) for s, (leaf, _) in written_outside.items()},
            any(type(leaf) in _SCALAR_TYPES for leaf in leaves),
            scope.doubt is not None,
            told,
            scope.taken,
            {i: how for i, how in enumerate(known) if how is not None},
        )  # type: ignore[arg-type]


def _looks_different(stand_in: Any, leaf: Any, how: Laid | None) -> bool:
    """Whether the function has set what the caller's array is, not what is in it."""
    path = () if how is None else how.path
    return stand_in.shape != leaf.shape or stand_in._path != path or stand_in._readonly == may_write(leaf)


def _parts(attribute: Any) -> tuple[Any, ...]:
    return attribute if isinstance(attribute, tuple) else (attribute,)


def _alone(leaves: list[Any], owners: dict[Storage, int]) -> list[Any]:
    """The results, with small contiguous parts of arrays that the caller sees nothing else of as arrays of their own: `return out[-1]` need
    not keep out. So are arrays whose shape was set."""
    seen: dict[Storage, int] = {}
    for leaf in leaves:
        if type(leaf) is ndarray and leaf._storage is not None:
            seen[leaf._storage] = seen.get(leaf._storage, 0) + 1
    return [arrays.wrap(operands.node_of(leaf)) if _is_part(leaf, seen, owners) else leaf for leaf in leaves]


def _is_part(leaf: Any, seen: dict[Storage, int], owners: dict[Storage, int]) -> bool:
    if type(leaf) is not ndarray or leaf._storage is None or not leaf._path or leaf._scalar:
        return False
    storage = leaf._storage
    if isinstance(storage, (Snapshot, Unordered)):
        return False
    if seen[storage] != 1 or storage in owners or not _fresh(storage) or _array_outside(leaf) is not None:
        return False
    if leaf._parent is None and leaf._path[-1].op is reshape:  # `leaf.shape = ...`
        return bool(leaf.size == math.prod(storage.shape) and leaf.flags.c_contiguous)
    return leaf.ndim > 0 and leaf.size * 2 <= math.prod(storage.shape) and leaf.flags.c_contiguous


def _array_outside(leaf: Any) -> np.ndarray | None:
    """The NumPy array from outside whose memory it is, or part of it."""
    source = queue().sources.get(leaf._storage.node) if leaf._readonly else None  # type: ignore[attr-defined]
    return source if type(source) in ARRAYS else None


def _output(leaf: Any, owners: dict[Storage, int], values: dict[Storage, int], outside: dict[Storage, Node]) -> Output:
    if isinstance(leaf, Symbolic):
        number = _output(arrays.wrap(leaf.node), owners, values, outside)
        return number._replace(kind="number", value=leaf.kind) if number.kind == "scalar" else number
    if type(leaf) is Either:
        parts = [arrays.wrap(operands.node_of(part)) if type(part) is ndarray else part for part in leaf.parts]
        return Output("either", value=[_output(part, owners, values, outside) for part in parts])
    if type(leaf) is not ndarray:
        if holds_traced(leaf):
            raise CaptureError(
                f"a result of type {type(leaf).__name__} holds traced values; register its class with optree, or return them"
            )
        return Output("static", value=leaf)
    storage = leaf._storage
    if storage is None or storage in outside or (storage.node is None and bound(storage.value()) is not None and not _fresh(storage)):
        return Output("static", value=leaf)
    if (source := _array_outside(leaf)) is not None:
        return Output("outside", path=leaf._path, value=source)
    if storage in owners:
        return Output("argument", owners[storage], leaf._path, locked=leaf._readonly)
    kind = "scalar" if leaf._scalar else "value"
    return Output(kind, values.setdefault(storage, len(values)), leaf._path, locked=leaf._readonly)


def _placed(leaves: list[Any], results: list[Output], owners: dict[Storage, int], values: dict[Storage, int]) -> list[Output]:
    """The results; those that may share memory with an argument or with each other as such."""
    found = [leaf._storage for leaf in leaves if type(leaf) is ndarray and not leaf._scalar]
    snapshots = dict.fromkeys([storage for storage in found if _is_shared(storage, owners, values)])
    numbers: dict[Storage | None, Storage] = {snapshot: regions.returned(snapshot) for snapshot in snapshots}
    values |= {number: len(values) + k for k, number in enumerate(numbers.values())}
    known = {}
    for k, region in enumerate(queue().regions if snapshots else ()):  # type: ignore[attr-defined]
        if region is not None and (region.storage in owners or region.storage in values):
            kind, number = ("argument", owners[region.storage]) if region.storage in owners else ("value", values[region.storage])
            known[k] = kind, number, region.strides
        elif region is not None:
            known[k] = "order", regions.own_number(regions.order_of_strides(region.strides)), ()
    memories = [getattr(leaf, "_storage", None) for leaf in leaves]
    return [
        output._replace(kind="placed", value=(values[numbers[memory]], known, memory.path)) if memory in numbers else output
        for memory, output in zip(memories, results, strict=True)
    ]


def _is_shared(storage: Storage | None, owners: dict[Storage, int], values: dict[Storage, int]) -> bool:
    """Whether an array may lie in memory that the caller sees otherwise, or in an order that only the run knows."""
    if storage is not None and storage.unordered:
        return True
    return isinstance(storage, Snapshot) and any(source in owners or source in values or not _fresh(source) for source in storage.seen)


def _fresh(storage: Storage) -> bool:
    """Whether the storage was made inside the trace: every call has to return a new one."""
    return isinstance(storage.home, TraceQueue)
