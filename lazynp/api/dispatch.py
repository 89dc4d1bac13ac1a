"""From a NumPy function to ours: `implements` registers what runs when an operand is lazy; everything else goes to NumPy itself.

A public function has NumPy's name, signature and docstring. If no operand is lazy it calls NumPy on the plain arrays and wraps the result;
if one
is, it records the lazy implementation; what an implementation cannot express (`Unsupported`) goes through NumPy too, counted.
"""

import functools
import operator
import warnings
from collections.abc import Callable, Iterable
from types import MethodType
from typing import Any

import numpy as np

from lazynp import array as arrays
from lazynp import operands, operators, selection
from lazynp.api.keywords import are_unusual
from lazynp.array import is_pending, ndarray
from lazynp.config import settings
from lazynp.errors import CaptureError, LazynpError, user_position, with_origin
from lazynp.ir.types import NotLazy
from lazynp.native import ARRAYS, Caller, called_directly, connect, tracing_count, watched
from lazynp.runtime.stats import record_fallback
from lazynp.runtime.storage import queue, tracing
from lazynp.selection import Selection

HANDLERS: dict[Any, Callable[..., Any]] = {}
"""NumPy function -> our public function: what `__array_function__` looks up."""

LAZY: dict[Any, Callable[..., Any]] = {}
"""NumPy function -> its lazy implementation: what the table of names calls LAZY or COMPOSED."""


FORMULAS: dict[Any, Callable[..., Any]] = {}
"""NumPy function -> its own definition on lazynp's names: in a trace, for arguments that the lazy implementation cannot express."""


class Unsupported(Exception):
    """Raised by a lazy implementation for arguments that it leaves to NumPy."""


def _mentions(value: Any, test: Callable[[Any], bool]) -> bool:
    """Whether an argument, or a member of a list or tuple (two levels deep), passes the test."""
    kind = type(value)
    if kind is list or kind is tuple:
        return any(test(v) or (type(v) in (list, tuple) and any(map(test, v))) for v in value)
    return test(value)


def any_lazy(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether some argument is pending or large."""
    return any(_mentions(a, operands.is_lazy) for a in args) or any(_mentions(a, operands.is_lazy) for a in kwargs.values())


def _any_selection(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    return any(_mentions(a, _is_selection) for a in args) or any(_mentions(a, _is_selection) for a in kwargs.values())


def _is_selection(value: Any) -> bool:
    return type(value) is Selection


_KNOWN = frozenset({ndarray, *ARRAYS, Selection, int, float, bool, complex, str, type, type(None), slice, np.dtype, np.float64, np.int64})


def any_foreign(values: Iterable[Any], depth: int = 2) -> bool:
    """Whether an argument, or a member of a list or tuple, is another package's array that NumPy would ask: CuPy's, dask's, xarray's."""
    for value in values:
        kind = type(value)
        if kind is list or kind is tuple:
            if depth and any_foreign(value, depth - 1):
                return True
        elif kind not in _KNOWN and hasattr(kind, "__array_function__") and not issubclass(kind, np.ndarray):
            if not kind.__module__.startswith("lazynp"):
                return True
    return False


def is_small_product(function: Any, args: tuple[Any, ...]) -> bool:
    """Whether a function is a product of arrays that are there, with a small result. NumPy's BLAS computes it at once as fast as ours
    would, and there is next to nothing to fuse it with; recording it costs more than a product of a row and a column."""
    if (
        function not in operators.PRODUCTS
        or len(args) != 2
        or not all(isinstance(a, (np.ndarray, ndarray)) and not is_pending(a) for a in args)
    ):
        return False
    return _is_small(*args)


def is_present_product(function: Any, args: tuple[Any, ...]) -> bool:
    """The same for NumPy's and our arrays alone, as fast as can be."""
    if function not in operators.PRODUCTS or len(args) != 2:
        return False
    for a in args:
        kind = type(a)
        if kind is ndarray:
            if a._scalar or (a._storage is not None and a._storage.node is not None):
                return False
        elif kind not in ARRAYS:
            return False
    return _is_small(*args)


def _is_small(a: Any, b: Any) -> bool:
    if a.ndim == 0 or b.ndim == 0:
        return False
    shared = max(a.shape[-1], 1)
    return bool(a.size // shared * (b.size // shared) < settings.lazy_threshold)


def unwrapped(value: Any, depth: int = 0) -> Any:
    """An argument for NumPy: our arrays, also inside lists, tuples and dicts, as NumPy's over the same memory, scalars as NumPy's.

    A container that holds none of ours is returned itself: NumPy may write to a list (`shuffle`) or keep its items. Containers deeper than
    NumPy's arrays can be, such as a list that holds itself, are left alone."""
    kind = type(value)
    if kind is ndarray:
        return arrays.to_numpy(value)[()] if value._scalar else arrays.exported(value)
    if kind is watched:
        return value.view(np.ndarray)  # another operand may be of a subclass, which decides before NumPy's own arrays only
    if kind is Selection:
        return arrays.exported(value.compute())
    if kind is list or kind is tuple or kind is dict:
        return _unwrapped_container(value, kind, depth)
    if kind is UfuncBase or isinstance(value, UfuncBase):
        return value.numpy
    return value


def _unwrapped_container(value: Any, kind: type, depth: int) -> Any:
    if depth > _DEEPEST:
        return value
    items = value.values() if kind is dict else value
    plain = [unwrapped(v, depth + 1) for v in items]
    if all(map(operator.is_, plain, items)):
        return value
    return dict(zip(value, plain, strict=True)) if kind is dict else kind(plain)


_DEEPEST = 64
"""The most axes a NumPy array can have."""


class UfuncBase:
    """Base of our ufunc objects, so that NumPy functions that take a ufunc get NumPy's."""

    numpy: np.ufunc


def wrapped(result: Any) -> Any:
    """A NumPy result as lazynp hands it out; tuples, named tuples and lists element by element."""
    if type(result) in ARRAYS:
        return arrays.from_numpy(result)
    if isinstance(result, tuple):
        parts = [wrapped(r) for r in result]
        if all(map(operator.is_, parts, result)):
            return result
        return type(result)(*parts) if hasattr(result, "_fields") or type(result).__module__.startswith("numpy") else tuple(parts)
    if type(result) is list:
        items = [wrapped(r) for r in result]
        return result if all(map(operator.is_, items, result)) else items
    return result


def through_numpy(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """NumPy's function on the plain arrays. Where NumPy returns an argument itself (`out`, `asarray`), so does this."""
    plain = [unwrapped(a) for a in args]
    named = {k: unwrapped(v) for k, v in kwargs.items()} if kwargs else kwargs
    result = operands.called(function, plain, named)
    if kwargs and "out" in named and result is named["out"]:
        return kwargs["out"]
    if type(result) in ARRAYS:
        for position, handed in enumerate(plain):
            if handed is result:
                return args[position]
        return arrays.from_numpy(result)
    return wrapped(result)


FASTER: dict[Callable[..., Any], Callable[..., Any]] = {}
"""NumPy functions -> what computes their results from NumPy's arrays in less time."""


def sync(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """The same, counted as a fallback of the user's line when something lazy was forced for it."""
    if any_lazy(args, kwargs):
        record_fallback(function.__name__)
    result = through_numpy(FASTER.get(function, function), args, kwargs)
    if tracing_count.depth and tracing():
        refuse_lost_derivative(function, (*args, *kwargs.values()), result)
    return result


def refuse_lost_derivative(function: Callable[..., Any], args: tuple[Any, ...], result: Any) -> None:
    """What NumPy computed is a constant; where a derivative is asked for, that would be a silent zero."""
    here = queue()

    def depends(x: Any) -> bool:
        x = x.compute() if type(x) is Selection else x
        return (
            type(x) is ndarray
            and x.size
            and x._storage is not None
            and x._storage.node is not None
            and here.differentiates(x._storage.node)
        )

    parts = result if isinstance(result, (tuple, list)) else (result,)
    known = result is not None and not any(getattr(p, "dtype", np.dtype(bool)).kind in "fcO" for p in parts)
    if not known and any(_mentions(a, depends) for a in args):  # None: of a function that writes into its arguments
        raise with_origin(TypeError(f"lazynp.grad: {full_name(function)} has no derivative"), user_position())


def full_name(function: Any) -> str:
    """ "numpy.unwrap", "scipy.linalg.schur": the public module and the name."""
    owner = getattr(function, "__self__", None)
    if isinstance(owner, np.ufunc):
        module = "numpy." if getattr(np, owner.__name__, None) is owner else ""
        return module + owner.__name__ + ("" if function.__name__ == "__call__" else f".{function.__name__}")
    if getattr(function, "__objclass__", None) is np.ndarray:
        return f"numpy.ndarray.{function.__name__}"
    module = ".".join([part for part in str(getattr(function, "__module__", "") or "numpy").split(".")[:2] if not part.startswith("_")])
    return f"{module if module.startswith(('scipy', 'numpy.')) else 'numpy'}.{function.__name__}"


def into(result: Any, out: Any, casting: Any = "same_kind") -> Any:
    """The result, written into `out` if there is one. What does not simply fit is left to NumPy, which does it or says why not."""
    if out is None:
        return result
    if type(out) not in (ndarray, *ARRAYS) or result.shape != out.shape or not np.can_cast(result.dtype, out.dtype, casting):
        raise Unsupported
    if not arrays.may_write(out):
        raise ValueError("output array is read-only")
    out[...] = np.asarray(result) if isinstance(result, np.generic) else result  # cast, as by a ufunc: a number would have to fit
    return out


def any_given(*options: Any) -> bool:
    """Whether any of these keywords, whose default is NumPy's "no value", was given."""
    return any(option is not np._NoValue for option in options)


def implements(*functions: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register the lazy implementation of NumPy functions (aliases of one); returns the public function."""

    def register(lazy: Callable[..., Any]) -> Callable[..., Any]:
        for function in functions:
            LAZY[function] = lazy
            HANDLERS[function] = _public(function, lazy)
        return HANDLERS[functions[0]]

    return register


def inspects(function: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a function that only looks at shapes, dtypes or addresses of our arrays: nothing is recorded, nothing computed."""

    def register(look: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            if any(type(a) is ndarray for a in args):
                return look(*args, **kwargs)
            return operands.called(function, args, kwargs)

        LAZY[function] = look
        HANDLERS[function] = _named_like(function, call)
        return look

    return register


@called_directly
class function(Caller):  # noqa: N801  (as Python's own)
    """A public function: NumPy's at once for small arguments, `general` for lazy or large ones and in a trace."""

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        """A method where NumPy's function is one: as an attribute of a class, numpy.array is no method, being built in."""
        return self if instance is None or not hasattr(type(self.numpy), "__get__") else MethodType(self, instance)

    def __reduce__(self) -> Any:
        return _public_of, (self.numpy,)

    def __eq__(self, other: object) -> bool:
        """NumPy hands an object's __array_function__ its own function: a table of the object's class by ours finds it."""
        return other is self or other is self.numpy

    def __hash__(self) -> int:
        return hash(self.numpy)

    def __repr__(self) -> str:
        return f"<function {self.__qualname__} of lazynp>"


def _public_of(numpys: Any) -> Any:
    return HANDLERS[numpys]


_CATCHING = frozenset({np.array_equal, np.array_equiv})
"""Functions to which what cannot be converted is unequal: an error about an __array__ that makes an array of ours stays inside."""


def _public(original: Any, lazy: Callable[..., Any]) -> Callable[..., Any]:
    def general(*args: Any, **kwargs: Any) -> Any:
        if args and type(args[0]) is Selection:
            return selection.call(original, args, kwargs)
        if tracing_count.depth and _any_selection(args, kwargs):
            args, kwargs = selection.computed(args), selection.computed(kwargs)
        if any_foreign(args) or (kwargs and any_foreign(kwargs.values())):
            return sync(original, *args, **kwargs)
        if original in _CATCHING:
            args = tuple([operands.from_array_method(a) for a in args])
        if (tracing_count.depth and tracing()) or (any_lazy(args, kwargs) and not (is_small_product(original, args) and not kwargs)):
            if operands.short_here(args):
                result = through_numpy(original, args, kwargs)
                if not any(_is_view_of(result, a) for a in args):
                    return result
            try:
                if (len(args) > 1 or kwargs) and are_unusual(original, args, kwargs):
                    refuse(original, args, kwargs)
                return operands.recorded(lazy, *args, **kwargs)
            except (NotLazy, Unsupported, OverflowError):  # a Python integer that the dtype does not hold: NumPy decides
                return _as_defined(original, args, kwargs)
            except (ValueError, TypeError, IndexError) as error:
                if operands.NO_ARRAY in str(error):
                    return general(*map(operands.from_array_method, args), **kwargs)
                raise numpys_error(original, args, kwargs, error) from None
        return through_numpy(original, args, kwargs)

    return _named_like(original, function(original, general))


def _is_view_of(result: Any, x: Any) -> bool:
    """Whether what NumPy returned shows the memory of an array of ours, so that it should be a view of that array."""
    if type(result) is not ndarray or type(x) is not ndarray or result is x or result._storage is None or x._storage is None:
        return False
    shown, memory = result._storage.buffer.base, x._storage.buffer
    return shown is not None and (shown is memory or shown is memory.base)


_MOST_STAND_INS = 1 << 24
"""Elements that NumPy may have to look at only to say what is wrong."""


def numpys_error(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], ours: BaseException) -> BaseException:
    """What NumPy raises for a call that a lazy implementation refused: its words, for arrays of the same shapes and dtypes. Ours if
    NumPy takes the call (the error is about derivatives, or about values)."""
    if isinstance(ours, LazynpError) or getattr(ours, "lazynp_ran", False):  # of the values, which stand-ins do not have
        return ours
    error = _refusal(function, args, kwargs)
    return ours if error is None or "read-only" in str(error) else error  # only the stand-ins are read-only


def refuse(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Raise what NumPy raises for a call with unusual options, if anything."""
    error = _refusal(function, args, kwargs)
    if isinstance(error, (TypeError, ValueError)) and not isinstance(error, np.linalg.LinAlgError) and "read-only" not in str(error):
        error.lazynp_ran = True  # type: ignore[attr-defined]  # NumPy's own
        raise error


def _refusal(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> BaseException | None:
    """What NumPy raises for arrays of the same shapes and dtypes as these. None also where that would take long to find out."""
    total = 0

    def stand_in(value: Any) -> Any:
        nonlocal total
        kind = type(value)
        if kind is list or kind is tuple:
            return kind([stand_in(v) for v in value])
        if kind is UfuncBase or isinstance(value, UfuncBase):
            return value.numpy
        if kind is not ndarray:
            return value
        total += value.size
        flat = np.broadcast_to(np.ones((), value.dtype), value.shape)
        return flat[()] if value._scalar else flat

    plain, named = stand_in(args), {name: stand_in(v) for name, v in kwargs.items()}
    if "out" in named:
        named["out"] = _written_to(kwargs["out"])
    if total > _MOST_STAND_INS:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            function(*plain, **named)
    except Exception as error:
        return error.with_traceback(None)
    return None


def _written_to(out: Any) -> Any:
    """New memory of the same shape and dtype for the outputs of a call that is only tried."""
    if type(out) is tuple:
        return tuple(map(_written_to, out))
    if type(out) not in (ndarray, *ARRAYS):
        return out
    fresh = np.empty(out.shape, out.dtype)
    fresh.flags.writeable = arrays.may_write(out)
    return fresh


def _as_defined(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """In a trace NumPy's own formula, if it is one, so that it has a derivative; else NumPy's answer."""
    if tracing_count.depth and tracing() and function in FORMULAS:
        try:
            return operands.recorded(FORMULAS[function], *args, **kwargs)
        except (NotLazy, Unsupported, CaptureError):
            return sync(function, *args, **kwargs)
    return sync(function, *args, **kwargs)


def synced(original: Any) -> Callable[..., Any]:
    """The public function of a NumPy function, or another package's, that always goes through it."""

    def general(*args: Any, **kwargs: Any) -> Any:
        return _as_defined(original, args, kwargs)

    public = HANDLERS.get(original)
    if public is None:
        numpys = str(getattr(original, "__module__", "")).startswith("numpy")
        public = HANDLERS[original] = _named_like(original, function(original, general) if numpys else general)
    return public


def _named_like(original: Any, call: Callable[..., Any]) -> Callable[..., Any]:
    functools.update_wrapper(call, original, assigned=("__name__", "__qualname__", "__doc__"), updated=())
    call.__module__ = "lazynp"
    return call


def offered(original: Any, lazy: Callable[..., Any] | None) -> Any:
    """lazynp's object for a public name of another package: its function, with a lazy implementation if there is one, or what is no
    function as it is."""
    if not callable(original) or isinstance(original, type):
        return original
    if original not in HANDLERS:
        return implements(original)(lazy) if lazy is not None else synced(original)
    return HANDLERS[original]


_CONVERSIONS = frozenset({np.atleast_1d, np.atleast_2d, np.atleast_3d})
"""Functions by which other packages turn what a user's function returned into NumPy's arrays: compiled code of SciPy's that gets the
result of numpy.atleast_1d takes no other type. Called by these names of NumPy's they return NumPy's arrays, outside a trace."""


def array_function(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """`__array_function__`: NumPy was called with one of our arrays."""
    if function in _CONVERSIONS and not tracing():
        return function(*unwrapped(args))
    public = HANDLERS.get(function)
    return public(*args, **kwargs) if public is not None else _as_defined(function, args, kwargs)


def _item(array: np.ndarray, index: Any) -> Any:
    return operands.lazy(array)[index]


arrays.hooks.function = array_function
connect(ndarray, arrays.from_numpy, wrapped, lambda name, a, b: operators.elementwise(getattr(np, name), a, b), _item)
