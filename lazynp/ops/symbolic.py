"""Basic indices whose bounds are known only at run time: `A[i + 1 :, i]` as movement steps that hold sizes."""

from __future__ import annotations

import operator
from typing import Any

from lazynp.errors import CaptureError
from lazynp.ir.node import Node, constant
from lazynp.ir.types import Dim, Shape
from lazynp.ops import elementwise as ew
from lazynp.ops import turning
from lazynp.ops.movement import Step, picked, slice_
from lazynp.ops.sizes import SymInt, as_size, greatest, hooks, is_size, least, never_negative, polynomial, simplify_size


def mentions_sizes(shape: Shape, items: tuple[Any, ...]) -> bool:
    """Whether a shape or a basic index has parts that are known only at run time."""
    return any(isinstance(n, Node) for n in shape) or any(
        type(item) is SymInt or (type(item) is slice and any(type(part) is SymInt for part in (item.start, item.stop, item.step)))
        for item in items
    )


def symbolic_steps(shape: Shape, items: tuple[Any, ...]) -> tuple[list[Step], bool] | None:
    """The movement steps of a basic index and whether it names one element. None where a position may lie outside: then it is a gather,
    which looks at run time. Slices are clipped as Python clips them, at run time where the bounds of loop variables do not decide it."""
    used = sum(1 for item in items if item is not None and item is not Ellipsis)
    if used > len(shape) or sum(1 for item in items if item is Ellipsis) > 1:
        raise IndexError(f"too many indices for array: array is {len(shape)}-dimensional, but {used} were indexed")
    single = used == len(shape) and not any(item is None or item is Ellipsis or isinstance(item, slice) for item in items)
    starts: list[Dim] = []
    steps: list[Dim] = []
    sizes: list[Dim] = []
    out: list[Dim] = []
    index: list[Any] = []
    for item in items if any(item is Ellipsis for item in items) else (*items, Ellipsis):
        rest = shape[len(sizes) :]
        if item is None:
            out.append(1)
            index.append(None)
        elif item is Ellipsis:
            for n in rest[: len(shape) - used]:
                _add((0, 1, n), starts, steps, sizes)
                out.append(n)
                index.append(slice(None))
        elif isinstance(item, slice):
            _add(_slice(item, rest[0]), starts, steps, sizes)
            out.append(sizes[-1])
            index.append(slice(None))
        else:
            place = _position(item, rest[0])
            if place is None and used > 1 and mentions_sizes((), tuple([i for i in items if isinstance(i, slice)])):
                place = _doubted_position(item, rest[0])
            if place is None:
                return None
            _add((place, 1, 1), starts, steps, sizes)
            index.append(0)
    path = []
    if tuple(sizes) != tuple(shape) or any(type(s) is not int or s for s in starts) or any(s != 1 for s in steps):
        path.append(Step(slice_, (tuple(starts), tuple(steps), tuple(sizes))))
    if tuple(out) != tuple(sizes) or None in index:
        path.append(picked(tuple(out), tuple(index)))
    return path, single


def _add(part: tuple[Dim, Dim, Dim], starts: list[Dim], steps: list[Dim], sizes: list[Dim]) -> None:
    starts.append(part[0])
    steps.append(part[1])
    sizes.append(part[2])


def _node(size: Dim) -> Node:
    return size if isinstance(size, Node) else constant(size)


def _plus(a: Dim, b: Dim, sign: int = 1) -> Dim:
    if type(a) is int and type(b) is int:
        return a + sign * b
    return simplify_size(_node(a) + _node(b) if sign > 0 else _node(a) - _node(b))


def _position(item: Any, n: Dim) -> Dim | None:
    """An index made non-negative, if it certainly lies inside."""
    place: Dim = item.node if type(item) is SymInt else int(item)
    if isinstance(place, Node) and not is_size(place):
        return None
    if never_negative(place) and never_negative(_plus(_plus(n, place, -1), -1)):
        return place
    wrapped = _plus(n, place)
    if not never_negative(wrapped):
        return None
    if never_negative(_plus(-1, place, -1)):
        return wrapped
    if never_negative(_plus(_plus(n, place, -1), -1)):
        turning.ask(polynomial(place))
    return None


def _doubted_position(item: Any, n: Dim) -> Dim | None:
    """An index computed from data, beside slices that a gather has no room for. If it lies outside, the program's results do not count."""
    if type(item) is not SymInt or not never_negative(_plus(n, -1)):
        return None
    place = ew.where(ew.less(item.node, constant(0)), ew.add(item.node, _node(n)), item.node)
    inside = ew.minimum(ew.maximum(place, constant(0)), _node(_plus(n, -1)))
    return hooks.data_size(inside) if hooks.doubt(ew.not_equal(place, inside)) else None


def _slice(item: slice, n: Dim) -> tuple[Dim, Dim, Dim]:
    """(start, step, size) of a Python slice along an axis of n elements."""
    step = 1 if item.step is None else _step(item.step)
    if step == 0:
        raise ValueError("slice step cannot be zero")
    if isinstance(step, Node) or step > 0:
        first = 0 if item.start is None else _clipped(item.start, 0, n, n)
        last = n if item.stop is None else _clipped(item.stop, 0, n, n)
        room = _plus(last, first, -1)
    else:
        first = _plus(n, -1) if item.start is None else _clipped(item.start, -1, _plus(n, -1), n)
        last = -1 if item.stop is None else _clipped(item.stop, -1, _plus(n, -1), n)
        room = _plus(first, last, -1)
    if type(step) is int:
        count = room if abs(step) == 1 else simplify_size((_node(_plus(room, abs(step) - 1))) // constant(abs(step)))
    else:
        count = simplify_size(_node(_plus(_plus(room, step), -1)) // _node(step))
    return first, step, greatest(0, count)


def _step(step: Any) -> Dim:
    """A step as a size, or a known int. One that depends on data counts forwards: else the program's results do not count."""
    if type(step) is not SymInt:
        if type(step) is not int and not hasattr(step, "__index__"):
            raise TypeError("slice indices must be integers or None or have an __index__ method")
        return operator.index(step)
    size = as_size(step)
    if never_negative(_plus(size, -1)):
        return size
    if not hooks.doubt(ew.less(_node(size), constant(1))):
        raise CaptureError("the step of a slice must be positive, or a number that is known while tracing")
    return greatest(1, size)


def _clipped(bound: Any, low: int, high: Dim, n: Dim) -> Dim:
    """A bound of a slice, counted from the end if negative, moved into [low, high]."""
    if not isinstance(bound, (int, SymInt)) and not hasattr(bound, "__index__"):
        raise TypeError("slice indices must be integers or None or have an __index__ method")
    place = as_size(bound) if type(bound) is SymInt else int(bound)
    if never_negative(place):
        return least(place, high)
    wrapped = greatest(_plus(place, n), low)
    if never_negative(_plus(-1, place, -1)):
        return wrapped
    above, below = greatest(place, 0), simplify_size(ew.minimum(_node(place), constant(0)))  # so that both choices have bounds
    wrapped = greatest(_plus(below, n), low)
    return simplify_size(ew.where(ew.less(_node(place), constant(0)), _node(wrapped), _node(least(above, high))))
