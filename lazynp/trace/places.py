"""Where Python keeps the values that a traced body changes: variables, items of lists and dicts, attributes, globals.

A body is traced as a function of the values at such places. While it runs, a journal keeps the earlier contents of everything it changes;
afterwards all is put back, and what has changed says which places the body carries.
"""

import sys
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import CellType
from typing import Any, NamedTuple

from lazynp.errors import CaptureError


class _Unbound:
    """What is at a place where there is nothing: a variable that is not assigned yet."""

    def __repr__(self) -> str:
        return "UNBOUND"


UNBOUND = _Unbound()


class Maybe:
    """What a variable holds that was assigned on one way only, and is empty in Python. bound: the truth value that tells whether it was;
    value: of the same type where it was not."""

    __slots__ = ("bound", "value")

    def __init__(self, value: Any, bound: Any) -> None:
        self.value, self.bound = value, bound


class Place(NamedTuple):
    """holder: a cell, list or dict (also the __dict__ of an object or module). key: None, an index or a key. name: for messages."""

    holder: Any
    key: Any
    name: str

    def read(self) -> Any:
        """The value here, or UNBOUND."""
        return contents(self.holder).get(self.key, UNBOUND)

    def write(self, value: Any) -> None:
        """Put a value here; UNBOUND removes what is here."""
        touch(self.holder)
        if type(self.holder) is CellType:
            _fill(self.holder, value)
        elif value is not UNBOUND:
            self.holder[self.key] = value
        elif self.key in contents(self.holder):
            del self.holder[self.key]

    def is_at(self, other: "Place") -> bool:
        return self.holder is other.holder and bool(self.key == other.key)


def contents(holder: Any) -> dict[Any, Any]:
    """What a cell, list, set or dict holds, by key."""
    if type(holder) is CellType:
        try:
            return {None: holder.cell_contents}
        except ValueError:
            maybe = _maybes().get(id(holder))
            return {} if maybe is None else {None: maybe[1]}
    return dict(holder) if isinstance(holder, dict) else dict(enumerate(holder))


def _fill(cell: CellType, value: Any) -> None:
    _maybes().pop(id(cell), None)
    if type(value) is Maybe:
        _maybes()[id(cell)] = cell, value
    if value is not UNBOUND and type(value) is not Maybe:
        cell.cell_contents = value
    elif contents(cell):
        del cell.cell_contents


class Journal:
    """`with Journal() as journal`: on leaving, every holder that was touched inside is as it was before. `changes`: the places that
    differed, with whether there was something; `grown`: the lists that were only added to, with what. body: whether what happens inside
    may happen at another time or not at all, so that no change may go unnoticed."""

    def __init__(self, body: bool = True) -> None:
        self.body = body
        self.before: dict[int, tuple[Any, dict[Any, Any]]] = {}
        self.changes: list[tuple[Place, bool]] = []
        self.grown: list[tuple[list[Any], list[Any]]] = []
        self.made: set[int] = set()

    def __enter__(self) -> "Journal":
        _stack().append(self)
        return self

    def __exit__(self, *error: object) -> None:
        _stack().pop()
        for holder, before in self.before.values():
            now = contents(holder)
            keys = [k for k in {**before, **now} if before.get(k, UNBOUND) is not now.get(k, UNBOUND)]
            if keys and isinstance(holder, list) and not any(k in before for k in keys):
                self.grown.append((holder, [now[k] for k in keys]))
            else:
                self.changes += [(Place(holder, k, str(k)), k in now) for k in keys]
            if keys:
                _restore(holder, before)
        if not _stack():  # the variables of the trace are gone
            _maybes().clear()
        now = before = holder = None  # type: ignore[assignment]
        self.before = {}

    def found(self, collecting: Sequence[list[Any]] = ()) -> list[Place]:
        """The changed places whose holders somebody outside of the body knows. Raises CaptureError for a change that no value at a place
        describes: a list that has become longer and is not one of `collecting`, a new key."""
        places = []
        for holder, _ in self.grown:
            if all(holder is not known for known in collecting) and sys.getrefcount(holder) > _GROWN_ALONE:
                raise CaptureError("a loop or branch over traced values adds to a list that is also used otherwise")
        for place, filled in self._known_outside():
            if type(place.holder) is not CellType and (not filled or place.read() is UNBOUND):
                raise CaptureError(f"a loop or branch over traced values adds to, or removes from, a {type(place.holder).__name__}")
            places.append(place)
        return places

    def _known_outside(self) -> list[tuple[Place, bool]]:
        """The changes, without those of holders that nobody else refers to: the body has made them."""
        mentions = Counter(id(place.holder) for place, _ in self.changes)
        known = [k for k, (place, _) in enumerate(self.changes) if sys.getrefcount(place.holder) - mentions[id(place.holder)] > _ALONE]
        return [self.changes[k] for k in known]

    def outliving(self) -> list[Place]:
        """The changed places that outlive a call."""
        outliving = [place for place, _ in self._known_outside()]
        alive = {id(place.holder) for place in outliving}
        gone = {id(place.holder): place.holder for place, _ in self.changes if id(place.holder) not in alive}
        mentions = Counter(id(value) for _, added in self.grown for value in added)  # lists in lists: the outer one tells
        mentions.update(id(value) for holder in gone.values() for value in contents(holder).values())
        known = [k for k, (holder, _) in enumerate(self.grown) if sys.getrefcount(holder) - mentions[id(holder)] > _GROWN_ALONE]
        return outliving + [Place(self.grown[k][0], None, "the length") for k in known]


def _restore(holder: Any, before: dict[Any, Any]) -> None:
    if type(holder) is CellType:
        _fill(holder, before.get(None, UNBOUND))
    elif isinstance(holder, list):
        holder[:] = list(before.values())
    else:
        holder.clear()
        holder.update(before if isinstance(holder, dict) else before.values())


def _references_beside_places() -> int:
    places = [(Place([], 0, ""), 0)]
    return next(sys.getrefcount(place.holder) - 1 for place, _ in places)


_ALONE = _references_beside_places()


def _references_beside_growth() -> int:
    grown: list[tuple[list[Any], list[Any]]] = [([], [])]
    return next(sys.getrefcount(holder) for holder, _ in grown)


_GROWN_ALONE = _references_beside_growth()

_local = threading.local()


def _stack() -> list[Journal]:
    if not hasattr(_local, "stack"):
        _local.stack = []
    return _local.stack  # type: ignore[no-any-return]


def _maybes() -> dict[int, tuple[CellType, Maybe]]:
    """What empty cells may hold, by their ids."""
    if not hasattr(_local, "maybes"):
        _local.maybes = {}
    return _local.maybes  # type: ignore[no-any-return]


def in_body() -> bool:
    """Whether a body is being traced, so that nothing may change unseen."""
    stack = getattr(_local, "stack", None)
    return bool(stack) and stack[-1].body  # type: ignore[index, no-any-return]


@contextmanager
def derivative_of_values() -> Iterator[None]:
    """Inside, a program is made for a derivative that is taken outside of jit: there a number that Python has asked for is a constant."""
    outer, _local.of_values = in_derivative_of_values(), True
    try:
        yield
    finally:
        _local.of_values = outer


def in_derivative_of_values() -> bool:
    return getattr(_local, "of_values", False)


def touch(holder: Any) -> None:
    """Note what a holder contains before it may change."""
    stack = getattr(_local, "stack", None)
    if stack and id(holder) not in stack[-1].before and id(holder) not in stack[-1].made:
        stack[-1].before[id(holder)] = holder, contents(holder)


@contextmanager
def made(holder: Any) -> Iterator[None]:
    """Inside, a holder is new: what happens to it is nothing to put back."""
    number, journals = id(holder), list(getattr(_local, "stack", ()))
    del holder  # who knows it is counted
    for journal in journals:
        journal.made.add(number)
    try:
        yield
    finally:
        for journal in journals:
            journal.made.discard(number)


def touch_contents(cell: CellType) -> None:
    """Note what the list in a cell contains, where the body that is being traced has not put it there."""
    stack = getattr(_local, "stack", None)
    before = stack[-1].before.get(id(cell)) if stack else None
    if before is None or before[1].get(None) is cell.cell_contents:
        touch(cell.cell_contents)
