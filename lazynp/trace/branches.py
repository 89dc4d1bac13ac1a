"""What rewritten functions call in the place of `if`, conditional expressions and logical operators: Python's own where the condition is
known while tracing, else one node of which one branch runs."""

import dis
import functools
import operator
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import FunctionType
from typing import Any

import numpy as np

from lazynp import array as arrays
from lazynp.array import ndarray
from lazynp.errors import CaptureError, is_ours
from lazynp.ir.types import Symbolic, Undecided
from lazynp.ops import elementwise as ew
from lazynp.ops.sizes import SymBool
from lazynp.runtime.storage import depends_on_arguments
from lazynp.trace import bodies, queues
from lazynp.trace.blocks import GO_ON, RETURNED, Block, Box, Signal, until_known, zeros_like
from lazynp.trace.places import UNBOUND, Journal, Maybe


def is_traced(x: Any) -> bool:
    """Whether Python cannot know the value while tracing."""
    if isinstance(x, (Symbolic, Undecided)):
        return True
    return type(x) is ndarray and x._storage is not None and depends_on_arguments(x._storage.value())


# --- if --------------------------------------------------------------------------------------------------------------------


def if_(test: Any, then: FunctionType, orelse: FunctionType | None, names: Sequence[str]) -> Signal | None:
    """then() if test else orelse(). names: the variables that one of them assigns and that what follows may read."""
    if not is_traced(test):
        run = then if test else orelse
        return run() if run is not None else None
    functions = [then] if orelse is None else [then, orelse]
    return branch(test, then, orelse or _nothing, functions, names)


def if_raises(test: Any, then: FunctionType, orelse: FunctionType | None, names: Sequence[str]) -> Signal | None:
    """The same where then() ends in `raise`. In a compiled program the other branch runs, and where the test is true nothing counts: the
    function runs again in lazy mode, and raises what it raises."""
    if is_traced(test) and queues.compiles() and queues.doubt(bodies.truth(test)):
        return orelse() if orelse is not None else None
    return if_(test, then, orelse, names)


def _nothing() -> None:
    """The other branch of an `if` without `else`."""


def branch(
    test: Any, yes: Callable[[], Any], no: Callable[[], Any], functions: Sequence[FunctionType], names: Sequence[str]
) -> Signal | None:
    """yes() if test else no(), for a traced test: both are traced, one of them runs. Where one comes to a `raise`, the other runs in a
    compiled program, as in `if_raises`."""
    body = Block(functions, names)
    codes: dict[Any, frozenset[int]] = {}
    maybe: set[int] = set()
    raising: list[Callable[[], Any]] = []

    def traced(run: Callable[[], Any], values: list[Any]) -> Callable[[], Any]:
        def branch() -> Any:
            try:
                signal, after = body.branch(run, values)
            except Exception as error:
                if _is_raised(error):
                    raising.append(run)
                raise
            codes[run] = frozenset({GO_ON}) if signal is None else signal.possible
            code, value = (GO_ON, None) if signal is None else signal[:2]
            halves = [[v.value, v.bound] for v in after if type(v) is Maybe]  # leaves of the branch, which knows their nodes
            return [code, (value,) if RETURNED in codes[run] else (), after, halves]

        return branch

    def trace() -> Any:
        values = body.values()
        maybe.clear()
        agree = functools.partial(_agreed, body, maybe)
        return bodies.traced_cond(test, traced(yes, values), traced(no, values), (), agree, values=False)

    try:
        code, value, after, _ = until_known(trace)
    except CaptureError:
        if raising and queues.compiles():
            wrong = bodies.truth(test)
            if queues.doubt(wrong if raising[-1] is yes else ew.logical_not(wrong)):
                return no() if raising[-1] is yes else yes()  # type: ignore[no-any-return]
        raise
    body.finish([Maybe(*v) if k in maybe else v for k, v in enumerate(after)])
    possible = codes[yes] | codes[no]
    return None if possible == {GO_ON} else Signal(code, value[0] if value else None, possible)


def _is_raised(error: Exception) -> bool:
    """Whether an exception comes from a `raise` statement of the user's code."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    if place is None or isinstance(error, CaptureError) or is_ours(place.tb_frame.f_code):
        return False
    return place.tb_frame.f_code.co_code[place.tb_lasti] == _RAISE


_RAISE = dis.opmap["RAISE_VARARGS"]


def _agreed(body: Block, maybe: set[int], yes: list[Any], no: list[Any]) -> tuple[list[Any], list[Any]]:
    """The outcomes of two branches as trees of one form: where one binds a name and the other does not, it is unbound, but what it may be
    is kept beside the truth value that tells it (maybe: at which places); where one returns a value and the other does not, it returns
    zeros that nobody reads."""
    for one, other in ((yes, no), (no, yes)):
        if one[1] != () and other[1] == ():
            other[1] = zeros_like(one[1])
    yes[3] = no[3] = []
    for k, (a, b) in enumerate(zip(yes[2], no[2], strict=True)):
        if a is b:
            continue
        if all(v is not UNBOUND and type(v) is not Maybe for v in (a, b)):
            yes[2][k], no[2][k] = _unboxed(a), _unboxed(b)
            continue
        yes[2][k] = no[2][k] = UNBOUND
        if body.is_asked(k):
            with suppress(CaptureError):  # the shape of which depends on the turn: then reading it is an error
                yes[2][k], no[2][k] = _one_way(a, b), _one_way(b, a)
                maybe.add(k)
    return yes, no


def _one_way(value: Any, other: Any) -> list[Any]:
    """[value, whether it is assigned] at the end of a branch; other: at the end of the other one, for the type of what is not."""
    if type(value) is Maybe:
        return [value.value, value.bound]
    if value is UNBOUND:
        return [zeros_like(other.value if type(other) is Maybe else _unboxed(other)), False]
    return [_unboxed(value), True]


def _unboxed(value: Any) -> Any:
    return value.value if type(value) is Box else value


def after(signal: Signal | None, rest: FunctionType, names: Sequence[str]) -> Signal | None:
    """What follows a loop that may have returned: rest(), unless it has."""
    if signal is None:
        return rest()  # type: ignore[no-any-return]
    if type(signal.code) is int:
        return signal
    codes = signal.possible - {GO_ON}
    if codes == {RETURNED}:
        return branch(signal.code == RETURNED, lambda: Signal(RETURNED, signal.value), rest, [rest], names)
    return branch(signal.code != GO_ON, lambda: Signal(signal.code, signal.value, codes), rest, [rest], names)


# --- logical operators ------------------------------------------------------------------------------------------------------


def truth(x: Any) -> Any:
    """A traced value as a traced boolean."""
    return arrays.wrap(bodies.truth(x))


def both(a: Any, b: Any) -> Any:
    """a and b, of which both are known or traced and only the truth matters."""
    if not is_traced(a):
        return b if a else False
    if not is_traced(b):
        return a if b else False
    return arrays.wrap(ew.logical_and(bodies.truth(a), bodies.truth(b)))


def and_(only_truth: bool, simple: bool, first: Any, *rest: Callable[[], Any]) -> Any:
    """first and rest[0]() and ... simple: the rest may be evaluated without need."""
    for k, thunk in enumerate(rest):
        if is_traced(first):
            if only_truth:
                return _logical(first, simple, lambda k=k: and_(True, simple, rest[k](), *rest[k + 1 :]), True)
            return choose(first, lambda k=k: and_(False, simple, rest[k](), *rest[k + 1 :]), lambda first=first: first)
        if not first:
            return first
        first = thunk()
    return first


def or_(only_truth: bool, simple: bool, first: Any, *rest: Callable[[], Any]) -> Any:
    """first or rest[0]() or ..."""
    for k, thunk in enumerate(rest):
        if is_traced(first):
            if only_truth:
                return _logical(first, simple, lambda k=k: or_(True, simple, rest[k](), *rest[k + 1 :]), False)
            return choose(first, lambda first=first: first, lambda k=k: or_(False, simple, rest[k](), *rest[k + 1 :]))
        if first:
            return first
        first = thunk()
    return first


def _logical(first: Any, simple: bool, rest: Callable[[], Any], conjunction: bool) -> Any:
    """first and rest(), or first or rest(): its truth."""
    if not simple:
        other = lambda: _as_bool(rest())  # noqa: E731
        return choose(first, other, lambda: np.False_) if conjunction else choose(first, lambda: np.True_, other)
    second = rest()
    if not is_traced(second):
        return (truth(first) if second else False) if conjunction else (True if second else truth(first))
    return arrays.wrap((ew.logical_and if conjunction else ew.logical_or)(bodies.truth(first), bodies.truth(second)))


def _as_bool(x: Any) -> Any:
    return truth(x) if is_traced(x) else np.bool_(bool(x))


def not_(x: Any) -> Any:
    """not x."""
    return SymBool(ew.logical_not(bodies.truth(x))) if is_traced(x) else not x


def choose(test: Any, yes: Callable[[], Any], no: Callable[[], Any]) -> Any:
    """yes() if test else no()."""
    if not is_traced(test):
        return yes() if test else no()
    with Journal() as journal:
        value = bodies.traced_cond(test, yes, no, (), values=False)
    if journal.found():
        raise CaptureError("a conditional expression over traced values changes variables")
    return value


_COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq, "!=": operator.ne,
    "is": operator.is_, "is not": operator.is_not, "in": lambda a, b: a in b, "not in": lambda a, b: a not in b,
}  # fmt: skip


def chain(simple: bool, left: Any, *rest: Any) -> Any:
    """left < middle < right: rest is a comparison, a thunk, a comparison, ..."""
    right = rest[1]()
    first = _COMPARISONS[rest[0]](left, right)
    if len(rest) == 2:
        return first
    return (
        and_(False, simple, first, lambda: chain(simple, right, *rest[2:]))
        if not is_traced(first)
        else _logical(first, simple, lambda: chain(simple, right, *rest[2:]), True)
    )
