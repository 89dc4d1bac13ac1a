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
    """Guards for the variables read by a function and by those it wraps: jit(grad(f)) bakes in what f reads. Of a method: the
    attributes of its object too."""
    guards = []
    while function is not None:
        guards += [*_own_variables_read(function), *attributes_read([getattr(function, "__self__", None)])]
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


def attributes_read(objects: list[Any], depth: int = 2) -> list[Guard]:
    """Guards for the attributes of objects, such as those among the arguments (a method's `self`), and for those of objects in them."""
    attributes = [vars(one) for one in objects if _is_object(one)]
    return [g for names in attributes for name, value in names.items() for g in _guards_of(names.get, name, value, depth - 1)]


def _is_object(value: Any) -> bool:
    """Whether a value is an object of a class of the user's that has attributes."""
    if not hasattr(value, "__dict__") or isinstance(value, (type, FunctionType, ModuleType, Dispatch)):
        return False
    return type(value).__module__.partition(".")[0] not in ("lazynp", "numpy", "scipy", "builtins", "functools")


def _guards_of(read: Callable[[Any], Any], name: Any, value: Any, depth: int = 2) -> list[Guard]:
    """depth: how many levels of objects are looked into."""
    if type(value) in ARRAYS and value.nbytes <= _SMALL_TABLE and not value.dtype.hasobject:
        return [(read, name, value), (_same_bytes, (value, value.tobytes()), True)]
    if isinstance(value, _WATCHED) or type(value).__name__ in _GENERATORS:
        return [(read, name, value)]
    if isinstance(value, (list, dict)):
        return [(read, name, value), (_unchanged, (value, _members(value)), True)]
    if depth and _is_object(value):
        return [(read, name, value), *attributes_read([value], depth)]
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
