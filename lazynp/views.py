"""Arrays that share the memory of others: views, the parts of complex arrays, `x.flat`; and the one function that writes."""

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from lazynp.array import (
    as_array,
    eager,
    exported,
    from_numpy,
    geometry,
    handle,
    hooks,
    is_differentiated,
    is_pending,
    ndarray,
    repeat_in_memory,
    to_numpy,
    wrap,
)
from lazynp.config import settings
from lazynp.ir.node import Node
from lazynp.ir.op import Op
from lazynp.ir.types import ArrayType
from lazynp.layout import Axes, fortran_order
from lazynp.native import connect_views
from lazynp.operands import is_lazy, node_of, operand, recorded
from lazynp.ops import elementwise as ew
from lazynp.ops.indexing import update
from lazynp.ops.movement import (
    Path,
    Pick,
    Step,
    broadcast,
    cut_first,
    follow_numpy,
    follow_type,
    inverse_axes,
    permute,
    picked,
    reshape,
    slice_,
)
from lazynp.ops.sizes import simplify_size
from lazynp.ordering import wrap_ordered
from lazynp.runtime import storage as storage_module
from lazynp.runtime.storage import Storage, queue, tracing


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


class flatiter:  # noqa: N801  (NumPy's name)
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
        return iter(Flat(self.base) if is_differentiated(self.base) else self._numpys)

    def __next__(self) -> Any:
        return next(self._numpys)

    def __getitem__(self, index: Any) -> Any:
        if is_differentiated(self.base):
            return Flat(self.base)[index]
        return from_numpy(self._numpys[exported(index)])

    def __setitem__(self, index: Any, value: Any) -> None:
        if (
            is_differentiated(self.base)
            or is_differentiated(value)
            or (type(value) in (list, tuple) and any(map(is_differentiated, value)))
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
    setattr(flatiter, f"__{_compare.__name__}__", _compared(_compare))


def view_of(x: Any, op: Op, **attrs: Any) -> Any:
    """A view of an array through one more movement op: shares its memory."""
    return view_along(x, Step(op, tuple([attrs[name] for name in op.attrs])))


def view_along(x: Any, step: Step) -> Any:
    """The same through a step."""
    if type(x) is not ndarray:
        x = eager(x)
    if x._storage is None:
        if not tracing():
            return from_view(follow_numpy(x._np, (step,)), x)
        return view_along(wrap(node_of(x)), step)
    x = _unshared(x)
    type_ = follow_type(x._type, (step,))
    path = extended(x._path, step)
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


def extended(path: Path, step: Step) -> Path:
    """The path with one more step; slices of slices and reshapes of reshapes become one step."""
    if path and path[-1].op is step.op:
        if step.op is reshape and type(step) is not Pick and (type(path[-1]) is not Pick or 1 not in step.attrs[0]):
            return (*path[:-1], step)
        if step.op is slice_:
            starts, steps, _ = path[-1].attrs
            more_starts, more_steps, sizes = step.attrs
            merged = tuple([simplify_size(a + s * b) for a, s, b in zip(starts, steps, more_starts, strict=True)])
            return (*path[:-1], Step(slice_, (merged, tuple([s * t for s, t in zip(steps, more_steps, strict=True)]), sizes)))
    return (*path, step)


def with_axes(x: Any, axes: Axes) -> Any:
    """x[None, :, ...]: new axes at these places, as numpy.median keeps those that it has reduced."""
    whole = iter(x.shape)
    key = tuple([None if axis in axes else slice(None) for axis in range(x.ndim + len(axes))])
    return view_along(x, picked(tuple([1 if item is None else next(whole) for item in key]), key))


def without_axes(x: Any, axes: Axes) -> Any:
    """numpy.squeeze of these axes, of size 1."""
    key = tuple([0 if axis in axes else slice(None) for axis in range(x.ndim)])
    return view_along(x, picked(tuple([n for axis, n in enumerate(x.shape) if axis not in axes]), key))


def reshaped(x: Any, shape: tuple[int, ...]) -> Any:
    """x.reshape(shape) in C order, -1 resolved: a view where NumPy gives one, else a copy."""
    if type(x) is not ndarray:
        x = eager(x)
    if x._storage is None and not tracing():
        return from_view(x._np.reshape(shape), x)
    x = wrap(node_of(x)) if x._storage is None else _unshared(x)
    try:
        geometry(x).reshape(shape, copy=False)
    except ValueError as error:
        if "copy" not in str(error):  # another size
            raise
        return as_array(wrap(reshape(node_of(x), shape)))
    return view_of(x, reshape, out_shape=shape)


def assign(x: Any, node: Node) -> None:
    """Write a node of x's own type into x's memory: everyone who shares it sees the new values."""
    if x._readonly is None:
        repeat_in_memory(x)
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
    path = cut_first(x._path)
    if path and path[-1].op is permute:  # the region is written in the order in which it lies
        node, path = permute(node, inverse_axes(path[-1].attrs[0])), path[:-1]
    storage.write(update(storage.value(), node, path))


def upgrade(x: Any) -> None:
    """An eager array that a trace writes to becomes a view of a storage; only if nobody else can see its memory."""
    array = x._np
    if array.base is not None or not array.flags.carray:
        raise storage_module.CaptureError("a traced function writes to a view of an array that was made outside of the trace")
    x._storage = Storage(array.shape, array.dtype, None, array)
    x._storage.home = storage_module._main_queue
    x._type = ArrayType(array.shape, array.dtype)
    x._np = None


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
        storage = Part(handle(x._storage, (), ArrayType(x._storage.shape, x._storage.dtype), None), name)
        view = handle(storage, x._path, ArrayType(x._type.shape, storage.dtype), x._parent if x._parent is not None else x)
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


# --- attributes that are views -------------------------------------------------------------------------------------------


def _set_shape(x: Any, shape: Any) -> None:
    if x._storage is None:
        x._np.shape = shape
        return
    probe = geometry(x).view()
    probe.shape = shape
    view = view_of(x, reshape, out_shape=probe.shape)
    x._path, x._type, x._np = view._path, view._type, None


def _transposed(x: Any) -> Any:
    return x if x._scalar else view_of(x, permute, axes=tuple(reversed(range(x.ndim))))


def _matrix_transposed(x: Any) -> Any:
    if x.ndim < 2:
        raise ValueError("matrix transpose with ndim < 2 is undefined")
    return view_of(x, permute, axes=(*range(x.ndim - 2), x.ndim - 1, x.ndim - 2))


def _real(x: Any) -> Any:
    return x if x.dtype.kind != "c" else _part(x, "real")


def _imag(x: Any) -> Any:
    if x.dtype.kind != "c" and is_lazy(x):
        zeros = wrap_ordered(ew.filled(x.shape, 0, x.dtype), fortran_order(x.ndim) if geometry(x).flags.fnc else None)
        zeros._readonly = True
        return zeros if x._scalar else as_array(zeros)
    return _part(x, "imag")


def _flat(x: Any) -> Any:
    return Flat(x) if is_differentiated(x) else flatiter(x)


def _set_flat(x: Any, value: Any) -> None:
    if not x._writeable:
        exported(x).flat = 0  # NumPy's error
    traced = tracing() and type(value) is ndarray
    x[...] = hooks.function(np.resize, (value, x.shape), {}) if traced else np.resize(to_numpy(value), x.shape)


ndarray.shape = ndarray.shape.setter(_set_shape)  # type: ignore[method-assign]
connect_views(ndarray, _transposed)
ndarray.mT = property(_matrix_transposed)  # type: ignore[attr-defined]
ndarray.real = property(_real, lambda x, value: _set_part(x, "real", value))  # type: ignore[attr-defined]
ndarray.imag = property(_imag, lambda x, value: _set_part(x, "imag", value))  # type: ignore[attr-defined]
ndarray.flat = property(_flat, _set_flat)  # type: ignore[attr-defined]
