"""Reading and writing by index: basic indices are views, advanced ones gather and scatter."""

import operator
from typing import Any

import numpy as np

from lazynp.array import as_array, eager, exported, from_numpy, geometry, handle, is_pending, ndarray, repeat_in_memory, to_numpy, wrap
from lazynp.basic import basic_steps, raise_index_error, traced_bound
from lazynp.config import settings
from lazynp.ir.node import Node, constant
from lazynp.ir.op import Op
from lazynp.ir.types import ArrayType, NotLazy, Symbolic, Undecided
from lazynp.native import ARRAYS, connect_items, keeping, tracing_count
from lazynp.operands import capture, is_lazy, named, node_of, operand, recorded, short_here, warn_of_lost_imaginary
from lazynp.ops import elementwise as ew
from lazynp.ops.indexing import gather, scatter
from lazynp.ops.movement import Step, broadcast, broadcast_shape, join, permute, reshape, slice_
from lazynp.ops.ranges import doubt_lost
from lazynp.ops.sizes import SymInt
from lazynp.ordering import wrap_picked
from lazynp.runtime.storage import Snapshot, Storage, borrowed, has_value, queue, tracing
from lazynp.selection import Selection, computed, select, selected_by, whole
from lazynp.views import assign, extended, upgrade, view_along

# --- reading by index ---------------------------------------------------------------------------------------------------


_BASIC = frozenset({int, slice, type(None), type(Ellipsis), np.int64, np.intp})


_PRESENT = frozenset({int, float, bool, complex, *ARRAYS, np.float64, np.int64, np.bool_, np.complex128, np.float32})


def _is_basic(index: Any) -> bool:
    kind = type(index)
    if kind is tuple:
        return all(type(item) in _BASIC for item in index)
    return kind in _BASIC


def _present_item(x: Any, index: Any) -> Any:
    """A basic index into an array that is not pending: NumPy's own scalar or view, whatever it costs the array later (its memory is known
    outside from now on: see Storage.leaf). A large view stays ours."""
    item = geometry(x)[index]
    if type(item) not in ARRAYS:
        return item
    if item.size >= settings.lazy_threshold:
        return _present_view(x, index, item)
    storage = x._storage
    storage.settle_readers()
    storage.exported = True
    if not x._writeable:
        item.flags.writeable = False
    return item


def _present_view(x: Any, index: Any, item: np.ndarray) -> Any:
    """The view of an array that is not pending by a basic index, which NumPy has evaluated already. NumPy's view is not kept: as long as
    one lives, whoever reads the memory has to copy it first (`storage.shared_outside`)."""
    path = x._path
    for step in basic_steps(x._type.shape, index)[0]:  # type: ignore[index]
        path = extended(path, step)
    view = handle(x._storage, path, ArrayType(item.shape, item.dtype), x._parent if x._parent is not None else x)
    view._readonly = x._readonly
    return view


def _write_present(x: Any, index: Any, value: Any) -> bool:
    """Write a scalar, or an array to a small region, to an array that is not pending, at once; False, with nothing done, for the rest."""
    if type(value) not in _PRESENT:
        return False
    if not x._writeable:
        return False
    memory = geometry(x)
    region = memory[index]
    if type(value) in ARRAYS and type(region) in ARRAYS and region.size >= settings.lazy_threshold:
        return False
    x._storage.settle_readers()
    memory[index] = value
    return True


def _eager_item(x: Any, index: Any) -> Any:
    item = x._np[plain_index(index)]
    if type(item) not in ARRAYS or item.size < settings.lazy_threshold:
        return item
    return eager(item, x if item.base is not None and item.base is (x._np if x._np.base is None else x._np.base) else None)


def _read(x: Any, index: Any) -> Any:
    index = _indices(index)
    found = basic_steps(x._type.shape, index)
    if found is None:
        return _read_advanced(x, _as_arrays(index))
    steps, single = found
    if single and not tracing() and not tracing_count.recording:  # nothing runs while an operation reads its operands
        return to_numpy(x)[plain_index(index)]
    view = x
    for step in steps:
        view = view_along(view, step)
    if single:  # NumPy hands out scalars, never views of one element
        return wrap(node_of(view))
    if view is not x:
        return view
    if x._scalar:  # NumPy makes a new array of a scalar
        return as_array(wrap(node_of(x)))
    again = handle(x._storage, x._path, x._type, x._parent if x._parent is not None else x)
    again._readonly = x._readonly
    return again


def _indices(index: Any) -> Any:
    """0-d lazy integers inside an index become Python ints, outside a trace; numbers of two kinds the one that indexes alike."""
    if type(index) is tuple:
        return tuple([_indices(i) for i in index])
    if isinstance(index, Undecided):
        return index.indexing()
    if type(index) is slice and any(isinstance(i, Undecided) for i in (index.start, index.stop, index.step)):
        return slice(*map(_indices, (index.start, index.stop, index.step)))
    if type(index) is ndarray and index.ndim == 0 and index.dtype.kind in "iu" and not (tracing() and is_pending(index)):
        return int(index)
    return index


def _as_arrays(index: Any) -> Any:
    """Numbers of a trace inside an index as 0-d arrays: where they may lie outside, the program looks."""
    if type(index) is tuple:
        return tuple([_as_arrays(i) for i in index])
    if type(index) is list and any(type(i) is SymInt or traced_bound(i) is not i for i in index):
        return _joined(index)
    return wrap(index.node) if type(index) is SymInt else index


def _joined(numbers: list[Any]) -> Any:
    """A list of integers some of which are traced, as one array. Raises IndexError for a list of anything else."""
    integers = [i for i in numbers if type(i) in (int, SymInt) or isinstance(i, np.integer) or traced_bound(i) is not i]
    if len(integers) < len(numbers):
        raise IndexError("a list of traced integers as an index must not have anything else in it")
    return wrap(join(*[reshape(ew.as_node(node_of(i), np.dtype(np.int64)), (1,)) for i in numbers], axis=0))


def _scalar_mask(index: Any) -> bool:
    """Whether an index has a 0-d boolean in it: it adds an axis of size 0 or 1, which only the value tells."""
    items = index if type(index) is tuple else (index,)
    return any(isinstance(i, (bool, np.bool_)) or (isinstance(i, ndarray) and i.ndim == 0 and i.dtype.kind == "b") for i in items)


def _read_advanced(x: Any, index: Any) -> Any:
    index = computed(index)
    if tracing():
        if _ends_in_mask(x, index) and all(map(_is_number, index[:-1])):
            return x[index[:-1]][index[-1]]
        if _is_whole_mask(x, index) or _selects_rows(x, index):
            return select(x, index)
    elif (is_lazy(x) or is_lazy(index)) and short_here((x, *_items(index))):
        return from_numpy(keeping(operator.getitem, to_numpy(x), plain_index(index)))
    elif _is_whole_mask(x, index) and (is_lazy(x) or is_lazy(index)):
        return select(x, index)
    if _scalar_mask(index):
        return (
            recorded(_whole_or_nothing, x, index) if tracing() and type(index) is not tuple else from_numpy(to_numpy(x)[plain_index(index)])
        )
    if not (is_lazy(x) or tracing() or _mentions_lazy(index)):
        return from_numpy(to_numpy(x)[plain_index(index)])
    return recorded(_read_gathered, x, index)


def _items(index: Any) -> tuple[Any, ...]:
    return index if type(index) is tuple else (index,)


def _whole_or_nothing(x: Any, flag: Any) -> Any:
    """x[True] or x[False] in a trace: as many copies of x as the flag says."""
    node = node_of(x)
    return as_array(
        wrap(
            broadcast(
                reshape(node, (1, *node.shape)) if to_numpy(flag) else ew.filled((0, *node.shape), 0, node.dtype),
                (int(to_numpy(flag)), *node.shape),
            )
        )
    )


def _mentions_lazy(index: Any) -> bool:
    return any(is_pending(i) or (is_lazy(i) and i.dtype.kind in "iu") for i in (index if type(index) is tuple else (index,)))


def _read_gathered(x: Any, index: Any) -> Any:
    view, indices, axes, position = advanced(x, index)
    node = gather(node_of(view), *indices, axes=axes, position=position)
    if node.shape and tracing() and type(view) is ndarray and view._storage is not None and _is_view_in_numpy(index):
        what = "a view, at a position known only at run time, of another array"
        return handle(Snapshot(node, (view._storage,), what, (view, indices, axes)), (), node.type, None)
    return wrap_picked(node, view, [i for i in _items(index) if isinstance(i, ndarray)], axes, position)


def _is_view_in_numpy(index: Any) -> bool:
    """Whether NumPy would see plain integers where a trace has 0-d arrays."""
    items = index if type(index) is tuple else (index,)
    return all(i is None or i is Ellipsis or isinstance(i, (slice, int, np.integer)) or getattr(i, "_scalar", False) for i in items)


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
    if len(arrays) > _MOST_INDEX_ARRAYS:
        raise_index_error(x.shape, tuple([0 if i is None else i for i in plain_index(tuple(items))]))
    axes = tuple([axis for axis, _ in arrays])
    nodes = [_index_node(item, view.shape[axis], axis) for axis, item in arrays]
    shape = _index_shape(nodes)
    adjacent = all(b - a == 1 for a, b in zip(axes, axes[1:], strict=False))
    return view, [broadcast(n, shape) for n in nodes], axes, axes[0] if adjacent else 0


_MOST_INDEX_ARRAYS = 63
"""NumPy's iterator takes 64 operands, one of which is the result."""


def _index_shape(nodes: list[Node]) -> tuple[int, ...]:
    try:
        return broadcast_shape(*[n.shape for n in nodes])  # type: ignore[return-value]
    except ValueError:
        shapes = " ".join(str(n.shape).replace(" ", "") for n in nodes)
        raise IndexError(f"shape mismatch: indexing arrays could not be broadcast together with shapes {shapes} ") from None


def _expand(shape: tuple[int, ...], items: tuple[Any, ...]) -> list[Any]:
    """The index with masks as integer arrays and the ellipsis as full slices; ints beside arrays become 0-d index arrays."""
    out: list[Any] = []
    arrays = tuple([_as_index(item) for item in items])
    _check_masks(shape, arrays)
    for item, array in zip(items, arrays, strict=True):
        if array is None or array is Ellipsis or isinstance(array, slice):
            out.append(array)
        elif array.dtype.kind == "b":
            out.extend(to_numpy(array).nonzero())
        elif not isinstance(item, (np.ndarray, ndarray)) and array.size == 0:
            out.append(array.astype(np.intp))
        elif array.dtype.kind not in "iu":
            raise_index_error(shape, plain_index(items))
        else:
            out.append(array)
    used = sum(1 for item in out if item is not None and item is not Ellipsis)
    if used > len(shape):
        raise_index_error(shape, plain_index(items))
    fill = [slice(None)] * (len(shape) - used)
    dots = next((i for i, item in enumerate(out) if item is Ellipsis), None)
    return [*out, *fill] if dots is None else [*out[:dots], *fill, *out[dots + 1 :]]


def _as_index(item: Any) -> Any:
    """Lists and numbers as NumPy arrays."""
    plain = item is None or item is Ellipsis or isinstance(item, slice) or type(item) is ndarray
    return item if plain else np.asarray(item)


def _check_masks(shape: tuple[int, ...], items: tuple[Any, ...]) -> None:
    """Raises NumPy's IndexError for a mask whose shape is not that of the axes it stands for."""
    masks = [item.shape if isinstance(item, ndarray) and item.dtype.kind == "b" else None for item in items]
    if not any(masks):
        return
    used = [0 if i is None or i is Ellipsis else 1 if m is None else len(m) for i, m in zip(items, masks, strict=True)]
    axis = 0
    for item, mask, count in zip(items, masks, used, strict=True):
        if mask is not None and mask != shape[axis : axis + count]:
            raise_index_error(shape, (*[slice(None)] * axis, np.zeros(mask, bool)))
        axis += len(shape) - sum(used) if item is Ellipsis else count


def _index_node(item: Any, n: int, axis: int) -> Node:
    """An index array as int64 node. Values that are known are checked now, at the user's line; others when the program runs."""
    if type(item) is ndarray and is_pending(item):
        return ew.as_node(node_of(item), np.dtype(np.int64))
    given = np.asarray(to_numpy(item))
    values = given.astype(np.int64, order="C", copy=False)
    if values.size and type(n) is int:
        for bad in (values.min(), values.max()):
            if not -n <= bad < n:
                raise IndexError(f"index {bad} is out of bounds for axis {axis} with size {n}")
    if values.ndim == 0:
        return constant(values)
    if values is not given and values.base is None:
        return borrowed(values)  # a conversion that nobody else knows
    return node_of(item) if type(item) is ndarray and item._storage is not None else capture(values)


def plain_index(index: Any) -> Any:
    """An index with lazynp's arrays replaced by NumPy's."""
    if type(index) is tuple:
        return tuple([plain_index(i) for i in index])
    if type(index) is list:
        return [plain_index(i) for i in index]
    if type(index) is ndarray:
        values = to_numpy(index)
        return values[()] if values.ndim == 0 else values
    return index


# --- writing ------------------------------------------------------------------------------------------------------------


def refuse(value: Any, dtype: np.dtype) -> None:
    """NumPy's error for what cannot be an element of an array: strings that are no numbers, complex numbers of Python."""
    kinds = set(map(type, value if type(value) in (list, tuple) else (value,)))
    if kinds & _DOUBTFUL and kinds <= _PRESENT | _DOUBTFUL:
        np.asarray(value, dtype)


_DOUBTFUL = frozenset({complex, str, bytes})


def _write(x: Any, index: Any, value: Any) -> None:
    if x._storage is None:
        upgrade(x)
    if not x._writeable:
        raise ValueError("assignment destination is read-only")
    if isinstance(value, Undecided):
        value = value.stored(x.dtype)
    index = _indices(index)
    found = basic_steps(x._type.shape, index)
    if found is None:
        _write_advanced(x, _as_arrays(index), value)
        return
    if found[1] and not isinstance(value, Symbolic) and np.ndim(value):
        probe = np.zeros((1,) * x.ndim, x.dtype)
        probe[(0,) * x.ndim] = np.zeros(np.shape(value), value.dtype) if isinstance(value, ndarray) else value  # NumPy's error
    if found[1] and type(value).__name__ == "MaskedConstant":  # NumPy asks it for its number: an error or NaN, not the data
        probe = np.zeros(1, x.dtype)
        probe[0] = value
        value = probe[0]
    if x.dtype.kind in "iu" and _is_real_scalar(value) and not np.can_cast(value.dtype, x.dtype):
        _must_hold(x.dtype, value)
    target = x
    for step in found[0]:
        target = view_along(target, step)
    if _writes_now(target, value):
        x._storage.settle_readers()
        geometry(target)[...] = to_numpy(value)
    else:
        recorded(_write_value, target, value)


def _is_real_scalar(value: Any) -> bool:
    return (isinstance(value, np.generic) or (type(value) is ndarray and value._scalar)) and value.dtype.kind in "iuf"


def _must_hold(dtype: np.dtype, value: Any) -> None:
    """NumPy's error for a scalar of its own that signed integers do not hold: they take it as Python's number. Unsigned ones cast it, and
    NumPy warns of floats that are beyond all integers."""
    if tracing() and type(value) is ndarray:
        if dtype.kind == "i" or value.dtype.kind == "f":
            doubt_lost(node_of(value), dtype if dtype.kind == "i" else np.dtype(np.int64))
    elif dtype.kind == "i":
        np.zeros(1, dtype)[0] = to_numpy(value)[()] if type(value) is ndarray else value


def _writes_now(target: Any, value: Any) -> bool:
    """Whether a write is done at once in memory: nothing is pending and the region is small."""
    storage = target._storage
    if tracing():
        return False
    if short_here((target, value)):
        return True
    if storage.node is not None or is_pending(value):
        return False
    return storage.exported or (target.size < settings.lazy_threshold and not storage.read_by_pending)


def _write_value(target: Any, value: Any) -> None:
    assign(target, _fitted(value, target._type))


def _fitted(value: Any, type_: ArrayType) -> Node:
    """A value as NumPy assigns it: cast to the target's dtype, leading axes of size 1 dropped, broadcast. Raises NumPy's ValueError."""
    refuse(value, type_.dtype)
    value = value.compute() if type(value) is Selection else value
    try:
        node = operand(value)
    except NotLazy:
        node = operand(np.asarray(value).astype(type_.dtype))
    if isinstance(node, Symbolic):
        node = ew.as_node(node, type_.dtype)
    if not isinstance(node, Node):
        node = _constant(node, type_.dtype)
    shape = node.shape
    while len(shape) > type_.ndim and shape[0] == 1:
        shape = shape[1:]
    try:
        fits = broadcast_shape(shape, type_.shape) == type_.shape
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(f"could not broadcast input array from shape {_shape_text(node.shape)} into shape {_shape_text(type_.shape)}")
    warn_of_lost_imaginary(node.dtype, type_.dtype)
    return broadcast(ew.as_node(reshape(node, shape), type_.dtype), type_.shape)


def _constant(number: Any, dtype: np.dtype) -> Node:
    """A Python or NumPy scalar as it is written into an array. Raises NumPy's errors for what integers cannot hold."""
    if dtype.kind in "fc" and (dtype.kind == "c" or not np.iscomplexobj(number)):
        return ew.as_node(number if isinstance(number, (int, float, complex)) else constant(np.asarray(number)), dtype)
    return constant(np.asarray(number) if isinstance(number, np.complexfloating) else np.asarray(number, dtype))


def _shape_text(shape: tuple[int, ...]) -> str:
    return str(tuple(shape)).replace(" ", "")


def _is_whole_mask(x: Any, index: Any) -> bool:
    return isinstance(index, ndarray) and index.dtype == bool and index.shape == x.shape and index.ndim > 0


def _selects_rows(x: Any, index: Any) -> bool:
    """Whether an index is a mask over the first axes, whose values are not known."""
    return _is_full_mask(x, index) and 0 < index.ndim < x.ndim and is_pending(index) and not has_value(queue(), node_of(index))


def _ends_in_mask(x: Any, index: Any) -> bool:
    """Whether an index is basic items and then a mask whose values are not known: `x[i, mask]` and `x[:, mask]`."""
    if type(index) is not tuple or len(index) < 2:
        return False
    *items, mask = index
    if not (isinstance(mask, ndarray) and mask.dtype.kind == "b" and mask.ndim > 0 and is_pending(mask)):
        return False
    if len(items) == 1 and items[0] is Ellipsis:
        return bool(x.shape[x.ndim - mask.ndim :] == mask.shape)
    return all(type(i) is slice or _is_number(i) for i in items) and x.shape[len(items) : len(items) + mask.ndim] == mask.shape


def _is_number(item: Any) -> bool:
    if type(item) is ndarray:
        return item._scalar and item.dtype.kind in "iu"
    return isinstance(item, (int, np.integer, SymInt)) and not isinstance(item, bool)


def _write_behind(x: Any, index: Any, value: Any) -> bool:
    """`x[i, mask] = value` is `x[i][mask] = value`. Behind slices one number is written, wherever the mask is True in each of the parts."""
    *items, mask = index
    if all(map(_is_number, items)):
        x[tuple(items)][mask] = value
        return True
    if type(value) is Selection or np.ndim(value):
        return False
    part = x[tuple(items)]
    test = reshape(node_of(mask), (*mask.shape, *[1] * (x.ndim - len(items) - mask.ndim))) if items[0] is not Ellipsis else node_of(mask)
    _write_masked(part, wrap(broadcast(test, part.shape)), value)
    return True


def _write_advanced(x: Any, index: Any, value: Any) -> None:
    index = computed(index)
    if tracing() and _ends_in_mask(x, index) and _write_behind(x, index, value):
        return
    if selected_by(value, index) and whole(value).shape == x.shape:
        recorded(_write_masked, x, index, whole(value))
        return
    value = computed(value)
    now = not tracing() and not (is_lazy(x) or is_pending(value))
    if now or (not tracing() and short_here((x, *_items(index), value))):
        x._storage.settle_readers()
        geometry(x)[plain_index(index)] = to_numpy(value)
    elif _is_full_mask(x, index) and _broadcasts_to_mask(x, index, value):
        recorded(_write_masked, x, index, value)
    elif _scalar_mask(index) and tracing() and type(index) is not tuple:
        if to_numpy(index):
            x[...] = value
    elif _scalar_mask(index):
        exported(x)[plain_index(index)] = to_numpy(value)
    else:
        recorded(write_scattered, x, index, value)


def _is_full_mask(x: Any, index: Any) -> bool:
    return isinstance(index, ndarray) and index.dtype.kind == "b" and index.shape == x.shape[: index.ndim]


def _broadcasts_to_mask(x: Any, mask: Any, value: Any) -> bool:
    """Whether a masked write is a `where`: the value does not depend on which elements the mask selects."""
    shape = () if isinstance(value, Symbolic) else value.shape if isinstance(value, ndarray) else np.shape(value)
    rest = x.shape[mask.ndim :]
    return len(shape) <= len(rest) and all(n in (1, m) for n, m in zip(reversed(shape), reversed(rest), strict=False))


def _write_masked(x: Any, mask: Any, value: Any) -> None:
    old = node_of(x)
    test = reshape(node_of(mask), mask.shape + (1,) * (x.ndim - mask.ndim))
    assign(x, ew.where(broadcast(test, x.shape), _fitted(value, x._type), old))


def is_advanced(x: Any, index: Any) -> bool:
    """Whether an index has an array in it, so that it gathers and scatters. Raises IndexError."""
    return type(x) is ndarray and basic_steps(x.shape, _indices(index)) is None and not _scalar_mask(index)


def write_scattered(x: Any, index: Any, value: Any, combine: Op | None = None, warns_as: str | None = None) -> None:
    """x[index] = value, or with `combine` numpy.ufunc.at, which warns in this name."""
    whole_mask = combine is None and _is_whole_mask(x, index)
    if whole_mask and len(np.shape(value)) > 1:
        raise TypeError(
            f"NumPy boolean array indexing assignment requires a 0 or 1-dimensional input, input has {np.ndim(value)} dimensions"
        )
    view, indices, axes, position = advanced(x, index)
    refuse(value, x.dtype)  # not as an error of shapes
    base = node_of(view)
    region = gather.infer(base.type, *[i.type for i in indices], axes=axes, position=position)
    try:
        new = _fitted(value, region)
    except ValueError:
        if whole_mask:
            raise ValueError(
                f"NumPy boolean array indexing assignment cannot assign {len(value)} input values to the {region.shape[0]} output values "
                "where the mask is true"
            ) from None
        if combine is not None:
            raise ValueError("array is not broadcastable to correct shape") from None
        raise ValueError(
            f"shape mismatch: value array of shape {_shape_text(np.shape(to_numpy(value)))} could not be broadcast to "
            f"indexing result of shape {_shape_text(region.shape)}"
        ) from None
    written = scatter(base, new, *indices, axes=axes, position=position, combine=combine)
    assign(view, written if warns_as is None else named(written, warns_as))


# --- attached to the type -------------------------------------------------------------------------------------------------


def _getitem(self: Any, index: Any) -> Any:
    if isinstance(index, tuple) and type(index) is not tuple:
        index = tuple(index)
    storage = self._storage
    if storage is None:
        return _eager_item(self, index)
    if self._scalar:
        try:
            return _read(self, index)
        except IndexError:
            raise IndexError("invalid index to scalar variable.") from None
    if storage.node is None and not tracing_count.depth and not tracing_count.recording and _is_basic(index):
        return _present_item(self, index)
    return _read(self, index)


def _setitem(self: Any, index: Any, value: Any) -> None:
    if self._scalar:
        raise TypeError(f"'numpy.{self.dtype.name}' object does not support item assignment")
    if self._readonly is None:
        repeat_in_memory(self)
    if self._storage is None and not tracing():
        self._np[plain_index(index)] = to_numpy(value) if type(value) is ndarray else value
    elif tracing_count.depth or self._storage.node is not None or not _is_basic(index) or not _write_present(self, index, value):
        _write(self, index, value)


connect_items(ndarray, (Storage, ArrayType, Step, slice_, permute), _getitem, _setitem)
