"""What of its surroundings a trace has baked in: variables from outside of the function, and the values they had."""

from collections.abc import Callable, Iterable
from types import CodeType, FunctionType, ModuleType
from typing import Any

import numpy as np

from lazynp.array import ndarray
from lazynp.native import ARRAYS, Dispatch

Guard = tuple[Callable[[Any], Any], Any, Any]
"""(read, name, value): the trace holds while read(name) is value."""

_WATCHED = (bool, int, float, complex, str, np.generic, np.ndarray, ndarray, tuple, type(None))


def variables_read(function: Callable[..., Any]) -> list[Guard]:
    """Guards for the variables read by a function and by those it wraps: jit(grad(f)) bakes in what f reads."""
    guards = []
    while function is not None:
        guards += _own_variables_read(function)
        function = getattr(function, "__wrapped__", None)  # type: ignore[assignment]
    return guards


def globals_read(functions: Iterable[FunctionType]) -> list[Guard]:
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


def attributes_read(leaves: list[Any]) -> list[Guard]:
    """Guards for the attributes of objects among the arguments: a method's `self`."""
    guards = []
    for leaf in leaves:
        attributes = getattr(leaf, "__dict__", None)
        if attributes is not None and not isinstance(leaf, (type, FunctionType, ModuleType, Dispatch)):
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

_EMPTY = object()


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
        return _EMPTY
