"""Whether an object that a trace returns, which is no array and no container of arrays, has traced values somewhere inside."""

import gc
from types import CodeType, FunctionType, ModuleType
from typing import Any

import numpy as np

from lazynp.array import ndarray
from lazynp.ir.types import Symbolic, Undecided
from lazynp.runtime.storage import TraceQueue

_PLAIN = frozenset({int, float, complex, bool, str, bytes, type(None), type(Ellipsis), range})
_OUTSIDE = (type, ModuleType, CodeType, np.generic, np.dtype)
"""What cannot have come to hold a traced value, or is not the result's own."""
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


def _is_traced(array: Any) -> bool:
    return array._storage is not None and isinstance(array._storage.home, TraceQueue)


def _parts(value: Any) -> list[Any]:
    if isinstance(value, FunctionType):  # not its globals
        return [*(value.__closure__ or ()), *(value.__defaults__ or ()), *(value.__kwdefaults__ or {}).values()]
    return [] if type(value) is ndarray else gc.get_referents(value)
