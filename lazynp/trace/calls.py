"""What rewritten functions call, read and write through: calls reach the user's own functions in their rewritten form and lazynp's
functions in the place of NumPy's; inside a traced body nothing may change Python objects unseen."""

import builtins
import functools
import math
import operator
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import BuiltinFunctionType, FunctionType, GeneratorType, MethodType, ModuleType
from typing import Any

import numpy as np

from lazynp import array as arrays
from lazynp import operands, ordering
from lazynp.api.dispatch import HANDLERS, UfuncBase
from lazynp.api.grids import OBJECTS
from lazynp.array import ndarray
from lazynp.errors import CaptureError
from lazynp.ir.types import LAZY_DTYPES, Symbolic
from lazynp.native import ARRAYS, Caller
from lazynp.ops import elementwise as ew
from lazynp.ops.ranges import doubt_lost
from lazynp.ops.sizes import SymBool, SymFloat, number
from lazynp.runtime.storage import traced_count, tracing
from lazynp.trace import bodies, branches, queues
from lazynp.trace.blocks import sets_globals
from lazynp.trace.collecting import rows_of_one
from lazynp.trace.either import Either
from lazynp.trace.elements import enumerate_, ndenumerate, ndindex, range_, reversed_, zip_
from lazynp.trace.guards import SMALL
from lazynp.trace.outside import array_over, drawing, from_buffer
from lazynp.trace.places import in_body, in_derivative_of_values, touch
from lazynp.trace.printing import print_


def note_variables(f: FunctionType) -> None:
    """A function of the user's is called: it may assign variables of its surroundings."""
    for cell in f.__closure__ or ():
        touch(cell)
    if sets_globals(f.__code__):
        touch(f.__globals__)


def stand_in(f: Any) -> Any:
    """What takes the place of a built-in function or of one of NumPy's; None for other functions."""
    holder = getattr(f, "__self__", None)
    if (ours := drawing(f, holder)) is not None:
        return ours
    if type(holder) in ARRAYS and f.__name__ == "copy" and holder.dtype.kind in "fc" and holder.dtype in LAZY_DTYPES:
        return functools.partial(_copied, holder)
    try:
        return _STAND_INS.get(f) or HANDLERS.get(f)
    except TypeError:  # not hashable
        return None


def _copied(array: np.ndarray, *args: Any, **options: Any) -> Any:
    """array.copy(): it is copied to be written to, and traced values may be what is written."""
    return array.copy(*args, **options) if args or options else arrays.wrap(operands.node_of(array)).copy()


# --- effects: inside a traced body, which runs at another time and as often as it likes -------------------------------------------

_PURE_MODULES = frozenset("numpy scipy lazynp math cmath operator copy numbers typing".split())
_PURE_BUILTINS = frozenset({
    abs, all, any, ascii, bin, callable, chr, divmod, format, getattr, hasattr, hex, issubclass, oct, ord, pow, repr, round, sorted, sum,
})  # fmt: skip
_PLAIN_TYPES = (int, float, complex, bool, str, bytes, tuple, list, dict, set, frozenset, slice, range, object, BaseException, np.generic)
_PURE_METHODS = (int, float, complex, str, bytes, tuple, frozenset, range, slice, np.generic, np.dtype, np.ufunc, Symbolic)
_READING_METHODS = frozenset("copy count get index items keys values isdisjoint issubset issuperset union intersection difference".split())


def is_ours_or_numpys(module: str) -> bool:
    """Whether what a module's functions do can be seen in their results."""
    return module.partition(".")[0] in _PURE_MODULES and "random" not in module


def check_effects(f: Any) -> None:
    """Raises CaptureError for a function that may change something nobody here can see. Notes what a method of a container changes."""
    holder = getattr(f, "__self__", None)
    if isinstance(holder, (list, dict, set)) and type(f) is BuiltinFunctionType:
        if f.__name__ not in _READING_METHODS:
            touch(holder)
    elif type(holder) in ARRAYS and f.__name__ in _WRITING_METHODS:
        touched(holder)
    elif in_body() and not _is_pure(f, holder):
        name = getattr(f, "__qualname__", type(f).__qualname__)
        raise CaptureError(f"a loop or branch over traced values calls {name}, which may do more than return a value")


def only_returns(f: Any) -> bool:
    """Whether a function, or what a module has, is known to do nothing but return values."""
    if isinstance(f, ModuleType):
        return is_ours_or_numpys(f.__name__)
    return f is not print and (stand_in(f) is not None or _is_pure(f, getattr(f, "__self__", None)))


def _is_pure(f: Any, holder: Any) -> bool:
    if isinstance(f, type):
        return issubclass(f, _PLAIN_TYPES) and not _has_own_init(f)
    if type(holder) in (*ARRAYS, ndarray):
        return type(holder) is ndarray or f.__name__ not in _WRITING_METHODS
    if isinstance(holder, _PURE_METHODS):
        return True
    if isinstance(f, (np.ufunc, UfuncBase)) or f in _PURE_BUILTINS:
        return True
    return is_ours_or_numpys(_defined_in(f))


def _defined_in(f: Any) -> str:
    """The module that a callable's code is from, or nothing: `grad(f)` has the name and the module of f, but its code is ours."""
    if type(f) is MethodType:
        return _defined_in(f.__func__)
    if type(f) is FunctionType:
        return f.__globals__.get("__name__") or ""
    if isinstance(f, BuiltinFunctionType | Caller):
        return getattr(f, "__module__", None) or ""
    own = type(f).__module__
    return own if own.startswith(("lazynp.functional.", "lazynp.trace.")) else ""  # a jitted function, a rule of the user's


_WRITING_METHODS = frozenset("fill itemset partition put resize setfield setflags sort byteswap".split())


def _has_own_init(kind: type) -> bool:
    """Whether making an object runs Python code of the user's. That of named tuples is Python's, generated by collections."""
    makers = [getattr(kind, name, None) for name in ("__init__", "__new__", "__post_init__")]
    return any(isinstance(maker, FunctionType) and not _defined_in(maker).startswith("namedtuple_") for maker in makers)


# --- built-in functions of traced numbers --------------------------------------------------------------------------------------


def _is_traced(x: Any) -> bool:
    return isinstance(x, (Symbolic, Either)) or type(x) is ndarray


def _extreme(name: str) -> Any:
    """min or max: of two values the first one, unless the second one is less (greater)."""
    better = operator.lt if name == "min" else operator.gt
    plain = getattr(builtins, name)

    def extreme(*values: Any, **options: Any) -> Any:
        items = values
        if len(values) == 1 and type(values[0]) in (list, tuple, GeneratorType):
            items = tuple(values[0])
            values = (items,)
        if options or len(items) < 2 or not any(map(_is_traced, items)):
            return plain(*values, **options)
        best = items[0]
        for item in items[1:]:
            best = branches.choose(better(item, best), lambda item=item: item, lambda best=best: best)
        return best

    return extreme


def _converted() -> None:
    """A traced value is about to become a traced number. Raises CaptureError where it would be a plain one outside of jit."""
    if in_derivative_of_values():
        raise CaptureError("a number made of a traced value: outside of jit it is a constant of the derivative")


def _int(*args: Any, **options: Any) -> Any:
    if len(args) != 1 or options or not _is_traced(args[0]):
        return int(*args, **options)
    _converted()
    node = operands.node_of(_scalar(args[0]))
    if node.dtype.kind == "f":
        queues.doubt(ew.outgrows(ew.cast(node, to=np.dtype(float))))
    elif node.dtype == np.uint64:
        doubt_lost(node, np.dtype(np.int64))
    return number(ew.cast(node if node.dtype.kind in "biu" else ew.trunc(node), to=np.dtype(np.int64)))


def _float(*args: Any) -> Any:
    if len(args) != 1 or not _is_traced(args[0]):
        return float(*args)
    _converted()
    return SymFloat(ew.as_node(operands.node_of(_scalar(args[0])), np.dtype(float)))


def _complex(*args: Any, **options: Any) -> Any:
    """complex(x) or complex(re, im): a NumPy scalar, as what a loop carries of Python's complex numbers."""
    if options or not any(map(_is_traced, args)):
        return complex(*args, **options)
    _converted()
    nodes = [operands.node_of(_scalar(a)) for a in args]
    if len(nodes) == 2 and "c" in [n.dtype.kind for n in nodes]:
        raise CaptureError("complex() of a real and an imaginary part that are complex themselves")
    value = (
        ew.make_complex(*[ew.as_node(n, np.dtype(float)) for n in nodes]) if len(nodes) == 2 else ew.as_node(nodes[0], np.dtype(complex))
    )
    number = arrays.wrap(value)
    number._scalar = True
    return number


def _of_type(kind: type[np.generic]) -> Any:
    """np.float32 and its like. NumPy's scalars are cast; a Python number must fit into an integer, which is asked at run time."""
    dtype = np.dtype(kind)

    def make(*args: Any, **options: Any) -> Any:
        x = args[0].settled() if len(args) == 1 and type(args[0]) is Either else args[0] if len(args) == 1 else None
        if options or not _is_traced(x) or (dtype.kind != "c" and operands.node_of(x).dtype.kind == "c"):
            return kind(*args, **options)
        _converted()
        if isinstance(x, Symbolic) and dtype.kind in "iu":
            x, limits = _int(x), np.iinfo(dtype)
            node = operands.node_of(x)
            queues.doubt(ew.logical_or(ew.less(node, int(limits.min)), ew.greater(node, min(int(limits.max), 2**63 - 1))))
        value = arrays.wrap(ew.as_node(operands.node_of(x), dtype))
        value._scalar = not value.shape
        return value

    return make


def _scalar(x: Any) -> Any:
    """A traced value with one element as one without axes."""
    if type(x) is ndarray and x.shape:
        raise CaptureError("int() or float() of a traced array")
    return x.value() if type(x) is Either else x


def _bool(*args: Any) -> Any:
    if len(args) != 1 or not branches.is_traced(args[0]):
        return bool(*args)
    _converted()
    return SymBool(bodies.truth(args[0]))


def _len(x: Any) -> Any:
    return x.shape[0] if type(x) is ndarray and x.shape else len(x)


def _isinstance(x: Any, kinds: Any) -> bool:
    if type(x) is Either:
        first, second = (_isinstance(part, kinds) for part in (x.first, x.second))
        return first if first == second else SymBool(x.test() if first else ew.logical_not(x.test()))
    if type(x) is ndarray and x._scalar:
        return isinstance(x.dtype.type(0), kinds)
    return isinstance(x.kind(0), kinds) if isinstance(x, Symbolic) else isinstance(x, _with_ours(kinds))


def _with_ours(kinds: Any) -> Any:
    if type(kinds) is tuple:
        return tuple([_with_ours(k) for k in kinds])
    return (kinds, ndarray) if kinds is np.ndarray else kinds


def _compared(function: Any) -> Any:
    """allclose or array_equal: a truth value of the trace where arrays of it are compared, which no `bool()` may ask for."""

    def compare(a: Any, b: Any, *args: Any, **options: Any) -> Any:
        if not any(map(_is_traced, (a, b))) or in_derivative_of_values():
            return HANDLERS[function](a, b, *args, **options)
        if function is np.allclose:
            close = HANDLERS[np.isclose](a, b, *args, **options)
        elif args or options or np.shape(a) != np.shape(b):
            return HANDLERS[function](a, b, *args, **options)
        else:
            close = arrays.hooks.ufunc(np.equal, "__call__", (a, b), {})
        return SymBool(bodies.truth(HANDLERS[np.all](close)))

    return compare


def _type(*args: Any, **options: Any) -> Any:
    if len(args) == 1 and not options:
        if type(args[0]) is Either:
            return _type(args[0].settled())
        if isinstance(args[0], Symbolic):
            return args[0].kind
        if type(args[0]) is ndarray:
            return args[0].dtype.type if args[0]._scalar else np.ndarray
    return type(*args, **options)


def _with_arrays(values: Any) -> Any:
    """Lists and tuples in which traced numbers are arrays without axes, which NumPy's functions can join."""
    if type(values) in (list, tuple):
        return type(values)([_with_arrays(v) for v in values])
    values = values.settled() if type(values) is Either else values
    return arrays.wrap(values.node) if isinstance(values, Symbolic) else values


def _joining(function: Any) -> Any:
    """A function that joins a list of arrays: rows of one array are not taken apart first."""

    def join(values: Any, *args: Any, **options: Any) -> Any:
        array = None if args or options.keys() - {"axis"} else rows_of_one(values)
        values = _with_arrays(values) if array is None else values
        if array is not None and function is np.stack:
            return ordering.copy_of(HANDLERS[np.moveaxis](array, 0, options.get("axis", 0)), "C")
        if array is None or options:
            return HANDLERS[function](values, *args, **options)
        if function is np.concatenate and array.ndim > 1:
            return array.reshape(-1, *array.shape[2:])
        return array if function in (np.array, np.asarray) else HANDLERS[function](values)

    return join


def _mathematical(function: Any, ufunc: np.ufunc) -> Any:
    """A function of the module math, also of traced numbers. It raises errors where the ufunc gives infinities and NaNs."""

    def call(*args: Any) -> Any:
        if not any(map(_is_traced, args)):
            return function(*args)
        _converted()
        nodes = [ew.as_node(operands.node_of(_scalar(a)), np.dtype(float)) for a in args]
        result = ew.UFUNCS[ufunc][0](*nodes)
        queues.doubt(ew.logical_not(ew.isfinite(result)))
        return SymFloat(result)

    return call


def _rounded(function: Any, ufunc: np.ufunc) -> Any:
    """math.floor or math.ceil: an integer."""
    return lambda x: _int(arrays.wrap(ew.UFUNCS[ufunc][0](operands.node_of(_float(x))))) if _is_traced(x) else function(x)


def _to_nearest(*args: Any, **options: Any) -> Any:
    """round(x): an integer. With a number of digits it is NumPy's affair, or, of Python's numbers, its own."""
    args = tuple([x.settled() if type(x) is Either else x for x in args])
    x = args[0] if args else None
    is_number = isinstance(x, Symbolic) or (type(x) is ndarray and x._scalar)
    kind = operands.node_of(x).dtype.kind if is_number and _is_traced(x) and not options else ""
    if type(x) is ndarray and kind == "f" and len(args) == 2 and type(args[1]) is int:
        return x.round(args[1])
    if len(args) != 1 or kind not in tuple("iuf"):
        return round(*args, **options)
    return _int(arrays.wrap(ew.rint(operands.node_of(x)))) if kind == "f" else _int(x)


def _told(function: Any, ufunc: np.ufunc) -> Any:
    """math.isnan and its like: a truth value."""
    return lambda x: _bool(arrays.wrap(ew.UFUNCS[ufunc][0](operands.node_of(_float(x))))) if _is_traced(x) else function(x)


_SAME_NAMES = "sqrt exp expm1 log1p log2 log10 sin cos tan sinh cosh tanh hypot fabs copysign".split()
_OTHER_NAMES = {
    "asin": np.arcsin, "acos": np.arccos, "atan": np.arctan, "atan2": np.arctan2, "asinh": np.arcsinh, "acosh": np.arccosh,
    "atanh": np.arctanh, "radians": np.radians, "degrees": np.degrees, "pow": np.float_power, "fmod": np.fmod,
}  # fmt: skip
_MATH = {n: getattr(np, n) for n in _SAME_NAMES} | _OTHER_NAMES


def _logarithm(*args: Any) -> Any:
    natural = _mathematical(math.log, np.log)
    return natural(args[0]) / natural(args[1]) if len(args) == 2 and any(map(_is_traced, args)) else natural(*args)


_STAND_INS: dict[Any, Any] = {
    **{getattr(math, name): _mathematical(getattr(math, name), ufunc) for name, ufunc in _MATH.items()},
    math.log: _logarithm, math.floor: _rounded(math.floor, np.floor), math.ceil: _rounded(math.ceil, np.ceil),
    math.trunc: _rounded(math.trunc, np.trunc), round: _to_nearest,
    **{f: _told(f, ufunc) for f, ufunc in ((math.isnan, np.isnan), (math.isinf, np.isinf), (math.isfinite, np.isfinite))},
    **{f: _compared(f) for f in (np.allclose, np.array_equal)},
    **{f: _joining(f) for f in (np.array, np.asarray, np.stack, np.concatenate)},
    range: range_, enumerate: enumerate_, zip: zip_, reversed: reversed_, min: _extreme("min"), max: _extreme("max"),
    np.ndindex: ndindex, np.ndenumerate: ndenumerate, print: print_, isinstance: _isinstance, type: _type,
    **{dtype.type: _of_type(dtype.type) for dtype in LAZY_DTYPES},
    np.ndarray: array_over, np.frombuffer: from_buffer, int: _int, float: _float, complex: _complex, bool: _bool, len: _len,
}  # fmt: skip


# --- reading and writing -----------------------------------------------------------------------------------------------------


class _Reading(threading.local):
    """How the trace under way reads large NumPy arrays from outside. varying: smaller ones that are inputs too, by identity; known: all
    that the function can reach, which no trace writes to; as_values: none is an input, because the function needs their values; met:
    whether one was."""

    def __init__(self) -> None:
        self.varying: dict[int, Any] = {}
        self.known: dict[int, Any] = {}
        self.as_values = self.met = False


_reading = _Reading()


@contextmanager
def reading(varying: dict[int, Any], known: dict[int, Any], as_values: bool) -> Iterator[_Reading]:
    """A trace of a jitted function."""
    before = vars(_reading).copy()
    _reading.varying, _reading.known, _reading.as_values, _reading.met = varying, known, as_values, False
    try:
        yield _reading
    finally:
        vars(_reading).clear()
        vars(_reading).update(before)


def as_input(x: Any) -> Any:
    """What an operator, a method or an index finds in the place of x: a large NumPy array from outside is an input of the program, read
    again at every call; NumPy itself would read it now, once."""
    if type(x) not in ARRAYS or not (x.nbytes > SMALL or id(x) in _reading.varying) or x.dtype not in LAZY_DTYPES:
        return x
    if _reading.as_values or not tracing() or not queues.under_jit():
        return x
    _reading.met = True
    handle = arrays.wrap(operands.node_of(x))
    handle._readonly = True
    return handle


def _check_unshared(x: np.ndarray) -> None:
    """Raises CaptureError for a NumPy array that the function finds outside: a compiled call would not write to it."""
    array: Any = x
    while isinstance(array, np.ndarray):
        if id(array) in _reading.known:
            raise CaptureError("it writes to an array from outside, which a compiled call would not: pass it as an argument")
        array = array.base


class _Table:
    """A NumPy array that may be read at a traced index."""

    __slots__ = ("array",)

    def __init__(self, array: np.ndarray) -> None:
        self.array = array

    def __getitem__(self, index: Any) -> Any:
        items = index if type(index) is tuple else (index,)
        if not any(_is_traced(i) or (type(i) is slice and any(map(_is_traced, (i.start, i.stop, i.step)))) for i in items):
            return as_input(self.array)[index]
        return arrays.wrap(operands.node_of(self.array))[index]


_GRIDS = {type(getattr(np, name)): ours for name, ours in OBJECTS.items()}
"""NumPy's objects that make arrays of what they are indexed with, such as np.r_ -> lazynp's."""


def indexed(x: Any) -> Any:
    """What is indexed where the user's function reads x[...]."""
    if type(x) in ARRAYS:
        return _Table(x) if tracing() else x
    return _GRIDS[type(x)] if type(x) in _GRIDS and tracing() else x


def target(x: Any) -> Any:
    """What is written to where the user's function writes x[...] = value, or deletes x[...]."""
    touched(x)
    if isinstance(x, list) and in_body():
        for item in x:
            touched(item)
    return x


def touched(x: Any) -> Any:
    """Note that x may be changed in place."""
    if isinstance(x, (list, dict, set)):
        touch(x)
    elif isinstance(x, (np.ndarray, bytearray)) and type(x) is not ndarray:
        if in_body():
            raise CaptureError("a loop or branch over traced values writes to an array that was made outside of the trace")
        _check_unshared(x)  # type: ignore[arg-type]
    return x


class tried:  # noqa: N801
    """Around the statements of a `try` with handlers: what they record may fail when the program runs, where nobody would handle it."""

    def __enter__(self) -> None:
        self.before = traced_count.values

    def __exit__(self, kind: Any, error: Any, where: Any) -> None:
        if isinstance(error, CaptureError):
            raise bodies.Escape(error) from None
        if error is None and traced_count.values != self.before and queues.under_jit():
            raise bodies.Escape(CaptureError("a `try` with handlers around traced operations: their errors come when the program runs"))


def owner(x: Any, name: str, in_place: bool) -> Any:
    """The object of which the user's function sets or deletes the attribute. in_place: what is there may change itself instead."""
    attributes = getattr(x, "__dict__", None)
    if isinstance(attributes, dict):
        touch(attributes)
        if in_place:
            touched(attributes.get(name))
    if in_body() and type(x) is not ndarray:
        if (
            not isinstance(attributes, dict)
            or type(x).__setattr__ is not object.__setattr__
            or hasattr(getattr(type(x), name, None), "__set__")
        ):
            raise CaptureError(f"a loop or branch over traced values sets the attribute {name} of a {type(x).__name__}")
    return x
