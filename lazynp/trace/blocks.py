"""A block of rewritten code (a turn of a loop, a branch) as a function of the values at the places that it changes."""

import dis
import functools
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import CellType, CodeType, FunctionType
from typing import Any, NamedTuple

from lazynp import array as arrays
from lazynp.array import ndarray
from lazynp.errors import CaptureError
from lazynp.ir.node import constant
from lazynp.ir.types import Undecided
from lazynp.ops.elementwise import filled
from lazynp.trace import kinds, trees
from lazynp.trace.maybe import MaybeUnbound
from lazynp.trace.objects import touch_reachable
from lazynp.trace.places import UNBOUND, Journal, Maybe, Place, touch

GO_ON, BROKEN, RETURNED, NOTHING = 0, 1, 2, 3
"""How a block ends: at its end, by `break`, by `return` of a value, by `return` of None."""
LEAVES = frozenset({RETURNED, NOTHING})
_RETRIES = 12


class Signal(NamedTuple):
    """How a body ended where it did not reach its end. code: BROKEN, RETURNED or NOTHING, or a traced integer where that depends on data;
    value: what is returned; codes: those that are possible."""

    code: Any
    value: Any = None
    codes: frozenset[int] = frozenset()

    @property
    def possible(self) -> frozenset[int]:
        return self.codes or frozenset({self.code})


BREAK = Signal(BROKEN)


def returned(value: Any) -> Signal:
    """The signal of `return value`."""
    return Signal(NOTHING) if value is None else Signal(RETURNED, value)


class _More(BaseException):
    """The trace has shown something that the body must be traced again for. No Exception: users' code must not catch it."""


class Box:
    """A list, dict or other object that a body only hands on: no array is looked for in it."""

    def __init__(self, value: Any) -> None:
        self.value = value


class Block:
    """A body as a function of the values at the places that it changes; what it does to Python objects is undone.

    functions: those whose variables the body assigns; names: those of them that are needed later. places: also what the trace finds to be
    changed. late: stand-ins for places that are empty before the first turn and never after it. opened: the places whose objects
    are taken apart. dropped: variables that nobody needs afterwards: they are unbound, so that nothing of a trace is left in them.
    spaces: the global variables, if it assigns some. maybe: the places whose variables the turns of a loop assign on one way only: the loop
    carries [value, whether it was assigned]. flags: whether a variable that every turn assigns is one of these too, because there may be no
    turn."""

    def __init__(self, functions: Sequence[FunctionType], names: Sequence[str]) -> None:
        cells: dict[str, CellType] = {}
        for f in functions:
            cells |= dict(zip(f.__code__.co_freevars, f.__closure__ or (), strict=True))
        spaces = functions[0].__globals__
        self.places = [Place(cells[n], None, n) if n in cells else Place(spaces, n, n) for n in names]
        others = sorted(set().union(*[stored(f) for f in functions]) - set(names))
        self.dropped = [Place(cells[n], None, n) for n in others if n in cells]
        self.spaces = [spaces] if any(sets_globals(f.__code__) for f in functions) else []
        self.functions = functions
        self.late: dict[int, Any] = {}
        self.maybe: set[int] = set()
        self.flags = False
        self.opened: set[int] = set()
        self.retries = 0
        self.appended: list[list[Any]] = []

    def values(self) -> list[Any]:
        """What is at the places now, as a pytree."""
        return [self.late[k] if k in self.late else self._boxed(k, place.read()) for k, place in enumerate(self.places)]

    def carried(self) -> list[Any]:
        """The same as a loop carries it."""
        values = self.values()
        for k, value in enumerate(values):
            if type(value) is Maybe:
                self.maybe.add(k)
                values[k] = [value.value, value.bound]
        return values

    def _boxed(self, k: int, value: Any) -> Any:
        known = k in self.opened or k in self.maybe or value is UNBOUND or isinstance(value, (Maybe, Undecided))
        return value if known or kinds.described(value) is not None else Box(value)

    def own(self) -> frozenset[int]:
        """The ids of the arrays at the places whose memory only they know: a place refers to the handle, and the handle to the storage."""
        return frozenset(id(place.read()) for place in self.places if _is_own(place))

    def turn(self, run: Callable[..., Any], values: list[Any], *arguments: Any, lists: Sequence[list[Any]] = ()) -> tuple[Any, list[Any]]:
        """(signal, values after) of run(*arguments) with these values at the places. lists: those that run may append to; `appended` is
        what it has. Raises _More where it has to be traced again."""
        with Journal() as journal:
            self.put([UNBOUND if k in self.late else v for k, v in enumerate(values)])
            for place in self.dropped:
                place.write(UNBOUND)
            signal, after = self._run(run, values, arguments)
        self._note_maybes(values, after)
        self._look_closer(after, journal, lists)
        self.appended = [next((more for holder, more in journal.grown if holder is known), []) for known in lists]
        return signal, after

    def branch(self, run: Callable[[], Any], values: list[Any]) -> tuple[Any, list[Any]]:
        """The same for a body that runs at most once, with the values that are there."""
        with Journal() as journal:
            signal, after = self._run(run, values, ())
        self._look_closer(after, journal)
        return signal, after

    def _run(self, run: Callable[..., Any], values: list[Any], arguments: tuple[Any, ...]) -> tuple[Any, list[Any]]:
        given = [place.read() for place in self.places]
        for place in (*self.places, *self.dropped):
            touch(place.holder)
        for space in self.spaces:
            touch(space)
        touch_reachable(self.functions)
        signal = run(*arguments)
        now = [place.read() for place in self.places]
        return signal, [old if v is g else v for v, g, old in zip(now, given, values, strict=True)]

    def _note_maybes(self, values: list[Any], after: list[Any]) -> None:
        """What a turn leaves of variables that are assigned on one way only, as the loop carries it, in place."""
        for k, value in enumerate(after):
            if k in self.maybe and value is not values[k]:
                after[k] = _flagged(value, values[k])
            elif type(value) is Maybe:
                after[k] = UNBOUND
                if self.places[k].read() is UNBOUND and self.is_asked(k):
                    self._begin_unassigned(k, value.value)

    def is_asked(self, k: int) -> bool:
        """Whether the function reads the variable at a place where it may be unassigned."""
        return type(self.places[k].name) is MaybeUnbound

    def _begin_unassigned(self, k: int, value: Any) -> None:
        with suppress(CaptureError):  # the shape of which depends on the turn: then reading it will be an error
            self.late[k] = [zeros_like(value), False]
            self.maybe.add(k)
            self.again("a traced body binds too many names")

    def _look_closer(self, after: list[Any], journal: Journal, lists: Sequence[list[Any]] = ()) -> None:
        own = [*self.places, *self.dropped]
        more = [place for place in journal.found(lists) if not any(place.is_at(p) for p in own)]
        opened = {k for k, v in enumerate(after) if k not in self.opened and self._boxed(k, v) is not v and type(v) is not Box}
        if more or opened:
            self.places += more
            self.opened |= opened
            self.again("a traced body changes too many Python objects")

    def again(self, reason: str) -> None:
        """Ask for another trace; raises CaptureError where that has been asked for too often."""
        self.retries += 1
        if self.retries > _RETRIES:
            raise CaptureError(reason)
        raise _More

    def bind(self, after: list[Any]) -> None:
        """Give places that a turn fills for the first time a stand-in of the right type, and ask for another trace."""
        first = [k for k, v in enumerate(after) if v is not UNBOUND and k not in self.late and self.places[k].read() is UNBOUND]
        for k in first:
            if self.flags and self.is_asked(k):
                self._begin_unassigned(k, after[k])
        new = {k: zeros_like(after[k]) for k in first}
        if new:
            self.late |= new
            self.again("a traced body binds too many names")

    def put(self, values: Sequence[Any]) -> None:
        """Write values to the places."""
        for k, (place, value) in enumerate(zip(self.places, values, strict=True)):
            value = Maybe(*value) if k in self.maybe and value is not UNBOUND else value
            place.write(value.value if type(value) is Box else value)

    def finish(self, values: Sequence[Any], any_turn: Any = True) -> None:
        """Write the results to the places. any_turn: whether there was a turn, for certain or as a traced truth value; else names that
        only a turn binds are unbound: reading one unseen is an error, never a wrong value."""
        values = list(values)
        if any_turn is not True:
            for k in self.late.keys() - self.maybe:
                values[k] = Maybe(values[k], any_turn) if any_turn is not False and self.is_asked(k) else UNBOUND
        self.put(values)
        for place in self.dropped:
            place.write(UNBOUND)


def _flagged(value: Any, before: list[Any]) -> list[Any]:
    """[value, whether it was assigned] after a turn."""
    if type(value) is Maybe:
        return [value.value, value.bound]
    return [before[0], False] if value is UNBOUND else [value, True]


def _is_own(place: Place) -> bool:
    array = place.read()
    return (
        type(array) is ndarray
        and array._storage is not None
        and sys.getrefcount(array) == _OWN[0]
        and sys.getrefcount(array._storage) == _OWN[1]
    )


def _references_of_its_own() -> tuple[int, int]:
    """What the references are counted as where only one place knows an array."""
    place = Place([arrays.wrap(constant(0))], 0, "")
    array = place.read()
    return sys.getrefcount(array), sys.getrefcount(array._storage)


_OWN = _references_of_its_own()


def stored(function: FunctionType) -> frozenset[str]:
    """The variables of its surroundings that a body, or a function inside it, assigns or deletes."""
    known = _known_stores.get(function.__code__)
    if known is None:
        names: set[str] = set()
        stack = [function.__code__]
        while stack:
            code = stack.pop()
            names |= {i.argval for i in dis.get_instructions(code) if i.opname in ("STORE_DEREF", "DELETE_DEREF")}
            stack += [c for c in code.co_consts if type(c) is CodeType]
        known = _known_stores[function.__code__] = frozenset(names)
    return known


_known_stores: dict[CodeType, frozenset[str]] = {}


@functools.cache
def sets_globals(code: CodeType) -> bool:
    """Whether a function, or one inside it, has `global` names that it assigns."""
    assigns = any(i.opname in ("STORE_GLOBAL", "DELETE_GLOBAL") for i in dis.get_instructions(code))
    return assigns or any(sets_globals(c) for c in code.co_consts if type(c) is CodeType)


def zeros_like(tree: Any) -> Any:
    """A tree of zeros where there are numbers: what stands at a place, or for a result, that nobody reads before it is assigned."""
    return trees.map_leaves(_zero, tree)


def _zero(leaf: Any) -> Any:
    carried = kinds.described(leaf)
    if carried is None:
        return leaf
    if carried.kind is not None:
        return carried.kind(0)
    if any(type(n) is not int for n in carried.type.shape):
        raise CaptureError("the shape of a value that outlives a turn depends on the turn")
    value = arrays.wrap(filled(carried.type.shape, 0, carried.type.dtype))
    value._scalar = carried.scalar
    return value


def until_known(trace: Callable[[], Any]) -> Any:
    """trace(), again while it shows something new."""
    while True:
        try:
            return trace()
        except _More:
            continue
