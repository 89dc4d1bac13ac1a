"""Numbers of a trace that are of one kind or another: `s = 0`, to which only some turns of a loop add a float.

Python hands out what the variable holds, 0 or np.float64(2.5); a program computes both and a truth value beside them. Operations keep the
three apart where the kind of the result depends on it, and together again where it does not: `0 + v` and `np.float64(2.5) + v` are both
float64. What only one kind of number can do is a doubt of the program.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from lazynp import array as arrays
from lazynp.api.ufuncs import OBJECTS
from lazynp.array import ndarray
from lazynp.errors import CaptureError
from lazynp.ir.node import Node, constant
from lazynp.ir.types import ArrayType, Symbolic, Undecided
from lazynp.operands import node_of
from lazynp.ops import elementwise as ew
from lazynp.ops.sizes import COMPARISONS, OPERATORS, SymBool
from lazynp.trace import kinds, queues

_RANK: dict[Any, int] = {bool: 0, int: 1, float: 2}
_DOUBLE = frozenset({np.dtype(np.float64), np.dtype(np.complex128)})
_CARRIED = {bool: np.dtype(bool), int: np.dtype(np.int64), float: np.dtype(np.float64)}
"""The types of NumPy's that Python's numbers are carried as."""


class Form(tuple[Any, kinds.Carried]):
    """(kind of the Python number, what the other one is) of numbers that are one or the other."""

    __slots__ = ()


def form_of(*values: Any) -> Form | None:
    """The form in which all the values fit; None where they need none. Raises CaptureError where there is no such form."""
    kinds_: set[Any] = set()
    scalars: set[kinds.Carried] = set()
    undecided = False
    for value in values:
        undecided |= type(value) is Either
        for part in (value.first, value.second) if type(value) is Either else (value,):
            known = kinds.described(part)
            if known is None or (known.kind is None and not known.scalar):
                if undecided:
                    raise CaptureError(f"a variable is a number on one way and {type(part).__name__} on another")
                return None
            if known.kind is not None:
                kinds_.add(known.kind)
            else:
                scalars.add(known)
    if len(scalars) == 1 and len(kinds_) == 1:
        return Form((*kinds_, *scalars))
    if not scalars and len(kinds_) == 2:
        first, second = sorted(kinds_, key=_RANK.__getitem__)
        return Form((first, kinds.Carried(second, ArrayType((), _CARRIED[second]))))
    if undecided or (scalars and kinds_):
        raise CaptureError("a variable holds numbers of more than two kinds")
    return None


class Either(Undecided):
    """`first`, a Python number, where `chosen` (a truth value, perhaps of the trace) is true, else `second`. Where it is true and `first`
    is exact in the type of `second`, the two are equal."""

    __slots__ = ("__weakref__", "chosen", "first", "second")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, first: Any, second: Any, chosen: Any) -> None:
        self.first, self.second, self.chosen = first, second, chosen

    @property
    def parts(self) -> list[Any]:
        return [self.first, self.second, self.chosen]

    def is_exact(self) -> bool:
        """Whether `second` is equal to `first` where that is chosen."""
        return _is_exact(self.first, kinds.described(self.second))  # type: ignore[arg-type]

    def test(self) -> Node:
        return constant(self.chosen) if type(self.chosen) is bool else node_of(self.chosen)

    def settled(self) -> Any:
        """`second`; where that is not so, the program's results do not count."""
        if not queues.doubt(self.test()):
            raise CaptureError("a number is needed that may be of one kind or another")
        return self.second

    def value(self) -> Any:
        """What is equal to the number, of either kind: enough where its kind does not matter."""
        return self.second if self.is_exact() else self.settled()

    def stored(self, dtype: np.dtype) -> Any:
        """A number that an array of that dtype takes as it would take this one. Integers refuse some of Python's numbers."""
        second = kinds.described(self.second).type.dtype  # type: ignore[union-attr]
        return self.value() if dtype.kind not in "iu" or np.can_cast(second, dtype) else self.settled()

    def indexing(self) -> Any:
        """A number that means the same element: integers of all types do."""
        known = [kinds.described(part) for part in (self.first, self.second)]
        return self.value() if all(k is not None and k.kind is not bool and k.type.dtype.kind in "iu" for k in known) else self.settled()

    def in_array(self) -> Any:
        """A number of which NumPy makes the same array."""
        return self.value() if _is_as_python(form_of(self)) else self.settled()

    def truth(self, truth: Callable[[Any], Node]) -> Node:
        """Whether it is not zero."""
        if self.is_exact():
            return truth(self.second)
        first = truth(self.first) if isinstance(self.first, Symbolic) else constant(bool(self.first))
        return ew.where(self.test(), first, truth(self.second))

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        out = options.pop("out", None)
        if method == "__call__" and not options and all(type(x) is ndarray and x._scalar for x in out or ()):
            return applied(_FUNCTIONS.get(ufunc) or OBJECTS.get(ufunc, ufunc), inputs)
        inputs = tuple(map(_settled, inputs))
        return getattr(OBJECTS.get(ufunc, ufunc), method)(*inputs, **options, **({} if out is None else {"out": out}))

    def __array_function__(self, function: Callable[..., Any], types: Any, args: Any, kwargs: Any) -> Any:
        return arrays.hooks.function(function, tuple(map(_settled, args)), {name: _settled(x) for name, x in kwargs.items()})

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self.settled(), name)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        raise CaptureError(_MESSAGE)

    def __bool__(self) -> bool:
        return bool(self != 0)

    def _unknown(self, *args: Any) -> Any:
        raise CaptureError(_MESSAGE)

    __float__ = __complex__ = __int__ = __index__ = __round__ = __trunc__ = __floor__ = __ceil__ = _unknown
    __str__ = __format__ = _unknown


_MESSAGE = "a number is needed here that may be of one kind or another, as the program's branches and loops decide"

_UNARY = {"neg": np.negative, "pos": np.positive, "abs": np.absolute, "invert": np.invert}
_FUNCTIONS: dict[np.ufunc, Callable[..., Any]] = {
    ufunc: getattr(operator, f"__{name}__") for name, ufunc in {**_UNARY, **OPERATORS, **COMPARISONS}.items()
}
"""ufunc -> Python's operator, which knows Python's numbers."""


def _operation(ufunc: np.ufunc, swapped: bool = False) -> Callable[..., Any]:
    function = _FUNCTIONS[ufunc]
    if swapped:
        return lambda self, other: applied(function, (other, self))
    return lambda self, *other: applied(function, (self, *other))


for _name, _ufunc in {**_UNARY, **OPERATORS, **COMPARISONS}.items():
    setattr(Either, f"__{_name}__", _operation(_ufunc))
for _name, _ufunc in OPERATORS.items():
    setattr(Either, f"__r{_name}__", _operation(_ufunc, swapped=True))


def _settled(x: Any) -> Any:
    """An argument of a function that asks for one kind of number, also inside lists."""
    if type(x) in (list, tuple):
        return type(x)([_settled(v) for v in x])
    return x.settled() if type(x) is Either else x


def applied(function: Callable[..., Any], operands: tuple[Any, ...]) -> Any:
    """function(*operands), some of them undecided."""
    either = next(x for x in operands if type(x) is Either)
    alike = [type(x) is Either and (x is either or kinds.same(x.chosen, either.chosen)) for x in operands]
    second = function(*[x.second if a else x for x, a in zip(operands, alike, strict=True)])
    try:
        first = function(*[x.first if a else x for x, a in zip(operands, alike, strict=True)])
    except (ArithmeticError, TypeError, ValueError):  # Python's own for its number: a division by zero
        either.settled()
        return second
    return _merged(either, first, second, function)


def _merged(either: Either, first: Any, second: Any, function: Callable[..., Any]) -> Any:
    """What an operation gives, whose results for the two numbers these are."""
    form = form_of(first, second)
    if form is None:
        a, b = kinds.described(first), kinds.described(second)
        both = None if a is None or b is None else kinds.joined(a, b)
        if both is None or a.type.shape != b.type.shape or a.type.dtype != b.type.dtype:  # type: ignore[union-attr]
            either.settled()
            return second
        if either.is_exact():
            return second
        return kinds.handed_out(_chosen(either.test(), first, second, both), both)
    one = in_form(first, form)
    other = in_form(second, form, one)
    sums = function in _SUMS and form[1].type.dtype in _DOUBLE
    alike = either.is_exact() and (sums or (_is_as_python(form) and _is_as_python(form_of(either))))
    test = either.test()
    return Either(
        _pick(test, one.first, other.first),
        other.second if alike else _pick(test, one.second, other.second),
        either.chosen if one.chosen is True and other.chosen is False else _pick(test, one.chosen, other.chosen),
    )


_SUMS = (operator.__add__, operator.__sub__)
"""Which are the same of integers and of floats that are equal to them."""


def _is_as_python(form: Form | None) -> bool:
    """Whether the scalar is of the type that the Python number is carried as: then operators make equal numbers of equal ones."""
    return form is not None and form[1].type.dtype == _CARRIED[form[0]]


def _pick(test: Node, a: Any, b: Any) -> Any:
    """a where the test is true, else b: both of one type."""
    if a is b or kinds.same(a, b):
        return a
    carried = kinds.described(b)
    return kinds.handed_out(_chosen(test, a, b, carried), carried)  # type: ignore[arg-type]


def _chosen(test: Node, a: Any, b: Any, carried: kinds.Carried) -> Node:
    return ew.where(test, kinds.value_of(a, carried), kinds.value_of(b, carried))


def in_form(value: Any, form: Form, filler: Any = None) -> Either:
    """A number as an Either of that form. filler: where it is a Python number of that kind, what stands where there is none."""
    kind, other = form
    if type(value) is Either:
        is_first = [kinds.described(part).kind is kind for part in (value.first, value.second)]  # type: ignore[union-attr]
        if is_first == [True, False]:
            return Either(value.first, _cast(value.second, other), value.chosen)
        test = value.test()
        if is_first == [False, True]:
            return Either(value.second, _cast(value.first, other), SymBool(ew.logical_not(test)))
        return Either(kind(0), _pick(test, _cast(value.first, other), _cast(value.second, other)), False)
    known = kinds.described(value)
    if known is not None and known.kind is kind:
        return Either(value, _cast(value, other), True)
    filler = filler.first if type(filler) is Either else filler
    return Either(filler if type(filler) is kind else kind(0), _cast(value, other), False)


def _cast(value: Any, carried: kinds.Carried) -> Any:
    """A number as one of that type; zero where it has no such form, and nobody reads it."""
    if kinds.described(value) == carried:
        return value
    if not isinstance(value, (Symbolic, ndarray, np.generic)) and not _is_exact(value, carried):
        value = 0
    return kinds.handed_out(kinds.value_of(value, carried), carried)


def _is_exact(first: Any, second: kinds.Carried) -> bool:
    dtype = second.type.dtype
    if isinstance(first, Symbolic):
        kind = first.kind
        return dtype in (_CARRIED[kind], np.complex128) or kind is bool or (kind is int and dtype == np.float64)
    if dtype.kind in "iu":
        return bool(np.iinfo(dtype).min <= first <= np.iinfo(dtype).max and first == int(first))
    with np.errstate(over="ignore"):
        try:
            return bool(dtype.type(first) == first)
        except OverflowError:  # an int beyond all floats
            return False


def taken_apart(values: Sequence[Any]) -> list[Any]:
    """Leaves with the three parts of what is undecided in their places."""
    return [part for value in values for part in (value.parts if type(value) is Either else (value,))]


def put_together(parts: Sequence[Any], values: Sequence[Any]) -> list[Any]:
    """The inverse of taken_apart, for leaves of which the same are undecided as of `values`."""
    rest = iter(parts)
    return [Either(next(rest), next(rest), next(rest)) if type(value) is Either else next(rest) for value in values]


def decided(value: Any) -> Any:
    """A number of which it is known which one it is as that one; others as they are."""
    if type(value) is not Either or type(value.chosen) is not bool:
        return value
    return value.first if value.chosen else value.second
