"""The hot paths of small arrays: compiled (`_hotpaths.c`), or here in Python where that could not be built. LAZYNP_NATIVE=0 chooses Python.

A call of a public function first asks whether NumPy can do it at once; in Python the question takes as long as NumPy's answer. The compiled
module asks it in 20 ns, and has one thing that Python has not: arrays of middling size are `watched`, so that an operator sees
when it would make a large array of them by broadcasting (`x[:, None] * y`) and records it instead.
"""

import os
from collections.abc import Callable, Iterable
from functools import cache
from types import MethodType
from typing import Any

import numpy as np

try:
    if os.environ.get("LAZYNP_NATIVE", "1").strip().lower() in ("0", "false", "no", "off"):
        raise ImportError
    from lazynp import _direct, _hotpaths
except ImportError:
    _hotpaths = _direct = None  # type: ignore[assignment]

SCALARS = frozenset({
    int, float, bool, complex, str, type(None), type, np.dtype, np.float64, np.int64, np.bool_, np.complex128, np.float32, np.int32,
})  # fmt: skip

_large = 0
"""Elements from which an array is large: config.lazy_threshold."""


def is_plain(values: Iterable[Any], depth: int = 2) -> bool:
    """Whether all are scalars and small NumPy arrays, or lists and tuples of such: NumPy's function can be called at once."""
    for value in values:
        kind = type(value)
        if kind is np.ndarray or kind is watched:
            if value.size >= _large:
                return False
        elif kind is list or kind is tuple:
            if not depth or not is_plain(value, depth - 1):
                return False
        elif kind not in SCALARS:
            return False
    return True


class _Tracing:
    """`depth`: how many traces are under way, in all threads; zero lets the hot path skip the question. `draws`: whether the state of a
    random generator may be pending, so that NumPy must not draw yet. `recording`: whether an operation is being recorded."""

    depth = 0
    draws = False
    recording = False


class _Caller:
    """Calls `numpy` where the arguments are small and nothing is traced, else `general`."""

    __slots__ = ("general", "numpy")

    def __init__(self, numpy: Callable[..., Any], general: Callable[..., Any]) -> None:
        self.numpy = numpy
        self.general = general

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if not tracing_count.depth and is_plain(args) and (not kwargs or is_plain(kwargs.values())):
            return fresh(self.numpy, *args, **kwargs)
        return self.general(*args, **kwargs)


class _Drawer(_Caller):
    """The same for draws of random numbers. method: as an attribute of a class it is one, and the generator its first argument."""

    __slots__ = ("method",)

    def __init__(self, numpy: Callable[..., Any], general: Callable[..., Any], method: bool) -> None:
        super().__init__(numpy, general)
        self.method = method

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None or not self.method else MethodType(self, instance)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        ready = not tracing_count.depth and not tracing_count.draws
        if ready and is_plain(args[1:] if self.method else args) and (not kwargs or is_plain(kwargs.values())):
            return fresh(self.numpy, *args, **kwargs)
        return self.general(*args, **kwargs)


class _NoBuffer:
    """Base of the lazy array: from Python 3.12 on its __buffer__ is the buffer protocol."""

    __slots__ = ()


class _ArrayMeta(type):
    """Types that hash as numpy.ndarray: a table by type that names it has them too, where they are equal."""

    def __hash__(cls) -> int:
        return hash(np.ndarray)


class _Unwatched(np.ndarray):
    """The type that nothing has where nothing is watched."""


_adopt: Callable[[Any], Any]
_handed_out: Callable[[Any], Any]


def configure(threshold: int, direct: bool) -> None:
    """From how many elements an array is large; whether calls of compiled functions may go past Python."""
    global _large
    _large = threshold
    if _hotpaths is not None:
        _hotpaths.set_threshold(threshold)
        _direct.enable(direct)


def connect(
    lazy: type, adopt: Callable[..., Any], handed_out: Callable[..., Any], operate: Callable[..., Any], item: Callable[..., Any]
) -> None:
    """What the hot paths call: the type of lazy arrays; how a large array, and how a tuple or list of results, are handed out; how an
    operation (name of a ufunc, a, b) and array[lazy index] are recorded."""
    global _adopt, _handed_out
    _adopt, _handed_out = adopt, handed_out
    if _hotpaths is not None:
        _hotpaths.connect(lazy, adopt, handed_out, operate, item)


def connect_items(lazy: type, parts: tuple[type, type, type, Any, Any], read: Callable[..., Any], write: Callable[..., Any]) -> None:
    """How items of lazy arrays are read and written. parts: the types of storages, of array types and of steps, and the ops of slices and
    of permuted axes. What is there and small the compiled module takes from the memory of their storages: 0.1 us, where Python takes 2 us
    to find out that it may; of what is there and large it makes the view."""
    if _hotpaths is not None:
        _hotpaths.connect_items(lazy, *parts, read, write)
    else:
        lazy.__getitem__, lazy.__setitem__, lazy.__delitem__ = read, write, _refuse  # type: ignore[attr-defined]


def connect_views(lazy: type, transpose: Callable[..., Any]) -> None:
    """How x.T is made; that of a whole block of memory the compiled module makes itself."""
    if _hotpaths is not None:
        _hotpaths.connect_views(transpose)
    else:
        lazy.T = property(transpose)  # type: ignore[attr-defined]


def connect_lines(lazy: type, lines: tuple[Any, dict[Any, int], dict[str, bool]], products: frozenset[Any]) -> None:
    """Have the compiled module compute with NumPy what is done on short lines (operands.short_here) and with small arrays that are there:
    0.1 to 2 us beside NumPy's time for an operation, where Python takes 3 to 30. lazy: the type of lazy arrays; lines: the home of new
    storages, its short positions, errors.KNOWN_FILES; products: the functions."""
    if _hotpaths is not None:
        _hotpaths.connect_lines(lazy, *lines, products)


def _refuse(array: Any, index: Any) -> None:
    raise ValueError("cannot delete array elements")


def _fresh(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    result = function(*args, **kwargs)
    kind = type(result)
    if kind is np.ndarray:
        return result if result.size < _large else _adopt(result)
    return _handed_out(result) if kind is tuple or kind is list else result


if _hotpaths is not None:
    _hotpaths.keep_by(_direct.results)

tracing_count: Any = _Tracing() if _hotpaths is None else _hotpaths.tracing
Caller: Any = _Caller if _hotpaths is None else _hotpaths.Caller
Drawer: Any = _Drawer if _hotpaths is None else _hotpaths.Drawer
Buffer: Any = _NoBuffer if _hotpaths is None else _hotpaths.Buffer
ArrayMeta: Any = _ArrayMeta if _hotpaths is None else _hotpaths.ArrayMeta
watched: Any = _Unwatched if _hotpaths is None else _hotpaths.ndarray
fresh: Callable[..., Any] = _fresh if _hotpaths is None else _hotpaths.fresh
"""Call a function of NumPy's whose new arrays are then handed out as lazynp's."""
keeping: Callable[..., Any] = (lambda function, *args, **kwargs: function(*args, **kwargs)) if _hotpaths is None else _hotpaths.keeping
"""Call a function that makes large arrays: they lie in memory that is kept from one to the next, where malloc would ask the system for it
anew each time."""
short_ufunc: Callable[..., Any] = (lambda *_: None) if _hotpaths is None else _hotpaths.short_ufunc
"""What NumPy's ufunc makes of operands on a short line, or of a small product (see connect_lines); None elsewhere."""
called_directly: Callable[[Any], Any] = (lambda cls: cls) if _hotpaths is None else _hotpaths.called_directly


class _Dispatch:
    """A function that is called by what it has learned, else by its method `slow`."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.slow(*args, **kwargs)

    def slow(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError

    def learn(self, direct: Any) -> None:
        """Calls with its signature go through it from now on."""

    def unlearn(self) -> None:
        """Forget every signature."""


Dispatch: Any = _Dispatch if _direct is None else _direct.Dispatch
Direct: Any = None if _direct is None else _direct.Direct
"""One signature of a compiled function with all that its calls have in common, for `Dispatch.learn`; None without the compiled module."""


def direct_runs() -> int:
    """How many programs were run past Python."""
    return 0 if _direct is None else int(_direct.runs())


def least_threads(limit: int, address: int) -> int | None:
    """The least of a limit, the processors that this thread may use, and what the C function at an address returns (0: there is none).
    None where the compiled module is absent or does not know."""
    return None if _direct is None else _direct.least_threads(limit, address)  # type: ignore[no-any-return]


@cache
def numpy_sorter(name: str) -> int:
    """The address of "numpy.sort 0 12", NumPy's own function for one algorithm (NPY_SORTKIND) and dtype (number), or of an argsort; 0 where
    it is not known."""
    if _direct is None:
        return 0
    function, kind, number = name.removeprefix("numpy.").split()
    found = _direct.sorters(int(number))
    return int(found[int(kind) + (len(found) // 2 if function == "argsort" else 0)] or 0)


ARRAYS = (np.ndarray, watched)
"""The types of NumPy arrays whose operations are NumPy's own: `type(x) in ARRAYS`."""
