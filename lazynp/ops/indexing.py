"""Reading and writing at positions that are values: gather and scatter; and `update`, the one in-place primitive."""

from typing import Any

import numpy as np

from lazynp.ir.node import Node
from lazynp.ir.op import Kind, Op, register
from lazynp.ir.types import ArrayType, Shape, itemcount
from lazynp.ops import elementwise as ew
from lazynp.ops.movement import Path, broadcast, follow, follow_numpy, follow_type, pad, reshape, slice_

# --- gather ----------------------------------------------------------------------------------------------------------


def _rest(rank: int, axes: tuple[int, ...]) -> list[int]:
    return [a for a in range(rank) if a not in axes]


def _gather_infer(x: ArrayType, *indices: ArrayType, axes: tuple[int, ...], position: int) -> ArrayType:
    ew.same_shape(*indices)
    rest = [x.shape[a] for a in _rest(x.ndim, axes)]
    return ArrayType((*rest[:position], *indices[0].shape, *rest[position:]), x.dtype)


def _index_axes_first(x: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    return np.transpose(x, (*axes, *_rest(x.ndim, axes)))


def _gather_numpy(x: Any, *indices: Any, axes: tuple[int, ...], position: int) -> Any:
    if len(axes) == 1 and position == axes[0]:
        return np.take(x, indices[0], position)  # contiguous, where indexing leaves the axes in another order
    if position == axes[0] and axes == tuple(range(position, position + len(axes))):
        return x[(*[slice(None)] * position, *indices)]
    out = _index_axes_first(x, axes)[indices]
    inner = np.ndim(indices[0])
    return np.moveaxis(out, range(inner), range(position, position + inner))


def _gather_vjp(ct: Node, node: Node, index: int) -> Node | None:
    if index > 0:
        return None
    x, *indices = node.args
    return scatter(ew.filled(x.shape, 0, ct.dtype), ct, *indices, axes=node.axes, position=node.position, combine=ew.add)


def _gather_jvp(tangents: tuple[Any, ...], node: Node) -> Node | None:
    if tangents[0] is None:
        return None
    return gather(tangents[0], *node.args[1:], axes=node.axes, position=node.position)


gather = register(
    Op(
        name="gather",
        kind=Kind.GATHER,
        attrs=("axes", "position"),
        infer=_gather_infer,
        numpy=_gather_numpy,
        vjp=_gather_vjp,
        jvp=_gather_jvp,
    )
)
"""gather(x, *indices, axes, position): x at the index arrays (int64, one shape, one per axis in `axes`); their shape stands at
`position` among x's remaining axes. Negative indices count from the end; others out of range raise NumPy's IndexError."""

# --- scatter ---------------------------------------------------------------------------------------------------------


def _scatter_infer(base: ArrayType, new: ArrayType, *indices: ArrayType, axes: Any, position: int, combine: Op | None) -> ArrayType:
    ew.same_shape(new, _gather_infer(base, *indices, axes=axes, position=position))
    return base


def _scatter_numpy(base: Any, new: Any, *indices: Any, axes: tuple[int, ...], position: int, combine: Op | None) -> Any:
    out = np.array(base, order="C")  # paths are views of C order
    target = _index_axes_first(out, axes)
    inner = np.ndim(indices[0])
    values = np.moveaxis(new, range(position, position + inner), range(inner))
    if combine is None:
        target[indices] = values
    else:
        assert combine.ufunc is not None
        combine.ufunc.at(target, indices, values)
    return out


def _read_back(ct: Node, node: Node) -> Node:
    return gather(ct, *node.args[2:], axes=node.axes, position=node.position)


def _scatter_vjp(ct: Node, node: Node, index: int) -> Node | None:
    """combine None: overwritten elements have no influence, and among repeated indices only the last one written has."""
    if index > 1:
        return None
    if node.combine in (ew.add, ew.subtract):
        back = ct if index == 0 else _read_back(ct, node)
        return -back if node.combine is ew.subtract and index == 1 else back
    if node.combine is not None:
        raise TypeError(f"lazynp: numpy.{node.combine.name}.at has no derivative")
    if index == 0:
        zeros = ew.filled(node.args[1].shape, 0, ct.dtype)
        return scatter(ct, zeros, *node.args[2:], axes=node.axes, position=node.position, combine=None)
    return _read_back(ct, node) * ew.cast(_is_last(node), to=ct.dtype)


def _is_last(node: Node) -> Node:
    """For each written element whether its write is the one that stayed: write numbers, read them back, compare."""
    base, new, *indices = node.args
    order = ew.filled(new.shape, 0, np.dtype(np.int64)) + _numbering(new)
    written = scatter(ew.filled(base.shape, -1, np.dtype(np.int64)), order, *indices, axes=node.axes, position=node.position, combine=None)
    return ew.equal(gather(written, *indices, axes=node.axes, position=node.position), order)


def _numbering(new: Node) -> Node:
    from_shape = new.shape
    count: Any = 1
    for n in from_shape:
        count = count * n
    return reshape(iota(count), from_shape)


def _scatter_jvp(tangents: tuple[Any, ...], node: Node) -> Node | None:
    base, new, *indices = node.args
    if node.combine not in (None, ew.add, ew.subtract):
        raise TypeError(f"lazynp: numpy.{node.combine.name}.at has no derivative")
    parts = [ew.filled(a.shape, 0, node.dtype) if t is None else t for t, a in zip(tangents[:2], (base, new), strict=True)]
    return node.op(*parts, *indices, axes=node.axes, position=node.position, combine=node.combine)


scatter = register(
    Op(
        name="scatter",
        kind=Kind.UPDATE,
        attrs=("axes", "position", "combine"),
        infer=_scatter_infer,
        numpy=_scatter_numpy,
        vjp=_scatter_vjp,
        jvp=_scatter_jvp,
    )
)
"""scatter(base, new, *indices, axes, position, combine): base with new written where gather would read. combine None: the last write
wins; an elementwise op: `numpy.<op>.at`, repeated indices accumulate. new has gather's result type."""


def positions(shape: Shape, axis: int) -> Node:
    """An int64 node of that shape whose elements are their own position along the axis."""
    line = tuple([n if a == axis else 1 for a, n in enumerate(shape)])
    return broadcast(reshape(iota(shape[axis]), line), shape)


def _along(index: Node, axis: int) -> list[Node]:
    return [index if a == axis else positions(index.shape, a) for a in range(index.ndim)]


def take_along(x: Node, index: Node, axis: int) -> Node:
    """numpy.take_along_axis: index has x's rank and x's sizes but for the axis."""
    return gather(x, *_along(index, axis), axes=tuple(range(x.ndim)), position=0)


def add_along(shape: Shape, new: Node, index: Node, axis: int) -> Node:
    """The transpose of take_along: zeros of that shape with every element of new added where take_along would have read it."""
    zeros = ew.filled(shape, 0, new.dtype)
    return scatter(zeros, new, *_along(index, axis), axes=tuple(range(index.ndim)), position=0, combine=ew.add)


# --- update ----------------------------------------------------------------------------------------------------------


def _update_infer(base: ArrayType, new: ArrayType, path: Path) -> ArrayType:
    target = follow_type(base, path)
    if target != new:
        raise ValueError(f"update: the region is {target}, the value {new}")
    return base


def _update_numpy(base: Any, new: Any, path: Path) -> Any:
    return written_in_place(np.array(base, order="C"), new, path)  # paths are views of C order


def written_in_place(base: np.ndarray, new: Any, path: Path) -> np.ndarray:
    """The base, C-contiguous, itself, with the new values in the region."""
    follow_numpy(base, path)[...] = new
    return base


def is_most(region: Shape, whole: Shape) -> bool:
    """Whether a region is known to be more than half of its array."""
    return all(type(n) is int for n in (*region, *whole)) and itemcount(region) * 2 > itemcount(whole)


def _update_door(op: Op, base: Node, new: Node, path: Path) -> Node:
    return op.make((base, new), path=tuple(path)) if path else new


def _update_transpose(ct: Node, node: Node, index: int) -> Node:
    """Its own derivative: the region's cotangent goes to the new value, the rest to the base."""
    region = follow(ct, node.path)
    if index == 1:
        return region
    if len(node.path) == 1 and node.path[0].op is slice_ and is_most(region.shape, ct.shape):
        starts, steps, _ = node.path[0].attrs  # what is fused with its readers costs less than a copy and a write
        return ew.where(pad(ew.filled(region.shape, True, np.dtype(bool)), starts=starts, steps=steps, out_shape=ct.shape), 0, ct)
    return update(ct, ew.filled(region.shape, 0, ct.dtype), node.path)


update = register(
    Op(
        name="update",
        kind=Kind.UPDATE,
        attrs=("path",),
        dims=frozenset({"path"}),
        infer=_update_infer,
        numpy=_update_numpy,
        door=_update_door,
        transpose=_update_transpose,
    )
)
"""update(base, new, path): base with the region that the path views replaced by new. The only in-place primitive."""

# --- positions -------------------------------------------------------------------------------------------------------


def _iota_infer(length: Any) -> ArrayType:
    return ArrayType((length,), np.dtype(np.int64))


iota = register(
    Op(
        name="iota",
        kind=Kind.LEAF,
        attrs=("length",),
        dims=frozenset({"length"}),
        infer=_iota_infer,
        numpy=lambda length: np.arange(length, dtype=np.int64),
        door=lambda op, length: op.make((), length=length),
    )
)
"""0, 1, ..., length - 1 as int64."""

unset = register(
    Op(
        name="unset",
        kind=Kind.LEAF,
        attrs=("out_shape", "to"),
        dims=frozenset({"out_shape"}),
        infer=lambda out_shape, to: ArrayType(out_shape, to),
        numpy=lambda out_shape, to: np.zeros(out_shape, to),
        door=lambda op, out_shape, to: op.make((), out_shape=out_shape, to=to),
    )
)
"""np.empty: an array of anything, into which a program writes before it reads. Nothing is stored for it."""
