"""sum, any, all, min and max of a generator expression: loops that keep nothing but what they fold. Written out, a thousand elements took
seconds to compile."""

import builtins
from collections.abc import Callable, Iterable, Iterator
from types import GeneratorType
from typing import Any

from lazynp.array import ndarray
from lazynp.trace import queues
from lazynp.trace.blocks import BREAK, Signal
from lazynp.trace.branches import if_, not_
from lazynp.trace.calls import stand_in
from lazynp.trace.loops import budgeted, for_


def folded(function: Any, values: Iterable[Any], value: Callable[..., Any], test: Callable[..., Any] | None, unpack: bool) -> Any:
    """function(value(x) for x in values if test(x)), or of *x."""
    of = (lambda x: value(*x)) if unpack else value
    kept = test if test is None or not unpack else (lambda x: test(*x))
    if queues.under_jit():
        if function is builtins.sum:
            return _sum(values, of, kept)
        if function is builtins.any or function is builtins.all:
            return _found(values, of, kept, function is builtins.any)
        if (function is builtins.max or function is builtins.min) and kept is None and _has_first(values):
            return _extreme(stand_in(function), values, of)
        return (stand_in(function) or function)(budgeted(_generated(values, of, kept)))
    return function(_generated(values, of, kept))


def over_arrays(function: Any) -> Any:
    """One of these functions, also of an array: max(x)."""
    known = stand_in(function) or function

    def call(*args: Any, **options: Any) -> Any:
        if len(args) == 1 and not options and type(args[0]) is ndarray and args[0].ndim and queues.under_jit():
            return folded(function, args[0], _itself, None, False)
        if args and type(args[0]) is GeneratorType and queues.under_jit():
            args = budgeted(args[0]), *args[1:]
        return known(*args, **options)

    return call


def _itself(x: Any) -> Any:
    return x


FUNCTIONS = {function: over_arrays(function) for function in (builtins.sum, builtins.any, builtins.all, builtins.min, builtins.max)}


def _generated(values: Iterable[Any], of: Callable[[Any], Any], kept: Callable[[Any], Any] | None) -> Iterator[Any]:
    return (of(x) for x in values if kept is None or kept(x))


def _sum(values: Iterable[Any], of: Callable[[Any], Any], kept: Callable[[Any], Any] | None) -> Any:
    total: Any = 0

    def turn(x: Any) -> Signal | None:
        def add() -> None:
            nonlocal total
            total = total + of(x)

        return add() if kept is None else if_(kept(x), add, None, ("total",))

    for_(values, turn, ("total",), (), False, ())
    return total


def _found(values: Iterable[Any], of: Callable[[Any], Any], kept: Callable[[Any], Any] | None, wanted: bool) -> Any:
    """Whether some value is true (wanted), or none is false."""
    found: Any = not wanted

    def turn(x: Any) -> Signal | None:
        def end() -> Signal:
            nonlocal found
            found = wanted
            return BREAK

        def look() -> Signal | None:
            return if_(of(x) if wanted else not_(of(x)), end, None, ("found",))

        return look() if kept is None else if_(kept(x), look, None, ("found",))

    for_(values, turn, ("found",), (), True, ())
    return found


def _has_first(values: Any) -> bool:
    return type(values) in (ndarray, range) and type(len(values)) is int and len(values) > 0


def _extreme(larger: Callable[[Any, Any], Any], values: Any, of: Callable[[Any], Any]) -> Any:
    best = of(values[0])

    def turn(x: Any) -> None:
        nonlocal best
        best = larger(best, of(x))

    for_(values[1:], turn, ("best",), (), False, ())
    return best
