"""Objects whose methods Python calls by itself: for operators, subscripts, `with`, truth values. These methods are not rewritten, so what
they may change is noted before a body runs that can reach them."""

from collections.abc import Iterable, Iterator
from types import CellType, CodeType, FunctionType
from typing import Any
from weakref import WeakKeyDictionary

from lazynp.trace.places import contents, touch

_MOST = 1000
"""Holders that are looked through: a model of many layers has no such methods, or few of its layers are at hand."""
_HARMLESS = frozenset(
    "__init__ __new__ __init_subclass__ __class_getitem__ __repr__ __str__ __format__ __hash__ __eq__ __reduce__ __reduce_ex__ "
    "__del__ __call__".split()
)
"""Called by name, or when nothing is traced. `__call__` is rewritten like any function."""
_known: "WeakKeyDictionary[type, bool]" = WeakKeyDictionary()


def touch_reachable(functions: Iterable[FunctionType]) -> None:
    """Note the contents of the objects with such methods that the functions can reach by their variables."""
    for f in functions:
        touch_objects(_variables(f))


def touch_objects(values: Iterable[Any]) -> None:
    """Note the contents of those among the values that have such methods, and of what they hold."""
    stack = [x for x in values if _has_own_syntax(type(x))]
    seen: set[int] = set()
    while stack and len(seen) < _MOST:
        x = stack.pop()
        if id(x) in seen:
            continue
        seen.add(id(x))
        holder = x if isinstance(x, (list, dict, set)) else getattr(x, "__dict__", None)
        if isinstance(holder, (list, dict, set)):
            touch(holder)
            stack += [v for v in contents(holder).values() if isinstance(v, (list, dict, set)) or _is_made_in_python(type(v))]


def _variables(f: FunctionType) -> Iterator[Any]:
    for cell in f.__closure__ or ():
        if type(cell) is CellType:
            yield from contents(cell).values()
    for name in _names(f.__code__):
        if name in f.__globals__:
            yield f.__globals__[name]


def _names(code: CodeType) -> set[str]:
    return set(code.co_names).union(*[_names(c) for c in code.co_consts if type(c) is CodeType])


def _is_made_in_python(kind: type) -> bool:
    """By others than lazynp, whose own objects remember things that no program sees: derived functions, families of distributions."""
    return bool(kind.__flags__ & (1 << 9)) and kind.__module__.partition(".")[0] != "lazynp"  # Py_TPFLAGS_HEAPTYPE


def _has_own_syntax(kind: type) -> bool:
    if not _is_made_in_python(kind):
        return False
    found = _known.get(kind)
    if found is None:
        names = [n for base in kind.__mro__ for n, f in vars(base).items() if type(f) is FunctionType]
        found = _known[kind] = any(n.startswith("__") and n.endswith("__") and n not in _HARMLESS for n in names)
    return found
