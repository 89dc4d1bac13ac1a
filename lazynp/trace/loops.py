"""What rewritten functions call in the place of `for` and `while`.

Python's own loop runs where only Python can run over the elements, or the turns are few. Else a turn is traced once for all turns
and the loop is one node of the graph. What cannot be traced is written out, as long as the turns record no more than
`config.unroll_nodes`; else the function runs in lazy mode.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from types import FunctionType
from typing import Any

import numpy as np

from lazynp import array as arrays
from lazynp import operands
from lazynp.config import settings
from lazynp.errors import CaptureError, line_of
from lazynp.ir.node import constant, toposort
from lazynp.ir.types import ArrayType
from lazynp.ops import elementwise as ew
from lazynp.ops.sizes import number
from lazynp.runtime.storage import depends_on_arguments, queue, traced_count
from lazynp.trace import bodies, cutting, queues, trees
from lazynp.trace.blocks import BROKEN, GO_ON, LEAVES, RETURNED, Block, Box, Signal, stored, until_known, zeros_like
from lazynp.trace.branches import both, branch, is_traced
from lazynp.trace.collecting import Collection
from lazynp.trace.either import Either
from lazynp.trace.elements import Elements, elements_of
from lazynp.trace.places import made, touch

_PEELED = 2
_VALUES_PER_ITEM = 8


class Hopeless(CaptureError):
    """The function has to run in lazy mode: writing a loop out would take too long, or it changes Python objects."""


class TooLong(Hopeless):
    """The turns of a loop have recorded too much."""


# --- for -------------------------------------------------------------------------------------------------------------------


def for_(
    iterable: Any, turn: FunctionType, names: Sequence[str], targets: Sequence[str], leaves: bool, lists: Sequence[str]
) -> Signal | None:
    """for target in iterable: turn(element). names: the variables that a turn assigns and that the next turn or what follows may read;
    targets: the loop variable, if only what follows reads it; leaves: whether a turn may end with a signal; lists: the variables with which
    a turn does nothing but append to them."""
    budget = _Budget()
    elements = elements_of(iterable) if queues.under_jit() else None
    if elements is None:
        budget.allow_items(iterable)
        return _in_python(iterable, turn, (*names, *targets), budget)
    return _for_elements(elements, turn, names, targets, leaves, lists, budget)


def _for_elements(
    elements: Elements,
    turn: FunctionType,
    names: Sequence[str],
    targets: Sequence[str],
    leaves: bool,
    lists: Sequence[str],
    budget: "_Budget",
    cuts: bool = True,
) -> Signal | None:
    """A loop over elements that are known by their indices. cuts: whether it may be done in parts."""
    count, changed = elements.count, (*names, *targets)
    for first in range(_PEELED + 1):
        if count is not None and count - first <= (settings.unroll if cuts else cutting.FEW):
            break
        rest = elements.since(first)
        try:
            return _for_as_loop(rest, turn, changed, leaves, lists, cuts and not queue().derives)
        except Hopeless:
            raise
        except cutting.Cut as cut:
            for part in cut.parts:
                turns = cutting.turns_of(part)
                if turns is None or turns > cutting.FEW:
                    _for_elements(part, turn, names, targets, leaves, lists, budget, False)
                else:
                    _in_python([part.at(part.place(number)) for number in range(turns)], turn, changed, budget)
            return None
        except CaptureError as error:
            budget.because(error)
            if count is None:
                raise
            if type(error) is _PythonOnly:
                break
        if first == _PEELED:
            break
        signal = turn(elements.at(elements.place(first)))  # after a turn or two the types may be those of all others
        if signal is not None:
            return _interrupted(signal, rest.since(1), turn, changed, budget)
    return _in_python(elements if first == 0 else elements.since(first), turn, changed, budget)


def listed(values: Iterable[Any], value: Callable[..., Any], unpack: bool) -> list[Any]:
    """[value(element) for element in values], or value(*element)."""
    found: list[Any] = []

    def turn(element: Any) -> None:
        touch(found)
        found.append(value(*element) if unpack else value(element))

    with made(found):
        for_(values, turn, (), (), False, ("found",))
    return found


def _for_as_loop(
    elements: Elements, turn: FunctionType, names: Sequence[str], leaves: bool, lists: Sequence[str], cuts: bool
) -> Signal | None:
    """cuts: whether to raise Cut where the loop is better done in parts."""
    if leaves:
        return _while_as_loop(None, turn, names, elements)
    body = Block([turn], names)
    collection = Collection(turn, lists)
    if collection.lists and elements.count is not None:
        elements = elements.counted()

    def one(i: Any, values: list[Any]) -> list[Any]:
        _, after = body.turn(turn, values, elements.at(i), lists=collection.lists)
        body.bind(after)
        collection.put(i, elements.count, body.appended)
        return after

    def trace() -> list[Any]:
        cut = partial(cutting.check, elements) if cuts and not collection.lists else None
        return [bodies.traced_for(elements.lower, elements.upper, elements.step, one, body.carried(), peel=False, own=body.own(), cut=cut)]

    (values,) = _worth_it(body, trace)
    body.finish(values, elements.any or (elements.count is None and _before(elements.lower, elements)))
    collection.finish(elements.count)
    return None


def _worth_it(body: Block, trace: Callable[[], list[Any]]) -> list[Any]:
    """The results of a loop, the values at the places last. Raises _PythonOnly where they are nothing but numbers that Python itself can
    compute, with integers of any size."""
    scope: Any = queue()
    writes = scope.writes
    results = until_known(trace)
    pairs = zip(trees.flatten(body.carried())[0], trees.flatten(results[-1])[0], strict=True)
    changed = [pair for pair in pairs if pair[1] is not pair[0] and type(pair[1]) is not Box]
    if scope.writes == writes and changed and not any(map(_involves_arrays, changed)):
        raise _PythonOnly("nothing in the loop is traced")
    return results


def _involves_arrays(change: tuple[Any, Any]) -> bool:
    old, new = change
    if type(old) not in _PYTHON_NUMBERS:
        return True
    if type(new) is Either:
        return True
    node = operands.node_of(new)
    return depends_on_arguments(node) or any(isinstance(n.type, ArrayType) and n.shape for n in toposort([node]))


_PYTHON_NUMBERS = frozenset({int, float, bool, complex})


class _PythonOnly(CaptureError):
    """A loop is Python's own business."""


def _in_python(iterable: Iterable[Any], turn: FunctionType, names: Sequence[str], budget: "_Budget") -> Signal | None:
    """Python's own loop: the turns are written out."""
    iterator = iter(iterable)
    for element in iterator:
        signal = turn(element)
        if signal is not None:
            return _interrupted(signal, iterator, turn, names, budget)
        budget.check()
    return None


def budgeted(values: Iterable[Any]) -> Iterator[Any]:
    """The values of a generator, as long as they record no more than a loop that is written out may."""
    budget = _Budget()
    for value in values:
        budget.check()
        yield value


def _interrupted(signal: Signal, rest: Any, turn: FunctionType, names: Sequence[str], budget: "_Budget") -> Signal | None:
    """A turn that Python ran has ended with a signal: what becomes of the other turns."""
    if type(signal.code) is int:
        return _consumed(signal)
    turns = list(rest)
    after = branch(signal.code == GO_ON, lambda: _in_python(turns, turn, names, budget), lambda: signal, [turn], names)
    return _consumed(after)


def _consumed(signal: Signal | None) -> Signal | None:
    """What a loop's signal means after the loop: a break has done its work."""
    if signal is None or signal.possible.isdisjoint(LEAVES):
        return None
    if BROKEN not in signal.possible:
        return signal
    code = operands.node_of(signal.code)
    left = ew.where(ew.equal(code, constant(BROKEN)), constant(GO_ON), code)
    return Signal(number(left), signal.value, signal.possible - {BROKEN} | {GO_ON})


class _Budget:
    """How much a loop that is written out may record. reason: why it is written out."""

    def __init__(self) -> None:
        self.start = traced_count.values
        self.limit = settings.unroll_nodes
        self.reason = ""

    def allow_items(self, iterable: Any) -> None:
        """A list of arrays (the layers of a network) can be nothing but written out, and its length is that of an argument: up to eight
        times as much. A thousand layers take a second to compile."""
        if type(iterable) in (list, tuple):
            self.limit = max(self.limit, min(len(iterable), self.limit) * _VALUES_PER_ITEM)

    def because(self, error: CaptureError) -> None:
        """Keep what an error says; not the error, whose traceback keeps everything alive."""
        line = line_of(error)
        self.reason = f" because of {line}: {error}" if line is not None else f": {error}"

    def check(self) -> None:
        if traced_count.values - self.start > self.limit and queues.under_jit():
            raise TooLong(f"a loop is too long to be written out, and cannot be compiled as a loop{self.reason}")


# --- while -----------------------------------------------------------------------------------------------------------------


def while_(test: FunctionType, turn: FunctionType, names: Sequence[str], leaves: bool) -> Signal | None:
    """while test(): turn(). names and leaves as in `for_`."""
    budget = _Budget()
    attempts = 0
    while True:
        going = test()
        traced = is_traced(going)
        if not traced and not going:
            return None
        if traced or (attempts < _PEELED and queues.under_jit()):
            attempts += 1
            try:
                return _while_as_loop(test, turn, names, None, not traced)
            except CaptureError as error:
                if traced or isinstance(error, Hopeless):
                    raise
                budget.because(error)
        signal = turn()
        if signal is not None:
            if type(signal.code) is int:
                return _consumed(signal)
            return _consumed(branch(signal.code == GO_ON, lambda: while_(test, turn, names, leaves), lambda s=signal: s, [turn], names))
        budget.check()


def _while_as_loop(
    test: FunctionType | None, turn: FunctionType, names: Sequence[str], elements: Elements | None, any_turn: bool = False
) -> Signal | None:
    """A loop whose number of turns depends on data. State: the number of turns done, how the last one ended, what it returned, and the
    values at the places."""
    if test is not None and stored(test):
        raise CaptureError("the condition of a while loop assigns a name")
    body = Block([turn] if test is None else [turn, test], names)
    any_turn = any_turn or (elements is not None and elements.any)
    body.flags = not any_turn
    ends = _Ends()
    endless = False

    def condition(state: list[Any]) -> Any:
        nonlocal endless
        count, code, _, values = state
        going: Any = True
        if test is not None:
            going, after = body.turn(test, values)
            if any(v is not old for v, old in zip(after, values, strict=True)):
                raise CaptureError("the condition of a while loop changes variables")
            endless = not is_traced(going) and bool(going)
        if elements is not None:
            going = _before(count, elements)
        return both(going, code == GO_ON)

    def one(state: list[Any]) -> list[Any]:
        count, code, value, values = state
        arguments = [] if elements is None else [elements.at(count)]
        signal, after = body.turn(turn, values, *arguments)
        body.bind(after)
        code, value = ends.joined(signal, value, body)
        return [count + elements.step if elements is not None else 0, code, value, after]

    def trace() -> Any:
        start, limit = (elements.lower, elements.count) if elements is not None else (0, None)
        limit = limit if queue().derives else None  # where it is not needed, it would make a program for each number of turns
        return bodies.traced_while(condition, one, [start, GO_ON, ends.stand_in, body.carried()], limit, body.own())

    _, code, value, values = _worth_it(body, trace)
    body.finish(values, any_turn)
    if not ends.codes:
        return None
    codes = ends.codes - {GO_ON} if endless else ends.codes | {GO_ON}  # `while True` ends by its jumps alone
    return _consumed(Signal(code, value[0] if value else None, frozenset(codes)))


class _Ends:
    """How the turns of a loop end. codes: of the signals seen; stand_in: a tree like what they return."""

    def __init__(self) -> None:
        self.codes: set[int] = set()
        self.stand_in: Any = ()

    def joined(self, signal: Signal | None, value: Any, body: Block) -> tuple[Any, Any]:
        if signal is None:
            return GO_ON, value
        self.codes |= signal.possible
        if RETURNED not in signal.possible:
            return signal.code, value
        if self.stand_in == ():
            self.stand_in = (zeros_like(signal.value),)
            body.again("what the turns of a loop return does not settle")
        return signal.code, (signal.value,)


def _before(count: Any, elements: Elements) -> Any:
    """Whether there is a turn with this index. Never decided by what is known about the index: that is true inside a turn only."""
    ordered = ew.less if elements.step > 0 else ew.greater
    return arrays.wrap(ordered(*[ew.as_node(operands.node_of(n), np.dtype(np.int64)) for n in (count, elements.upper)]))
