"""Whether an object that a trace returns, which is no array and no container of arrays, has traced values somewhere inside, or is one that
the function has made."""

import gc
import inspect
from collections.abc import Iterator
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from lazynp.array import ndarray
from lazynp.ir.types import Symbolic, Undecided
from lazynp.runtime.storage import TraceQueue

_PLAIN = frozenset({int, float, complex, bool, str, bytes, type(None), type(Ellipsis), range})
_OUTSIDE = (type, ModuleType, CodeType, np.generic, np.dtype)
"""What cannot have come to hold a traced value, or is not the result's own."""
_NO_OBJECTS = (*_OUTSIDE, np.ndarray, ndarray, BuiltinFunctionType, Symbolic, Undecided)
"""What is handed out as a value, or is the same at every call."""
_MOST = 10_000
"""Objects looked at. A result that reaches more is a model of the user's, which the trace has found as it will leave it."""


def holds_traced(value: Any) -> bool:
    """Whether a traced value can be reached from the object: by its attributes, closure, elements or frame."""
    if type(value) in _PLAIN or isinstance(value, _OUTSIDE):
        return False
    waiting, seen = [value], {id(value)}
    while waiting and len(seen) < _MOST:
        found = waiting.pop()
        if isinstance(found, (Symbolic, Undecided)) or (type(found) is ndarray and _is_traced(found)):
            return True
        for part in _parts(found):
            if type(part) not in _PLAIN and id(part) not in seen and not isinstance(part, _OUTSIDE):
                seen.add(id(part))
                waiting.append(part)
    return False


def is_new(value: Any, function: Any, arguments: list[Any]) -> bool:
    """Whether the function has made the object, and makes another one at every call: an iterator, a set, an instance of a class. An object
    with a hash of its own class is a value, which nobody changes; one that was there before is an argument or something that the function
    reads from its surroundings."""
    if type(value) in _PLAIN or isinstance(value, _NO_OBJECTS) or _is_value(value):
        return False
    if type(value) is FunctionType and not (value.__closure__ or value.__defaults__ or value.__kwdefaults__):
        return False
    return not any(value is one for one in _surroundings(function, arguments))


def _is_value(value: Any) -> bool:
    return type(value) is not MethodType and type(value).__hash__ not in (None, object.__hash__, FunctionType.__hash__)


def _surroundings(function: Any, arguments: list[Any]) -> Iterator[Any]:
    """The arguments, what a function reads from outside, and what those have as attributes or items."""
    function = inspect.unwrap(function)
    code = getattr(function, "__func__", function)
    outside = list(getattr(code, "__globals__", {}).values())
    outside += [part for cell in getattr(code, "__closure__", None) or () for part in gc.get_referents(cell)]
    for one in (*arguments, *outside, getattr(function, "__self__", None)):
        yield one
        if not isinstance(one, _OUTSIDE):
            inside = one if isinstance(one, dict) else getattr(one, "__dict__", None)
            yield from one if isinstance(one, (list, tuple)) else inside.values() if isinstance(inside, dict) else ()


def _is_traced(array: Any) -> bool:
    return array._storage is not None and isinstance(array._storage.home, TraceQueue)


def _parts(value: Any) -> list[Any]:
    if isinstance(value, FunctionType):  # not its globals
        return [*(value.__closure__ or ()), *(value.__defaults__ or ()), *(value.__kwdefaults__ or {}).values()]
    return [] if type(value) is ndarray else gc.get_referents(value)
