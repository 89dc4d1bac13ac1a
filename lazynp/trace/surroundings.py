"""What functions read from outside, as guards: of numbers, functions, containers and the contents of arrays it can be told whether they are
still the same. Stricter than jit's own guards: what cannot be compared is refused."""

import dis
import functools
import operator
from collections.abc import Iterable, Iterator
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType
from typing import Any

import numpy as np

from lazynp.api.dispatch import UfuncBase
from lazynp.errors import CaptureError
from lazynp.native import ARRAYS, Caller
from lazynp.trace.calls import is_ours_or_numpys
from lazynp.trace.guards import Guard
from lazynp.trace.jit import jit
from lazynp.trace.source import is_library

_FIXED = (bool, int, float, complex, str, bytes, type(None), np.generic, np.dtype, slice, range, type(Ellipsis), frozenset)
_OURS = frozenset("lazynp.functional." + name for name in ("batching", "checkpoint", "gradients", "jacobians", "whole"))
"""Modules whose functions are made of a user's function (`__wrapped__`) and of options that do not change."""

_LARGEST = 1 << 26
"""Bytes of an array that is compared with a copy at every call."""


def guards_of(functions: Iterable[FunctionType], seen: set[int]) -> list[Guard]:
    """One for each thing that the functions, and those that they mention, read from outside. Raises CaptureError for what may change
    unseen: objects, modules of the user's. seen: identities of what has guards already."""
    guards: list[Guard] = []
    waiting: list[Any] = list(functions)
    while waiting:
        value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, FunctionType) and not is_library(value.__code__):
            for read, name, found in _variables(value):
                guards.append((read, name, found))
                waiting.append(found)
        else:
            waiting += _inside(value, guards)
    return guards


def _inside(value: Any, guards: list[Guard]) -> list[Any]:
    """What else is read with a value; adds guards for what it contains."""
    if type(value) in ARRAYS and not value.dtype.hasobject and value.nbytes <= _LARGEST:
        guards.append((_same_contents, (value, bytearray(value.tobytes()), (value.shape, value.dtype)), True))
        return []
    if isinstance(value, tuple):
        return list(value)
    if type(value) in (list, dict):
        members = _members(value)
        guards.append((_same_members, (value, members), True))
        return members
    if isinstance(value, jit):
        return [value._function]
    maker = value.__globals__.get("__name__") if isinstance(value, FunctionType) else type(value).__module__
    if maker in _OURS and hasattr(value, "__wrapped__"):
        return [value.__wrapped__]
    if isinstance(value, _FIXED) or _is_known(value):
        return []
    raise CaptureError(f"it reads a {type(value).__name__} from outside, of which no change can be seen")


def _is_known(value: Any) -> bool:
    """Whether a module, function or type is NumPy's, lazynp's or Python's own."""
    if isinstance(value, ModuleType):
        return is_ours_or_numpys(value.__name__)
    if isinstance(value, type):
        return value.__module__ == "builtins" or is_ours_or_numpys(value.__module__)
    if isinstance(value, np.ufunc | UfuncBase):
        return True
    module = value.__globals__.get("__name__") if isinstance(value, FunctionType) else getattr(value, "__module__", None)
    if isinstance(value, BuiltinFunctionType):
        return module == "builtins" or is_ours_or_numpys(module or "")
    return isinstance(value, FunctionType | Caller) and is_ours_or_numpys(module or "") and not hasattr(value, "__wrapped__")


def _variables(f: FunctionType) -> Iterator[Guard]:
    """(read, name, value) of each global and closure variable of a function, and its defaults."""
    if vars(f).keys() - {"__wrapped__"}:
        raise CaptureError(f"{f.__name__} has attributes")
    for name in _names(f.__code__):
        if name in f.__globals__:
            yield f.__globals__.get, name, f.__globals__[name]
    for cell in f.__closure__ or ():
        yield _contents, cell, _contents(cell)
    yield _defaults, f, f.__defaults__
    yield _keyword_defaults, f, f.__kwdefaults__


@functools.cache
def _names(code: CodeType) -> frozenset[str]:
    """The global names and attributes that code mentions. Raises CaptureError for code that imports other modules or defines classes."""
    found = set(code.co_names)
    for instruction in dis.get_instructions(code):
        if instruction.opname == "IMPORT_NAME" and not is_ours_or_numpys(instruction.argval):
            raise CaptureError(f"it imports {instruction.argval}")
        if instruction.opname == "LOAD_BUILD_CLASS":
            raise CaptureError("it defines a class")
    return frozenset(found.union(*[_names(inner) for inner in code.co_consts if type(inner) is CodeType]))


def inner_codes(code: CodeType) -> Iterator[CodeType]:
    """The code of the functions that code makes, at any depth."""
    for inner in code.co_consts:
        if type(inner) is CodeType:
            yield inner
            yield from inner_codes(inner)


def _contents(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not assigned yet
        return None


def _defaults(f: FunctionType) -> Any:
    return f.__defaults__


def _keyword_defaults(f: FunctionType) -> Any:
    return f.__kwdefaults__


def _members(container: Any) -> list[Any]:
    return [part for pair in container.items() for part in pair] if isinstance(container, dict) else list(container)


def _same_members(snapshot: tuple[Any, list[Any]]) -> bool:
    container, members = snapshot
    now = _members(container)
    return len(now) == len(members) and all(map(operator.is_, now, members))


def _same_contents(snapshot: tuple[np.ndarray, bytearray, Any]) -> bool:
    """Whether an array has the bytes it had: NaN is itself, and -0.0 is not 0.0. A bytearray compares by memcmp, with any buffer."""
    array, before, form = snapshot
    if (array.shape, array.dtype) != form:
        return False
    return before == array if array.flags.c_contiguous and array.dtype.kind in "biufc" else before == array.tobytes()  # type: ignore[comparison-overlap]


def has_long_loops(f: Any) -> bool:
    """Whether a function, or one it mentions, loops over `range` or by `while`: written out it would become many operations."""
    waiting, seen = [f], set()
    while waiting:
        value = waiting.pop()
        value = value._function if isinstance(value, jit) else value
        value = getattr(value, "__wrapped__", value)
        if not isinstance(value, FunctionType) or is_library(value.__code__) or value in seen:
            continue
        seen.add(value)
        if _loops(value.__code__):
            return True
        waiting += [found for _, _, found in _variables(value)]
    return False


@functools.cache
def _loops(code: CodeType) -> bool:
    jumps = {i.opname for i in dis.get_instructions(code) if i.opname == "FOR_ITER" or "JUMP_BACKWARD" in i.opname}
    if jumps and ("range" in code.co_names or "FOR_ITER" not in jumps):
        return True
    return any(_loops(inner) for inner in code.co_consts if type(inner) is CodeType)
