"""What a function under jit has to do with the world outside: random numbers, memory of others, clocks, files, warnings.

A compiled call computes and does no more, so that draws from NumPy's generators are recorded, and a function that does something else
runs uncompiled."""

import io
import sys
from typing import Any

import numpy as np

from lazynp.api.table import value_of
from lazynp.array import ndarray
from lazynp.errors import CaptureError
from lazynp.ops import library
from lazynp.runtime.storage import TraceQueue
from lazynp.trace.queues import traces_around


def is_repeated() -> bool:
    """Whether what is recorded here is run at later calls, in which no Python runs."""
    return any(type(scope) is TraceQueue for scope in traces_around())


# --- NumPy's own generators --------------------------------------------------------------------------------------------------


def drawing(f: Any, holder: Any) -> Any:
    """lazynp's function in the place of one of numpy.random, or of a method of one of NumPy's generators; None for other functions."""
    random = sys.modules.get("numpy.random")
    name = getattr(f, "__name__", None)
    if random is None or type(name) is not str or name.startswith("_") or not is_repeated():
        return None
    if type(holder) in (random.Generator, random.RandomState):
        return getattr(value_of("numpy.random", type(holder).__name__)[1], name).__get__(holder)
    if getattr(random, name, None) is not f:
        return None
    ours = value_of("numpy.random", name)[1]
    return None if ours is f else ours


class noticed_draws:  # noqa: N801
    """Around a trace. Puts back what it has drawn from Python's generator, NumPy's global one and those among the arguments; raises
    CaptureError if there is something: a library drew, whose code no trace can see."""

    def __init__(self, leaves: list[Any]) -> None:
        self.sources: list[_Python | _NumPys] = [_Python()] if "random" in sys.modules else []
        if random := sys.modules.get("numpy.random"):
            numpys = [leaf for leaf in leaves if type(leaf) in (random.Generator, random.RandomState)]
            self.sources += [_NumPys(generator) for generator in (random.mtrand._rand, *numpys)]

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: Any, where: Any) -> None:
        moved = [source.put_back() for source in self.sources]
        if any(moved) and error is None:
            raise CaptureError("a function of a library draws random numbers, which a compiled call would not draw again")


class _Python:
    # The shared generator of the module random.

    def __init__(self) -> None:
        self.random = sys.modules["random"]
        self.before = self.random.getstate()

    def put_back(self) -> bool:
        """Whether something was drawn."""
        if self.random.getstate() == self.before:
            return False
        self.random.setstate(self.before)
        return True


class _NumPys:
    # A Generator or RandomState.

    def __init__(self, generator: Any) -> None:
        self.source = getattr(generator, "bit_generator", generator)
        self.before = library.pack_state(self.source)

    def put_back(self) -> bool:
        """Whether something was drawn."""
        if np.array_equal(library.pack_state(self.source), self.before):
            return False
        library.unpack_state(self.source, self.before)
        return True


# --- memory of others --------------------------------------------------------------------------------------------------------


def array_over(*args: Any, **options: Any) -> Any:
    """numpy.ndarray(shape, dtype, buffer). Raises CaptureError for memory of others: a trace would read it once, and write nowhere."""
    if is_repeated() and (len(args) > 2 or options.get("buffer") is not None):
        raise CaptureError("an array over memory of somebody else's, which a compiled call would neither read again nor write to")
    return ndarray(*args, **options)


def from_buffer(buffer: Any, *args: Any, **options: Any) -> Any:
    """numpy.frombuffer. Raises CaptureError for what may change."""
    if is_repeated() and not memoryview(buffer).readonly:
        raise CaptureError(f"numpy.frombuffer of a {type(buffer).__name__}, which a compiled call would neither read again nor write to")
    return np.frombuffer(buffer, *args, **options)


# --- what is done besides ----------------------------------------------------------------------------------------------------

_ACTING = frozenset({
    *("_io", "_random", "_socket", "_thread", "_warnings", "io", "logging", "nt", "os", "posix", "random", "secrets", "shutil", "socket"),
    *("subprocess", "tempfile", "time", "uuid", "warnings"),
})  # fmt: skip
"""Modules whose functions look at the world outside or change it."""
_CLOCKS = frozenset("now today utcnow".split())
_FILES = frozenset({
    np.load, np.save, np.savez, np.savez_compressed, np.loadtxt, np.savetxt, np.genfromtxt, np.fromfile, np.fromregex, np.memmap,
})  # fmt: skip
_WRITERS = frozenset({"tofile", "dump"})
"""Methods of arrays that write files."""


def refuse_iterators(leaves: list[Any]) -> None:
    """Raises CaptureError for an argument that a call uses up."""
    for leaf in leaves:
        if hasattr(type(leaf), "__next__"):
            raise CaptureError(f"an argument is a {type(leaf).__name__}, which a call uses up")


def refuse_acts(f: Any) -> None:
    """Raises CaptureError for a function that does something, or gives something else at every call, where a trace runs again."""
    if is_repeated() and _acts(f, getattr(f, "__self__", None)):
        name = getattr(f, "__qualname__", type(f).__qualname__)
        raise CaptureError(f"{name} does more than compute from its arguments, which a compiled call would not do again")


def _acts(f: Any, holder: Any) -> bool:
    if f is input or isinstance(holder, io.IOBase) or _is_file(f, holder):
        return True
    code = getattr(f, "__func__", f)  # of a method in Python, such as random.gauss
    module = getattr(code, "__module__", None) or type(holder).__module__
    if module in _ACTING and not isinstance(f, type):
        return True
    return isinstance(holder, type) and holder.__module__ == "datetime" and f.__name__ in _CLOCKS


def _is_file(f: Any, holder: Any) -> bool:
    """Whether a function or method of NumPy's, or lazynp's of that name, reads or writes a file."""
    if isinstance(holder, (np.ndarray, np.generic, ndarray)):
        return f.__name__ in _WRITERS
    try:
        return f in _FILES
    except TypeError:  # not hashable
        return False
