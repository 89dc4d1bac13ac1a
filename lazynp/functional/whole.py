"""Calls of derivatives outside of jit as whole programs.

Outside of jit a function runs at every call: it may print, count, look at the time. One whose code does nothing of the kind, and reads
from outside only what can be compared (trace/surroundings.py), cannot be told from a program of what it computes: that is traced from
its source, as by jit, and runs from then on. A signature is traced when it comes for the second time, since many derivatives are taken
once; a function with loops, which would be written out, at once. Whatever does not fit runs as before.
"""

import functools
from collections import OrderedDict
from collections.abc import Callable, Iterable
from types import CodeType, FunctionType, MethodType
from typing import Any

import numpy as np

from lazynp.config import settings
from lazynp.errors import CaptureError
from lazynp.native import ARRAYS
from lazynp.runtime.garbage import rarely_collected
from lazynp.runtime.storage import tracing
from lazynp.trace import trees
from lazynp.trace.capture import Traced, trace
from lazynp.trace.compiled import Compiled
from lazynp.trace.control import traced_call
from lazynp.trace.guards import layout
from lazynp.trace.places import derivative_of_values
from lazynp.trace.surroundings import guards_of, has_long_loops, inner_codes

Function = Callable[..., Any]
_STATIC = frozenset({int, float, bool, complex, str, type(None), np.int64, np.int32, np.bool_})
_SCALARS = frozenset({np.float64, np.float32, np.complex128, np.complex64})
_SIMPLE = frozenset({*ARRAYS, *_SCALARS})
_TRACED_AT_MOST = 16
"""Signatures of one function whose program is looked for: one that comes with new numbers at every call is better run."""


class _Seen:
    """The entry of a signature that has come once."""


class _Run:
    """The entry of a signature whose calls run the function."""


class Derivative:
    """A derivative of f as a function. recorded: the same, recorded at every call; made: (transformation, its arguments), which pickle."""

    def __init__(self, f: Function, recorded: Function, *made: Any) -> None:
        functools.update_wrapper(self, f, updated=())
        self._recorded = recorded
        self._calls = _calls_of(f, recorded, made)
        self._made = made

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if tracing() or not settings.whole_calls:
            return self._recorded(*args, **kwargs)
        return self._calls(args, kwargs)

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else MethodType(self, instance)

    def __repr__(self) -> str:
        return f"<lazynp.{self._made[0].__name__} of {self.__wrapped__!r}>"  # type: ignore[attr-defined]

    def __reduce__(self) -> Any:
        return self._made[0], self._made[1:]


_shared: OrderedDict[Any, "_Calls"] = OrderedDict()


def _calls_of(f: Function, recorded: Function, made: tuple[Any, ...]) -> "_Calls":
    """Derivatives of a function of a module share their programs: `grad(loss)(w)` in a loop makes a new derivative at every turn. Functions
    made in others do not: what they hold would be kept alive."""
    if type(f) is not FunctionType or f.__closure__ or "<locals>" in f.__qualname__:
        return _Calls(f, recorded)
    try:
        found = _shared.get(made)
    except TypeError:  # argnums is a list
        return _Calls(f, recorded)
    if found is None:
        found = _shared[made] = _Calls(f, recorded)
        while len(_shared) > settings.memory_cache:
            _shared.popitem(last=False)
    return found


class _Calls:
    """The programs of one derivative, by signature."""

    def __init__(self, f: Function, recorded: Function) -> None:
        self.f = f
        self.recorded = recorded
        self.entries: dict[Any, Any] = {}
        self.traced = 0

    def __call__(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        signature = self._signature(args, kwargs)
        if signature is None or settings.debug_nans:
            return self.recorded(*args, **kwargs)
        key, leaves, structure, blocks = signature
        entry = self.entries.get(key)
        if type(entry) is Compiled and not entry.holds():
            entry = _Seen
        if entry is _Seen or (entry is None and self._is_traced_at_once()):
            entry = self.entries[key] = self._entry(leaves, structure)
        elif entry is None:
            entry = self.entries[key] = _Seen
        if type(entry) is Compiled:
            try:
                return entry.run(leaves, False, blocks)
            except Exception:  # the function itself raises it again, with the user's line
                pass
        return self.recorded(*args, **kwargs)

    def _signature(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, list[Any], Any, bool] | None:
        """(key, leaves, their tree, whether all arrays are blocks), or None for arguments that only Python understands."""
        if self.traced > _TRACED_AT_MOST:
            return None
        flat = not kwargs and all(map(_SIMPLE.__contains__, map(type, args)))
        leaves, structure = (list(args), len(args)) if flat else trees.flatten_with_none((args, kwargs))
        key: list[Any] = [structure]
        blocks = True
        for leaf in leaves:
            kind = type(leaf)
            if kind in ARRAYS:
                key.append((leaf.shape, leaf.dtype, (block := leaf.flags.carray) or layout(leaf)))
                blocks = blocks and block
            elif kind in _SCALARS:
                key.append(kind)
            elif kind in _STATIC:
                key.append((kind, repr(leaf)))
            else:
                return None
        return tuple(key), leaves, structure, blocks

    def _is_traced_at_once(self) -> bool:
        try:
            return has_long_loops(self.f)
        except CaptureError:
            return False

    def _entry(self, leaves: list[Any], structure: Any) -> Any:
        """The program of a signature; `_Run` where there is none."""
        self.traced += 1
        called: dict[CodeType, FunctionType] = {}
        try:
            seen: set[int] = set()
            guards = guards_of([self.f], seen)  # first: what is refused needs no trace
            with rarely_collected, derivative_of_values():
                traced = traced_call(self._transformed(), lambda g: trace(g, leaves, _rebuild(structure)), called, whole=True)
            if traced is None or not _stands_alone(traced):
                return _Run
            guards += guards_of(self._not_inside(called.values()), seen)
            return Compiled(traced, [*guards, (_same_settings, _settings(), True)])
        except Exception:  # of whatever kind: if it is the function's own, running it raises it again
            return _Run

    def _not_inside(self, functions: Iterable[FunctionType]) -> list[FunctionType]:
        """Those that are not made by another one of them: what these read, those have read."""
        found = list(functions)
        inner = {_place(code) for f in found for code in inner_codes(f.__code__)}
        return [f for f in found if _place(f.__code__) not in inner]

    def _transformed(self) -> Function:
        @functools.wraps(self.f, updated=())
        def transformed(*args: Any, **kwargs: Any) -> Any:
            return self.recorded(*args, **kwargs)

        return transformed


def _place(code: CodeType) -> tuple[str, int, str]:
    """Where a function is defined: the same for its rewritten form."""
    return code.co_filename, code.co_firstlineno, code.co_name


def _rebuild(structure: Any) -> Callable[[list[Any]], tuple[tuple[Any, ...], dict[str, Any]]]:
    if type(structure) is int:
        return lambda leaves: (tuple(leaves), {})
    return lambda leaves: trees.unflatten(structure, leaves)


def _stands_alone(traced: Traced) -> bool:
    """Whether a call does nothing but return new arrays and values that cannot change."""
    if traced.written or traced.written_outside:
        return False
    return all(
        (r.kind in ("value", "scalar", "number") and not r.path) or (r.kind == "static" and type(r.value) in _STATIC)
        for r in traced.results
    )


def _settings() -> tuple[Any, ...]:
    return settings.level, settings.backend, settings.cc, settings.unroll, np.geterr()


def _same_settings(before: tuple[Any, ...]) -> bool:
    return _settings() == before
