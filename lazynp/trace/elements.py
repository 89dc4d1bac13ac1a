"""What a `for` loop runs over: `range`, the rows of an array, and `enumerate`, `zip`, `reversed` of those, with sizes and limits that
may be known only at run time. These stand for Python's own in rewritten functions wherever an argument is traced."""

import math
import operator
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from lazynp import array as arrays
from lazynp import operands
from lazynp.array import ndarray
from lazynp.errors import CaptureError
from lazynp.ir.node import Node, constant
from lazynp.ir.types import LAZY_DTYPES, Symbolic, Undecided
from lazynp.native import ARRAYS
from lazynp.ops import elementwise as ew
from lazynp.ops import turning
from lazynp.ops.sizes import hooks, least, number, simplify_size, surface


class Elements:
    """at(i) for i in range(lower, upper, step). Limits: ints, numbers of a trace or 0-d traced integers."""

    def __init__(self, lower: Any, upper: Any, step: Any, at: Callable[[Any], Any]) -> None:
        self.lower, self.upper, self.step, self.at = lower, upper, step, at

    @property
    def count(self) -> int | None:
        """The number of turns, if it is known."""
        limits = (self.lower, self.upper, self.step)
        return len(range(*limits)) if all(type(n) is int for n in limits) else None

    @property
    def any(self) -> bool:
        """Whether there is certainly at least one turn."""
        if self.count is not None:
            return self.count > 0
        if isinstance(self.lower, ndarray) or isinstance(self.upper, ndarray):
            return False
        with turning.unnoted():
            before = self.lower < self.upper if self.step > 0 else self.lower > self.upper
        return before is True

    def place(self, turn: Any) -> Any:
        """The index of the turn with this number."""
        return self.lower + turn * self.step

    def since(self, turn: int) -> "Elements":
        """Without the first turns."""
        return Elements(self.place(turn), self.upper, self.step, self.at)

    def counted(self) -> "Elements":
        """The same elements by the number of the turn."""
        if self.step == 1 and type(self.lower) is int and self.lower == 0:
            return self
        if self.step == 1 and type(self.upper) is not ndarray and type(self.lower) is not ndarray:
            upper = self.upper - self.lower
            if self.any or type(upper) is int:
                return Elements(0, upper if type(upper) is not int else max(upper, 0), 1, lambda t: self.at(self.place(t)))
        if self.count is None:
            raise CaptureError("the number of elements is known only at run time")
        return Elements(0, self.count, 1, lambda t: self.at(self.place(t)))

    def __iter__(self) -> Iterator[Any]:
        if self.count is None:
            raise CaptureError("the number of turns of a loop is known only at run time")
        return (self.at(i) for i in range(self.lower, self.upper, self.step))

    def __len__(self) -> int:
        if self.count is None:
            raise CaptureError("the number of turns of a loop is known only at run time")
        return self.count


def _itself(i: Any) -> Any:
    return i


class Places(Elements):
    """The indices of an array, last axis fastest, or what is at them: numpy.ndindex and numpy.ndenumerate."""

    def __init__(self, shape: tuple[int, ...], at: Callable[[tuple[Any, ...]], Any]) -> None:
        sizes = np.cumprod((1, *shape[:0:-1]), dtype=object)[::-1]
        self.shape = shape
        self._iterator: Iterator[Any] | None = None
        super().__init__(0, math.prod(shape), 1, lambda t: at(tuple([t // s % n for s, n in zip(sizes, shape)])))  # noqa: B905 of no axes there is one place

    def __next__(self) -> Any:
        self._iterator = self._iterator or iter(self)
        return next(self._iterator)


def ndindex(*shape: Any) -> Any:
    """numpy.ndindex(), of known sizes."""
    sizes = shape[0] if len(shape) == 1 and isinstance(shape[0], tuple) else shape
    if not all(type(n) is int and n >= 0 for n in sizes):
        return np.ndindex(*shape)
    return Places(sizes, _itself)


def ndenumerate(array: Any) -> Any:
    """numpy.ndenumerate(), whose elements are found without running through them."""
    if type(array) is not ndarray or not all(type(n) is int for n in array.shape):
        return np.ndenumerate(array)
    return Places(array.shape, lambda place: (place, array[place]))


def elements_of(iterable: Any) -> Elements | None:
    """The elements of something that a loop may run over without knowing them; None for what only Python can run over."""
    if isinstance(iterable, Elements):
        return iterable
    if type(iterable) is range:
        return Elements(iterable.start, iterable.stop, iterable.step, _itself)
    if type(iterable) in ARRAYS and iterable.ndim and iterable.dtype in LAZY_DTYPES:
        return _rows(arrays.wrap(operands.node_of(iterable)))
    if type(iterable) is ndarray and iterable.shape:
        return _rows(iterable)
    return None


def _rows(array: Any) -> Elements:
    return Elements(0, array.shape[0], 1, array.__getitem__)


def range_(*limits: Any) -> Any:
    """range(), also of traced numbers."""
    if not any(_unknown(n) for n in limits):
        return range(*limits)
    lower, upper, step = (0, *limits, 1) if len(limits) == 1 else (*limits, 1)[:3]
    lower, upper, step = [n.indexing() if isinstance(n, Undecided) else n for n in (lower, upper, step)]
    for n in (lower, upper, step):
        if isinstance(n, ndarray) and (n.shape or n.dtype.kind not in "iu"):
            raise TypeError("range() takes integers")
    if _unknown(step):
        return _with_unknown_step(*[ew.as_node(operands.node_of(n), np.dtype(np.int64)) for n in (lower, upper, step)])
    step = operator.index(step)
    if step == 0:
        raise ValueError("range() arg 3 must not be zero")
    return Elements(lower, upper, step, _itself)


def _with_unknown_step(lower: Node, upper: Node, step: Node) -> Elements:
    """By the number of the turn, whichever sign the step has. One of zero is Python's error: then the program's results do not count."""
    zero, one = constant(0), constant(1)
    if not hooks.doubt(ew.equal(step, zero)):
        raise CaptureError("the step of a range is known only at run time")
    forwards = ew.less(zero, step)
    stride = ew.where(forwards, step, ew.negative(step))
    room = ew.where(forwards, ew.subtract(upper, lower), ew.subtract(lower, upper))
    count = ew.floor_divide(ew.subtract(ew.add(room, stride), one), ew.maximum(stride, one))

    def at(turn: Any) -> Any:
        return number(ew.add(lower, ew.multiply(ew.as_node(operands.node_of(turn), np.dtype(np.int64)), step)))

    return Elements(0, number(ew.maximum(count, zero)), 1, at)


def _unknown(x: Any) -> bool:
    return isinstance(x, (Symbolic, Undecided)) or type(x) is ndarray


def enumerate_(iterable: Any, start: Any = 0) -> Any:
    """enumerate(), whose elements are found without running through them where the iterable allows it."""
    inner = elements_of(iterable)
    if inner is None or (type(iterable) in ARRAYS and type(start) is int):
        return enumerate(iterable, start)
    counted = inner.counted()
    return Elements(0, counted.upper, 1, lambda t: (start + t, counted.at(t)))


def zip_(*iterables: Any, strict: bool = False) -> Any:
    """zip(), of elements that are found without running through them."""
    parts = [elements_of(iterable) for iterable in iterables]
    if not parts or any(part is None for part in parts) or not any(_unknown(x) or isinstance(x, Elements) for x in iterables):
        return zip(*iterables, strict=strict)
    counted = [part.counted() for part in parts if part is not None]
    upper = counted[0].upper
    if strict and not all(_equal(part.upper, upper) for part in counted):  # Python's error comes after the shorter one's end
        return zip(*iterables, strict=True)
    for part in counted[1:]:
        upper = _lower_one(upper, part.upper)
    return Elements(0, upper, 1, lambda t: tuple([part.at(t) for part in counted]))


def _lower_one(a: Any, b: Any) -> Any:
    if type(a) is int and type(b) is int:
        return min(a, b)
    return surface((least(_dim(a), _dim(b)),))[0]


def _equal(a: Any, b: Any) -> bool:
    """Whether two numbers of elements are certainly the same."""
    a, b = simplify_size(_dim(a)), simplify_size(_dim(b))
    return bool(a == b) if type(a) is int and type(b) is int else a is b


def _dim(n: Any) -> Any:
    return n.node if isinstance(n, Symbolic) else n


def reversed_(iterable: Any) -> Any:
    """reversed(), also of ranges and arrays whose elements are known only at run time."""
    if not isinstance(iterable, Elements) and type(iterable) is not ndarray:
        return reversed(iterable)
    counted = elements_of(iterable).counted()  # type: ignore[union-attr]
    return Elements(0, counted.upper, 1, lambda t: counted.at(counted.upper - 1 - t))
