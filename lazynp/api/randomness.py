"""numpy.random: NumPy's own generators, so that streams are bit-identical; results are lazynp's arrays.

`drawn` is the one place where a draw happens. Inside a trace it raises CaptureError (a draw would be frozen into the program),
and jit runs the function in lazy mode.
"""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from lazynp.api.dispatch import unwrapped, wrapped
from lazynp.errors import CaptureError
from lazynp.runtime.storage import tracing


def drawn(method: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call a method of a NumPy generator with plain arguments; wrap what it returns."""
    if tracing():
        raise CaptureError("a random draw inside a traced function: draw outside and pass the numbers in")
    return wrapped(method(*[unwrapped(a) for a in args], **{k: unwrapped(v) for k, v in kwargs.items()}))


def _drawing(name: str, original: Any) -> Callable[..., Any]:
    @functools.wraps(original, updated=())
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return drawn(functools.partial(original, self), args, kwargs)

    return method


_STATE = {"set_state", "get_state", "seed", "spawn", "bit_generator"}


def _subclass(base: type) -> type:
    """A generator whose public methods hand out lazynp's arrays; still an instance of NumPy's class."""
    names = [n for n in dir(base) if not n.startswith("_") and n not in _STATE and callable(getattr(base, n))]
    members = {n: _drawing(n, getattr(base, n)) for n in names}
    return type(base.__name__, (base,), {**members, "__module__": "lazynp.random", "__doc__": base.__doc__})


Generator: Any = _subclass(np.random.Generator)
RandomState: Any = _subclass(np.random.RandomState)


def _spawn(self: Any, n_children: int) -> list[Any]:
    return [Generator(child.bit_generator) for child in np.random.Generator.spawn(self, n_children)]


Generator.spawn = _spawn


def _reduced(self: Any) -> Any:
    return _restored, (self.bit_generator,)


def _restored(bit_generator: Any) -> Any:
    return Generator(bit_generator)


Generator.__reduce__ = _reduced


@functools.wraps(np.random.default_rng)
def default_rng(seed: Any = None) -> Any:
    if isinstance(seed, Generator):
        return seed
    return Generator(np.random.default_rng(unwrapped(seed)).bit_generator)


_shared = np.random.mtrand._rand


def module_function(name: str) -> Any:
    """numpy.random.<name> on NumPy's global state (or the class, exception or module of that name)."""
    original = getattr(np.random, name)
    known = {"Generator": Generator, "RandomState": RandomState, "default_rng": default_rng}
    if name in known:
        return known[name]
    if (
        isinstance(original, type)
        or not callable(original)
        or name in ("seed", "get_state", "set_state", "get_bit_generator", "set_bit_generator")
    ):
        return original

    @functools.wraps(original)
    def call(*args: Any, **kwargs: Any) -> Any:
        return drawn(original, args, kwargs)

    return call
