"""The array type. Behaves as numpy.ndarray; computes at once through NumPy when small, records a graph when large or traced.

A handle is *eager* (`_np` is a NumPy array, `_storage` is None: every operation is NumPy's own) or a *view of a storage*: the
movement steps in `_path` lead from the storage's block to what the handle shows. Indexing and
the operators are attached in `lazynp.indexing` and `lazynp.operators`, functions and methods from the table in `lazynp.api`.
"""

import html
import math
import operator
import warnings
from collections.abc import Callable, Iterable, Iterator
from numbers import Integral, Rational
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from lazynp.backends import pool
from lazynp.config import settings
from lazynp.errors import DEFAULT_ERRORS, SILENT, DerivativeWarning, ErrorSettings, Where, recording_position, user_position
from lazynp.ir.node import Node, constant
from lazynp.ir.op import Op
from lazynp.ir.types import LAZY_DTYPES, ArrayType, NotLazy, Symbolic, itemcount
from lazynp.layout import Axes, Flags, order_of_copy, order_of_einsum, order_of_join, order_of_reduction, order_of_result
from lazynp.native import ARRAYS, Buffer, tracing_count, watched
from lazynp.ops import elementwise as ew
from lazynp.ops import sizes
from lazynp.ops.indexing import update
from lazynp.ops.movement import Path, Step, broadcast, follow, follow_numpy, inverse_axes, permute, reshape, slice_
from lazynp.ops.sizes import hinted, simplify_size, surface
from lazynp.runtime import storage as storage_module
from lazynp.runtime.evaluate import lock
from lazynp.runtime.storage import Storage, TraceQueue, captured, queue, tracing

_PYTHON_SCALARS = frozenset({int, float, complex, bool})
EAGER_SCALARS = frozenset({int, float, complex, bool, np.float64, np.int64, np.float32, np.bool_, np.complex128, np.int32})


_PLAIN_SUBCLASSES = (watched, np.memmap, pool.Block)
"""Subclasses of NumPy's array that mean nothing else."""


class _NotOneNumber(TypeError, ValueError):
    """int() of an array: a TypeError; where NumPy called it, to write the array into an element, NumPy's own array raises a ValueError."""


_NotOneNumber.__name__ = _NotOneNumber.__qualname__ = "TypeError"
_NotOneNumber.__module__ = "builtins"


def as_int(values: np.ndarray) -> int:
    """int() of an array. Raises a TypeError that is a ValueError too."""
    try:
        return int(values)
    except TypeError as error:
        raise _NotOneNumber(*error.args) from None


class _ArrayMeta(type):
    def __instancecheck__(cls, instance: Any) -> bool:
        return type(instance) is cls or isinstance(instance, np.ndarray) or hasattr(type(instance), "is_lazynp_array")


class ndarray(Buffer, metaclass=_ArrayMeta):  # noqa: N801  (NumPy's name)
    """A lazy array; `lazynp.ndarray` is the type of NumPy's arrays and of lazynp's. Create one with lazynp.array, zeros, lazy, ..."""

    __slots__ = ("__weakref__", "_np", "_parent", "_path", "_readonly", "_scalar", "_storage", "_type")
    _np: np.ndarray | None
    _storage: Storage | None
    _path: Path
    _type: ArrayType
    _parent: Any
    _readonly: bool
    _scalar: bool
    """Whether NumPy would have handed out a scalar here: immutable and hashable."""
    __module__ = "lazynp"

    def __new__(cls, shape: Any, dtype: Any = float, buffer: Any = None, offset: int = 0, strides: Any = None, order: Any = None) -> Any:
        if isinstance(shape, Rational) and not isinstance(shape, Integral):  # statistics.mean makes its result of the type of the numbers
            return np.float64(shape)
        return from_numpy(np.ndarray(shape, dtype, buffer, offset, strides, order))

    # --- what it is, without computing it ---

    @property
    def __class__(self) -> type:  # type: ignore[override]
        """What isinstance() sees: of what NumPy would have handed out as a scalar NumPy's scalar type, so that a float64 is a float."""
        return self._type.dtype.type if self._scalar and not tracing_count.depth else ndarray

    @property
    def shape(self) -> tuple[int, ...]:
        if self._storage is None:
            return self._np.shape  # type: ignore[union-attr]
        return surface(self._type.shape) if tracing_count.depth else self._type.shape  # type: ignore[return-value]

    @shape.setter
    def shape(self, shape: Any) -> None:
        if self._storage is None:
            self._np.shape = shape  # type: ignore[union-attr]
            return
        probe = geometry(self).view()
        probe.shape = shape
        view = view_of(self, reshape, out_shape=probe.shape)
        self._path, self._type, self._np = view._path, view._type, None

    @property
    def dtype(self) -> np.dtype:
        return self._np.dtype if self._storage is None else self._type.dtype  # type: ignore[union-attr]

    @dtype.setter
    def dtype(self, dtype: Any) -> None:
        _lay_out_again(self, "dtype", dtype)

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return itemcount(self.shape)

    @property
    def itemsize(self) -> int:
        return self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        return self.size * self.dtype.itemsize

    @property
    def strides(self) -> tuple[int, ...]:
        return geometry(self).strides

    @strides.setter
    def strides(self, strides: Any) -> None:
        _lay_out_again(self, "strides", strides)

    @property
    def flags(self) -> Any:
        if self._storage is None:
            return self._np.flags  # type: ignore[union-attr]
        if self._scalar:
            return self._type.dtype.type(0).flags
        owner = geometry(self)
        view = owner if self._writeable else owner.view()
        if view is not owner:
            view.flags.writeable = False
        return Flags(self, view.flags)

    @property
    def _writeable(self) -> bool:
        if self._storage is None:
            return bool(self._np.flags.writeable)  # type: ignore[union-attr]
        return not (self._readonly or any(step.op is broadcast for step in self._path))

    @property
    def base(self) -> Any:
        if self._storage is None:
            return self._parent if self._parent is not None else self._np.base  # type: ignore[union-attr]
        return self._parent

    @property
    def device(self) -> str:
        """Where the array is: "cpu"."""
        return "cpu"

    @device.setter
    def device(self, device: Any) -> None:
        raise AttributeError("attribute 'device' of 'numpy.ndarray' objects is not writable")

    def to_device(self, device: str, /, *, stream: Any = None) -> Any:
        """The array itself: there is only the "cpu". Raises ValueError for another device."""
        if stream is not None:
            raise ValueError("The stream argument in to_device() is not supported")
        if device != "cpu":
            raise ValueError(f"Unsupported device: {device}. Only 'cpu' is accepted.")
        return self

    @property
    def ctypes(self) -> Any:
        return exported(self).ctypes

    @property
    def data(self) -> memoryview:
        return exported(self).data

    def __sizeof__(self) -> int:
        return object.__sizeof__(self) + (self.nbytes if self.base is None else 0)

    # --- views that are attributes ---

    @property
    def T(self) -> Any:  # noqa: N802
        if self._scalar:
            return self
        return view_of(self, permute, axes=tuple(reversed(range(self.ndim))))

    @property
    def mT(self) -> Any:  # noqa: N802
        if self.ndim < 2:
            raise ValueError("matrix transpose with ndim < 2 is undefined")
        return view_of(self, permute, axes=(*range(self.ndim - 2), self.ndim - 1, self.ndim - 2))

    @property
    def real(self) -> Any:
        return self if self.dtype.kind != "c" else _part(self, "real")

    @real.setter
    def real(self, value: Any) -> None:
        _set_part(self, "real", value)

    @property
    def imag(self) -> Any:
        if self.dtype.kind != "c" and is_lazy(self):
            return wrap(ew.filled(self.shape, 0, self.dtype))
        return _part(self, "imag")

    @imag.setter
    def imag(self, value: Any) -> None:
        _set_part(self, "imag", value)

    @property
    def flat(self) -> Any:
        return Flat(self) if _is_differentiated(self) else NumpysFlat(self)

    @flat.setter
    def flat(self, value: Any) -> None:
        traced = tracing() and type(value) is ndarray
        self[...] = hooks.function(np.resize, (value, self.shape), {}) if traced else np.resize(to_numpy(value), self.shape)

    # --- values for Python ---

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if _is_differentiated(self):
            raise TypeError(
                "lazynp.grad: a NumPy array made of a value that the derivative is taken by has no derivative; use functions of lazynp, or "
                "leave it out of the derivative: lazynp.stop_gradient(x)"
            )
        if copy:
            return np.array(to_numpy(self), dtype)
        values = exported(self)
        if dtype is None or values.dtype == dtype:
            return values
        if copy is False:
            raise ValueError("Unable to avoid copy while creating an array as requested.")
        return values.astype(dtype)

    def __array_wrap__(self, array: Any, context: Any = None, return_scalar: bool = False) -> Any:
        return from_numpy(array[()] if return_scalar else array)

    def __dlpack__(self, **options: Any) -> Any:
        return exported(self).__dlpack__(**options)

    def __dlpack_device__(self) -> Any:
        return (1, 0)

    def __array_namespace__(self, *, api_version: str | None = None) -> Any:
        """The lazynp module. Raises ValueError for a version of the Array API standard that does not exist."""
        if api_version not in (None, hooks.namespace.__array_api_version__):
            np.empty(0).__array_namespace__(api_version=api_version)
        return hooks.namespace

    def __buffer__(self, flags: int) -> memoryview:
        return memoryview(self.__array__())

    @property
    def __array_interface__(self) -> dict[str, Any]:
        """The address, for C libraries; NumPy itself takes the buffer. Nobody can tell how long they use it."""
        return addressed(self).__array_interface__

    @property
    def __array_struct__(self) -> Any:
        return addressed(self).__array_struct__

    def __bool__(self) -> bool:
        return bool(to_numpy(self))

    def __float__(self) -> float:
        values = read_as_number(self)
        return float(values[()] if self._scalar else values)

    def __int__(self) -> int:
        values = to_numpy(self)
        return int(values[()]) if self._scalar else as_int(values)

    def __complex__(self) -> complex:
        return complex(read_as_number(self))

    def __index__(self) -> int:
        values = to_numpy(self)
        if not self._scalar:
            return operator.index(values)
        try:
            return operator.index(values[()])
        except TypeError as error:  # time.sleep, timedelta and other C code come here with what is no float object
            error.add_note("C code that takes nothing but Python's float takes float(x) of a lazy number.")
            raise

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError(f"object of type 'numpy.{self.dtype.name}' has no len()" if self._scalar else "len() of unsized object")
        return self.shape[0]

    def __getattr__(self, name: str) -> Any:
        if name in ndarray.__slots__:  # not made yet, or being unpickled
            raise AttributeError(name)
        if self._scalar and not name.startswith("_") and hasattr(self._type.dtype.type, name):
            return getattr(read_as_number(self)[()], name)  # is_integer, bit_count, ...: what only NumPy's scalars have
        kind = f"numpy.{self.dtype.name}" if self._scalar else "numpy.ndarray"
        raise AttributeError(f"'{kind}' object has no attribute '{name}'")

    def __iter__(self) -> Iterator[Any]:
        if not self.shape:
            raise TypeError(f"'numpy.{self.dtype.name}' object is not iterable" if self._scalar else "iteration over a 0-d array")
        return (self[i] for i in range(self.shape[0]))

    def __contains__(self, value: Any) -> bool:
        return value in to_numpy(self)

    def __repr__(self) -> str:
        values = to_numpy(self)
        return repr(values[()] if self._scalar else values)

    def __str__(self) -> str:
        return str(to_numpy(self))

    def __format__(self, spec: str) -> str:
        values = to_numpy(self)
        return format(values[()] if values.ndim == 0 else values, spec)

    def __round__(self, digits: int | None = None) -> Any:
        if not self._scalar:
            raise TypeError("type numpy.ndarray doesn't define __round__ method")
        return round(to_numpy(self)[()], digits)

    def __trunc__(self) -> Any:
        return self._rounded(math.trunc)

    def __floor__(self) -> Any:
        return self._rounded(math.floor)

    def __ceil__(self) -> Any:
        return self._rounded(math.ceil)

    def _rounded(self, function: Callable[..., Any]) -> Any:
        """math.trunc(x) and its like, of NumPy's scalar or array, with its errors."""
        values = read_as_number(self)
        return function(values[()] if self._scalar else values)

    def _repr_html_(self) -> str:
        """What a notebook shows: the values if they are known, else what they will be; nothing is computed to be looked at."""
        values = f"shape {self.shape}, dtype {self.dtype}, not computed yet" if is_pending(self) else repr(self)
        return f"<pre>{html.escape(values)}</pre>"

    def __hash__(self) -> int:
        if not self._scalar:
            raise TypeError("unhashable type: 'numpy.ndarray'")
        return hash(to_numpy(self)[()])

    def __conform__(self, protocol: Any) -> Any:
        """What sqlite3 stores: of a number NumPy's, which may be a float."""
        return exported(self)[()] if self._scalar else exported(self)

    def __reduce__(self) -> Any:
        if self._scalar:
            return to_numpy(self)[()].__reduce__()
        return _restore, (np.array(to_numpy(self)),)

    def __copy__(self) -> Any:
        return self if self._scalar else copy_of(self)

    def __deepcopy__(self, memo: Any) -> Any:
        return self if self._scalar else copy_of(self)

    # --- protocols of NumPy: filled in by lazynp.api ---

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        return hooks.ufunc(ufunc, method, inputs, options)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return hooks.function(function, args, kwargs)


class _Hooks:
    """What floors above this one provide: the handlers of NumPy's protocols and the namespace module."""

    ufunc: Callable[..., Any]
    function: Callable[..., Any]
    namespace: Any = None


hooks = _Hooks()


# --- making handles ----------------------------------------------------------------------------------------------------

_new = Buffer.__new__


def eager(array: np.ndarray, parent: Any = None) -> Any:
    new = _new(ndarray)
    new._np = array
    new._storage = None
    new._path = ()
    new._parent = parent
    new._readonly = False
    new._scalar = False
    return new


def handle(storage: Storage, path: Path, type_: ArrayType, parent: Any) -> Any:
    new = _new(ndarray)
    new._np = None
    new._storage = storage
    new._path = path
    new._type = type_
    new._parent = parent
    new._readonly = False
    new._scalar = False
    return new


def wrap(node: Node) -> Any:
    """A new array whose pending value is the node. Without axes it is what NumPy returns as a scalar."""
    type_ = node.type
    new = handle(Storage(type_.shape, type_.dtype, node, None), (), type_, None)
    new._scalar = not type_.shape
    return new


def wrap_ordered(node: Node, axes: Axes | None) -> Any:
    """A new array whose axes lie in memory in this order, the outermost first; None: C order."""
    if axes is None:
        return wrap(node)
    laid = permute(node, axes)
    back = Step(permute, (inverse_axes(axes),))
    return handle(Storage(laid.type.shape, laid.type.dtype, laid, None), (back,), node.type, None)


def order_of(x: Any, order: str | None = "K", shape: Any = None) -> Axes | None:
    """The order of the axes in memory, outermost first, of a copy of x, or of an array like it of another shape; None: C order. In a
    trace: C order."""
    return None if tracing_count.depth else order_of_copy(geometry(x) if type(x) is ndarray else x, order, shape)


def wrap_like(node: Node, *operands: Any) -> Any:
    """A new array that lies in memory as NumPy's result of a ufunc of these operands would. In a trace: C order."""
    if tracing_count.depth or len(node.type.shape) < 2 or all(map(_in_c_order, operands)):
        return wrap(node)
    return wrap_ordered(node, order_of_result([view for view in map(_view_of_operand, operands) if view is not None]))


def wrap_reduced(node: Node, source: Any, axes: Axes, keepdims: bool) -> Any:
    """The same for a reduction of the source over these axes."""
    if tracing_count.depth or len(node.type.shape) < 2 or _in_c_order(source):
        return wrap(node)
    return wrap_ordered(node, order_of_reduction(_view_of_operand(source), axes, keepdims))


def wrap_joined(node: Node, axis: int, parts: list[Any]) -> Any:
    """The same for parts joined along an axis."""
    if tracing_count.depth or len(node.type.shape) < 2 or all(map(_in_c_order, parts)):
        return wrap(node)
    return wrap_ordered(node, order_of_join([_view_of_operand(part) for part in parts], axis))


def wrap_einsum(node: Node, labels: str, operands: Iterable[Any], optimize: Any) -> Any:
    """The same for numpy.einsum(labels, *operands)."""
    if tracing_count.depth or len(node.type.shape) < 2:
        return wrap(node)
    return wrap_ordered(node, order_of_einsum(labels, [geometry(x) if type(x) is ndarray else np.asarray(x) for x in operands], optimize))


def _in_c_order(x: Any) -> bool:
    if type(x) is ndarray and not x._path and type(x._storage) is Storage:
        return True
    view = _view_of_operand(x)
    return view is None or view.flags.c_contiguous


def _view_of_operand(x: Any) -> Any:
    """Shape and strides of an operand; None for what has none."""
    return geometry(x) if type(x) is ndarray else x if isinstance(x, np.ndarray) else None


def as_array(x: Any) -> Any:
    """The result of a function that returns arrays also where they have no axes."""
    if type(x) is ndarray:
        x._scalar = False
    return x


def from_numpy(array: Any) -> Any:
    """A NumPy result as lazynp hands it out: itself when small or not numeric, else an array over the same memory."""
    if type(array) not in ARRAYS or (array.size < settings.lazy_threshold and not tracing()) or array.dtype not in LAZY_DTYPES:
        return array
    return adopt(array)


def adopt(array: np.ndarray) -> Any:
    """An array over the memory of a NumPy array of a lazy dtype: its storage if it is contiguous and whole, else an eager handle."""
    if array.flags.num < 0:  # a writeable broadcast view of numpy.broadcast_arrays: whoever asks for its buffer is warned
        array = np.lib.stride_tricks.as_strided(array, writeable=True)
    if array.flags.carray:
        storage = Storage(array.shape, array.dtype, None, array)
        storage.exported = True
        return handle(storage, (), ArrayType(array.shape, array.dtype), None)
    if array.base is None and array.T.flags.carray:  # a result in Fortran order: keep its strides
        ours = adopt(np.array(array.T, order="C")).T
        ours._parent = None
        return ours
    return adopt(np.array(array, order="C")) if tracing() else eager(array)


def lazy(x: Any) -> Any:
    """A lazy copy of anything array-like with a numeric dtype: operations on it are recorded, whatever its size.

    Raises TypeError for other dtypes."""
    if isinstance(x, ndarray) and type(x) is ndarray and x._storage is not None:
        return wrap(node_of(x))
    values = to_numpy(x)
    array = np.asarray(values)
    if array.dtype not in LAZY_DTYPES:
        raise TypeError(f"lazynp.lazy: dtype {array.dtype} has no lazy form; numeric dtypes up to float64 and complex128 have")
    copy = wrap(captured(array))
    return as_array(copy) if isinstance(values, np.ndarray) else copy


def copy_of(x: Any, order: str | None = "K") -> Any:
    """An independent array of the same values, in memory in NumPy's order of this name."""
    if x._storage is None:
        return eager(x._np.copy(order=order))
    if is_lazy(x):
        copy = wrap_ordered(node_of(x), order_of(x, order))
        copy._scalar = x._scalar
        return copy
    return from_numpy(np.array(to_numpy(x), order=order))


def _restore(array: np.ndarray) -> Any:
    return eager(array) if array.size < max(settings.lazy_threshold, 1) else adopt(array)


# --- values of handles -------------------------------------------------------------------------------------------------


def to_numpy(x: Any) -> Any:
    """The values as a NumPy array (forces), sharing memory; anything that is not ours is returned as it is.

    For looking at the values at once: whoever keeps the result or passes it on takes `exported`."""
    if type(x) is not ndarray:
        return x
    storage = x._storage
    if storage is None:
        return x._np
    if storage.node is not None:
        storage.home.run(storage) if storage.home is not queue() and not tracing() else storage.force()
    return geometry(x)


def exported(x: Any) -> Any:
    """The values as a NumPy array that may be kept and written to: NumPy's aliasing holds between it and the array."""
    values = to_numpy(x)
    if type(x) is ndarray and x._scalar:
        return values.copy()
    if type(x) is ndarray and x._storage is not None:
        if _is_constant(x):
            x._storage.filled(x._storage.buffer)
        x._storage.settle_readers()
        x._storage.exported = True
        values = values.view()
        if not x._writeable:
            values.flags.writeable = False
    return values


def _is_constant(x: Any) -> bool:
    """Whether a derivative is being taken by nothing that x, whose values are known, depends on. Its values are then those in its memory,
    where others may write."""
    here = queue()
    floating = tracing_count.depth > 0 and here.derives and x.dtype.kind in "fc"
    return floating and x._storage.home is here and is_pending(x) and not _is_differentiated(x)


def addressed(x: Any) -> np.ndarray:
    """The same for somebody who keeps the address and not the array: as long as the storage lives its memory counts as held outside."""
    values = x.__array__()
    if x._storage is not None:
        _ADDRESSED.setdefault(x._storage, []).append(values)
    return values  # type: ignore[no-any-return]


_ADDRESSED: "WeakKeyDictionary[Storage, list[np.ndarray]]" = WeakKeyDictionary()
"""The arrays whose addresses were given away."""


def _is_differentiated(x: Any) -> bool:
    """Whether a derivative by something that x depends on is being taken."""
    traced = tracing_count.depth > 0 and tracing() and is_pending(x) and x.dtype.kind in "fc"
    return traced and queue().differentiates(x._storage.node)


class Flat:
    """`x.flat` of an array that a derivative is taken by: its elements in C order, read and written where they stand."""

    def __init__(self, base: ndarray) -> None:
        self.base = base

    def __len__(self) -> int:
        return int(self.base.size)

    def __iter__(self) -> Any:
        return iter(self.base.reshape(-1))  # type: ignore[attr-defined]

    def __getitem__(self, index: Any) -> Any:
        return self.base.reshape(-1)[index]  # type: ignore[attr-defined]

    def __setitem__(self, index: Any, value: Any) -> None:
        """Values that are too few begin again, as NumPy's do."""
        places = np.arange(self.base.size)[index]
        if np.shape(value) not in ((), places.shape):
            value = hooks.function(np.resize, (value, places.shape), {})
        self.base[np.unravel_index(places, self.base.shape)] = value

    def copy(self) -> Any:
        return self.base.flatten()  # type: ignore[attr-defined]


class NumpysFlat:
    """`x.flat` elsewhere: NumPy's iterator over the memory, which takes lazy arrays as indices and values. In a derivative what is written
    may depend on the variables; then so does the array."""

    __slots__ = ("_numpys", "base")

    def __init__(self, base: Any) -> None:
        self._numpys = exported(base).flat
        self.base = base

    @property
    def __class__(self) -> type:  # type: ignore[override]
        return np.flatiter

    def __getattr__(self, name: str) -> Any:
        return getattr(self._numpys, name)

    def __len__(self) -> int:
        return len(self._numpys)

    def __iter__(self) -> Any:
        return iter(Flat(self.base) if _is_differentiated(self.base) else self._numpys)

    def __next__(self) -> Any:
        return next(self._numpys)

    def __getitem__(self, index: Any) -> Any:
        if _is_differentiated(self.base):
            return Flat(self.base)[index]
        return from_numpy(self._numpys[exported(index)])

    def __setitem__(self, index: Any, value: Any) -> None:
        if (
            _is_differentiated(self.base)
            or _is_differentiated(value)
            or (type(value) in (list, tuple) and any(map(_is_differentiated, value)))
        ):
            Flat(self.base)[index] = value
        else:
            self._numpys[exported(index)] = exported(value)

    def __delitem__(self, index: Any) -> None:
        raise TypeError("Cannot delete iterator elements")

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self._numpys, dtype, copy=copy)


def _compared(compare: Callable[..., Any]) -> Callable[..., Any]:
    return lambda self, other: from_numpy(compare(self._numpys, exported(other)))


for _compare in (operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge):
    setattr(NumpysFlat, f"__{_compare.__name__}__", _compared(_compare))


def read_as_number(x: Any) -> Any:
    """The value for float(x) and its like, which tests of convergence and reports need: with a warning where a derivative may get lost."""
    if _is_differentiated(x):
        warnings.warn(
            "lazynp.grad: a number read from a value that the derivative is taken by counts as constant; compute with functions of "
            "lazynp, or say that it is meant: float(lazynp.stop_gradient(x))",
            DerivativeWarning,
            stacklevel=3,
        )
    return to_numpy(x)


def _lay_out_again(x: Any, attribute: str, value: Any) -> None:
    """Set an attribute of NumPy's that says what the memory means: x is from then on an eager array over it."""
    values = exported(x)
    setattr(values, attribute, value)
    x._np, x._storage, x._path = values, None, ()


def geometry(x: Any) -> np.ndarray:
    """The NumPy view of the array's memory: right shape and strides, contents only if nothing is pending."""
    storage = x._storage
    if storage is None:
        return x._np
    path = x._path
    if not path:
        return storage.memory()
    if x._np is None:
        x._np = follow_numpy(storage.memory(), hinted(path) if tracing_count.depth else path)
    return x._np


def is_pending(x: Any) -> bool:
    """Whether the array's value has not been computed yet."""
    return type(x) is ndarray and x._storage is not None and x._storage.node is not None


def is_lazy(x: Any) -> bool:
    """Whether an operation on this operand alone is recorded rather than run."""
    kind = type(x)
    if kind is ndarray:
        storage = x._storage
        if storage is None:
            return x._np.size >= settings.lazy_threshold
        return storage.node is not None or itemcount(x._type.shape) >= settings.lazy_threshold
    return kind in ARRAYS and x.size >= settings.lazy_threshold > 0 and x.dtype in LAZY_DTYPES


def goes_lazy(*operands: Any) -> bool:
    """Whether an operation on these operands is recorded: in a trace, on something pending, or on something large."""
    return (tracing_count.depth > 0 and tracing()) or any(map(is_lazy, operands))


def node_of(x: Any) -> Node:
    """The operand as a node. Arrays that others may write to are copied first. Raises NotLazy for dtypes without a lazy form."""
    node = operand(x)
    return node if isinstance(node, Node) else node.node if isinstance(node, Symbolic) else constant(node)


def operand(x: Any) -> Any:
    """The operand as a node, or a Python scalar as it is (its dtype is weak). Raises NotLazy."""
    kind = type(x)
    if kind is ndarray:
        if x._storage is not None:
            return follow(x._storage.value(), x._path)
        return capture(x._np)
    if kind in _PYTHON_SCALARS:
        return x
    if isinstance(x, (Node, Symbolic)):
        return x
    if kind is not np.ndarray and isinstance(x, np.ndarray) and not issubclass(kind, _PLAIN_SUBCLASSES):
        raise NotLazy(f"{kind.__name__} is a subclass of NumPy's array: its own methods decide")
    if kind not in ARRAYS and getattr(kind, "__array_ufunc__", None) is not None and not isinstance(x, (np.ndarray, np.generic)):
        raise NotLazy(f"{kind.__name__} has an __array_ufunc__ of its own")
    if (kind is list or kind is tuple) and tracing_count.depth and tracing() and _holds_ours(x):
        return operand(hooks.function(np.array, (x,), {}))
    array = x if kind in ARRAYS else _converted(x)
    if array.dtype not in LAZY_DTYPES:
        raise NotLazy(f"dtype {array.dtype} has no lazy form")
    return constant(array) if array.ndim == 0 else capture(array)


def _holds_ours(values: Any) -> bool:
    """Whether nested lists have an array of ours in them, which in a trace NumPy could not read."""
    waiting = [values]
    while waiting:
        for value in waiting.pop():
            kind = type(value)
            if kind is ndarray or getattr(kind, "is_lazynp_array", False):
                return True
            if kind is list or kind is tuple:
                waiting.append(value)
    return False


class _Overtaken(Exception):
    """Pending work ran while an operation was being recorded: nodes that it has read already may mean memory that was overwritten."""


NO_ARRAY = "object __array__ method not producing an array"
"""What NumPy says where a user's class has an __array__ that makes an array of ours."""


def from_array_method(x: Any) -> Any:
    """An object, or a list of such, whose __array__ makes an array of ours: NumPy's array. Others as they are."""
    if type(x) in (list, tuple):
        return type(x)([from_array_method(v) for v in x])
    if type(x) is ndarray or isinstance(x, (type, np.ndarray, np.generic)) or not hasattr(type(x), "__array__"):
        return x
    made = x.__array__()
    return exported(made) if type(made) is ndarray else x


def _converted(x: Any) -> np.ndarray:
    """A list, or another package's array, as NumPy's. There may be pending arrays in it, which are computed."""
    runs = queue().runs
    try:
        array = np.asarray(x)
    except ValueError as error:
        if NO_ARRAY not in str(error):
            raise
        array = np.asarray(from_array_method(x))
    if queue().runs != runs and tracing_count.recording:
        raise _Overtaken
    return array


def capture(array: np.ndarray) -> Node:
    here = queue()
    if isinstance(here, TraceQueue):
        return here.outside_array(array)
    return captured(array)


def recorded(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Run an operation that records nodes: marks the user's line on what it makes, and lets the queue see loop boundaries.

    Every function that goes lazy runs its lazy implementation through this; nested calls are part of the outer one."""
    where, key = recording_position(2)
    with lock:  # between reading an operand and keeping the result no other thread may run the queue and overwrite what was read
        if tracing_count.recording:  # only the outermost operation marks the user's position
            return function(*args, **kwargs)
        queue().note(key)
        tracing_count.recording = True
        try:
            try:
                result = function(*args, **kwargs)
            except _Overtaken:  # nothing has been written yet, and nothing in the operands is pending any more
                result = function(*map(from_array_method, args), **kwargs)
        finally:
            tracing_count.recording = False
    made = [part for part in (result if type(result) is tuple else (result,)) if is_pending(part)]
    for part in made:
        mark(part._storage.node, where)
    if where is not None and where.errors is not None and where.errors.at_once and not tracing():
        for part in made:
            to_numpy(part)
    return result


def speaks(x: Any, message: str) -> Any:
    """x, whose last operation warns in words of its own (RuntimeWarning, whatever numpy.errstate says) where it is invalid."""
    where, node = user_position(2), node_of(x)
    if where is not None and node.where is None:
        node.where = where._replace(
            errors=ErrorSettings(tuple([(kind, "warn") for kind, _ in SILENT.modes if kind != "under"]), None, message)
        )
    return x


def silent(x: Any) -> Any:
    """x, whose new operations do not warn, as in NumPy's implementation."""
    where = user_position(2)
    if where is not None:
        mark(node_of(x), where._replace(errors=SILENT))
    return x


def mark(node: Node, where: Any) -> None:
    """Note the user's line on a node and on what was made for it."""
    stack = [node]
    while stack:
        node = stack.pop()
        if node.where is None:
            node.where = where
            stack.extend([a for a in node.args if a.where is None])
        elif isinstance(node.where, Where) and isinstance(where, Where) and _ignores_more(node.where.errors, where.errors):
            node.where = where


def _ignores_more(known: ErrorSettings | None, new: ErrorSettings | None) -> bool:
    """Whether the user had errors ignored where a node was first recorded that are to be told where it is recorded again."""
    if known is None or known is SILENT or known.message or new is SILENT:
        return False
    modes = dict(DEFAULT_ERRORS.modes if new is None else new.modes)
    return any(mode == "ignore" != modes[kind] for kind, mode in known.modes)


# --- views -------------------------------------------------------------------------------------------------------------


def view_of(x: Any, op: Op, **attrs: Any) -> Any:
    """A view of an array through one more movement step: shares its memory."""
    if type(x) is not ndarray:
        x = eager(x)
    if x._storage is None:
        if not tracing():
            return from_view(follow_numpy(x._np, (Step(op, tuple([attrs[n] for n in op.attrs])),)), x)
        return view_of(wrap(node_of(x)), op, **attrs)
    x = _unshared(x)
    type_ = op.infer(x._type, **attrs)
    path = _extended(x._path, Step(op, tuple([attrs[name] for name in op.attrs])))
    view = handle(x._storage, path, type_, x._parent if x._parent is not None else x)
    view._readonly = x._readonly
    return view


def _unshared(x: Any) -> Any:
    """A scalar as an array of its own: nobody can write to a scalar through a view."""
    return as_array(wrap(node_of(x))) if x._scalar else x


def from_view(view: np.ndarray, parent: Any) -> Any:
    """A NumPy view of an eager array's memory as lazynp hands it out."""
    if view.size < settings.lazy_threshold:
        return view
    return eager(view, parent._parent if parent._parent is not None else parent)


def _extended(path: Path, step: Step) -> Path:
    """The path with one more step; slices of slices and reshapes of reshapes become one step."""
    if path and path[-1].op is step.op:
        if step.op is reshape:
            return (*path[:-1], step)
        if step.op is slice_:
            starts, steps, _ = path[-1].attrs
            more_starts, more_steps, sizes = step.attrs
            merged = tuple([simplify_size(a + s * b) for a, s, b in zip(starts, steps, more_starts, strict=True)])
            return (*path[:-1], Step(slice_, (merged, tuple([s * t for s, t in zip(steps, more_steps, strict=True)]), sizes)))
    return (*path, step)


def reshaped(x: Any, shape: tuple[int, ...]) -> Any:
    """x.reshape(shape) in C order, -1 resolved: a view where NumPy gives one, else a copy."""
    if type(x) is not ndarray:
        x = eager(x)
    if x._storage is None and not tracing():
        return from_view(x._np.reshape(shape), x)
    x = wrap(node_of(x)) if x._storage is None else _unshared(x)
    probe = geometry(x).view()
    try:
        probe.shape = shape
    except AttributeError:
        return as_array(wrap(reshape(node_of(x), shape)))
    return view_of(x, reshape, out_shape=shape)


# --- the one write -----------------------------------------------------------------------------------------------------


def assign(x: Any, node: Node) -> None:
    """Write a node of x's own type into x's memory: everyone who shares it sees the new values."""
    storage = x._storage
    if storage is None:
        if tracing():
            upgrade(x)
            storage = x._storage
        else:
            x._np[...] = to_numpy(wrap(node))
            return
    if not x._writeable:
        raise ValueError("output array is read-only")
    storage.write(update(storage.value(), node, x._path))


def upgrade(x: Any) -> None:
    """An eager array that a trace writes to becomes a view of a storage; only if nobody else can see its memory."""
    array = x._np
    if array.base is not None or not array.flags.carray:
        raise storage_module.CaptureError("a traced function writes to a view of an array that was made outside of the trace")
    x._storage = Storage(array.shape, array.dtype, None, array)
    x._storage.home = storage_module._main_queue
    x._type = ArrayType(array.shape, array.dtype)
    x._np = None


# --- parts of complex arrays --------------------------------------------------------------------------------------------


class Part(Storage):
    """The real or imaginary part of an array that is pending or traced: always its present part; writes go to the array."""

    __slots__ = ("name", "whole")

    def __init__(self, whole: Any, name: str) -> None:
        self.whole = whole
        self.name = name
        self.shape = whole._type.shape
        self.dtype = getattr(np.empty(0, whole.dtype), name).dtype
        self.buffer = self._leaf = self.failure = None
        self.exported = True

    @property
    def node(self) -> Node | None:  # type: ignore[override]
        return None if self.whole._storage.node is None else self.value()

    @property
    def home(self) -> Any:  # type: ignore[override]
        return queue()

    def value(self) -> Node:
        return getattr(ew, self.name)(node_of(self.whole))  # type: ignore[no-any-return]

    def memory(self) -> np.ndarray:
        return getattr(geometry(self.whole), self.name)  # type: ignore[no-any-return]

    def force(self) -> np.ndarray:
        return getattr(exported(self.whole), self.name)  # type: ignore[no-any-return]

    def write(self, node: Node) -> None:
        _set_part(self.whole, self.name, wrap(node))

    def settle_readers(self) -> None:
        self.whole._storage.settle_readers()


def _part(x: Any, name: str) -> Any:
    if x._scalar:
        return recorded(lambda: wrap(getattr(ew, name)(node_of(x))))
    if is_pending(x) or (x._storage is not None and tracing()):
        storage = Part(x, name)
        view = handle(storage, (), ArrayType(storage.shape, storage.dtype), x._parent if x._parent is not None else x)
        view._readonly = not x._writeable
        return view
    return eager(getattr(exported(x), name))


def _set_part(x: Any, name: str, value: Any) -> None:
    if x.dtype.kind != "c" and name == "imag":
        raise TypeError("array does not have imaginary part to set")
    if x.dtype.kind != "c":
        x[...] = value
    elif is_pending(x) or tracing():
        new = broadcast(ew.as_node(operand(value), ew.real(node_of(x)).dtype), x.shape)
        parts = (new, ew.imag(node_of(x))) if name == "real" else (ew.real(node_of(x)), new)
        assign(x, ew.cast(ew.make_complex(*parts), to=x.dtype))
    else:
        setattr(exported(x), name, to_numpy(value))


# --- numbers of a trace ------------------------------------------------------------------------------------------------

sizes.hooks.ufunc = lambda ufunc, method, inputs, options: hooks.ufunc(ufunc, method, inputs, options)
sizes.hooks.as_array = lambda node: wrap(node)
