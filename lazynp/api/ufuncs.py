"""Our ufunc objects: NumPy's, with a lazy road. Methods and keywords as NumPy's; what has no op goes through NumPy."""

import warnings
from functools import lru_cache, wraps
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from lazynp import array as arrays
from lazynp import indexing, operands, operators, views
from lazynp.api.dispatch import (
    UfuncBase,
    Unsupported,
    any_lazy,
    into,
    is_present_product,
    is_small_product,
    numpys_error,
    refuse,
    sync,
    through_numpy,
    unwrapped,
)
from lazynp.api.keywords import are_unusual
from lazynp.array import ndarray, wrap
from lazynp.config import settings
from lazynp.errors import CaptureError
from lazynp.ir.node import Node
from lazynp.ir.op import Kind
from lazynp.ir.types import LAZY_DTYPES, NotLazy, Symbolic
from lazynp.native import ARRAYS, Caller, called_directly, short_ufunc, tracing_count
from lazynp.operands import named, node_of, operand
from lazynp.ops import elementwise as ew
from lazynp.ops import reduction as red
from lazynp.ops.contraction import matmul
from lazynp.ops.movement import broadcast, broadcast_shape, join, permute, reshape
from lazynp.ordering import wrap_like, wrap_reduced
from lazynp.runtime.storage import tracing
from lazynp.selection import Selection, apply, computed
from lazynp.views import assign


class _UfuncType(type):
    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, np.ufunc) or type.__instancecheck__(cls, instance)


def _in_numpys_words(method: Any) -> Any:
    """A method whose wrong arguments Python reports as those of NumPy's, and which takes `...` as an output by its keyword only."""
    place = method.__code__.co_varnames.index("out")

    @wraps(method)
    def call(*args: Any, **options: Any) -> Any:
        if len(args) > place and args[place] is Ellipsis:
            raise TypeError("out=... is only allowed as a keyword argument.")
        return method(*args, **options)

    method.__qualname__ = method.__name__
    return call


@called_directly
class ufunc(UfuncBase, Caller, metaclass=_UfuncType):  # noqa: N801  (NumPy's name)
    """A NumPy ufunc whose operations on lazy arrays are recorded. `numpy` is the ufunc itself; NumPy's other ufuncs are instances too."""

    def __init__(self, numpy: np.ufunc) -> None:
        super().__init__(numpy, lambda *args, **options: call_ufunc(numpy, args, options))
        self.__name__ = numpy.__name__
        self.__doc__ = numpy.__doc__

    def __getattr__(self, name: str) -> Any:
        return getattr(self.numpy, name)

    def __repr__(self) -> str:
        return f"<ufunc '{self.__name__}'>"

    def __reduce__(self) -> Any:
        return _named, (self.__name__,)

    def resolve_dtypes(self, dtypes: Any, **options: Any) -> Any:
        """numpy.ufunc.resolve_dtypes."""
        return self.numpy.resolve_dtypes(dtypes, **options)

    def __eq__(self, other: object) -> bool:
        return other is self or other is self.numpy

    def __hash__(self) -> int:
        return hash(self.numpy)

    @_in_numpys_words
    def reduce(
        self,
        array: Any,
        axis: Any = 0,
        dtype: Any = None,
        out: Any = None,
        keepdims: bool = False,
        initial: Any = np._NoValue,
        where: Any = True,
    ) -> Any:
        """numpy.ufunc.reduce."""
        options: dict[str, Any] = {"axis": axis}
        if dtype is not None:
            options["dtype"] = dtype
        if keepdims is not False:
            options["keepdims"] = keepdims
        if out is not None:
            options["out"] = out
        if initial is not np._NoValue:
            options["initial"] = initial
        if where is not True:
            options["where"] = where
        return _method(self.numpy, "reduce", (array,), options, reduce)

    @_in_numpys_words
    def accumulate(self, array: Any, axis: int = 0, dtype: Any = None, out: Any = None) -> Any:
        """numpy.ufunc.accumulate."""
        options = {"axis": axis, "dtype": dtype}
        if out is not None:
            options["out"] = out
        return _method(self.numpy, "accumulate", (array,), options, accumulate)

    def outer(self, *operands_: Any, **options: Any) -> Any:
        """numpy.ufunc.outer."""
        if self.nin != 2 or len(operands_) != 2:
            return self.numpy.outer(*unwrapped(operands_), **options)  # NumPy's error
        a, b = operands_
        a, b = computed((operands.from_array_method(a), operands.from_array_method(b)))
        subclass = any(isinstance(x, np.ndarray) and type(x) not in ARRAYS for x in (a, b))
        if options or subclass or (not operands.goes_lazy(a, b) and not _grows_outer(a, b)):
            return through_numpy(self.numpy.outer, (a, b), options)
        left, right = _as_array(a), _as_array(b)
        return self(views.reshaped(left, left.shape + (1,) * right.ndim), right)

    def at(self, a: Any, indices: Any, b: Any = None, /) -> None:
        """numpy.ufunc.at: repeated indices accumulate."""
        b = computed(b)
        rest = () if b is None else (b,)
        known = type(a) is ndarray and a._writeable and self.numpy in ew.UFUNCS and self.nin == 2 and indexing.is_advanced(a, indices)
        own = tracing() and type(a) is ndarray and self.numpy not in (np.add, np.subtract) and self.nin == 1 + len(rest)
        turns = _turns(indices) if own and all(np.can_cast(node_of(x).dtype, a.dtype, "same_kind") for x in rest) else []
        if turns:
            for places, chosen in turns:
                shape = (*chosen.shape, *a.shape[len(places) :])
                a[places] = self(a[places], *[wrap(broadcast(node_of(x), shape))[chosen.nonzero()] for x in rest])
        elif known and b is not None and operands.goes_lazy(a, b) and _keeps_dtype(self.numpy, a.dtype, b):
            operands.recorded(indexing.write_scattered, a, indices, b, ew.UFUNCS[self.numpy][0], _name_of_at(self.numpy, a, indices, b))
        else:
            through_numpy(self.numpy.at, (a, indices, *rest), {})

    def _reduced_slices(self, array: Any, starts: np.ndarray, axis: int) -> Any:
        """For each start the fold up to the next one; the element itself where the next one is not greater."""
        axis = normalize_axis_index(axis, array.ndim)
        size = array.shape[axis]
        for start in starts[(starts < 0) | (starts >= size)].tolist():
            raise IndexError(f"index {start} out-of-bounds in {self.numpy.__name__}.reduceat [0, {size})")
        ends, before = [*starts[1:].tolist(), size], (slice(None),) * axis
        slices = [array[(*before, slice(a, max(b, a + 1)))] for a, b in zip(starts.tolist(), ends, strict=True)]
        dtype = fold_dtype(self.numpy, None, array.dtype)
        folded = [part if part.shape[axis] == 1 else self.reduce(part, axis=axis, keepdims=True) for part in slices]
        nodes = [ew.as_node(node_of(part), dtype) for part in folded]
        return arrays.wrap(join(*nodes, axis=axis) if len(nodes) > 1 else nodes[0])

    @_in_numpys_words
    def reduceat(self, array: Any, indices: Any, axis: int = 0, dtype: Any = None, out: Any = None) -> Any:
        """numpy.ufunc.reduceat: in a trace the reductions of slices, else through NumPy."""
        if tracing() and type(array) is ndarray and out is None and dtype is None and not operands.is_lazy(indices):
            return operands.recorded(self._reduced_slices, array, np.asarray(indices), axis)
        return sync(self.numpy.reduceat, array, indices, axis, dtype, **({} if out is None else {"out": out}))


_MOST_TURNS = 64
"""How often `at` may come back to a place, and how long a fold may be that is written out in a trace."""


def _name_of_at(function: np.ufunc, a: Any, indices: Any, b: Any) -> str:
    """In which name numpy.ufunc.at warns: its own where it has a loop by index, for one axis and one dtype."""
    by_index = function in _BY_INDEX and a.dtype != np.float16 and not (function is np.divide and a.dtype.kind == "c")
    plain = a.ndim == 1 and type(indices) is not tuple and np.dtype(_dtype_of(b)) == a.dtype
    return function.__name__ if by_index and plain else "at"


_BY_INDEX = frozenset({np.add, np.subtract, np.multiply, np.divide, np.floor_divide, np.maximum, np.minimum, np.fmax, np.fmin})


def _turns(indices: Any) -> list[tuple[Any, np.ndarray]]:
    """Index arrays as several without repeats, in order: (places, which of the operands). Empty where that cannot be said."""
    try:
        parts = [np.asarray(arrays.to_numpy(i)) for i in (indices if type(indices) is tuple else (indices,))]
    except (CaptureError, TypeError, ValueError):
        return []
    if not all(i.dtype.kind in "iu" for i in parts):
        return []
    grid = np.broadcast_arrays(*parts)
    seen: dict[Any, int] = {}
    turn = np.array([_counted(seen, place) for place in zip(*[g.ravel().tolist() for g in grid], strict=True)], int).reshape(grid[0].shape)
    count = int(turn.max(initial=-1)) + 1
    return [(tuple([g[turn == k] for g in grid]), turn == k) for k in range(count)] if count <= _MOST_TURNS else []


def _counted(seen: dict[Any, int], place: Any) -> int:
    seen[place] = number = seen.get(place, -1) + 1
    return number


def _written_out(function: np.ufunc, array: Any, axis: Any, running: bool) -> Any:
    """The fold of an operation that has no reduction of its own, element by element."""
    line = array.swapaxes(0, axis)
    results = [line[0]]
    for k in range(1, line.shape[0]):
        results.append(OBJECTS[function](results[-1], line[k]))
    if not running:
        return results[-1]
    nodes = [reshape(operands.node_of(part), (1, *part.shape)) for part in results]
    return arrays.wrap(join(*nodes, axis=0) if len(nodes) > 1 else nodes[0]).swapaxes(0, axis)


def _can_be_written_out(function: np.ufunc, args: tuple[Any, ...], options: dict[str, Any]) -> bool:
    plain = not {k for k, v in options.items() if v is not None} - {"axis"} and isinstance(options["axis"], (int, np.integer))
    array = args[0]
    known = tracing() and type(array) is ndarray and function in ew.UFUNCS and function.nin == 2 and array.dtype.kind in "fc"
    return known and plain and array.ndim > 0 and 0 < array.shape[options["axis"]] <= _MOST_TURNS


def _keeps_dtype(function: np.ufunc, dtype: np.dtype, other: Any) -> bool:
    """Whether a ufunc of an array and another operand computes in the array's dtype, without casts between the steps; in a trace, where
    NumPy cannot do it, a cast of the operand has to do."""
    try:
        if tracing():
            return bool(np.can_cast(_dtype_of(other), dtype, "same_kind"))
        loop = ew.loop_dtypes(function, (dtype, _dtype_of(other)))
    except TypeError:
        return False
    return loop[0] == loop[1] == loop[2] == dtype  # ldexp's second is an integer


def _dtype_of(x: Any) -> Any:
    return (
        x.dtype if isinstance(x, (ndarray, np.generic)) else type(x) if type(x) in (int, float, complex) else np.asarray(unwrapped(x)).dtype
    )


def _named(name: str) -> ufunc:
    return OBJECTS[getattr(np, name)]


def _grows_outer(a: Any, b: Any) -> bool:
    return np.size(unwrapped(a)) * np.size(unwrapped(b)) >= settings.lazy_threshold


def _as_array(x: Any) -> Any:
    return x if type(x) is ndarray else arrays.eager(np.asarray(x)) if not tracing() else wrap(node_of(x))


def _outputs(options: dict[str, Any]) -> tuple[Any, ...]:
    out = options.get("out")
    return out if type(out) is tuple else (out,)


def call_ufunc(function: np.ufunc, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """function(*args, **options) with at least one operand that may be lazy."""
    if any(type(a) is Selection for a in args):
        return apply(function, args, options)
    if len(args) > function.nargs:
        raise numpys_error(function, args, options, TypeError(f"{function.__name__}() takes at most {function.nargs} positional arguments"))
    if len(args) > function.nin:  # positional outputs
        given = args[function.nin :]
        if any(out is Ellipsis for out in given):
            raise TypeError("out=... is only allowed as a keyword argument.")
        if options.get("out") is not None:
            raise TypeError("cannot specify 'out' as both a positional and keyword argument")
        if function in _EXTREMA:
            warnings.warn(_THREE_ARGUMENTS, DeprecationWarning, stacklevel=3)
        args = args[: function.nin]
        if any(out is not None for out in given):
            options = {**options, "out": (*given, *[None] * (function.nout - len(given)))}
    if options.get("out") is Ellipsis:
        rest = {k: v for k, v in options.items() if k != "out"}
        return _as_arrays(call_ufunc(function, args, rest))
    targets = [o for o in _outputs(options) if o is not None]
    if (tracing_count.depth and tracing()) or (
        not (is_small_product(function, args) and not options)
        and (any_lazy((*args, *targets), {"where": options.get("where", True)}) or _broadcasts_large(args))
        and not (options.keys() <= _AT_ONCE and operands.short_here((*args, *targets, options.get("where", True))))
    ):
        try:
            return operands.recorded(_record, function, args, options)
        except (NotLazy, Unsupported, KeyError, OverflowError):
            return _with_outputs(sync, function, args, options)
        except (ValueError, TypeError, IndexError) as error:
            raise numpys_error(function, args, options, error) from None
    return _with_outputs(lambda f, *a, **k: through_numpy(f, a, k), function, args, options)


_RECORDED = {"out", "where", "dtype", "casting", "order", "subok"}
_AT_ONCE = {"out", "where", "dtype", "casting"}
"""Options with which NumPy computes short lines."""
_EXTREMA = (np.maximum, np.minimum)
_THREE_ARGUMENTS = (
    "Passing more than 2 positional arguments to np.maximum and np.minimum is deprecated. If you meant to use the third argument as an "
    "output, use the `out` keyword argument instead. If you hoped to work with more than 2 inputs, combine them into a single array and "
    "get the extrema for the relevant axis."
)


def _as_arrays(result: Any) -> Any:
    """What `out=...` asks for: arrays also where NumPy would hand out scalars."""
    if type(result) is tuple:
        return tuple(map(_as_arrays, result))
    return np.asarray(result) if isinstance(result, np.generic) else arrays.as_array(result)


def _with_outputs(run: Any, function: Any, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """Through NumPy; what comes back for a given `out` is that very object, unless an operand's own __array_ufunc__ answers."""
    result = run(function, *args, **options)
    if options.get("out") is None or options["out"] is Ellipsis:
        return result
    outs = _outputs(options)
    results = result if type(result) is tuple else (result,)
    if len(results) != len(outs) or not all(type(r) in (*ARRAYS, ndarray) or isinstance(r, np.generic) for r in results):
        return result
    given = [r if out is None else out for out, r in zip(outs, results, strict=True)]
    return given[0] if len(given) == 1 else tuple(given)


def _broadcasts_large(args: tuple[Any, ...]) -> bool:
    return len(args) == 2 and operators.grows(args[0], args[1])


def _record(function: np.ufunc, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
    if options.keys() - ({"out", "casting", "order", "subok"} if function.signature is not None else _RECORDED):
        raise Unsupported
    if options.get("order", "K") not in ("K", "C", "A") or type(options.get("subok", True)) is not bool:
        raise Unsupported
    mask = options.get("where", True)
    if mask is not True and node_of(mask).dtype != bool:
        raise Unsupported  # NumPy's error
    if mask is not True and "out" not in options:
        words = "'where' used without 'out', expect unitialized memory in output. If this is intentional, use out=None."
        operands.warn(UserWarning(words))
    outs = options.get("out")
    outs = outs if type(outs) is tuple else (outs,) * function.nout if outs is None else (outs,)
    _check_targets(function, args, outs, options.get("casting", "same_kind"))
    results = _compute(function, args, options)
    if mask is not True:
        results = [_where(node_of(mask), node) for node in results]
    laid_as = args if function.signature is None and options.get("order", "K") in ("K", "A") else ()
    finished = [_deliver(node, out, mask, laid_as, function) for node, out in zip(results, outs, strict=True)]
    return finished[0] if len(finished) == 1 else tuple(finished)


def _compute(function: np.ufunc, args: tuple[Any, ...], options: dict[str, Any]) -> list[Node]:
    if function is np.matmul or function is np.vecdot or function in _GUFUNCS:
        return [_GUFUNCS[function](*_promoted([operand(a) for a in args]))]
    dtype = options.get("dtype")
    if dtype is None or np.dtype(dtype).kind == "i":
        operators.check_operands(function, args, options.get("where", True))
    given = [operand(a) for a in args]
    if dtype is not None or "casting" in options:
        types = [ew.operand_type(x) for x in given]
        asked = {} if dtype is None else {"signature": (*[None] * function.nin, *[np.dtype(dtype)] * function.nout)}
        loop = _loop(function, types, options.get("casting", "same_kind"), asked)
        for x, d in zip(given, loop, strict=False):
            if isinstance(x, Node):
                operands.warn_of_lost_imaginary(x.dtype, d)
        given = [ew.as_node(x, d) for x, d in zip(given, loop, strict=False)]
    return [op(*given) for op in ew.UFUNCS[function]]


def _loop(function: np.ufunc, types: list[Any], casting: str, asked: dict[str, Any]) -> tuple[np.dtype, ...]:
    """The dtypes of NumPy's loop. Its resolve_dtypes ends the process where a number of Python may not be cast: so without a rule."""
    slots = (*types, *[None] * function.nout)
    if casting != "unsafe" and any(t in _KINDS_OF_NUMBERS for t in types):
        free = function.resolve_dtypes(slots, casting="unsafe", **asked)
        if casting != "same_kind" or any(d.kind not in _KINDS_OF_NUMBERS.get(t, d.kind) for t, d in zip(types, free, strict=False)):
            raise Unsupported  # NumPy's error
    return function.resolve_dtypes(slots, casting=casting, **asked)


_KINDS_OF_NUMBERS: dict[Any, str] = {int: "iufc", float: "fc", complex: "c"}


def _where(mask: Node, node: Node) -> Node:
    """The node with a harmless 1 (0 for arctanh) for operands that the mask leaves out: NumPy does not compute there, and does not warn of
    it."""
    if node.op.kind is not Kind.ELEMENTWISE or not any(a.dtype.kind in "iufc" for a in node.args):
        return node
    harmless = 0 if node.op is ew.arctanh else 1
    return node.op(*[ew.where(mask, a, ew.as_node(harmless, a.dtype)) for a in node.args])  # type: ignore[no-any-return]


def _promoted(operands: list[Any]) -> list[Node]:
    types = [ew.operand_type(x) for x in operands]
    dtype = np.result_type(*[t if isinstance(t, np.dtype) else t(0) for t in types])
    return [ew.as_node(x, dtype) for x in operands]


def _vecdot(x: Node, y: Node) -> Node:
    if not x.ndim or not y.ndim or x.shape[-1] != y.shape[-1]:
        raise Unsupported  # NumPy's error
    product = named((ew.conjugate(x) if x.dtype.kind == "c" else x) * y, "vecdot")
    return named(red.reduce_add(product, (product.ndim - 1,)), "vecdot")


def _matvec(a: Node, x: Node) -> Node:
    product = named(matmul(a, reshape(x, (*x.shape, 1))), "matvec")
    return reshape(product, product.shape[:-1])


def _vecmat(x: Node, a: Node) -> Node:
    x = ew.conjugate(x) if x.dtype.kind == "c" else x
    product = named(matmul(reshape(x, (*x.shape[:-1], 1, x.shape[-1])), a), "vecmat")
    return reshape(product, (*product.shape[:-2], product.shape[-1]))


_GUFUNCS: dict[Any, Any] = {
    getattr(np, name): function
    for name, function in {"matmul": matmul, "vecdot": _vecdot, "matvec": _matvec, "vecmat": _vecmat}.items()
    if hasattr(np, name)
}


def _check_targets(function: np.ufunc, args: tuple[Any, ...], outs: tuple[Any, ...], casting: str) -> None:
    """What NumPy refuses as `out`, before it looks at any shape: NumPy itself is asked, with empty arrays of these dtypes."""
    if all(out is None for out in outs):
        return
    if any(getattr(type(out), "__array_ufunc__", None) is not None and not isinstance(out, ndarray) for out in outs):
        raise Unsupported  # its own method decides
    if any(out is not None and (not isinstance(out, ndarray) or (type(out) is ndarray and out._scalar)) for out in outs):
        raise TypeError("return arrays must be of ArrayType")
    if any(out is not None and not arrays.may_write(out) for out in outs):
        raise ValueError("output array is read-only")
    probes = [np.empty(0, x.dtype) if isinstance(x, Node) else x for x in map(operand, args)]
    if function.signature is not None:
        if any(out is not None and not np.can_cast(np.result_type(*probes), out.dtype, casting) for out in outs):
            raise Unsupported
    else:
        function(*probes, out=tuple([None if o is None else np.empty(0, o.dtype) for o in outs]), casting=casting)


def _deliver(node: Node, out: Any, mask: Any, laid_as: tuple[Any, ...], function: np.ufunc) -> Any:
    """The result: a new array, in memory as the operands `laid_as`, or written into `out` where the mask allows. A cast warns in the name
    of the function."""
    if out is None:
        return wrap_like(node, *laid_as)
    if function.signature is not None and node.shape != out.shape:
        raise Unsupported  # NumPy knows which axes may be repeated
    shape = node.shape if mask is True else broadcast_shape(node.shape, node_of(mask).shape)
    if broadcast_shape(shape, out.shape) != out.shape:
        raise ValueError(f"non-broadcastable output operand with shape {_text(out.shape)} doesn't match the broadcast shape {_text(shape)}")
    value = broadcast(node if node.dtype == out.dtype else named(ew.as_node(node, out.dtype), function.__name__), out.shape)
    if mask is not True:
        operands.warn_of_lost_imaginary(out.dtype, node.dtype)  # NumPy reads what it may have to leave
        value = ew.where(broadcast(node_of(mask), out.shape), value, node_of(out))
    if type(out) is ndarray:
        assign(out, value)
    else:
        out[...] = arrays.to_numpy(wrap(value))
    return out


def _text(shape: tuple[int, ...]) -> str:
    return str(tuple(shape)).replace(" ", "")


def _method(function: np.ufunc, name: str, args: tuple[Any, ...], options: dict[str, Any], lazy: Any) -> Any:
    numpy = getattr(function, name)
    args = computed(args)
    if (tracing_count.depth and tracing()) or any_lazy(args, options):
        try:
            if are_unusual(numpy, (), options):
                refuse(numpy, args, options)
            out = options.get("out")
            if type(out) is tuple and len(out) != 1:
                raise Unsupported  # NumPy's error
            given = {k: v for k, v in options.items() if k != "out"}
            if given.get("dtype") is not None or type(out) in (ndarray, *ARRAYS):
                given["dtype"] = _fold_dtype_into(function, args[0], given.get("dtype"), out)
            result = operands.recorded(lazy, function, *args, **given)
            if out is None or out is Ellipsis:
                return result if out is None else _as_arrays(result)
            out = out[0] if type(out) is tuple else out
            return operands.recorded(into, result, out)
        except (NotLazy, Unsupported):
            if _can_be_written_out(function, args, options):
                return operands.recorded(_written_out, function, args[0], options["axis"], name == "accumulate")
            return _with_outputs(sync, numpy, args, options)
        except (ValueError, TypeError, IndexError) as error:
            raise numpys_error(numpy, args, options, error) from None
    return _with_outputs(lambda f, *a, **k: through_numpy(f, a, k), numpy, args, options)


# --- reduce and accumulate ------------------------------------------------------------------------------------------------


def axes_of(axis: Any, ndim: int) -> tuple[int, ...]:
    """The axes a reduction runs over, as NumPy reads `axis`. Raises AxisError."""
    if axis is None or (ndim == 0 and not isinstance(axis, tuple) and axis in (0, -1)):  # NumPy lets a scalar have axis 0
        return tuple(range(ndim))
    axes = normalize_axis_tuple(axis, ndim, allow_duplicate=True)
    if len(set(axes)) != len(axes):
        raise ValueError("duplicate value in 'axis'")
    return tuple(sorted(axes))


def fold_dtype(function: np.ufunc, dtype: Any, source: np.dtype) -> np.dtype:
    """The dtype a reduction computes in: small integers and bool are summed and multiplied as int64 or uint64."""
    if dtype is not None:
        return np.dtype(dtype)
    if isinstance(function.identity, float):  # logaddexp
        return function.resolve_dtypes((None, source, None), reduction=True)[0]  # type: ignore[no-any-return]
    if function in (np.add, np.multiply) and source.kind in "bui" and source.itemsize < 8:
        return np.dtype(np.uint64 if source.kind == "u" else np.int64)
    return source


_WITHOUT_DTYPES = frozenset({np.logical_and, np.logical_or, np.logical_xor, np.bitwise_and, np.bitwise_or, np.bitwise_xor})
"""Ufuncs of truth values and bits, which compute in no inexact dtype."""


def _has_no_loop(function: np.ufunc, dtype: Any) -> bool:
    return dtype is not None and function in _WITHOUT_DTYPES and np.dtype(dtype).kind not in "biu"


def _fold_dtype_into(function: np.ufunc, array: Any, dtype: Any, out: Any) -> np.dtype:
    """The dtype of a reduction with `dtype` or `out`, of which the second decides as another operand would. Raises NumPy's TypeError."""
    source, target = node_of(array).dtype, None if out is None else out.dtype
    asked = {} if dtype is None else {"signature": (np.dtype(dtype), None, None)}
    found = function.resolve_dtypes((target, source, None), casting="unsafe", reduction=True, **asked)  # type: ignore[call-overload]
    if found[0] not in LAZY_DTYPES:
        raise Unsupported
    operands.warn_of_lost_imaginary(source, found[0])
    return found[0]  # type: ignore[no-any-return]


def _masks(where: Any, x: Node) -> bool:
    """Whether a mask has the shape of the array, or is repeated to it."""
    shape = where.shape if hasattr(where, "shape") else np.shape(where)
    return where is True or tracing_count.depth > 0 or fits(shape, x.shape)


def fits(shape: tuple[int, ...], whole: Any) -> bool:
    """Whether a shape is repeated to another one."""
    return len(shape) <= len(whole) and all(n in (1, m) for n, m in zip(reversed(shape), reversed(whole), strict=False))


def reduce(
    function: np.ufunc, array: Any, axis: Any = 0, dtype: Any = None, keepdims: bool = False, initial: Any = np._NoValue, where: Any = True
) -> Any:
    """The lazy reduction."""
    op = red.REDUCTIONS.get(function)
    x = node_of(array)
    if op is None:
        raise Unsupported
    if function is np.add and _is_negative_zero(initial):  # ours starts from 0
        raise Unsupported
    if _has_no_loop(function, dtype) or not _masks(where, x):
        raise Unsupported  # NumPy's error
    scalar = op.scalar
    assert scalar is not None
    axes = axes_of(axis, x.ndim)
    if len(axes) > 1 and not _is_reorderable(function):
        raise Unsupported  # NumPy's error
    if not scalar.name.startswith("logical") and x.dtype != fold_dtype(function, dtype, x.dtype):
        x = named(ew.as_node(x, fold_dtype(function, dtype, x.dtype)), "reduce")  # the fold casts, and warns of it
    if where is not True:
        fill = function.identity if function.identity is not None or initial is np._NoValue else initial
        if fill is None:
            raise ValueError(
                f"reduction operation '{function.__name__}' does not have an identity, so to use a where mask one has to specify 'initial'"
            )
        if fill is function.identity and x.dtype.kind in "bu":
            fill = np.asarray(fill).astype(x.dtype)  # all bits of bitwise_and
        x = ew.where(broadcast(node_of(where), x.shape), x, ew.as_node(fill, x.dtype) if not isinstance(fill, Node) else fill)
    begins = initial is not np._NoValue and initial is not None
    if begins and any(n == 0 for n in (x.shape[a] for a in axes)):
        dtype = x.dtype if function.identity is None else op(x, axes).dtype
        out = ew.filled(tuple([n for a, n in enumerate(x.shape) if a not in axes]), initial, dtype)
    else:
        out = op(x, axes)
        if not begins and not axes and function.identity is not None and x.dtype.kind in "iufc":
            begins, initial = True, np.asarray(function.identity).astype(x.dtype)[()]  # NumPy begins with it: hypot of one loses its sign
        out = scalar(out, ew.as_node(initial, x.dtype)) if begins else out
    return wrap_reduced(red.keep_axes(x, out, axes) if keepdims else out, array, axes, keepdims)


@lru_cache
def _is_reorderable(function: np.ufunc) -> bool:
    """Whether NumPy folds several axes at once."""
    try:
        function.reduce(np.ones((1, 1), int), axis=(0, 1))
    except (TypeError, ValueError):
        return False
    return True


def _is_negative_zero(initial: Any) -> bool:
    if not isinstance(initial, (float, complex, np.inexact)) or initial != 0:
        return False
    return bool(np.signbit(initial.real) or np.signbit(initial.imag))


def accumulate(function: np.ufunc, array: Any, axis: int = 0, dtype: Any = None) -> Any:
    """The lazy accumulation."""
    op = red.ACCUMULATIONS.get(function)
    if op is None or _has_no_loop(function, dtype):
        raise Unsupported
    x = node_of(array)
    if x.ndim == 0:
        raise TypeError("cannot accumulate on a scalar")
    if axis is None:
        raise Unsupported
    axis = normalize_axis_index(axis[0] if type(axis) is tuple and len(axis) == 1 else axis, x.ndim)
    return wrap_like(op(ew.as_node(x, fold_dtype(function, dtype, x.dtype)), axis), array)


# --- the protocol ---------------------------------------------------------------------------------------------------------

OBJECTS: dict[np.ufunc, ufunc] = {value: ufunc(value) for value in list(vars(np).values()) if isinstance(value, np.ufunc)}
"""NumPy ufunc -> ours."""


def array_ufunc(function: np.ufunc, method: str, inputs: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """`__array_ufunc__`: a ufunc was called with one of our arrays. A type with its own `__array_ufunc__` among the others decides."""
    if method == "__call__" and not options:
        if (result := short_ufunc(function, *inputs)) is not None:  # number * array among them: NumPy's numbers do not know our type
            return result
        if not tracing_count.depth and is_present_product(function, inputs):
            return arrays.from_numpy(function(*map(arrays.to_numpy, inputs)))
    for x in (*inputs, *_outputs(options)):
        override = getattr(type(x), "__array_ufunc__", None)
        if (
            type(x) is not ndarray
            and not issubclass(type(x), Symbolic)
            and override is not np.ndarray.__array_ufunc__
            and hasattr(type(x), "__array_ufunc__")
            and not isinstance(x, np.generic)
        ):
            return NotImplemented
    ours = OBJECTS.get(function)
    if ours is None:  # a ufunc that is not NumPy's, scipy.special for one
        return _with_outputs(sync, getattr(function, method), inputs, options)
    return call_ufunc(function, inputs, options) if method == "__call__" else getattr(ours, method)(*inputs, **options)


arrays.hooks.ufunc = array_ufunc

__all__ = ["OBJECTS", "accumulate", "axes_of", "fits", "fold_dtype", "permute", "reduce", "ufunc"]
