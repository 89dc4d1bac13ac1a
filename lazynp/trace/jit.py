"""`jit`: trace once per signature, run the compiled program from then on."""

import functools
import operator
import sys
import warnings
from collections.abc import Callable, Iterable, Sequence
from types import CodeType, FunctionType, ModuleType
from typing import Any

import numpy as np

from lazynp import array as arrays
from lazynp import views
from lazynp.array import may_write, ndarray
from lazynp.backends.base import raised
from lazynp.backends.pool import Kept
from lazynp.backends.program import CallTables, CProgram, MemoryPlan
from lazynp.config import config, settings
from lazynp.errors import CaptureError, PerformanceWarning, error_settings, line_of
from lazynp.ir import canonical
from lazynp.ir.types import LAZY_DTYPES, itemcount
from lazynp.native import ARRAYS, Dispatch, watched
from lazynp.ops.movement import follow_numpy
from lazynp.runtime.evaluate import Ready, located, lock, prepare
from lazynp.runtime.flags import as_called, dropped, follow_up
from lazynp.runtime.garbage import rarely_collected
from lazynp.runtime.nans import check_nans
from lazynp.runtime.storage import Storage, bound, tracing
from lazynp.trace import control, trees
from lazynp.trace.capture import Output, Traced, is_array, trace
from lazynp.trace.direct import TRACED_SCALARS, direct_of
from lazynp.trace.donation import Donated, Donation, delete, donated_leaves, donated_parameters, is_given
from lazynp.trace.loops import TooLong

_SCALARS = frozenset({int, float, bool, complex, str, bytes, type(None), np.int64, np.int32, np.bool_})
Guard = tuple[Callable[[Any], Any], Any, Any]
"""(read, name, value): the trace holds while read(name) is value."""

_UNKNOWN = object()
_UNCOMPILED = object()
"""The entry of a signature that runs in lazy mode because it could not be captured."""


def form_of(traced: Traced, reused: dict[int, int] | None = None) -> canonical.Form:
    """The graph of a trace: its values, then what it leaves in arguments, then in storages from outside. reused: values that are written
    into the memory of an argument."""
    outer = list(traced.written_outside.values())
    outputs = (*traced.values, *traced.written.values(), *[node for _, node in outer])
    first = len(traced.values)
    aliases = {k: traced.inputs[argument] for k, argument in (reused or {}).items()}
    aliases |= {first + k: traced.inputs[argument] for k, argument in enumerate(traced.written)}
    aliases |= {first + len(traced.written) + k: leaf for k, (leaf, _) in enumerate(outer)}
    return canonical.take_apart(outputs, aliases)  # type: ignore[arg-type]


class Compiled:
    """One signature of a jitted function: the program, where its inputs come from and what its result is made of."""

    __slots__ = (
        "constants",
        "direct",
        "donation",
        "errors",
        "form",
        "guards",
        "kept",
        "name",
        "outside",
        "places",
        "plain",
        "ready",
        "results",
        "scalars",
        "structure",
        "traced",
        "writes",
    )

    def __init__(
        self, traced: Traced, guards: list[Guard], name: str = "", donated: frozenset[int] = frozenset(), kept: Kept | None = None
    ) -> None:
        """name: of the function; donated: the numbers of donated leaves; kept: where its memory comes from, None: from all programs'."""
        self.traced = traced
        self.name = name
        self.donation = Donation(traced, donated)
        self.kept = kept
        self.guards = guards
        self.direct: Any = _UNKNOWN
        self.errors = error_settings()
        writes = list(traced.written.items())
        outer = list(traced.written_outside.values())
        self.form = form_of(traced, self.donation.reused)
        self.ready: Ready = prepare(self.form)
        argument_of = {leaf: i for i, leaf in enumerate(traced.inputs) if leaf is not None}
        self.places = [argument_of.get(leaf, -1) for leaf in self.form.leaves]
        self.outside = [traced.outside.get(leaf, None) for leaf in self.form.leaves]
        self.constants = [bound(leaf) for leaf in self.form.leaves]
        self.writes = [argument for argument, _ in writes]
        self.scalars = traced.scalars
        self.results = traced.results
        self.structure = traced.structure
        self.plain = (
            not writes
            and not outer
            and not self.donation.deleted
            and all(p >= 0 or o is None for p, o in zip(self.places, self.outside, strict=True))
        )

    def holds(self) -> bool:
        """Whether the variables that the trace read from outside are still the same objects."""
        for read, name, value in self.guards:
            if read(name) is not value:
                return False
        return True

    def run(self, leaves: list[Any], lazy: bool, blocks: bool) -> Any:
        """Run on the leaves of a call: NumPy arrays or handles, of this signature. lazy: some are handles; blocks: all arrays are
        contiguous in C order."""
        places, given = self.places, leaves
        if self.scalars:
            leaves = [np.asarray(leaf) if type(leaf) in TRACED_SCALARS else leaf for leaf in leaves]
        if self.plain and blocks and not lazy:
            inputs = [leaves[p] if p >= 0 else c for p, c in zip(places, self.constants, strict=True)]
            values = self._run(inputs, None)
            if self.traced.doubted and values[-1]:
                raise _Doubted
        else:
            values = self._run_general(leaves)
        return self.result(values, given, lazy)

    def tables(self) -> CallTables | None:
        """What a call from C needs of the program, if it can be called from there."""
        program, dims, _ = self.ready
        return program.call_tables(dims) if type(program) is CProgram else None

    def plain_result(self) -> Any:
        """What the function returns with the numbers of values in their places; None: there is more to it than new arrays and numbers in
        tuples, lists and dicts."""
        numbers = [index for kind, index, path, _, locked in self.results if not path and not locked and self._is_new(kind, index)]
        if not numbers or len(numbers) < len(self.results):
            return None
        if self.structure is _LEAF:
            return numbers[0]
        return trees.unflatten(self.structure, numbers) if type(self.structure) is trees.Plain else None

    def _is_new(self, kind: str, index: int) -> bool:
        """Whether a leaf of the result is an array with axes or NumPy's scalar."""
        return kind == "scalar" or (kind == "value" and bool(self.traced.values[index].shape))

    def reported(self, code: int, error: int, index: int, size: int, leaves: list[Any]) -> None:
        """After a call from C: floating-point flags and an index out of range."""
        if raised:
            dropped()
        try:
            self.ready.program.finish(code, (error, index, size))  # type: ignore[attr-defined]
        except Exception as raising:
            raise located(raising, self.form) from None
        if raised:
            places = zip(self.places, self.outside, self.constants, strict=True)
            inputs = [leaves[p] if p >= 0 else c if o is None else _current(o) for p, o, c in places]
            follow_up(self.ready.program, self.form, [np.asarray(x) for x in inputs], as_called(self.errors))

    def _run(self, inputs: list[Any], outputs: Any) -> list[np.ndarray]:
        if settings.debug_nans:
            check_nans(self.form, [np.asarray(x) for x in inputs])
        try:
            results = self.ready.run(inputs, outputs, self.kept)
        except Exception as error:
            if self.traced.doubted and hasattr(error, "lazynp_origin"):  # Python may have raised something else before
                raise _Doubted from None
            raise located(error, self.form) from None
        if raised and self.traced.doubted and results[len(self.traced.values) - 1]:  # the call comes again, and with it its warnings
            dropped()
        elif raised:
            follow_up(self.ready.program, self.form, inputs, as_called(self.errors))
        return results

    def _run_general(self, leaves: list[Any]) -> list[np.ndarray]:
        """Arguments that are written to or not contiguous, storages and arrays from outside of the function."""
        free = {leaf for leaf in self.donation.reused.values() if is_given(leaves[leaf]) and not _overlaps(self, leaf, leaves)}
        memory = [arrays.to_numpy(leaf) if is_array(leaf) else leaf for leaf in leaves]
        for argument in (*self.writes, *free):
            if type(leaves[argument]) is ndarray and leaves[argument]._storage is not None:
                leaves[argument]._storage.settle_readers()
        blocks = [_block(m) if isinstance(m, np.ndarray) else m for m in memory]
        for argument in self.donation.reused.values():
            if argument not in free and blocks[argument] is memory[argument]:
                blocks[argument] = np.array(memory[argument], order="C")
        inputs = []
        for place, source, constant in zip(self.places, self.outside, self.constants, strict=True):
            inputs.append(blocks[place] if place >= 0 else constant if source is None else _current(source))
        targets: list[Any] = [None] * len(self.traced.values)
        for value, argument in self.donation.reused.items():
            targets[value] = blocks[argument]
        targets += [blocks[argument] for argument in self.writes]
        for storage in self.traced.written_outside:
            storage.settle_readers()
            targets.append(storage.force())
        written = [t for t in targets if t is not None] if self.traced.doubted else []  # nothing is donated then
        before = [t.copy() for t in written]
        try:
            values = self._run(inputs, targets)
            if self.traced.doubted and values[len(self.traced.values) - 1]:
                raise _Doubted
        except _Doubted:
            for target, contents in zip(written, before, strict=True):
                target[...] = contents
            raise
        except BaseException:  # perhaps after some of a donated array was overwritten
            for argument in free:
                delete(leaves[argument], self.name)
            raise
        for argument in self.writes:
            if blocks[argument] is not memory[argument]:
                memory[argument][...] = blocks[argument]
            if type(leaves[argument]) is ndarray and leaves[argument]._storage is not None:
                leaves[argument]._storage._leaf = None
        for storage in self.traced.written_outside:
            storage.overwritten()
        for argument in self.donation.deleted:
            delete(leaves[argument], self.name)
        return values

    def result(self, values: list[np.ndarray], leaves: list[Any], lazy: bool) -> Any:
        """What the function returns, made of the program's values and of the arguments."""
        out = [self._leaf(output, values, leaves, lazy) for output in self.results]
        return out[0] if self.structure is _LEAF else trees.unflatten(self.structure, out)

    def _leaf(self, output: Output, values: list[np.ndarray], leaves: list[Any], lazy: bool) -> Any:
        kind, index, path, value, locked = output
        if kind in ("value", "scalar"):
            array = follow_numpy(values[index], path) if path else values[index]
            if locked:
                array = array.view()
                array.flags.writeable = False
            if not lazy:
                return array if kind == "value" else array[()]
            handle = arrays.adopt(array)
            handle._scalar = kind == "scalar"
            return handle
        if kind == "number":
            return value(values[index].item())
        if kind == "either":
            first, second, chosen = value
            return self._leaf(first if self._leaf(chosen, values, leaves, lazy) else second, values, leaves, lazy)
        if kind == "argument":
            return _argument_view(leaves[index], path, locked)
        return value.copy() if type(value) in ARRAYS else value


def _bytes(node: Any) -> int:
    return itemcount(node.type.shape) * node.type.dtype.itemsize  # type: ignore[no-any-return]


_LEAF = object()


class _Doubted(Exception):
    """A program has met what Python would have answered with an error or an integer of more than 64 bits; nothing has been changed."""


def _block(array: np.ndarray) -> np.ndarray:
    return array if array.flags.carray or (array.flags.c_contiguous and array.flags.aligned) else np.array(array, order="C")


def _current(source: Any) -> np.ndarray:
    """The present contents of a storage or NumPy array that a trace read from outside."""
    return source.force() if isinstance(source, Storage) else _block(source)


def _argument_view(leaf: Any, path: Any, locked: bool) -> Any:
    if not path:
        return leaf
    if type(leaf) is ndarray:
        for step in path:
            leaf = views.view_of(leaf, step.op, **dict(zip(step.op.attrs, step.attrs, strict=True)))
    else:
        leaf = follow_numpy(leaf, path)
    if locked:
        leaf.flags.writeable = False
    return leaf


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
        self._function = f
        functools.update_wrapper(self, f)

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
                    key.append((a.shape, a.dtype, (block := a.flags.carray) or _layout(a)))
                    blocks = blocks and block
                elif kind in _SCALARS:
                    key.append((kind, a) if a else (kind, repr(a)))
                elif kind in TRACED_SCALARS:
                    key.append(kind)
                else:
                    break
            else:
                entry = self._entries.get(tuple(key))
                if type(entry) is Compiled and entry.holds() and not tracing() and not (entry.writes and _overlap(entry, args)):
                    self._learn(entry, args, {}, list(args), lambda: (tuple(range(len(args))), {}))
                    try:
                        return entry.run(args, False, blocks)  # type: ignore[arg-type]
                    except _Doubted:
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
        if entry.direct is _UNKNOWN:
            entry.direct = direct_of(entry, args, kwargs, leaves, numbers())
        if entry.direct is not None:
            self.learn(entry.direct)

    def _call(self, key: Any, leaves: list[Any], rebuild: Callable[..., Any]) -> Any:
        if tracing():  # inside another trace: part of its graph
            args, kwargs = rebuild(leaves)
            return control.captured_under_jit(self._function)(*args, **kwargs)
        entry = self._entries.get(key)
        if type(entry) is Compiled and not entry.holds():
            entry = None
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
        if entry is _UNCOMPILED or (entry.writes and _overlap(entry, leaves)):
            return self._run_lazily(leaves, rebuild)
        try:
            blocks = all(leaf.flags.carray for leaf in leaves if type(leaf) in ARRAYS)
            return entry.run(list(leaves), any(type(leaf) is ndarray for leaf in leaves), blocks)
        except _Doubted:
            return self._run_lazily(leaves, rebuild)

    def _remember(self, key: Any, entry: Any) -> None:
        with lock:
            if len(self._entries) >= 4096:  # a signature per call: keep the newest half
                for old in list(self._entries)[:2048]:
                    del self._entries[old]
            self._entries[key] = entry

    def _compile(self, leaves: list[Any], rebuild: Callable[..., Any]) -> Compiled:
        known = lambda new: rebuild([leaf[0] if type(leaf) is _Known else leaf for leaf in new])  # noqa: E731
        called: dict[CodeType, FunctionType] = {}
        with rarely_collected:
            traced = self._trace(leaves, known, called)
            if len(traced.results) == 1 and traced.structure == trees.flatten(0)[1]:
                traced = traced._replace(structure=_LEAF)
            guards: list[Guard] = []
            if not self._trust_input:
                guards = [*_variables_read(self._function), *_globals_read(called.values()), *_attributes_read(leaves)]
            donated = donated_leaves(self._donated, rebuild(list(range(len(leaves))))) if self._donated else frozenset()
            return Compiled(traced, guards, self.__name__, donated, None if self._allow_gc else Kept())

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
        if any(type(leaf) is ndarray for leaf in leaves):
            return result
        return trees.map_leaves(_plain, result)

    def memory_plan(self, *args: Any, **kwargs: Any) -> MemoryPlan:
        """The bytes that a call with these arguments holds, without running it: of its results, its temporaries, and at most.

        Raises CaptureError for a function that is not one program, RuntimeError without a compiler."""
        entry = self.lower(*args, **kwargs)
        program, dims, _ = entry.ready
        if type(program) is not CProgram:
            raise RuntimeError("lazynp.jit.memory_plan: without a C compiler NumPy runs the function, operation by operation")
        donated = sum(_bytes(entry.traced.values[value]) for value in entry.donation.reused)
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
    return values if values.ndim else values[()]


def _leaf_key(leaf: Any) -> Any:
    kind = type(leaf)
    if kind in ARRAYS or kind is ndarray:
        if leaf.dtype not in LAZY_DTYPES:
            raise TypeError("an array whose dtype is not numeric")
        return leaf.shape, leaf.dtype, _layout(leaf), np.ndarray if kind is watched else kind
    if type(leaf) in TRACED_SCALARS:
        return type(leaf)
    if isinstance(leaf, np.ndarray):
        raise TypeError("a subclass of NumPy's array, whose own methods decide")
    return (type(leaf), leaf) if leaf else (type(leaf), repr(leaf))


def _layout(array: Any) -> Any:
    """What decides, beside shape and dtype, what a trace does with an argument: whether it may write to it, and what are views of it."""
    return may_write(array), None if array.flags.c_contiguous else array.strides


def _overlap(entry: Compiled, leaves: Sequence[Any]) -> bool:
    """Whether an argument that is written to shares memory with another array that the function reads: then the trace's idea of them as
    separate is wrong."""
    return any(_overlaps(entry, argument, leaves) for argument in entry.writes)


def _overlaps(entry: Compiled, argument: int, leaves: Sequence[Any]) -> bool:
    """Whether an argument shares memory with another array that the function reads."""
    memory = [arrays.geometry(leaf) if type(leaf) is ndarray else leaf for leaf in leaves]
    memory += [source.memory() if isinstance(source, Storage) else source for source in entry.traced.outside.values()]
    return any(
        other != argument and isinstance(block, np.ndarray) and np.may_share_memory(memory[argument], block)
        for other, block in enumerate(memory)
    )


def _concerns_capture(error: BaseException | None) -> CaptureError | None:
    """The CaptureError that an exception is, or that NumPy has answered with an exception of its own."""
    for _ in range(8):
        if error is None or isinstance(error, CaptureError):
            return error
        error = error.__cause__ or error.__context__
    return None


_WATCHED = (bool, int, float, complex, str, np.generic, np.ndarray, ndarray, tuple, type(None))


def _variables_read(function: Callable[..., Any]) -> list[Guard]:
    """Guards for the variables read by a function and by those it wraps: jit(grad(f)) bakes in what f reads."""
    guards = []
    while function is not None:
        guards += _own_variables_read(function)
        function = getattr(function, "__wrapped__", None)  # type: ignore[assignment]
    return guards


def _globals_read(functions: Iterable[FunctionType]) -> list[Guard]:
    """Guards for the global variables of functions that a traced function calls, each once."""
    read = {(id(f.__globals__), name): f.__globals__ for f in functions for name in _names_in(f.__code__) if name in f.__globals__}
    return [guard for (_, name), namespace in read.items() for guard in _guards_of(namespace.get, name, namespace[name])]


def _names_in(code: CodeType) -> set[str]:
    """The global names and attributes that a function mentions, and functions inside it."""
    return set(code.co_names).union(*[_names_in(c) for c in code.co_consts if type(c) is CodeType])


def _own_variables_read(function: Callable[..., Any]) -> list[Guard]:
    """Guards for the global and closure variables of a function whose values a trace has baked in."""
    code = getattr(function, "__code__", None)
    if code is None:
        return []
    namespace = function.__globals__  # type: ignore[attr-defined]
    guards = [g for name in _names_in(code) if name in namespace for g in _guards_of(namespace.get, name, namespace[name])]
    for cell in function.__closure__ or ():  # type: ignore[attr-defined]
        value = _contents(cell)
        guards += _guards_of(_contents, cell, value)
    return guards


def _attributes_read(leaves: list[Any]) -> list[Guard]:
    """Guards for the attributes of objects among the arguments: a method's `self`."""
    guards = []
    for leaf in leaves:
        attributes = getattr(leaf, "__dict__", None)
        if attributes is not None and not isinstance(leaf, (type, FunctionType, ModuleType, jit)):
            guards += [g for name, value in attributes.items() for g in _guards_of(attributes.get, name, value)]
    return guards


def _guards_of(read: Callable[[Any], Any], name: Any, value: Any) -> list[Guard]:
    if type(value) in ARRAYS and value.nbytes <= _SMALL_TABLE and not value.dtype.hasobject:
        return [(read, name, value), (_same_bytes, (value, value.tobytes()), True)]
    if isinstance(value, _WATCHED) or type(value).__name__ in _GENERATORS:
        return [(read, name, value)]
    if isinstance(value, (list, dict)):
        return [(read, name, value), (_unchanged, (value, _members(value)), True)]
    return []


_GENERATORS = frozenset({"Generator", "RandomState"})
"""Told by their names: numpy.random is loaded by whoever draws."""
_SMALL_TABLE = 4096
"""NumPy arrays up to so many bytes are guarded by their contents: what the function computes from them through NumPy alone is baked in.
Larger ones are read again at every call wherever they meet a traced array."""


def _same_bytes(snapshot: tuple[np.ndarray, bytes]) -> bool:
    array, contents = snapshot
    return array.tobytes() == contents


def _members(container: Any) -> list[Any]:
    return list(container.items()) if isinstance(container, dict) else list(container)


def _unchanged(snapshot: tuple[Any, list[Any]]) -> bool:
    """Whether a list or dict still has the same members (one level deep, by identity)."""
    container, members = snapshot
    now = _members(container)
    if len(now) != len(members):
        return False
    if isinstance(container, dict):
        return all(a[0] == b[0] and a[1] is b[1] for a, b in zip(now, members, strict=True))
    return all(a is b for a, b in zip(now, members, strict=True))


def _contents(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not assigned yet
        return _UNCOMPILED
