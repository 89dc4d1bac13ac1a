"""`jit`: trace once per signature, run the compiled program from then on."""

import functools
import operator
import sys
import warnings
from collections import deque
from collections.abc import Callable
from types import CodeType, FunctionType
from typing import Any

import numpy as np

from lazynp import array as arrays
from lazynp.array import ndarray
from lazynp.backends.pool import Kept
from lazynp.backends.program import CProgram, MemoryPlan
from lazynp.config import config, settings
from lazynp.errors import CaptureError, PerformanceWarning, line_of
from lazynp.ir.types import LAZY_DTYPES, itemcount
from lazynp.native import ARRAYS, Dispatch, watched
from lazynp.runtime.evaluate import lock
from lazynp.runtime.garbage import rarely_collected
from lazynp.runtime.storage import tracing
from lazynp.trace import control, trees
from lazynp.trace.capture import Traced, trace
from lazynp.trace.compiled import ALONE, UNKNOWN, Compiled, Doubted, overlap
from lazynp.trace.direct import TRACED_SCALARS, direct_of
from lazynp.trace.donation import Donated, donated_leaves, donated_parameters
from lazynp.trace.environment import Environment, changed, first_changed
from lazynp.trace.guards import layout
from lazynp.trace.loops import TooLong

_SCALARS = frozenset({int, float, bool, complex, str, bytes, type(None), np.int64, np.int32, np.bool_})
_MOST_OTHERS = 4
"""Traces of a signature that are kept beside the latest, for values of variables that come again."""
_MOST_IN_VAIN = 8
"""Traces in a row, each of which was called once before something that the function reads from outside changed."""
_UNCOMPILED = object()
"""The entry of a signature that runs in lazy mode because it could not be captured."""


class jit(Dispatch):  # type: ignore[misc]  # noqa: N801  (used as a decorator)
    """Compile a function of arrays: traced once per signature, optimised, compiled to C, cached.

    f: a function of pytrees of arrays and other values. Arrays are traced; other leaves are static: part of the signature by value.
    static_argnums, static_argnames: arguments that are static whatever they are (hashable). strict:
    raise CaptureError where the function cannot be
    captured, instead of running it in lazy mode with one PerformanceWarning. donate_argnums, donate_argnames, or donate for both: positions
    and names of arguments that the caller needs no more: results are written into their memory. allow_gc: False keeps the memory of
    temporaries, and of results that nobody holds any more, for the next call with the same signature. trust_input: the variables that the
    function reads from outside never change: calls do not look.

    NumPy arrays in give NumPy arrays out, lazy arrays lazy ones. Arguments that the function writes to are written to for the caller.
    A new size traces again (Python sees real sizes) but compiles at most once more.
    """

    def __init__(
        self,
        f: Callable[..., Any] | None = None,
        *,
        static_argnums: int | tuple[int, ...] = (),
        static_argnames: str | tuple[str, ...] = (),
        strict: bool = False,
        donate: Donated = (),
        donate_argnums: Donated = (),
        donate_argnames: Donated = (),
        allow_gc: bool = True,
        trust_input: bool = False,
    ) -> None:
        self._static_argnums = (static_argnums,) if isinstance(static_argnums, int) else tuple(static_argnums)
        self._static_argnames = (static_argnames,) if isinstance(static_argnames, str) else tuple(static_argnames)
        self._strict = strict
        self._donate: tuple[Donated, ...] = (donate, donate_argnums, donate_argnames)
        self._donated: frozenset[int | str] = frozenset()
        self._allow_gc = allow_gc
        self._trust_input = trust_input
        self._entries: dict[Any, Any] = {}
        self._warned = False
        self._varying: set[Any] = set()
        self._in_vain: dict[Any, int] = {}
        self._others: dict[Any, deque[Compiled]] = {}
        if f is not None:
            self._wrap(f)

    def __reduce__(self) -> str | tuple[Any, ...]:
        """By its name where that finds it, as functions are pickled, else by its function. What was compiled stays here."""
        found: Any = sys.modules.get(self.__module__)
        for name in self.__qualname__.split("."):
            found = getattr(found, name, None)
        if found is self:
            return self.__qualname__  # type: ignore[no-any-return]
        options = {"static_argnums": self._static_argnums, "static_argnames": self._static_argnames, "strict": self._strict}
        options |= {"donate": tuple(self._donated), "allow_gc": self._allow_gc, "trust_input": self._trust_input}
        return functools.partial(jit, **options), (self._function,)  # type: ignore[arg-type]

    def _wrap(self, f: Callable[..., Any]) -> None:
        if not callable(f):
            raise TypeError(f"lazynp.jit expects a function, got {f!r}")
        self._donated = donated_parameters(f, *self._donate)
        if both := self._donated & {*self._static_argnums, *self._static_argnames}:
            raise ValueError(f"lazynp.jit: arguments {sorted(both, key=str)} cannot be both static and donated")
        own = isinstance(getattr(type(f), "__call__", None), FunctionType) and not hasattr(f, "__wrapped__")  # noqa: B004
        self._function = f.__call__ if own else f  # an object's method, whose source can be read
        functools.update_wrapper(self, f)
        for name in ("__name__", "__qualname__"):
            if not hasattr(f, name):  # a functools.partial, an object that is called
                setattr(self, name, type(f).__name__)

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else functools.partial(self, instance)

    def slow(self, *args: Any, **kwargs: Any) -> Any:
        """A call in Python: the first of its signature, one that cannot be made from C, or where there is no compiled module."""
        if "_function" not in self.__dict__:  # @jit(strict=True): called with the function
            self._wrap(args[0])
            return self
        if not kwargs and not self._static_argnums:
            key: Any = []
            blocks = True
            for a in args:
                kind = type(a)
                if kind in ARRAYS:
                    if a.dtype not in LAZY_DTYPES:
                        break
                    key.append((a.shape, a.dtype, (block := a.flags.carray) or layout(a)))
                    blocks = blocks and block
                elif kind in _SCALARS:
                    key.append((kind, a) if a else (kind, repr(a)))
                elif kind in TRACED_SCALARS:
                    key.append(kind)
                else:
                    break
            else:
                entry = self._entries.get(tuple(key))
                if type(entry) is Compiled and entry.holds() and not tracing() and not (entry.writes and overlap(entry, args)):
                    self._learn(entry, args, {}, list(args), lambda: (tuple(range(len(args))), {}))
                    try:
                        return entry.run(args, False, blocks)  # type: ignore[arg-type]
                    except Doubted:
                        pass
                return self._call(tuple(key), list(args), lambda leaves: (tuple(leaves), {}))
        return self._call_tree(args, kwargs)

    def _call_tree(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        static = {i: args[i] for i in self._static_argnums if i < len(args)}
        named = {k: v for k, v in kwargs.items() if k in self._static_argnames}
        dynamic = [None if i in static else a for i, a in enumerate(args)]
        rest = {k: v for k, v in kwargs.items() if k not in named}
        leaves, structure = trees.flatten((dynamic, rest))

        def rebuild(new: list[Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
            if all(map(operator.is_, new, leaves)):  # the caller's own lists and dicts: the function may change them
                return args, kwargs
            positional, keywords = trees.unflatten(structure, new)
            return tuple([static.get(i, a) for i, a in enumerate(positional)]), {**keywords, **named}

        try:
            fixed = tuple([(name, type(value), value) for name, value in (*static.items(), *named.items())])
            key = (structure, tuple([_leaf_key(leaf) for leaf in leaves]), fixed)
            hash(key)
        except TypeError:
            return self._uncaptured(None, leaves, rebuild, "an argument is neither a plain array of numbers nor hashable")
        known = self._entries.get(key)
        if type(known) is Compiled:

            def numbers() -> tuple[list[Any], dict[str, Any]]:
                positional, keywords = trees.unflatten(structure, range(len(leaves)))
                return positional, {**keywords, **dict.fromkeys(named)}

            self._learn(known, args, kwargs, leaves, numbers)
        return self._call(key, leaves, rebuild)

    def _learn(self, entry: Compiled, args: tuple[Any, ...], kwargs: dict[str, Any], leaves: list[Any], numbers: Callable[[], Any]) -> None:
        """From the second call on, those of a signature need no Python."""
        if entry.direct is UNKNOWN:
            entry.direct = direct_of(entry, args, kwargs, leaves, numbers())
        if entry.direct is not None:
            self.learn(entry.direct)

    def _call(self, key: Any, leaves: list[Any], rebuild: Callable[..., Any]) -> Any:
        if tracing():  # inside another trace: part of its graph
            args, kwargs = rebuild(leaves)
            return control.captured_under_jit(self._function)(*args, **kwargs)
        entry = self._entries.get(key)
        if type(entry) is Compiled and not entry.holds():
            entry = self._changed(key, entry)
        if entry is _BY_VALUE:
            return self._call((key, _scalar_values(leaves)), _untraced(leaves), rebuild)
        if entry is None:
            try:
                entry = self._compile(leaves, rebuild)
            except Exception as error:
                if not _concerns_capture(error):
                    result = self._run_lazily(leaves, rebuild)  # raises again what is the function's own
                    self._remember(key, _UNCOMPILED)
                    reason = f"{type(error).__name__}: {error}"
                    if self._strict:
                        raise CaptureError(f"lazynp.jit(strict=True): {self.__name__} cannot be compiled: {reason}") from error
                    self._warn(error, reason)
                    return result
                if any(type(leaf) in TRACED_SCALARS for leaf in leaves):  # perhaps Python needs their values
                    self._remember(key, _BY_VALUE)
                    return self._call((key, _scalar_values(leaves)), _untraced(leaves), rebuild)
                if self._strict and isinstance(error, CaptureError):
                    raise
                self._remember(key, _UNCOMPILED)
                return self._uncaptured(error, leaves, rebuild, str(_concerns_capture(error)))
            self._remember(key, entry)
        if entry is _UNCOMPILED or (entry.writes and overlap(entry, leaves)):
            return self._run_lazily(leaves, rebuild)
        try:
            blocks = all(leaf.flags.carray for leaf in leaves if type(leaf) in ARRAYS)
            return entry.run(list(leaves), any(type(leaf) is ndarray for leaf in leaves), blocks)
        except Doubted:
            return self._run_lazily(leaves, rebuild)

    def _changed(self, key: Any, entry: Compiled) -> Any:
        """What the function reads from outside is not what it was. A trace for what it is now may be known; else None: it is traced
        again, unless that has been in vain several times."""
        with lock:
            others = self._others.setdefault(key, deque(maxlen=_MOST_OTHERS))
            for other in others:
                if other.holds():
                    others.remove(other)
                    others.append(entry)
                    self._entries[key] = other
                    return other
            others.append(entry)
            self._varying |= changed(entry.guards)
            if entry.direct is not UNKNOWN:  # it was called more than once
                self._in_vain.pop(key, None)
                return None
            self._in_vain[key] = self._in_vain.get(key, 0) + 1
            if self._in_vain[key] < _MOST_IN_VAIN:
                return None
        self._remember(key, _UNCOMPILED)
        name = first_changed(entry.guards)
        self._warn(None, f"{name!r}, which it reads from outside, is another number or object at every call: pass it as an argument")
        return _UNCOMPILED

    def _remember(self, key: Any, entry: Any) -> None:
        with lock:
            if len(self._entries) >= 4096:  # a signature per call: keep the newest half
                for old in list(self._entries)[:2048]:
                    del self._entries[old]
                    self._others.pop(old, None)
                    self._in_vain.pop(old, None)
            self._entries[key] = entry

    def _compile(self, leaves: list[Any], rebuild: Callable[..., Any]) -> Compiled:
        known = lambda new: rebuild([leaf[0] if type(leaf) is _Known else leaf for leaf in new])  # noqa: E731
        with rarely_collected:
            around = Environment(self._function, leaves, self._varying)
            traced = around.traced(functools.partial(self._trace, leaves, known))
            if len(traced.results) == 1 and traced.structure == trees.flatten(0)[1]:
                traced = traced._replace(structure=ALONE)
            guards, variables = ([], {}) if self._trust_input else around.guards(traced)
            donated = donated_leaves(self._donated, rebuild(list(range(len(leaves))))) if self._donated else frozenset()
            return Compiled(traced, guards, self.__name__, donated, None if self._allow_gc else Kept(), variables)

    def _trace(self, leaves: list[Any], rebuild: Callable[..., Any], called: dict[CodeType, FunctionType]) -> Traced:
        """With loops and branches captured from the source; where there is none, with everything written out. called: filled with the
        user's functions that are called."""
        captured = lambda: control.traced_call(self._function, lambda f: trace(f, leaves, rebuild), called)  # noqa: E731
        try:
            traced = captured()
        except TooLong:  # short loops inside of short loops: not written out, they may fit
            with config(unroll=1):
                traced = captured()
        if traced is not None:
            return traced  # type: ignore[no-any-return]
        try:
            return trace(self._function, leaves, rebuild, settings.unroll_writes)
        except CaptureError as error:
            error.args = (f"{error}{control.why_not(self._function)}",)
            raise

    def _uncaptured(self, error: BaseException | None, leaves: list[Any], rebuild: Callable[..., Any], reason: str) -> Any:
        if self._strict:
            raise CaptureError(f"lazynp.jit(strict=True): {self.__name__} cannot be captured: {reason}")
        self._warn(error, reason)
        return self._run_lazily(leaves, rebuild)

    def _warn(self, error: BaseException | None, reason: str) -> None:
        if not self._warned:
            self._warned = True
            where = line_of(error)
            text = f"lazynp.jit: {self.__name__} runs uncompiled{f' because of {where}' if where else ''}: {reason}"
            warnings.warn(text, PerformanceWarning, stacklevel=5)

    def _run_lazily(self, leaves: list[Any], rebuild: Callable[..., Any]) -> Any:
        args, kwargs = rebuild([leaf[0] if type(leaf) is _Known else leaf for leaf in leaves])
        result = self._function(*args, **kwargs)
        if any(type(leaf) is ndarray for leaf in leaves) or not any(type(leaf) is ndarray for leaf in trees.flatten(result)[0]):
            return result
        return trees.map_leaves(_plain, result)

    def memory_plan(self, *args: Any, **kwargs: Any) -> MemoryPlan:
        """The bytes that a call with these arguments holds, without running it: of its results, its temporaries, and at most.

        Raises CaptureError for a function that is not one program, RuntimeError without a compiler."""
        entry = self.lower(*args, **kwargs)
        program, dims, _ = entry.ready
        if type(program) is not CProgram:
            raise RuntimeError("lazynp.jit.memory_plan: without a C compiler NumPy runs the function, operation by operation")
        reused = [entry.traced.values[value].type for value in entry.donation.reused]
        donated = sum(itemcount(t.shape) * t.dtype.itemsize for t in reused)
        return program.memory_plan(dims)._replace(donated=donated, kept=entry.kept is not None)

    def lower(self, *args: Any, **kwargs: Any) -> Compiled:
        """The compiled entry for these arguments, without running it."""
        leaves, structure = trees.flatten((args, kwargs))
        return self._compile(leaves, lambda new: trees.unflatten(structure, new))


_BY_VALUE = object()
"""The entry of a signature whose NumPy scalars are static, because the function needs their values."""


class _Known(tuple):  # type: ignore[type-arg]
    """A NumPy scalar that is to be static: (scalar,)."""


def _untraced(leaves: list[Any]) -> list[Any]:
    return [_Known((leaf,)) if type(leaf) in TRACED_SCALARS else leaf for leaf in leaves]


def _scalar_values(leaves: list[Any]) -> tuple[str, ...]:
    return tuple([repr(leaf) for leaf in leaves if type(leaf) in TRACED_SCALARS])


def _plain(leaf: Any) -> Any:
    if type(leaf) is not ndarray:
        return leaf
    values = arrays.exported(leaf)
    return values[()] if leaf._scalar else values


def _leaf_key(leaf: Any) -> Any:
    kind = type(leaf)
    if kind in ARRAYS or kind is ndarray:
        if leaf.dtype not in LAZY_DTYPES:
            raise TypeError("an array whose dtype is not numeric")
        return leaf.shape, leaf.dtype, layout(leaf), np.ndarray if kind is watched else kind
    if type(leaf) in TRACED_SCALARS:
        return type(leaf)
    if isinstance(leaf, np.ndarray):
        raise TypeError("a subclass of NumPy's array, whose own methods decide")
    return (kind, repr(leaf)) if kind in _SCALARS and not leaf else (kind, leaf)  # 0.0 == -0.0; others may refuse to be asked


def _concerns_capture(error: BaseException | None) -> CaptureError | None:
    """The CaptureError that an exception is, or that NumPy has answered with an exception of its own."""
    for _ in range(8):
        if error is None or isinstance(error, CaptureError):
            return error
        error = error.__cause__ or error.__context__
    return None
