"""numpy.random: NumPy's own generators, so that streams are bit-identical; results are lazynp's arrays.

`drawn` is the one place where a draw happens. In lazy mode NumPy draws at once. In a trace that runs again later the draw is recorded,
with the generator's state as a hidden input and output (`lazynp.api.streams`).
"""

import functools
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from lazynp.api import streams
from lazynp.api.dispatch import unwrapped
from lazynp.array import ndarray
from lazynp.errors import CaptureError
from lazynp.native import Drawer, called_directly, fresh, tracing_count
from lazynp.operands import called, recorded
from lazynp.runtime.storage import queue, tracing


def drawn(generator: Any, method: str, original: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call original(generator, ...), a method of NumPy's class. Raises CaptureError for a draw that cannot be recorded."""
    if streams.recording():
        return recorded(streams.record, generator, method, original, args, kwargs)
    streams.settle(generator)
    if tracing_count.draws and not tracing():
        tracing_count.draws = not streams.settled()
    if tracing() and any(_depends(a) for a in (*args, *kwargs.values())):
        return recorded(streams.record_and_advance, generator, method, original, args, kwargs)
    named = {k: unwrapped(v) for k, v in kwargs.items()}
    result = called(functools.partial(fresh, original, generator), [unwrapped(a) for a in args], named)
    return kwargs["out"] if named.get("out") is not None else result


def _depends(x: Any) -> bool:
    """Whether a derivative by something that x depends on is being taken."""
    return type(x) is ndarray and x._storage is not None and x._storage.node is not None and queue().differentiates(x._storage.node)


@called_directly
class _Draw(Drawer):
    # A method of a generator, or a function on the shared one: NumPy's at once for small arguments, `general` else and in a trace.
    # What it is called and what it says is looked up when somebody asks: copied for all methods it takes half a millisecond of a process.

    def __init__(self, original: Any, general: Callable[..., Any], method: bool) -> None:
        super().__init__(original, general, method)
        self.__module__ = original.__module__

    __doc__ = property(lambda self: self.numpy.__doc__)

    @property
    def __wrapped__(self) -> Any:
        return self.numpy

    def __getattr__(self, name: str) -> Any:
        if name in _NAMES:
            return getattr(self.numpy, name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __repr__(self) -> str:
        return f"<function {self.__qualname__} of lazynp>"


_NAMES = frozenset({"__name__", "__qualname__"})


def _method(name: str, original: Any) -> Callable[..., Any]:
    def general(self: Any, *args: Any, **kwargs: Any) -> Any:
        return drawn(self, name, original, args, kwargs)

    return _Draw(original, general, True)  # type: ignore[no-any-return]


def _state_method(name: str, original: Any) -> Callable[..., Any]:
    """A method that reads or changes the state itself."""

    @functools.wraps(original, updated=())
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return _on_state(self, name, original, args, kwargs)

    return method


def _on_state(generator: Any, name: str, original: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    if streams.recording():
        if name != "seed" or not (args or kwargs):
            raise CaptureError(f"{name}() of a random generator inside a traced function: the state is not known there")
        return streams.reseed(generator, np.random.RandomState(*unwrapped(args), **unwrapped(kwargs)))
    streams.settle(generator)
    return original(generator, *unwrapped(args), **unwrapped(kwargs))


_STATE = ("get_state", "set_state", "seed")


class _GeneratorType(type):
    """NumPy's own generators are instances of lazynp's classes, as its arrays are."""

    def __instancecheck__(cls, instance: Any) -> bool:
        numpys = vars(cls).get("_numpys")
        return super().__instancecheck__(instance) if numpys is None else isinstance(instance, numpys)


def _subclass(base: Any) -> Any:
    """A generator whose public methods hand out lazynp's arrays; still an instance of NumPy's class."""
    names = [n for n in dir(base) if not n.startswith("_") and callable(getattr(base, n)) and n != "spawn"]
    members: dict[str, Any] = {n: (_state_method if n in _STATE else _method)(n, getattr(base, n)) for n in names}

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807
        base.__init__(self, *args, **kwargs)
        streams.born(self, args, kwargs)

    own = {"__init__": __init__, "__module__": "lazynp.random", "__doc__": base.__doc__, "_numpys": base}
    own["__signature__"] = inspect.signature(base)
    return _GeneratorType(base.__name__, (base,), {**members, **own})


Generator: Any = _subclass(np.random.Generator)


@functools.cache
def random_state() -> Any:
    """The class RandomState, which most programs do without."""
    made = _subclass(np.random.RandomState)
    made.__reduce__ = _reduced_legacy
    return made


@functools.wraps(np.random.Generator.spawn)
def _spawn(self: Any, n_children: int) -> list[Any]:
    if streams.recording() and not streams.is_local(self):
        raise CaptureError("spawn() of a random generator inside a traced function changes what the next call would spawn")
    return [Generator(child.bit_generator) for child in np.random.Generator.spawn(self, n_children)]


def _bit_generator(self: Any) -> Any:
    if streams.recording() and not streams.is_local(self):
        raise CaptureError("the bit generator of a random generator inside a traced function: its state is not known there")
    streams.settle(self)
    return np.random.Generator.bit_generator.__get__(self)  # type: ignore[attr-defined]


Generator.spawn = _spawn
Generator.bit_generator = property(_bit_generator, doc=np.random.Generator.bit_generator.__doc__)


def _reduced(self: Any) -> Any:
    return _restored, (self.bit_generator,)


def _restored(bit_generator: Any) -> Any:
    return Generator(bit_generator)


def _reduced_legacy(self: Any) -> Any:
    return _restored_legacy, (self.get_state(legacy=False),)


def _restored_legacy(state: dict[str, Any]) -> Any:
    restored = random_state()(getattr(np.random, state["bit_generator"])())
    restored.set_state(state)
    return restored


Generator.__reduce__ = _reduced


@functools.wraps(np.random.default_rng)
def default_rng(seed: Any = None) -> Any:
    if issubclass(type(seed), Generator):
        return seed
    if seed is None and streams.recording():
        raise CaptureError("default_rng() without a seed inside a traced function would freeze one seed: make the generator outside")
    if isinstance(seed, np.random.RandomState):
        return Generator(np.random.default_rng(seed).bit_generator)
    return Generator(np.random.default_rng(unwrapped(seed)).bit_generator)


SHARED = np.random.mtrand._rand
_ALIASES = {"ranf": "random_sample", "sample": "random_sample"}
_PLAIN = frozenset({"get_bit_generator", "set_bit_generator", "test"})


def module_function(name: str) -> Any:
    """numpy.random.<name> on NumPy's global state (or the class, exception or module of that name)."""
    original = getattr(np.random, name)
    if name == "RandomState":
        return random_state()
    known = {"Generator": Generator, "default_rng": default_rng}
    if name in known:
        return known[name]
    if isinstance(original, type) or not callable(original) or name in _PLAIN:
        return original
    unbound = getattr(np.random.RandomState, _ALIASES.get(name, name))

    def general(*args: Any, **kwargs: Any) -> Any:
        if name == "seed" and not streams.recording():  # also for another bit generator than RandomState's
            streams.settle(SHARED)
            return original(*unwrapped(args), **unwrapped(kwargs))
        if name in _STATE:
            return _on_state(SHARED, name, unbound, args, kwargs)
        return drawn(SHARED, _ALIASES.get(name, name), unbound, args, kwargs)

    if name in ("get_state", "set_state"):
        return functools.update_wrapper(general, original, updated=())
    return _Draw(original, general, False)
