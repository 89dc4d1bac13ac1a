"""Calls of a compiled signature that never enter Python: what `lazynp.native.Direct` has to know about one.

Most signatures qualify: arrays of NumPy's and plain values in tuples, lists and dicts, a program without Python steps, new
arrays or written arguments as results. The others are called through `Compiled.run`, which does the same for all.
"""

from collections.abc import Container, Iterator
from types import CellType
from typing import Any

import numpy as np

from lazynp.array import ndarray
from lazynp.backends import pool, program, threads
from lazynp.native import ARRAYS, Direct
from lazynp.trace.guards import Guard, Variable, has_bytes, has_form, has_keys, has_members

_MOST_DEPTH = 8
"""Of containers in the arguments: C goes through them by recursion."""
Row = tuple[Any, ...]


class _Unfit(Exception):
    """The signature needs Python."""


def direct_of(entry: Any, args: tuple[Any, ...], kwargs: dict[str, Any], leaves: list[Any], numbers: Any) -> Any:
    """The Direct for calls like this one of a `Compiled`, or None. numbers: (args, kwargs) with the leaves' numbers at the leaves."""
    if Direct is None or entry.traced.written_outside or (entry.writes and entry.traced.doubted):
        return None
    tables = entry.tables()
    if tables is None:
        return None
    try:
        return _built(entry, tables, args, kwargs, leaves, numbers)
    except (_Unfit, OverflowError):  # OverflowError: larger than the tables of _direct.c
        return None


def _built(entry: Any, tables: program.CallTables, args: tuple[Any, ...], kwargs: dict[str, Any], leaves: list[Any], numbers: Any) -> Any:
    arguments = list(_rows(args, numbers[0], entry, 0))
    if kwargs:
        arguments += _rows(kwargs, numbers[1], entry, 0)
    slots = np.frombuffer(tables.slots, np.intp).copy()
    known = [*entry.constants, *entry.ready.scalars]
    inputs, outside = [], []
    pinned: dict[Any, Guard] = {}
    for slot, number in tables.inputs:
        place, source = (entry.places[number], entry.outside[number]) if number < len(entry.places) else (-1, None)
        if place >= 0:
            begins = entry.laid[place].begins if place in entry.laid else 0
            inputs.append((slot, place, leaves[place].dtype.num, begins))
        elif source is None:
            slots[slot] = known[number].ctypes.data
        elif type(source) is Variable and type(array := source.now()) in ARRAYS:
            outside.append((slot, array, array.nbytes))
            pinned[source.key()] = (*source, array)  # another array in a variable is a matter for Python
        elif type(source) in ARRAYS:
            outside.append((slot, source, source.nbytes))
        else:
            return None
    kept = entry.kept
    values = len(entry.traced.values)
    if any(row is None for row in tables.outputs[:values]):
        return None
    for row, leaf in zip(tables.outputs[values:], entry.writes, strict=True):
        if row is not None:
            inputs.append((row[0], leaf, leaves[leaf].dtype.num, 0))
    return Direct(
        entry=tables.entry,
        slots=slots,
        sizes=tables.dims,
        arguments=tuple(arguments),
        leaves=len(leaves),
        inputs=tuple(inputs),
        outside=tuple(outside),
        outputs=tuple(tables.outputs[:values]),
        arena=tables.arena,
        work=tables.work if tables.work > program.FEW else 0,
        doubt=values - 1 if entry.traced.doubted else -1,
        form=entry.plain_result(),
        guards=(*map(_guard, _without_forms(entry.guards, pinned)), *map(_guard, pinned.values())),
        writes=tuple(entry.writes),
        result=entry.result,
        after=entry.reported,
        settings=entry.ready.program.limits,
        threads=threads.thread_count,
        large=pool.LARGE if kept is None else pool.KEPT,
        empty=pool.empty if kept is None else kept.empty,
        take=pool.take_arena if kept is None else kept.take,
        give=pool.give_arena if kept is None else kept.give,
        owner=entry,
    )


def _rows(value: Any, number: Any, entry: Any, depth: int) -> Iterator[Row]:
    """The rows of the table of arguments for a value and what is in it, in the order in which a call is compared with them."""
    kind = type(value)
    if depth > _MOST_DEPTH:
        raise _Unfit
    if number is None or type(number) is int:
        yield _leaf(value, -1 if number is None else number, entry)
    elif kind is dict:
        yield "dict", tuple(value)
        for key in value:
            yield from _rows(value[key], number[key], entry, depth + 1)
    elif kind is tuple or kind is list:
        yield kind.__name__, len(value)
        for member, inner in zip(value, number, strict=True):
            yield from _rows(member, inner, entry, depth + 1)
    else:
        raise _Unfit


def _leaf(value: Any, number: int, entry: Any) -> Row:
    if type(value) in ARRAYS:
        how = entry.laid.get(number)
        if not (value.flags.carray if how is None else value.flags.behaved and (how.whole or number not in entry.writes)):
            raise _Unfit
        return "array", number, value.dtype, value.shape, None if how is None else value.strides
    if type(value) in TRACED_SCALARS:
        return "scalar", number, type(value)
    if isinstance(value, ndarray):  # a subclass of NumPy's, or a lazy array
        raise _Unfit
    return "static", number, value


TRACED_SCALARS = frozenset({np.float64, np.float32, np.float16, np.complex128, np.complex64})
"""NumPy's inexact scalars are traced like arrays without axes: a bias that a step returns comes back at the next one."""


def _without_forms(guards: list[Guard], pinned: Container[Any]) -> list[Guard]:
    """Those of guards that are not about variables that are to hold this very array."""
    return [guard for guard in guards if guard[0] is not has_form or Variable(*guard[1][:2]).key() not in pinned]


def _guard(guard: Guard) -> Row:
    """A guard on a filled cell, an item of a dictionary, members of a container or contents of an array needs no call: (where, what)."""
    read, name, value = guard
    if type(name) is CellType:
        return name, value
    if (read is has_members and type(name[0]) is list) or (read is has_keys and type(name[0]) is dict):
        return name
    if read is has_bytes and type(name[0]) in ARRAYS and name[0].flags.c_contiguous:
        array, contents, (shape, dtype) = name
        return array, bytes(contents), shape, dtype
    holder = getattr(read, "__self__", None)
    if type(holder) is dict and read.__name__ == "get":
        return holder, name, value
    return guard
