"""What of its surroundings a trace has baked in: variables from outside of the function, and the values they had.

They are found by walking: from the global and closure variables that the functions mention, from their defaults and from the objects among
the arguments, through containers, objects, classes and modules. Of objects, classes and modules only those attributes count whose names
the functions mention: what a program counts or logs beside is nobody's business, and traces nothing again.
"""

import functools
import sys
from array import array as array_of_numbers
from collections import deque
from collections.abc import Callable, Iterable
from types import CodeType, FunctionType, MemberDescriptorType, MethodType, ModuleType
from typing import Any, NamedTuple

import numpy as np

from lazynp.array import may_write, ndarray, to_numpy
from lazynp.native import ARRAYS, Dispatch
from lazynp.trace.source import is_library

Guard = tuple[Callable[[Any], Any], Any, Any]
"""(read, name, value): the trace holds while read(name) is value, or a number or text equal to it."""

SMALL = 4096
"""NumPy arrays up to so many bytes are guarded by their contents: what the function computes from them through NumPy alone is baked in.
Larger ones are inputs, read again at every call."""
LARGEST = 1 << 26
"""Bytes of a larger array that is compared with a copy at every call, where a trace needed its values."""
_MOST = 20_000
"""Containers and objects that are looked into."""
_NUMBERS = frozenset({bool, int, float, complex, str, bytes, type(None), np.float64, np.float32, np.int64, np.bool_})
_LIBRARIES = frozenset({"lazynp", "numpy", "scipy", *sys.stdlib_module_names})
_ASKING_FOR_ALL = frozenset("__dict__ __getstate__ asdict astuple attrgetter fields getattr hasattr replace vars".split())
"""A function that mentions one of these may read attributes whose names it does not mention."""


def holds(guards: Iterable[Guard]) -> bool:
    """Whether what was read from outside is what it was."""
    for read, name, value in guards:
        now = read(name)
        if now is not value and not is_same(now, value):
            return False
    return True


def is_same(now: Any, value: Any) -> bool:
    """Whether two numbers or texts are the same to the last bit: NaN is itself, and -0.0 is not 0.0."""
    return type(now) is type(value) and type(now) in _NUMBERS and (now == value if type(now) in (int, str) else repr(now) == repr(value))


class Variable(NamedTuple):
    """Where an array is found that is read again at every call: read(name)."""

    read: Callable[[Any], Any]
    name: Any

    def now(self) -> Any:
        """What is there at present."""
        return self.read(self.name)

    def key(self) -> Any:
        """Equal for the same place."""
        return id(getattr(self.read, "__self__", self.read)), self.name if type(self.name) is str else id(self.name)


class Found(NamedTuple):
    """An array that functions can reach, and the variables that are it; pinned: containers that hold it are guarded by identity."""

    array: Any
    variables: list[Variable]
    pinned: bool = False


class Surroundings:
    """What functions can read from outside.

    functions: those that the trace called, and what it was made of (methods, partial objects); objects: the leaves among the arguments.
    by_name: functions count as called where others mention them: the trace could not tell. guards: of everything but arrays; arrays: by
    identity; refused: what no guard could watch.
    """

    def __init__(self, functions: Iterable[Any], objects: Iterable[Any], by_name: bool) -> None:
        self.guards: list[Guard] = []
        self.arrays: dict[int, Found] = {}
        self.refused = ""
        self._by_name = by_name
        roots = [*functions, *[x for x in objects if _has_attributes(x)]]
        self._names = frozenset().union(*[_names_in(f.__code__) for f in map(_function_of, roots) if f is not None])
        known = -1
        while known < len(self._names):  # methods that Python calls by itself mention more
            known = len(self._names)
            self.guards.clear()
            self.arrays.clear()
            self._seen: dict[int, Any] = {}
            self._called = {id(f) for f in map(_function_of, roots) if f is not None}
            self._waiting: deque[Any] = deque(roots)
            while self._waiting and len(self._seen) < _MOST:
                self._look_into(self._waiting.popleft())

    def _variable(self, read: Callable[[Any], Any], name: Any, value: Any) -> None:
        """A variable, attribute or item has this value."""
        if type(value) in ARRAYS or type(value) is ndarray:
            self.arrays.setdefault(id(value), Found(value, [])).variables.append(Variable(read, name))
        elif not _is_of_library(value):
            self.guards.append((read, name, value))
            self._inside(value)

    def _inside(self, value: Any) -> None:
        """A value of a variable, or of a container whose members are guarded already."""
        if type(value) in ARRAYS or type(value) is ndarray:
            found = self.arrays.setdefault(id(value), Found(value, []))
            self.arrays[id(value)] = found._replace(pinned=True)
        elif type(value) not in _NUMBERS and id(value) not in self._seen:
            self._seen[id(value)] = value
            self._waiting.append(value)

    def _look_into(self, value: Any) -> None:
        if isinstance(value, FunctionType):
            self._function(value)
        elif isinstance(value, MethodType):
            self._inside(value.__self__)
            self._inside(value.__func__)
        elif isinstance(value, functools.partial):
            for part in (value.func, value.args, value.keywords):
                self._inside(part)
        elif isinstance(value, (staticmethod, classmethod)):
            self._inside(value.__func__)
        elif isinstance(value, property):
            self._call(value.fget)
        elif isinstance(value, ModuleType):
            if not _is_of_library(value):
                self._attributes(vars(value))
        elif isinstance(value, type):
            for base in value.__mro__:
                if not _is_of_library(base):
                    self._attributes(vars(base))  # type: ignore[arg-type]
        elif isinstance(value, tuple):
            for member in value:
                self._inside(member)
        elif isinstance(value, (list, deque)):
            self.guards.append((has_members, (value, tuple(value)), True))
            for member in value:
                self._inside(member)
        elif isinstance(value, (bytearray, array_of_numbers)):
            if len(memoryview(value).cast("B")) > SMALL:
                self.refused = f"it reads a {type(value).__name__} of more than {SMALL} bytes, which may change"
            self.guards.append((_has_memory, (value, bytes(value)), True))
        elif isinstance(value, set):
            self.guards.append((_has_same_elements, (value, frozenset(value)), True))
        elif isinstance(value, dict):
            self.guards.append((has_keys, (value, tuple(value)), True))
            for key, member in value.items():
                self._variable(value.get, key, member)
        if _has_attributes(value):
            self._object(value)
        wrapped = (
            getattr(value, "__wrapped__", None) if isinstance(value, FunctionType) or type(value).__module__.startswith("lazynp.") else None
        )
        if wrapped is not None:
            self._inside(wrapped)
            self._call(wrapped)

    def _object(self, value: Any) -> None:
        own = vars(value) if hasattr(value, "__dict__") else {}
        self._attributes(own)
        if own and not self._names.isdisjoint(_ASKING_FOR_ALL):
            self.guards.append((has_keys, (own, tuple(own)), True))
        kind = type(value)
        self._inside(kind)
        for base in kind.__mro__:
            if _is_of_library(base):
                continue
            for name, member in vars(base).items():
                if isinstance(member, FunctionType):
                    if name.startswith("__") and name not in _MAKING:
                        self._call(member)
                elif name in self._names and isinstance(member, MemberDescriptorType):
                    self._slot(member, value)
                elif name in self._names and name not in own and hasattr(value, "__dict__"):
                    self.guards.append((vars(value).get, name, None))  # the object has none of its own

    def _slot(self, member: Any, value: Any) -> None:
        try:
            self._variable(member.__get__, value, member.__get__(value))
        except AttributeError:  # nothing is assigned yet
            self._variable(functools.partial(_slot_or_none, member), value, None)

    def _attributes(self, members: Any) -> None:
        """Those of the names in the dictionary of an object, class or module that the functions mention."""
        everything = type(members) is dict and not self._names.isdisjoint(_ASKING_FOR_ALL)
        for name, value in members.items():
            if (everything or name in self._names) and name != "__wrapped__":
                self._variable(members.get, name, value)

    def _call(self, function: Any) -> None:
        """Python calls a function of the user's without its being mentioned."""
        function = _function_of(function)
        if function is not None and not is_library(function.__code__):
            self._called.add(id(function))
            self._names |= _names_in(function.__code__)
            self._inside(function)

    def _function(self, f: FunctionType) -> None:
        for default in (*(f.__defaults__ or ()), *(f.__kwdefaults__ or {}).values()):
            self._inside(default)
        self._attributes(vars(f))
        if is_library(f.__code__) or not (self._by_name or id(f) in self._called):
            return
        self._names |= _names_in(f.__code__)
        for name in _names_in(f.__code__):
            if name in f.__globals__:
                self._variable(f.__globals__.get, name, f.__globals__[name])
        for cell in f.__closure__ or ():
            self._variable(contents, cell, contents(cell))


_MAKING = frozenset(
    "__init__ __new__ __init_subclass__ __class_getitem__ __repr__ __str__ __format__ __reduce__ __reduce_ex__ __del__".split()
)


def _function_of(value: Any) -> FunctionType | None:
    while isinstance(value, (MethodType, functools.partial)):
        value = value.__func__ if isinstance(value, MethodType) else value.func
    return value if isinstance(value, FunctionType) else None


@functools.lru_cache(4096)
def _names_in(code: CodeType) -> frozenset[str]:
    """The global names and attributes that a function mentions, and functions inside it; texts too, of which it may make names."""
    texts = {c for c in code.co_consts if type(c) is str and c.isidentifier()}
    return texts.union(code.co_names, *[_names_in(c) for c in code.co_consts if type(c) is CodeType])  # type: ignore[return-value]


def _has_attributes(value: Any) -> bool:
    """Whether a value is an object of a class of the user's that has attributes."""
    if isinstance(value, (type, FunctionType, MethodType, ModuleType, Dispatch)):
        return False
    kind = type(value)
    if kind.__module__.partition(".")[0] in ("lazynp", "numpy", "scipy", "builtins", "functools"):
        return False
    return hasattr(value, "__dict__") or any("__slots__" in vars(base) for base in kind.__mro__)


def _is_of_library(value: Any) -> bool:
    """Whether it is a module, function or type that no program changes."""
    if isinstance(value, FunctionType):
        return is_library(value.__code__)
    if isinstance(value, ModuleType):
        return value.__name__.partition(".")[0] in _LIBRARIES
    if isinstance(value, type):
        return value.__module__.partition(".")[0] in _LIBRARIES
    return isinstance(value, (np.ufunc, Dispatch)) or type(value).__name__ == "builtin_function_or_method"


def contents(cell: Any) -> Any:
    """What a closure's cell holds."""
    try:
        return cell.cell_contents
    except ValueError:  # not assigned yet
        return _EMPTY


_EMPTY = object()


def _slot_or_none(member: Any, value: Any) -> Any:
    try:
        return member.__get__(value)
    except AttributeError:
        return None


def has_members(snapshot: tuple[Any, tuple[Any, ...]]) -> bool:
    """Whether a list still has the same members (by identity; numbers by value)."""
    container, members = snapshot
    return len(container) == len(members) and all(a is b or is_same(a, b) for a, b in zip(container, members, strict=True))


def has_keys(snapshot: tuple[Any, tuple[Any, ...]]) -> bool:
    container, keys = snapshot
    return len(container) == len(keys) and all(a is b or a == b for a, b in zip(container, keys, strict=True))


def _has_same_elements(snapshot: tuple[Any, Any]) -> bool:
    container, elements = snapshot
    return bool(container == elements)


def _has_memory(snapshot: tuple[Any, bytes]) -> bool:
    memory, before = snapshot
    return bytes(memory) == before


def has_bytes(snapshot: tuple[Any, bytearray, Any]) -> bool:
    """Whether an array has the bytes it had. A bytearray compares by memcmp, with any buffer."""
    array, before, form = to_numpy(snapshot[0]), *snapshot[1:]
    if (array.shape, array.dtype) != form:
        return False
    return before == array if array.flags.c_contiguous and array.dtype.kind in "biufc" else before == array.tobytes()  # type: ignore[comparison-overlap]


def has_objects(snapshot: tuple[np.ndarray, list[Any], Any]) -> bool:
    """Whether an array of objects, or of records of objects, holds the same ones."""
    array, members, form = snapshot
    if (array.shape, array.dtype) != form:
        return False
    now = array.ravel().tolist()
    return all(a is b or is_same(a, b) or (type(a) is tuple and a == b) for a, b in zip(now, members, strict=True))


def layout(array: Any) -> Any:
    """What decides, beside shape and dtype, what a trace does with an array: whether it may write to it, and what are views of it."""
    return may_write(array), None if array.flags.c_contiguous else array.strides


def form_of(array: np.ndarray) -> Any:
    """What a trace knows of an array that is an input."""
    return array.shape, array.dtype, layout(array)


def has_form(expected: tuple[Callable[[Any], Any], Any, Any]) -> bool:
    """Whether a variable holds an array of the form that it had."""
    read, name, form = expected
    array = read(name)
    return type(array) in ARRAYS and form_of(array) == form
