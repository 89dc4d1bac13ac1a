"""The array type. Behaves as numpy.ndarray; computes at once through NumPy when small, records a graph when large or traced.

A handle is *eager* (`_np` is a NumPy array, `_storage` is None: every operation is NumPy's own) or a *view of a storage*: the
movement steps in `_path` lead from the storage's block to what the handle shows. Indexing and
the operators are attached in `lazynp.indexing` and `lazynp.operators`, attributes that are views in `lazynp.views`, functions and
methods from the table in `lazynp.api`. What an operation takes is in `lazynp.operands`.
"""

import math
import operator
import sys
import warnings
from collections.abc import Callable, Iterator
from numbers import Integral, Rational
from types import GenericAlias
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from lazynp.askers import is_asked_by_name, namespace_for_all, takes_bytes_for_numbers
from lazynp.config import settings
from lazynp.errors import CaptureError, DerivativeWarning
from lazynp.ir.node import Node
from lazynp.ir.types import LAZY_DTYPES, ArrayType, itemcount
from lazynp.layout import Flags
from lazynp.native import ARRAYS, ArrayMeta, Buffer, tracing_count
from lazynp.ops import sizes
from lazynp.ops.movement import Path, broadcast, follow_numpy
from lazynp.ops.sizes import hinted, surface
from lazynp.runtime.storage import Storage, queue, tracing

EAGER_SCALARS = frozenset({int, float, complex, bool, np.float64, np.int64, np.float32, np.bool_, np.complex128, np.int32})


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


class _ArrayMeta(ArrayMeta):  # type: ignore[misc]
    def __instancecheck__(cls, instance: Any) -> bool:  # noqa: N805  (it is a metaclass)
        return type(instance) is cls or isinstance(instance, np.ndarray) or hasattr(type(instance), "is_lazynp_array")


_IN_HTML = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


class ndarray(Buffer, metaclass=_ArrayMeta):  # noqa: N801  (NumPy's name)
    """A lazy array; `lazynp.ndarray` is the type of NumPy's arrays and of lazynp's. Create one with lazynp.array, zeros, lazy, ..."""

    __slots__ = ("__weakref__", "_np", "_parent", "_path", "_readonly", "_scalar", "_storage", "_type")
    _np: np.ndarray | None
    _storage: Storage | None
    _path: Path
    _type: ArrayType
    _parent: Any
    _readonly: bool | None
    """Whether it may not be written to. None: a view by broadcast_arrays, which is NumPy's own, with its warnings, once somebody writes."""
    _scalar: bool
    """Whether NumPy would have handed out a scalar here: immutable and hashable."""
    __module__ = "lazynp"
    __array_priority__ = 0.0
    __class_getitem__ = classmethod(GenericAlias)

    def __new__(cls, shape: Any, dtype: Any = float, buffer: Any = None, offset: int = 0, strides: Any = None, order: Any = None) -> Any:
        if isinstance(shape, Rational) and not isinstance(shape, Integral):  # statistics.mean makes its result of the type of the numbers
            return np.float64(shape)
        if tracing_count.depth and buffer is None and strides is None:  # in a trace an array that can hold traced values
            return hooks.function(np.empty, (shape, dtype), {} if order is None else {"order": order})
        return from_numpy(np.ndarray(shape, dtype, buffer, offset, strides, order))

    # --- what it is, without computing it ---

    @property
    def __class__(self) -> type:  # type: ignore[override]
        """What isinstance() sees: of what NumPy would have handed out as a scalar NumPy's scalar type, so that a float64 is a float."""
        if self._scalar and not tracing_count.depth:
            return self._type.dtype.type
        return np.ndarray if is_asked_by_name() else ndarray

    @property
    def shape(self) -> tuple[int, ...]:
        if self._storage is None:
            return self._np.shape  # type: ignore[union-attr]
        return surface(self._type.shape) if tracing_count.depth else self._type.shape  # type: ignore[return-value]

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
        if self._readonly is None:
            repeat_in_memory(self)
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
        if self._readonly is None:
            repeat_in_memory(self)
        if self._storage is None:
            return may_write(self._np)  # type: ignore[arg-type]
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

    # --- values for Python ---

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if is_differentiated(self):
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

    def __array_finalize__(self, obj: Any, /) -> None:
        """What classes derived from numpy.ndarray override."""

    def __array_wrap__(self, array: Any, context: Any = None, return_scalar: bool = False) -> Any:
        return from_numpy(array[()] if return_scalar else array)

    def __dlpack__(self, **options: Any) -> Any:
        return exported(self).__dlpack__(**options)

    def __dlpack_device__(self) -> Any:
        return (1, 0)

    def __array_namespace__(self, *, api_version: str | None = None) -> Any:
        """The lazynp module; beside NumPy's arrays what serves both. Raises ValueError for a version of the standard that is not."""
        if api_version not in (None, hooks.namespace.__array_api_version__):
            np.empty(0).__array_namespace__(api_version=api_version)
        return namespace_for_all() or hooks.namespace

    def __buffer__(self, flags: int) -> memoryview:
        return memoryview(self._lent(flags))

    def _lent(self, flags: int) -> np.ndarray:
        """The array whose memory a buffer is. Raises BufferError where somebody would read it as float32, whatever it holds."""
        if flags <= 1 and self.dtype.kind != "S" and takes_bytes_for_numbers(sys._getframe(1)):
            raise BufferError("torch.asarray does not ask for the dtype of a buffer: write torch.as_tensor(x) or torch.from_dlpack(x)")
        return self.__array__()

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
        return f"<pre>{values.translate(_IN_HTML)}</pre>"

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

    def __reduce_ex__(self, protocol: Any, /) -> Any:
        """As NumPy: what it would let go out of band may, what it would not does not."""
        theirs = to_numpy(self).__reduce_ex__(protocol)
        return self.__reduce__() if self._scalar or len(theirs) == 2 else (_restore_state, (theirs[2],))

    def __setstate__(self, state: tuple[Any, ...], /) -> None:
        """Become the array of a state of NumPy's: (version, shape, dtype, whether in Fortran order, bytes)."""
        values = np.empty(0)
        values.__setstate__(state)
        become(self, values)

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
    if array.flags.num < 0:  # a writeable view of numpy.broadcast_arrays: only this very object warns of writes
        return eager(array)
    if array.flags.carray:
        storage = Storage(array.shape, array.dtype, None, array)
        storage.exported = True
        return handle(storage, (), ArrayType(array.shape, array.dtype), None)
    if array.base is None and array.T.flags.carray:  # a result in Fortran order: keep its strides
        ours = adopt(np.array(array.T, order="C")).T
        ours._parent = None
        return ours
    return adopt(np.array(array, order="C")) if tracing() else eager(array)


def _restore(array: np.ndarray) -> Any:
    return eager(array) if array.size < max(settings.lazy_threshold, 1) else adopt(array)


def _restore_state(state: tuple[Any, ...]) -> Any:
    values = np.empty(0)
    values.__setstate__(state)
    return _restore(values)


# --- values of handles -------------------------------------------------------------------------------------------------


def to_numpy(x: Any) -> Any:
    """The values as a NumPy array (forces), sharing memory; anything that is not ours is returned as it is.

    For looking at the values at once: whoever keeps the result or passes it on takes `exported`."""
    if type(x) is not ndarray:
        return x
    storage = x._storage
    if storage is None:
        return x._np
    if tracing_count.depth:
        queue().looks_at(storage)
    if storage.node is not None:
        storage.home.run(storage) if storage.home is not queue() and not tracing() else storage.force()
    return geometry(x)


def exported(x: Any) -> Any:
    """The values as a NumPy array that may be kept and written to: NumPy's aliasing holds between it and the array."""
    if type(x) is ndarray and x._readonly is None:
        repeat_in_memory(x)
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
    return floating and x._storage.home is here and is_pending(x) and not is_differentiated(x)


def addressed(x: Any) -> np.ndarray:
    """The same for somebody who keeps the address and not the array: as long as the storage lives its memory counts as held outside."""
    values = x.__array__()
    if x._storage is not None:
        _ADDRESSED.setdefault(x._storage, []).append(values)
    return values  # type: ignore[no-any-return]


_ADDRESSED: "WeakKeyDictionary[Storage, list[np.ndarray]]" = WeakKeyDictionary()
"""The arrays whose addresses were given away."""


def is_differentiated(x: Any) -> bool:
    """Whether a derivative by something that x depends on is being taken."""
    traced = tracing_count.depth > 0 and tracing() and is_pending(x) and x.dtype.kind in "fc"
    return traced and queue().differentiates(x._storage.node)


def read_as_number(x: Any) -> Any:
    """The value for float(x) and its like, which tests of convergence and reports need: with a warning where a derivative may get lost."""
    if is_differentiated(x):
        warnings.warn(
            "lazynp.grad: a number read from a value that the derivative is taken by counts as constant; compute with functions of "
            "lazynp, or say that it is meant: float(lazynp.stop_gradient(x))",
            DerivativeWarning,
            stacklevel=3,
        )
    return to_numpy(x)


def become(x: Any, values: np.ndarray) -> None:
    """Make the handle show an array of its own, of another shape and dtype."""
    fresh = eager(values) if x._storage is None or values.dtype not in LAZY_DTYPES else adopt(values)
    x._np, x._storage, x._path, x._parent = fresh._np, fresh._storage, fresh._path, None
    if fresh._storage is not None:
        x._type = fresh._type


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
        x._np = follow_numpy(storage.memory(), path, hinted if tracing_count.depth else None)
    return x._np


def may_write(array: Any) -> bool:
    """array.flags.writeable, without the warning that NumPy gives for what broadcast_arrays returned."""
    if type(array) is ndarray and array._storage is not None and array._storage.unordered:
        return array._writeable
    return bool(array.flags.num & 0x400)  # NPY_ARRAY_WRITEABLE


def repeated(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The array broadcast to a shape as numpy.broadcast_arrays does it: writeable, with NumPy's warnings."""
    return np.broadcast_arrays(array, np.broadcast_to(_nothing, shape))[0]


_nothing = np.zeros(())


def repeat_in_memory(x: Any) -> None:
    """Somebody may write to a view that broadcast_arrays returned: from now on it is NumPy's, which writes to what it repeats."""
    if tracing():
        raise CaptureError("a traced function writes to a view that broadcast_arrays returned, or asks for its flags")
    whole = handle(x._storage, (), ArrayType(x._storage.shape, x._storage.dtype), None)
    x._np, x._storage, x._path, x._readonly = follow_repeated(exported(whole), x._path), None, (), False


def follow_repeated(array: np.ndarray, path: Path) -> np.ndarray:
    """The view of an array that a path leads to where broadcast_arrays has made it."""
    for step in path:
        array = repeated(array, step.attrs[0]) if step.op is broadcast else follow_numpy(array, (step,))
    return array


def is_pending(x: Any) -> bool:
    """Whether the array's value has not been computed yet."""
    return type(x) is ndarray and x._storage is not None and x._storage.node is not None


# --- numbers of a trace ------------------------------------------------------------------------------------------------

sizes.hooks.ufunc = lambda ufunc, method, inputs, options: hooks.ufunc(ufunc, method, inputs, options)
sizes.hooks.as_array = lambda node: wrap(node)
