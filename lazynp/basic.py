"""What a basic index means for an array: the movement steps to what it names. Looked up, since programs use few of them, many times."""

import operator
from typing import Any

import numpy as np

from lazynp.array import is_pending, ndarray
from lazynp.native import tracing_count
from lazynp.operands import node_of
from lazynp.ops import elementwise as ew
from lazynp.ops.movement import Step, picked, slice_
from lazynp.ops.sizes import SymInt, number
from lazynp.ops.symbolic import mentions_sizes, symbolic_steps
from lazynp.runtime.storage import has_value, queue


def basic_steps(shape: tuple[int, ...], index: Any) -> "tuple[list[Step], bool] | None":
    """The movement steps of a basic index and whether it names one single element; None for an advanced index.

    Raises NumPy's IndexError for a wrong one."""
    items = index if type(index) is tuple else (index,)
    if tracing_count.depth:
        items = _traced_bounds(items)
        if mentions_sizes(shape, items):
            return _symbolic(shape, items)
    key: list[Any] = [shape]
    for item in items:
        kind = type(item)
        if kind is slice:
            key.append((item.start, item.stop, item.step))
        elif kind is int or item is None or item is Ellipsis:
            key.append(item)
        elif kind is bool or kind is np.bool_ or not (isinstance(item, np.integer) or is_integer(item)):
            return None
        else:
            key.append(int(item))
    try:
        known = _known_steps.get(tuple(key))
    except TypeError:  # a slice of unhashable things: NumPy has the error
        return _basic(shape, items)
    if known is None:
        if len(_known_steps) > 4096:
            _known_steps.clear()
        known = _known_steps[tuple(key)] = _basic(shape, items)
    return known


def _traced_bounds(items: tuple[Any, ...]) -> tuple[Any, ...]:
    """The items of an index that has slices with bounds of the trace: its traced integers as Python numbers of the trace."""
    bounds = {type(part) for item in items if type(item) is slice for part in (item.start, item.stop, item.step)}
    if ndarray not in bounds and SymInt not in bounds:
        return items
    return tuple([slice(*map(traced_bound, (i.start, i.stop, i.step))) if type(i) is slice else traced_bound(i) for i in items])


def traced_bound(part: Any) -> Any:
    if type(part) is not ndarray or part.shape or part.dtype.kind not in "iu" or not is_pending(part) or has_value(queue(), node_of(part)):
        return part
    return number(ew.as_node(node_of(part), np.dtype(np.int64)))


def _symbolic(shape: Any, items: tuple[Any, ...]) -> "tuple[list[Step], bool] | None":
    for item in items:
        if type(item) is bool or not (item is None or item is Ellipsis or type(item) in (slice, SymInt) or is_integer(item)):
            return None
    return symbolic_steps(shape, items)


_known_steps: dict[Any, tuple[list[Step], bool]] = {}
"""What an index means for a shape: programs use few of them, many times."""


def is_integer(item: Any) -> bool:
    if isinstance(item, (np.ndarray, list, tuple)) or type(item) is ndarray:
        return False
    try:
        operator.index(item)
    except TypeError:
        return False
    return not isinstance(item, bool)


_probe_element = np.zeros(())


def raise_index_error(shape: tuple[int, ...], items: tuple[Any, ...]) -> None:
    """Let NumPy say what is wrong with an index."""
    np.broadcast_to(_probe_element, shape)[items]


def _basic(shape: tuple[int, ...], items: tuple[Any, ...]) -> tuple[list[Step], bool]:
    used = sum(1 for item in items if item is not None and item is not Ellipsis)
    if used > len(shape) or sum(1 for item in items if item is Ellipsis) > 1:
        raise_index_error(shape, items)
    single = used == len(shape) and not any(item is None or item is Ellipsis or isinstance(item, slice) for item in items)
    if not any(item is Ellipsis for item in items):
        items = (*items, Ellipsis)
    starts: list[int] = []
    steps: list[int] = []
    sizes: list[int] = []
    out: list[int] = []
    index: list[Any] = []
    axis = 0
    for item in items:
        if item is None:
            out.append(1), index.append(None)
        elif item is Ellipsis:
            for n in shape[axis : axis + len(shape) - used]:
                starts.append(0), steps.append(1), sizes.append(n), out.append(n), index.append(slice(None))
            axis += len(shape) - used
        elif isinstance(item, slice):
            first, last, step = item.indices(shape[axis])
            size = len(range(first, last, step))
            starts.append(first if size else 0), steps.append(step if size else 1), sizes.append(size), out.append(size)
            index.append(slice(None))
            axis += 1
        else:
            position = operator.index(item)
            n = shape[axis]
            if not -n <= position < n:
                raise_index_error(shape, items)
            starts.append(position % n), steps.append(1), sizes.append(1), index.append(0)
            axis += 1
    path = []
    if tuple(sizes) != shape or any(starts) or any(s != 1 for s in steps):
        path.append(Step(slice_, (tuple(starts), tuple(steps), tuple(sizes))))
    if tuple(out) != tuple(sizes) or None in index:
        path.append(picked(tuple(out), tuple(index)))
    return path, single
