"""Functions of the user's whose source is not available (`python -c`, `exec`): what they may change is read from their bytecode.

They run as they are. In a body, where a change would happen once for all turns, they may reach nothing but numbers, arrays, functions that
only return values, and lists and dicts, which are looked at before and after.
"""

import builtins
import dis
from collections.abc import Callable
from types import CellType, CodeType, FunctionType
from typing import Any

import numpy as np

from lazynp.array import ndarray
from lazynp.ir.types import Symbolic, Undecided
from lazynp.trace.places import contents, touch

_CHANGES = frozenset("STORE_GLOBAL DELETE_GLOBAL STORE_ATTR DELETE_ATTR IMPORT_NAME IMPORT_FROM YIELD_VALUE".split())
_PLAIN = (
    int, float, complex, str, bytes, type(None), type(Ellipsis), np.generic, np.ndarray, np.dtype, ndarray, Symbolic, Undecided,
)  # fmt: skip
_CONTAINERS = (list, dict, set)


def changes_are_seen(f: FunctionType, is_pure: Callable[[Any], bool], seen: set[int] | None = None) -> bool:
    """Whether a function changes nothing but what is noted here. is_pure: whether a module or a function
    is known to do nothing but return values."""
    seen = set() if seen is None else seen
    if id(f) in seen:
        return True
    seen.add(id(f))
    cells = [cell for cell in f.__closure__ or () if type(cell) is CellType]
    for cell in cells:
        touch(cell)
    names = _variables(f.__code__)
    if names is None:
        return False
    values = [value for cell in cells for value in contents(cell).values()]
    values += [f.__globals__[name] if name in f.__globals__ else getattr(builtins, name, None) for name in names]
    return all(_is_known(value, is_pure, seen) for value in values)


def _variables(code: CodeType) -> set[str] | None:
    """The global names that a function reads; None where it does what nobody could see."""
    found: set[str] = set()
    for instruction in dis.get_instructions(code):
        if instruction.opname in _CHANGES:
            return None
        if instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            found.add(instruction.argval)
        elif instruction.argval == "random":  # numpy.random: its generators change
            return None
    for inner in code.co_consts:
        if type(inner) is CodeType:
            names = _variables(inner)
            if names is None:
                return None
            found |= names
    return found


def _is_known(value: Any, is_pure: Callable[[Any], bool], seen: set[int]) -> bool:
    if isinstance(value, _PLAIN):
        return True
    if isinstance(value, (*_CONTAINERS, tuple)):
        if isinstance(value, _CONTAINERS):
            touch(value)
        return all(_is_known(v, is_pure, seen) for v in (value.values() if isinstance(value, dict) else value))
    return is_pure(value) or (type(value) is FunctionType and changes_are_seen(value, is_pure, seen))
