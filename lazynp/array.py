"""The array type. Behaves as numpy.ndarray; computes at once through NumPy when small, records a graph when large or traced.

A handle is *eager* (`_np` is a NumPy array, `_storage` is None: every operation is NumPy's own) or a *view of a storage*: the
movement steps
in `_path` lead from the storage's block to what the handle shows. The module holds the type, reading and writing through
handles, and the operators; functions and methods are attached from the table in `lazynp.api`.
"""

import operator
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from lazynp.config import settings
from lazynp.errors import recording_position
from lazynp.ir.node import Node, constant
from lazynp.ir.op import Op
from lazynp.ir.types import LAZY_DTYPES, ArrayType, itemcount
from lazynp.ops import elementwise as ew
from lazynp.ops.indexing import gather, scatter, update
from lazynp.ops.movement import Path, Step, broadcast, follow, follow_numpy, permute, reshape, slice_
from lazynp.runtime import storage as storage_module
from lazynp.runtime.evaluate import lock
from lazynp.runtime.stats import record_fallback
from lazynp.runtime.storage import Storage, TraceQueue, captured, queue, tracing, tracing_count

_PYTHON_SCALARS = frozenset({int, float, complex, bool})
_EAGER_SCALARS = frozenset({int, float, complex, bool, np.float64, np.int64, np.float32, np.bool_, np.complex128, np.int32})


class NotLazy(TypeError):
    """An operand has no place in a graph (its dtype is not numeric); the caller goes through NumPy."""


class _ArrayMeta(type):
    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, np.ndarray) or type.__instancecheck__(cls, instance)


class ndarray(metaclass=_ArrayMeta):  # noqa: N801  (NumPy's name)
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
        return from_numpy(np.ndarray(shape, dtype, buffer, offset, strides, order))

    # --- what it is, without computing it ---

    @property
    def shape(self) -> tuple[int, ...]:
        return self._np.shape if self._storage is None else self._type.shape  # type: ignore[union-attr]

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

    @property
    def flags(self) -> Any:
        view = geometry(self)
        if not self._writeable:
            view = view.view()
            view.flags.writeable = False
        return view.flags

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
        return "cpu"

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
        return exported(self).flat

    @flat.setter
    def flat(self, value: Any) -> None:
        self[...] = np.resize(to_numpy(value), self.shape)

    # --- values for Python ---

    # No __array_interface__: NumPy would prefer it, and its result would hold this handle instead of the memory, so that
    # `Storage.leaf` could not see who else can write there, and the copy that stands for a scalar would be gone.
    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if copy:
            return np.array(to_numpy(self), dtype)
        values = exported(self)
        if dtype is None or values.dtype == dtype:
            return values
        if copy is False:
            raise ValueError("Unable to avoid copy while creating an array as requested.")
        return values.astype(dtype)

    def __dlpack__(self, **options: Any) -> Any:
        return exported(self).__dlpack__(**options)

    def __dlpack_device__(self) -> Any:
        return (1, 0)

    def __array_namespace__(self, *, api_version: str | None = None) -> Any:
        return hooks.namespace

    def __buffer__(self, flags: int) -> memoryview:
        return memoryview(exported(self))

    def __bool__(self) -> bool:
        return bool(to_numpy(self))

    def __float__(self) -> float:
        return float(to_numpy(self))

    def __int__(self) -> int:
        return int(to_numpy(self))

    def __complex__(self) -> complex:
        return complex(to_numpy(self))

    def __index__(self) -> int:
        return operator.index(to_numpy(self))

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of unsized object")
        return self.shape[0]

    def __iter__(self) -> Iterator[Any]:
        if not self.shape:
            raise TypeError("iteration over a 0-d array")
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

    def __hash__(self) -> int:
        if not self._scalar:
            raise TypeError("unhashable type: 'numpy.ndarray'")
        return hash(to_numpy(self)[()])

    def __reduce__(self) -> Any:
        return _restore, (np.array(to_numpy(self)),)

    def __copy__(self) -> Any:
        return copy_of(self)

    def __deepcopy__(self, memo: Any) -> Any:
        return copy_of(self)

    # --- protocols of NumPy: filled in by lazynp.api ---

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        return hooks.ufunc(ufunc, method, inputs, options)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return hooks.function(function, args, kwargs)

    # --- indexing ---

    def __getitem__(self, index: Any) -> Any:
        if self._storage is None:
            return _eager_item(self, index)
        return _read(self, index)

    def __setitem__(self, index: Any, value: Any) -> None:
        if self._scalar:
            raise TypeError(f"'numpy.{self.dtype.name}' object does not support item assignment")
        if self._storage is None and not tracing():
            self._np[_plain_index(index)] = to_numpy(value) if type(value) is ndarray else value  # type: ignore[index]
        else:
            _write(self, index, value)

    def __delitem__(self, index: Any) -> None:
        raise ValueError("cannot delete array elements")


class _Hooks:
    """What floors above this one provide: the handlers of NumPy's protocols and the namespace module."""

    ufunc: Callable[..., Any]
    function: Callable[..., Any]
    namespace: Any = None


hooks = _Hooks()


# --- making handles ----------------------------------------------------------------------------------------------------

_new = object.__new__


def _eager(array: np.ndarray, parent: Any = None) -> Any:
    handle = _new(ndarray)
    handle._np = array
    handle._storage = None
    handle._path = ()
    handle._parent = parent
    handle._readonly = False
    handle._scalar = False
    return handle


def _handle(storage: Storage, path: Path, type_: ArrayType, parent: Any) -> Any:
    handle = _new(ndarray)
    handle._np = None
    handle._storage = storage
    handle._path = path
    handle._type = type_
    handle._parent = parent
    handle._readonly = False
    handle._scalar = False
    return handle


def wrap(node: Node) -> Any:
    """A new array whose pending value is the node. Without axes it is what NumPy returns as a scalar."""
    type_ = node.type
    handle = _handle(Storage(type_.shape, type_.dtype, node, None), (), type_, None)
    handle._scalar = not type_.shape
    return handle


def as_array(x: Any) -> Any:
    """The result of a function that returns arrays also where they have no axes."""
    if type(x) is ndarray:
        x._scalar = False
    return x


def from_numpy(array: Any) -> Any:
    """A NumPy result as lazynp hands it out: itself when tiny or not numeric, else an array over the same memory."""
    if type(array) is not np.ndarray or array.dtype not in LAZY_DTYPES:
        return array
    if not tracing():
        if array.size <= settings.tiny_threshold and settings.lazy_threshold > 0:
            return array
        if array.size < settings.lazy_threshold:
            return _eager(array)
    return adopt(array)


def adopt(array: np.ndarray) -> Any:
    """An array over the memory of a NumPy array of a lazy dtype: its storage if it is contiguous and whole, else an eager handle."""
    if array.flags.carray:
        storage = Storage(array.shape, array.dtype, None, array)
        storage.exported = True
        return _handle(storage, (), ArrayType(array.shape, array.dtype), None)
    if array.base is None and array.T.flags.carray:  # a result in Fortran order: keep its strides
        return adopt(np.array(array.T, order="C")).T
    return adopt(np.array(array, order="C")) if tracing() else _eager(array)


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
    return as_array(copy) if type(values) is np.ndarray else copy


def copy_of(x: Any) -> Any:
    """An independent array of the same values."""
    if x._storage is None:
        return _eager(x._np.copy(order="K"))
    if is_lazy(x):
        copy = wrap(node_of(x))
        copy._scalar = x._scalar
        return copy
    return from_numpy(np.array(to_numpy(x)))


def _restore(array: np.ndarray) -> Any:
    return _eager(array) if array.size < max(settings.lazy_threshold, 1) else adopt(array)


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
        x._storage.settle_readers()
        x._storage.exported = True
        values = values.view()
        if not x._writeable:
            values.flags.writeable = False
    return values


def geometry(x: Any) -> np.ndarray:
    """The NumPy view of the array's memory: right shape and strides, contents only if nothing is pending."""
    storage = x._storage
    if storage is None:
        return x._np
    path = x._path
    if not path:
        return storage.memory()
    if x._np is None:
        x._np = follow_numpy(storage.memory(), path)
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
    return kind is np.ndarray and x.size >= settings.lazy_threshold > 0 and x.dtype in LAZY_DTYPES


def goes_lazy(*operands: Any) -> bool:
    """Whether an operation on these operands is recorded: in a trace, on something pending, or on something large."""
    return (tracing_count.depth > 0 and tracing()) or any(map(is_lazy, operands))


def node_of(x: Any) -> Node:
    """The operand as a node. Arrays that others may write to are copied first. Raises NotLazy for dtypes without a lazy form."""
    node = operand(x)
    return node if isinstance(node, Node) else constant(node)


def operand(x: Any) -> Any:
    """The operand as a node, or a Python scalar as it is (its dtype is weak). Raises NotLazy."""
    kind = type(x)
    if kind is ndarray:
        if x._storage is not None:
            return follow(x._storage.value(), x._path)
        return _capture(x._np)
    if kind in _PYTHON_SCALARS:
        return x
    if isinstance(x, Node):
        return x
    array = x if kind is np.ndarray else np.asarray(x)
    if array.dtype not in LAZY_DTYPES:
        raise NotLazy(f"dtype {array.dtype} has no lazy form")
    return constant(array) if array.ndim == 0 else _capture(array)


def _capture(array: np.ndarray) -> Node:
    here = queue()
    if isinstance(here, TraceQueue):
        return here.outside_array(array)
    return captured(array)


class _Recording:
    """How deep we are inside a recorded operation: only the outermost one marks the user's position."""

    depth = 0


def recorded(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Run an operation that records nodes: marks the user's line on what it makes, and lets the queue see loop boundaries.

    Every function that goes lazy runs its lazy implementation through this; nested calls are part of the outer one."""
    where, key = recording_position(2)
    with lock:  # between reading an operand and keeping the result no other thread may run the queue and overwrite what was read
        if _Recording.depth:
            return function(*args, **kwargs)
        queue().note(key)
        _Recording.depth = 1
        try:
            result = function(*args, **kwargs)
        finally:
            _Recording.depth = 0
    if type(result) is ndarray and result._storage is not None and result._storage.node is not None:
        mark(result._storage.node, where)
    return result


def mark(node: Node, where: Any) -> None:
    """Note the user's line on a node and on what was made for it."""
    stack = [node]
    while stack:
        node = stack.pop()
        if node.where is None:
            node.where = where
            stack.extend([a for a in node.args if a.where is None])


# --- views -------------------------------------------------------------------------------------------------------------


def view_of(x: Any, op: Op, **attrs: Any) -> Any:
    """A view of an array through one more movement step: shares its memory."""
    if x._storage is None:
        if not tracing():
            return from_view(follow_numpy(x._np, (Step(op, tuple([attrs[n] for n in op.attrs])),)), x)
        return view_of(wrap(node_of(x)), op, **attrs)
    x = _unshared(x)
    type_ = op.infer(x._type, **attrs)
    path = _extended(x._path, Step(op, tuple([attrs[name] for name in op.attrs])))
    view = _handle(x._storage, path, type_, x._parent if x._parent is not None else x)
    view._readonly = x._readonly
    return view


def _unshared(x: Any) -> Any:
    """A scalar as an array of its own: nobody can write to a scalar through a view."""
    return as_array(wrap(node_of(x))) if x._scalar else x


def from_view(view: np.ndarray, parent: Any) -> Any:
    """A NumPy view of an eager array's memory as lazynp hands it out."""
    if view.size <= settings.tiny_threshold and settings.lazy_threshold > 0:
        return view
    return _eager(view, parent._parent if parent._parent is not None else parent)


def _extended(path: Path, step: Step) -> Path:
    """The path with one more step; slices of slices and reshapes of reshapes become one step."""
    if path and path[-1].op is step.op:
        if step.op is reshape:
            return (*path[:-1], step)
        if step.op is slice_:
            starts, steps, _ = path[-1].attrs
            more_starts, more_steps, sizes = step.attrs
            merged = tuple([a + s * b for a, s, b in zip(starts, steps, more_starts, strict=True)])
            return (*path[:-1], Step(slice_, (merged, tuple([s * t for s, t in zip(steps, more_steps, strict=True)]), sizes)))
    return (*path, step)


def reshaped(x: Any, shape: tuple[int, ...]) -> Any:
    """x.reshape(shape) in C order, -1 resolved: a view where NumPy gives one, else a copy."""
    if x._storage is None and not tracing():
        return from_view(x._np.reshape(shape), x)
    x = wrap(node_of(x)) if x._storage is None else _unshared(x)
    probe = geometry(x).view()
    try:
        probe.shape = shape
    except AttributeError:
        return as_array(wrap(reshape(node_of(x), shape)))
    return view_of(x, reshape, out_shape=shape)


# --- parts of complex arrays --------------------------------------------------------------------------------------------


def _part(x: Any, name: str) -> Any:
    if is_pending(x) or (x._storage is not None and tracing()):
        return recorded(lambda: wrap(getattr(ew, name)(node_of(x))))
    return _eager(getattr(exported(x), name))


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


# --- reading by index ---------------------------------------------------------------------------------------------------


def _plain_index(index: Any) -> Any:
    """An index with lazynp's arrays replaced by NumPy's."""
    if type(index) is tuple:
        return tuple([_plain_index(i) for i in index])
    if type(index) is list:
        return [_plain_index(i) for i in index]
    if type(index) is ndarray:
        values = to_numpy(index)
        return values[()] if values.ndim == 0 else values
    return index


def _eager_item(x: Any, index: Any) -> Any:
    item = x._np[_plain_index(index)]
    if type(item) is not np.ndarray:
        return item
    if item.size <= settings.tiny_threshold:
        return item
    return _eager(item, x if item.base is not None and item.base is (x._np if x._np.base is None else x._np.base) else None)


def basic_steps(shape: tuple[int, ...], index: Any) -> "tuple[list[Step], bool] | None":
    """The movement steps of a basic index and whether it names one single element; None for an advanced index.

    Raises NumPy's IndexError for a wrong one."""
    items = index if type(index) is tuple else (index,)
    key: list[Any] = [shape]
    for item in items:
        kind = type(item)
        if kind is slice:
            key.append((item.start, item.stop, item.step))
        elif kind is int or item is None or item is Ellipsis:
            key.append(item)
        elif kind is bool or kind is np.bool_ or not (isinstance(item, np.integer) or _is_integer(item)):
            return None
        else:
            key.append(int(item))
    try:
        known = _known_steps.get(tuple(key))
    except TypeError:  # a slice of unhashable things: NumPy has the error
        return _basic(shape, items)
    if known is None:
        if len(_known_steps) > 4096:
            _known_steps.clear()
        known = _known_steps[tuple(key)] = _basic(shape, items)
    return known


_known_steps: dict[Any, tuple[list[Step], bool]] = {}
"""What an index means for a shape: programs use few of them, many times."""


def _is_integer(item: Any) -> bool:
    if isinstance(item, (np.ndarray, list, tuple)) or type(item) is ndarray:
        return False
    try:
        operator.index(item)
    except TypeError:
        return False
    return not isinstance(item, bool)


_probe_element = np.zeros(())


def _raise_index_error(shape: tuple[int, ...], items: tuple[Any, ...]) -> None:
    """Let NumPy say what is wrong with an index."""
    np.broadcast_to(_probe_element, shape)[items]


def _basic(shape: tuple[int, ...], items: tuple[Any, ...]) -> tuple[list[Step], bool]:
    used = sum(1 for item in items if item is not None and item is not Ellipsis)
    if used > len(shape) or sum(1 for item in items if item is Ellipsis) > 1:
        _raise_index_error(shape, items)
    single = used == len(shape) and not any(item is None or item is Ellipsis or isinstance(item, slice) for item in items)
    if not any(item is Ellipsis for item in items):
        items = (*items, Ellipsis)
    starts: list[int] = []
    steps: list[int] = []
    sizes: list[int] = []
    out: list[int] = []
    axis = 0
    for item in items:
        if item is None:
            out.append(1)
        elif item is Ellipsis:
            for n in shape[axis : axis + len(shape) - used]:
                starts.append(0), steps.append(1), sizes.append(n), out.append(n)
            axis += len(shape) - used
        elif isinstance(item, slice):
            first, last, step = item.indices(shape[axis])
            size = len(range(first, last, step))
            starts.append(first if size else 0), steps.append(step if size else 1), sizes.append(size), out.append(size)
            axis += 1
        else:
            position = operator.index(item)
            n = shape[axis]
            if not -n <= position < n:
                _raise_index_error(shape, items)
            starts.append(position % n), steps.append(1), sizes.append(1)
            axis += 1
    path = []
    if tuple(sizes) != shape or any(starts) or any(s != 1 for s in steps):
        path.append(Step(slice_, (tuple(starts), tuple(steps), tuple(sizes))))
    if tuple(out) != tuple(sizes):
        path.append(Step(reshape, (tuple(out),)))
    return path, single


def _read(x: Any, index: Any) -> Any:
    found = basic_steps(x._type.shape, _indices(index))
    if found is None:
        return _read_advanced(x, index)
    steps, single = found
    if single and not tracing():
        return to_numpy(x)[_plain_index(index)]
    view = x
    for step in steps:
        view = view_of(view, step.op, **dict(zip(step.op.attrs, step.attrs, strict=True)))
    if single:  # NumPy hands out scalars, never views of one element
        return wrap(node_of(view))
    return view if view is not x else _handle(x._storage, x._path, x._type, x._parent if x._parent is not None else x)


def _indices(index: Any) -> Any:
    """0-d lazy integers inside an index become Python ints, outside a trace."""
    if type(index) is tuple:
        return tuple([_indices(i) for i in index])
    if type(index) is ndarray and index.ndim == 0 and index.dtype.kind in "iu" and not (tracing() and is_pending(index)):
        return int(index)
    return index


def _scalar_mask(index: Any) -> bool:
    """Whether an index has a 0-d boolean in it: it adds an axis of size 0 or 1, which only the value tells."""
    items = index if type(index) is tuple else (index,)
    return any(np.ndim(i) == 0 and (isinstance(i, (bool, np.bool_)) or (isinstance(i, ndarray) and i.dtype.kind == "b")) for i in items)


def _read_advanced(x: Any, index: Any) -> Any:
    if _scalar_mask(index):
        return from_numpy(to_numpy(x)[_plain_index(index)])
    if not (is_lazy(x) or tracing() or _mentions_lazy(index)):
        return from_numpy(to_numpy(x)[_plain_index(index)])
    return recorded(_read_gathered, x, index)


def _mentions_lazy(index: Any) -> bool:
    return any(is_pending(i) or (is_lazy(i) and i.dtype.kind in "iu") for i in (index if type(index) is tuple else (index,)))


def _read_gathered(x: Any, index: Any) -> Any:
    view, indices, axes, position = advanced(x, index)
    return wrap(gather(node_of(view), *indices, axes=axes, position=position))


def advanced(x: Any, index: Any) -> tuple[Any, list[Node], tuple[int, ...], int]:
    """An advanced index taken apart: (view by its basic part, broadcast index nodes, the axes they index, where their shape goes).

    Masks are looked up (their True positions are data). Raises NumPy's IndexError; values that are known are checked here."""
    items = _expand(x.shape, index if type(index) is tuple else (index,))
    basic: list[Any] = []
    arrays: list[tuple[int, Any]] = []
    axis = 0
    for item in items:
        if item is None or isinstance(item, slice):
            basic.append(item)
            axis += 1
        else:
            basic.append(slice(None))
            arrays.append((axis, item))
            axis += 1
    view = x[tuple(basic)] if any(not (isinstance(b, slice) and b == slice(None)) for b in basic) else x
    if type(view) is not ndarray:
        view = wrap(node_of(view))
    axes = tuple([axis for axis, _ in arrays])
    nodes = [_index_node(item, view.shape[axis], axis) for axis, item in arrays]
    shape = _index_shape(nodes)
    adjacent = all(b - a == 1 for a, b in zip(axes, axes[1:], strict=False))
    return view, [broadcast(n, shape) for n in nodes], axes, axes[0] if adjacent else 0


def _index_shape(nodes: list[Node]) -> tuple[int, ...]:
    try:
        return np.broadcast_shapes(*[n.shape for n in nodes])
    except ValueError:
        shapes = " ".join(str(n.shape).replace(" ", "") for n in nodes)
        raise IndexError(f"shape mismatch: indexing arrays could not be broadcast together with shapes {shapes} ") from None


def _expand(shape: tuple[int, ...], items: tuple[Any, ...]) -> list[Any]:
    """The index with masks as integer arrays and the ellipsis as full slices; ints beside arrays become 0-d index arrays."""
    out: list[Any] = []
    for item in items:
        if item is None or item is Ellipsis or isinstance(item, slice):
            out.append(item)
            continue
        array = item if type(item) is ndarray else np.asarray(item)
        if array.dtype.kind == "b":
            out.extend(_mask_positions(shape, to_numpy(array), items))
        elif array.size == 0 and not isinstance(item, (np.ndarray, ndarray)):
            out.append(array.astype(np.intp))
        elif array.dtype.kind not in "iu":
            _raise_index_error(shape, _plain_index(items))
        else:
            out.append(array)
    used = sum(1 for item in out if item is not None and item is not Ellipsis)
    if used > len(shape):
        _raise_index_error(shape, _plain_index(items))
    fill = [slice(None)] * (len(shape) - used)
    dots = next((i for i, item in enumerate(out) if item is Ellipsis), None)
    return [*out, *fill] if dots is None else [*out[:dots], *fill, *out[dots + 1 :]]


def _mask_positions(shape: tuple[int, ...], mask: np.ndarray, items: tuple[Any, ...]) -> tuple[Any, ...]:
    if len([i for i in items if i is not None and i is not Ellipsis]) == 1 and mask.shape != shape[: mask.ndim]:
        _raise_index_error(shape, (mask,))
    return mask.nonzero()


def _index_node(item: Any, n: int, axis: int) -> Node:
    """An index array as int64 node. Values that are known are checked now, at the user's line; others when the program runs."""
    if type(item) is ndarray and is_pending(item):
        return ew.as_node(node_of(item), np.dtype(np.int64))
    values = np.asarray(to_numpy(item)).astype(np.int64)
    if values.size:
        for bad in (values.min(), values.max()):
            if not -n <= bad < n:
                raise IndexError(f"index {bad} is out of bounds for axis {axis} with size {n}")
    return constant(values) if values.ndim == 0 else _capture(values)


# --- writing ------------------------------------------------------------------------------------------------------------


def _write(x: Any, index: Any, value: Any) -> None:
    if x._storage is None:
        _upgrade(x)
    if not x._writeable:
        raise ValueError("assignment destination is read-only")
    index = _indices(index)
    found = basic_steps(x._type.shape, index)
    if found is None:
        _write_advanced(x, index, value)
        return
    if found[1] and np.ndim(value):
        probe = np.zeros((1,) * x.ndim, x.dtype)
        probe[(0,) * x.ndim] = np.zeros(np.shape(value), value.dtype) if isinstance(value, ndarray) else value  # NumPy's error
    target = x
    for step in found[0]:
        target = view_of(target, step.op, **dict(zip(step.op.attrs, step.attrs, strict=True)))
    if _writes_now(target, value):
        x._storage.settle_readers()
        geometry(target)[...] = to_numpy(value)
    else:
        recorded(_write_value, target, value)


def _upgrade(x: Any) -> None:
    """An eager array that a trace writes to becomes a view of a storage; only if nobody else can see its memory."""
    array = x._np
    if array.base is not None or not array.flags.carray:
        raise storage_module.CaptureError("a traced function writes to a view of an array that was made outside of the trace")
    x._storage = Storage(array.shape, array.dtype, None, array)
    x._storage.home = storage_module._main_queue
    x._type = ArrayType(array.shape, array.dtype)
    x._np = None


def _writes_now(target: Any, value: Any) -> bool:
    """Whether a write is done at once in memory: nothing is pending and the region is small."""
    storage = target._storage
    if storage.node is not None or is_pending(value) or tracing():
        return False
    return storage.exported or (target.size < settings.lazy_threshold and not storage.read_by_pending)


def _write_value(target: Any, value: Any) -> None:
    assign(target, _fitted(value, target._type))


def _fitted(value: Any, type_: ArrayType) -> Node:
    """A value as NumPy assigns it: cast to the target's dtype, leading axes of size 1 dropped, broadcast. Raises NumPy's ValueError."""
    try:
        node = operand(value)
    except NotLazy:
        node = operand(np.asarray(value).astype(type_.dtype))
    if not isinstance(node, Node):
        node = constant(np.asarray(node).astype(type_.dtype) if type(node) is complex else np.asarray(node, type_.dtype))
    warn_of_lost_imaginary(node.dtype, type_.dtype)
    shape = node.shape
    while len(shape) > type_.ndim and shape[0] == 1:
        shape = shape[1:]
    node = ew.as_node(reshape(node, shape), type_.dtype)
    try:
        fits = np.broadcast_shapes(shape, type_.shape) == type_.shape
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(f"could not broadcast input array from shape {_shape_text(node.shape)} into shape {_shape_text(type_.shape)}")
    return broadcast(node, type_.shape)


def warn_of_lost_imaginary(source: np.dtype, target: np.dtype) -> None:
    """NumPy's ComplexWarning, at the user's line."""
    if source.kind == "c" and target.kind not in "cb":
        warnings.warn("Casting complex values to real discards the imaginary part", np.exceptions.ComplexWarning, stacklevel=6)


def _shape_text(shape: tuple[int, ...]) -> str:
    return str(tuple(shape)).replace(" ", "")


def assign(x: Any, node: Node) -> None:
    """Write a node of x's own type into x's memory: everyone who shares it sees the new values."""
    storage = x._storage
    if storage is None:
        if tracing():
            _upgrade(x)
            storage = x._storage
        else:
            x._np[...] = to_numpy(wrap(node))
            return
    if not x._writeable:
        raise ValueError("output array is read-only")
    storage.write(update(storage.value(), node, x._path))


def _write_advanced(x: Any, index: Any, value: Any) -> None:
    if not (tracing() or is_lazy(x) or is_pending(value)):
        x._storage.settle_readers()
        geometry(x)[_plain_index(index)] = to_numpy(value)
    elif _is_full_mask(x, index) and _broadcasts_to_mask(x, index, value):
        recorded(_write_masked, x, index, value)
    elif _scalar_mask(index):
        exported(x)[_plain_index(index)] = to_numpy(value)
    else:
        recorded(_write_scattered, x, index, value)


def _is_full_mask(x: Any, index: Any) -> bool:
    return isinstance(index, ndarray) and index.dtype.kind == "b" and index.shape == x.shape[: index.ndim]


def _broadcasts_to_mask(x: Any, mask: Any, value: Any) -> bool:
    """Whether a masked write is a `where`: the value does not depend on which elements the mask selects."""
    shape = np.shape(value) if not isinstance(value, ndarray) else value.shape
    rest = x.shape[mask.ndim :]
    return len(shape) <= len(rest) and np.broadcast_shapes(shape, rest) == rest if len(shape) <= len(rest) else False


def _write_masked(x: Any, mask: Any, value: Any) -> None:
    old = node_of(x)
    test = reshape(node_of(mask), mask.shape + (1,) * (x.ndim - mask.ndim))
    assign(x, ew.where(broadcast(test, x.shape), _fitted(value, x._type), old))


def _write_scattered(x: Any, index: Any, value: Any, combine: Op | None = None) -> None:
    view, indices, axes, position = advanced(x, index)
    base = node_of(view)
    region = gather.infer(base.type, *[i.type for i in indices], axes=axes, position=position)
    try:
        new = _fitted(value, region)
    except ValueError:
        raise ValueError(
            f"shape mismatch: value array of shape {_shape_text(np.shape(to_numpy(value)))} could not be broadcast to "
            f"indexing result of shape {_shape_text(region.shape)}"
        ) from None
    assign(view, scatter(base, new, *indices, axes=axes, position=position, combine=combine))


# --- operators -----------------------------------------------------------------------------------------------------------


def elementwise(ufunc: np.ufunc, *operands: Any) -> Any:
    """A ufunc of one output on operands of which at least one is lazy. Goes through NumPy where no op or no lazy dtype exists."""
    try:
        check_operands(ufunc, operands)
        return recorded(_record_elementwise, ew.UFUNCS[ufunc][0], operands)
    except (NotLazy, OverflowError, KeyError):
        record_fallback(ufunc.__name__)
        return from_numpy(ufunc(*[exported(x) for x in operands]))


def check_operands(ufunc: np.ufunc, operands: tuple[Any, ...]) -> None:
    """The one error of a ufunc that depends on values: integers to negative integer powers. Looks at the exponents (forces them)."""
    if ufunc is np.power and all(_is_integral(x) for x in operands) and np.any(np.less(to_numpy(operands[1]), 0)):
        raise ValueError("Integers to negative integer powers are not allowed.")


def _is_integral(x: Any) -> bool:
    return type(x) is int or (isinstance(x, (ndarray, np.generic)) and x.dtype.kind in "iu")


def _record_elementwise(op: Op, operands: tuple[Any, ...]) -> Any:
    return wrap(op(*[operand(x) for x in operands]))


def _binary(ufunc: np.ufunc, function: Callable[..., Any]) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """The operator and its reflection. The hottest code of the package for small arrays: one type check, one NumPy call, one wrapper."""

    def forward(self: Any, other: Any) -> Any:
        if self._storage is None and not tracing_count.depth:
            kind = type(other)
            if kind in _EAGER_SCALARS:
                return _eager(function(self._np, other))
            if kind is ndarray and other._storage is None:
                a, b = self._np, other._np
                if a.shape == b.shape or a.size * b.size < settings.lazy_threshold:
                    return _eager(function(a, b))
        return _general(ufunc, function, self, other)

    def reflected(self: Any, other: Any) -> Any:
        if self._storage is None and not tracing_count.depth and type(other) in _EAGER_SCALARS:
            return _eager(function(other, self._np))
        return _general(ufunc, function, other, self)

    return forward, reflected


def _general(ufunc: np.ufunc, function: Callable[..., Any], a: Any, b: Any) -> Any:
    if not _is_operand(a) or not _is_operand(b):
        return NotImplemented
    if goes_lazy(a, b) or _grows(a, b):
        return elementwise(ufunc, a, b)
    return from_numpy(function(to_numpy(a), to_numpy(b)))


def _is_operand(x: Any) -> bool:
    """Whether our operators take it; a type with an __array_ufunc__ of its own (or None) decides for itself, as in NumPy."""
    kind = type(x)
    if kind is ndarray or kind is np.ndarray or kind in _EAGER_SCALARS:
        return True
    if isinstance(x, (np.ndarray, np.generic)):
        return True
    if hasattr(kind, "__array_ufunc__"):
        return False
    return not hasattr(kind, "__array_priority__")


def _grows(a: Any, b: Any) -> bool:
    """Whether two small operands broadcast to something large."""
    if not (isinstance(a, ndarray) and isinstance(b, ndarray)) or a.shape == b.shape or a.size * b.size < settings.lazy_threshold:
        return False
    try:
        return itemcount(np.broadcast_shapes(a.shape, b.shape)) >= settings.lazy_threshold
    except ValueError:
        return False


def _inplace(ufunc: np.ufunc) -> Callable[..., Any]:
    def operate(self: Any, other: Any) -> Any:
        if self._storage is None and not tracing():
            ufunc(self._np, to_numpy(other), out=self._np)
            return self
        if self._scalar:
            return hooks.ufunc(ufunc, "__call__", (self, other), {})
        hooks.ufunc(ufunc, "__call__", (self, other), {"out": (self,)})
        return self

    return operate


def _unary(ufunc: np.ufunc, function: Callable[..., Any]) -> Callable[..., Any]:
    def operate(self: Any) -> Any:
        if self._storage is None and not tracing_count.depth:
            return _eager(function(self._np))
        return elementwise(ufunc, self) if goes_lazy(self) else from_numpy(function(to_numpy(self)))

    return operate


_BINARY = {
    "add": (np.add, operator.add), "sub": (np.subtract, operator.sub), "mul": (np.multiply, operator.mul),
    "truediv": (np.true_divide, operator.truediv), "floordiv": (np.floor_divide, operator.floordiv), "mod": (np.remainder, operator.mod),
    "pow": (np.power, operator.pow), "and": (np.bitwise_and, operator.and_), "or": (np.bitwise_or, operator.or_),
    "xor": (np.bitwise_xor, operator.xor), "lshift": (np.left_shift, operator.lshift), "rshift": (np.right_shift, operator.rshift),
}  # fmt: skip
_COMPARE = {
    "eq": (np.equal, operator.eq), "ne": (np.not_equal, operator.ne), "lt": (np.less, operator.lt),
    "le": (np.less_equal, operator.le), "gt": (np.greater, operator.gt), "ge": (np.greater_equal, operator.ge),
}  # fmt: skip
_UNARY = {
    "neg": (np.negative, operator.neg), "pos": (np.positive, operator.pos), "abs": (np.absolute, operator.abs),
    "invert": (np.invert, operator.invert),
}  # fmt: skip

for _name, (_ufunc, _function) in _BINARY.items():
    _forward, _reflected = _binary(_ufunc, _function)
    setattr(ndarray, f"__{_name}__", _forward)
    setattr(ndarray, f"__r{_name}__", _reflected)
    setattr(ndarray, f"__i{_name}__", _inplace(_ufunc))
for _name, (_ufunc, _function) in _COMPARE.items():
    setattr(ndarray, f"__{_name}__", _binary(_ufunc, _function)[0])
for _name, (_ufunc, _function) in _UNARY.items():
    setattr(ndarray, f"__{_name}__", _unary(_ufunc, _function))


def _divmod(self: Any, other: Any) -> Any:
    return self // other, self % other


def _rdivmod(self: Any, other: Any) -> Any:
    return other // self, other % self


def _matmul(self: Any, other: Any) -> Any:
    return hooks.ufunc(np.matmul, "__call__", (self, other), {}) if _is_operand(other) else NotImplemented


def _rmatmul(self: Any, other: Any) -> Any:
    return hooks.ufunc(np.matmul, "__call__", (other, self), {}) if _is_operand(other) else NotImplemented


def _imatmul(self: Any, other: Any) -> Any:
    hooks.ufunc(np.matmul, "__call__", (self, other), {"out": (self,)})
    return self


ndarray.__divmod__ = _divmod  # type: ignore[attr-defined]
ndarray.__rdivmod__ = _rdivmod  # type: ignore[attr-defined]
ndarray.__matmul__ = _matmul  # type: ignore[attr-defined]
ndarray.__rmatmul__ = _rmatmul  # type: ignore[attr-defined]
ndarray.__imatmul__ = _imatmul  # type: ignore[attr-defined]
