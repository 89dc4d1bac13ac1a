"""What rewritten functions know under the name of their runtime (see trace/syntax.py); functions are rewritten when they are called."""

import functools
import gc
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import BuiltinFunctionType, CellType, CodeType, FunctionType, MethodType
from typing import Any
from weakref import ref

from lazynp.config import settings
from lazynp.errors import CaptureError
from lazynp.runtime.storage import traced_count, tracing
from lazynp.trace import bodies, queues
from lazynp.trace.blocks import BREAK, RETURNED, Signal, returned
from lazynp.trace.branches import after, and_, chain, choose, if_, if_raises, not_, or_
from lazynp.trace.calls import as_input, check_effects, indexed, note_variables, only_returns, owner, stand_in, target, touched, tried
from lazynp.trace.collecting import in_one_list
from lazynp.trace.generators import FUNCTIONS, folded
from lazynp.trace.loops import Hopeless, for_, listed, while_
from lazynp.trace.maybe import MaybeUnbound, read_maybe
from lazynp.trace.nothing import OrNothing
from lazynp.trace.objects import touch_objects, touch_reachable
from lazynp.trace.outside import refuse_acts
from lazynp.trace.pieces import RUNTIME
from lazynp.trace.places import Journal
from lazynp.trace.printing import text
from lazynp.trace.source import is_library, rewritten_code, with_control
from lazynp.trace.unseen import changes_are_seen

__all__ = [
    "BREAK", "MaybeUnbound", "after", "and_", "as_input", "chain", "choose", "folded", "for_", "function", "if_", "if_raises",
    "in_one_list",
    "indexed", "listed", "not_", "or_", "owner", "read_maybe", "result", "returned", "target", "text", "touched", "tried", "while_",
]  # fmt: skip


class _Calls(threading.local):
    """noted: the functions that the trace under way has called, by their code. outermost: the code that calls the function to be traced.
    recursive: of those that call themselves and are running, how many values had been traced when they were first called."""

    outermost: CodeType | None = None
    noted: dict[CodeType, FunctionType] | None = None

    def __init__(self) -> None:
        self.recursive: dict[CodeType, int] = {}


_calls = _Calls()


def captured(f: Any) -> Any:
    """A Python function whose loops and branches go through this module; the function itself where its source cannot be used."""
    if isinstance(f, MethodType) and isinstance(f.__func__, FunctionType):
        function = captured(f.__func__)
        return f if function is f.__func__ else MethodType(function, f.__self__)
    if isinstance(f, functools.partial):
        return functools.partial(captured(f.func), *f.args, **f.keywords)
    if type(f) is not FunctionType or is_library(f.__code__) or RUNTIME in f.__code__.co_freevars:
        return f
    if _calls.noted is not None:
        _calls.noted[f.__code__] = f
    rewritten = with_control(f, sys.modules[__name__])
    if rewritten is None:
        return f
    note_variables(f)
    return _bounded(rewritten) if f.__name__ in f.__code__.co_names + f.__code__.co_freevars else rewritten


def _bounded(recursive: FunctionType) -> Callable[..., Any]:
    """A function that may call itself: written out, as loops that do not compile, as long as its calls record few values."""

    def call(*args: Any, **kwargs: Any) -> Any:
        code, first = recursive.__code__, recursive.__code__ not in _calls.recursive
        begun = _calls.recursive.setdefault(code, traced_count.values)
        if traced_count.values - begun > settings.unroll_nodes and queues.under_jit():
            raise Hopeless(f"{recursive.__name__} calls itself too often to be written out")
        try:
            return recursive(*args, **kwargs)
        finally:
            if first:
                del _calls.recursive[code]

    return call


def function(f: Any) -> Any:
    """What is called where the user's function calls f."""
    if not tracing():
        return f
    refuse_acts(f)
    called = (FUNCTIONS.get(f) if type(f) is BuiltinFunctionType else None) or stand_in(f) or captured(f)
    if called is f:
        check_effects(f)
    return called


def turn_of(f: Any) -> Any:
    """What an explicit form calls for the user's function f: it is traced once for all turns, its source is wanted for its loops and
    branches alone. Raises CaptureError for a function that may change what nobody here can see."""
    return f if _has_no_source(f) and changes_are_seen(f, only_returns) else function(f)


def _has_no_source(f: Any) -> bool:
    """Whether it is a function of the user's that cannot be rewritten, and is not rewritten already."""
    if type(f) is not FunctionType or is_library(f.__code__) or RUNTIME in f.__code__.co_freevars:
        return False
    return rewritten_code(f).code is None


def why_not(f: Any) -> str:
    """Why a function's loops and branches are not captured, as the end of a message; empty for what is no function of the user's."""
    if type(f) is not FunctionType or is_library(f.__code__):
        return ""
    return f"; loops and branches of {f.__name__} are not captured: {rewritten_code(f).reason}"


def captured_under_jit(f: Any) -> Any:
    """What a transform calls for a user's function: inside jit its loops and branches are captured too."""
    return turn_of(f) if queues.under_jit() else f


def result(signal: Signal | None) -> Any:
    """What a function returns whose last statement ended with this signal."""
    if signal is None or RETURNED not in signal.possible:
        return None
    if signal.possible == {RETURNED}:
        return signal.value
    if sys._getframe(2).f_code is not _calls.outermost or not queues.compiles():
        raise CaptureError("whether the function returns a value depends on traced values: return one at its end too")
    return OrNothing(signal.value, signal.code == RETURNED)


@contextmanager
def _let_go_of(called: dict[CodeType, FunctionType]) -> Iterator[None]:
    """Inside, functions that the call has made are gone, with the variables that they share with it; afterwards functions of the same code
    without them stand for these."""
    alive = {code: ref(f) for code, f in called.items()}
    stand_ins = {c: FunctionType(c, f.__globals__, closure=tuple([CellType() for _ in c.co_freevars])) for c, f in called.items()}
    called.clear()
    yield
    called.update({code: known() or stand_ins[code] for code, known in alive.items()})


def traced_call(f: Any, trace: Callable[[Any], Any], called: dict[CodeType, FunctionType] | None = None, whole: bool = False) -> Any:
    """trace(g) with f's rewritten form g, or None if there is none; called: filled with the user's functions that are called. Raises
    Hopeless where the call has changed Python objects that outlive it: a compiled program would not; everything is put back.
    whole: nor may it call what might do more than return a value. A transformed function is its own form: it calls f's."""
    known: list[Any] = []

    @functools.wraps(f)
    def noted(*args: Any, **kwargs: Any) -> Any:
        _calls.outermost = noted.__code__
        known.append((args, kwargs))  # the lists and dicts in the arguments are the caller's
        touch_objects([*args, *kwargs.values(), getattr(f, "__self__", None)])
        if isinstance(f, FunctionType):
            touch_reachable([f])
        return rewritten(*args, **kwargs)

    with Journal(body=whole) as journal:
        rewritten = captured(f)
        if rewritten is f and not hasattr(f, "__wrapped__"):
            return None
        before, _calls.noted = _calls.noted, called
        try:
            result = trace(noted)
        except bodies.Escape as escape:
            raise escape.as_raised() from None
        finally:
            _calls.noted = before
    changed = journal.outliving()
    if changed:
        with _let_go_of(called or {}):
            gc.collect()  # cycles may hold what only the call knew
            changed = journal.outliving()
    if changed:
        raise Hopeless(f"it changes {changed[0].name} of a {type(changed[0].holder).__name__}, which a compiled call would not")
    return result
