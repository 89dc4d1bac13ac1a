"""Movement: ops that say where an element comes from. Each is linear, has no arithmetic, and vanishes when an index is pushed through.

`Path` is a sequence of movement steps; a NumPy view is a path from its storage, `update` writes through one.
"""

from collections.abc import Callable
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from lazynp.errors import CaptureError
from lazynp.ir.node import Node
from lazynp.ir.op import Kind, Op, op_named, register
from lazynp.ir.types import ArrayType, Dim, Shape, Symbolic, settled


class Step(NamedTuple):
    """One movement op and its attributes, without the array."""

    op: Op
    attrs: tuple[Any, ...]


class Pick(Step):
    """The reshape of a basic index, which drops axes that integers have picked and adds new ones. NumPy gives new axes the stride 0: for it
    the step is that index; elsewhere it is a reshape like any other. Made by `picked`."""

    key: tuple[Any, ...] | None = None


def picked(out_shape: tuple[Any, ...], key: tuple[Any, ...]) -> Pick:
    """key: None for a new axis, 0 for one that goes, slice(None) for one that stays."""
    step = Pick(reshape, (out_shape,))
    step.key = key
    return step


Path = tuple[Step, ...]


def move(name: str, numpy: Callable[..., Any], infer: Callable[..., Any], **facts: Any) -> Op:
    return register(Op(name=name, kind=Kind.MOVE, infer=infer, numpy=numpy, **facts))


# --- permute ---------------------------------------------------------------------------------------------------------


def inverse_axes(axes: tuple[int, ...]) -> tuple[int, ...]:
    """The permutation that undoes one."""
    inverse = [0] * len(axes)
    for position, axis in enumerate(axes):
        inverse[axis] = position
    return tuple(inverse)


def _permute_door(op: Op, x: Node, axes: tuple[int, ...]) -> Node:
    return x if axes == tuple(range(x.ndim)) else op.make((x,), axes=tuple(axes))


permute = move(
    "permute",
    attrs=("axes",),
    infer=lambda x, axes: ArrayType(tuple([x.shape[a] for a in axes]), x.dtype),
    numpy=lambda x, axes: np.transpose(x, axes),
    door=_permute_door,
    transpose=lambda ct, node, index: permute(ct, inverse_axes(node.axes)),
)

# --- reshape ---------------------------------------------------------------------------------------------------------


def _reshape_door(op: Op, x: Node, out_shape: Shape) -> Node:
    while x.op is op:
        x = x.args[0]
    return x if x.shape == tuple(out_shape) else op.make((x,), out_shape=tuple(out_shape))


def _axes_kept(shape: Shape, out_shape: Shape) -> list[tuple[int, int]]:
    """The axes that a reshape neither joins nor cuts. Between them the products of the sizes agree."""
    if not all(type(n) is int and n for n in (*shape, *out_shape)):
        return []
    ours, theirs = [[axis for axis, n in enumerate(sizes) if n != 1] for sizes in (shape, out_shape)]
    found, left, right = [], 1, 1
    while ours and theirs:
        if left == right and shape[ours[0]] == out_shape[theirs[0]]:
            found.append((ours.pop(0), theirs.pop(0)))
        elif left == right:
            left, right = left * shape[ours.pop(0)], right * out_shape[theirs.pop(0)]
        elif left < right:
            left *= shape[ours.pop(0)]
        else:
            right *= out_shape[theirs.pop(0)]
    return found


reshape = move(
    "reshape",
    attrs=("out_shape",),
    dims=frozenset({"out_shape"}),
    keeps=_axes_kept,
    infer=lambda x, out_shape: ArrayType(out_shape, x.dtype),
    numpy=lambda x, out_shape: np.reshape(x, out_shape),
    door=_reshape_door,
    transpose=lambda ct, node, index: reshape(ct, node.args[0].shape),
)
"""C order. The door trusts that the number of elements agrees."""

# --- after -----------------------------------------------------------------------------------------------------------

after = move(
    "after",
    infer=lambda x, event: x,
    numpy=lambda x, event: x,
    vjp=lambda ct, node, index: ct if index == 0 else None,
    jvp=lambda tangents, node: None if tangents[0] is None else after(tangents[0], node.args[1]),
)
"""after(x, event): x itself, for work that must not begin before `event` is there. What is computed from it is another node than what is
computed from x, so a recomputation is not merged with the first computation."""

# --- broadcast -------------------------------------------------------------------------------------------------------


def _is_one(n: Dim) -> bool:
    return type(n) is int and n == 1


def broadcast_shape(*shapes: Shape) -> Shape:
    """NumPy's broadcasting of shapes; unknown sizes fit only themselves and 1. Raises NumPy's ValueError."""
    rank = max(map(len, shapes))
    out: list[Dim] = [1] * rank
    for shape in settled(shapes) if Symbolic.used else shapes:
        for axis, n in enumerate(shape, rank - len(shape)):
            if _is_one(out[axis]):
                out[axis] = n
            elif not _is_one(n) and n != out[axis]:
                if isinstance(n, Node) or isinstance(out[axis], Node):
                    raise CaptureError(f"sizes known only at run time, {n} and {out[axis]}, cannot be shown to agree")
                listed = " ".join(str(tuple(s)).replace(" ", "") for s in shapes)
                raise ValueError(f"operands could not be broadcast together with shapes {listed} ")
    return tuple(out)


def _broadcast_infer(x: ArrayType, out_shape: Shape) -> ArrayType:
    """Compares the sizes that agree: a program for all sizes knows by it that they do."""
    for n, wanted in zip(reversed(x.shape), reversed(out_shape), strict=False):
        if not _is_one(n) and n is not wanted and n != wanted:
            raise ValueError(f"an array of shape {x.shape} cannot be broadcast to {out_shape}")
    return ArrayType(out_shape, x.dtype)


def _broadcast_door(op: Op, x: Node, out_shape: Shape) -> Node:
    while x.op is op:
        x = x.args[0]
    return x if x.shape == tuple(out_shape) else op.make((x,), out_shape=tuple(out_shape))


def broadcast_axes(source: Shape, out_shape: Shape) -> tuple[int, ...]:
    """The axes of out_shape along which the source is repeated."""
    new = len(out_shape) - len(source)
    stretched = [new + axis for axis, n in enumerate(source) if _is_one(n) and not _is_one(out_shape[new + axis])]
    return (*range(new), *stretched)


def _broadcast_transpose(ct: Node, node: Node, index: int) -> Node:
    """The sum over the repeated axes; the reductions are defined in a later file, so the op is read from the table by its name."""
    source = node.args[0]
    axes = broadcast_axes(source.shape, node.out_shape)
    return reshape(op_named("add.reduce")(ct, axes), source.shape) if axes else ct


broadcast = move(
    "broadcast",
    attrs=("out_shape",),
    dims=frozenset({"out_shape"}),
    infer=_broadcast_infer,
    numpy=lambda x, out_shape: np.broadcast_to(x, out_shape),
    door=_broadcast_door,
    transpose=_broadcast_transpose,
)

# --- slice and pad ---------------------------------------------------------------------------------------------------


def _slices(starts: tuple[int, ...], steps: tuple[int, ...], sizes: tuple[int, ...]) -> tuple[slice, ...]:
    """Python slices of the same elements; an empty or backward slice may have to end at None."""
    out = []
    for start, step, size in zip(starts, steps, sizes, strict=True):
        stop = start + step * size
        out.append(slice(0, 0) if size == 0 else slice(start, None if stop < 0 else stop, step))
    return tuple(out)


def _slice_door(op: Op, x: Node, starts: tuple[Dim, ...], steps: tuple[int, ...], sizes: tuple[Dim, ...]) -> Node:
    whole = all(type(s) is int and s == 0 for s in starts) and all(s == 1 for s in steps) and tuple(sizes) == x.shape
    return x if whole else op.make((x,), starts=tuple(starts), steps=tuple(steps), sizes=tuple(sizes))


def _axes_whole(shape: Shape, starts: tuple[Dim, ...], steps: tuple[int, ...], sizes: tuple[Dim, ...]) -> list[tuple[int, int]]:
    """The axes of which a slice takes everything."""
    whole = [type(n) is int and (start, step, size) == (0, 1, n) for n, start, step, size in zip(shape, starts, steps, sizes, strict=True)]
    return [(axis, axis) for axis, every in enumerate(whole) if every]


slice_ = move(
    "slice",
    attrs=("starts", "steps", "sizes"),
    dims=frozenset({"starts", "sizes"}),
    keeps=_axes_whole,
    infer=lambda x, starts, steps, sizes: ArrayType(sizes, x.dtype),
    numpy=lambda x, starts, steps, sizes: x[_slices(starts, steps, sizes)],
    door=_slice_door,
    transpose=lambda ct, node, index: pad(ct, starts=node.starts, steps=node.steps, out_shape=node.args[0].shape),
)
"""Element i of the output is element starts + steps * i of the input; one start, step (static, not 0) and size per axis."""


def _pad_numpy(x: Any, starts: tuple[int, ...], steps: tuple[int, ...], out_shape: tuple[int, ...]) -> np.ndarray:
    out = np.zeros(out_shape, x.dtype)
    out[_slices(starts, steps, x.shape)] = x
    return out


pad = move(
    "pad",
    attrs=("starts", "steps", "out_shape"),
    dims=frozenset({"starts", "out_shape"}),
    infer=lambda x, starts, steps, out_shape: ArrayType(out_shape, x.dtype),
    numpy=_pad_numpy,
    transpose=lambda ct, node, index: slice_(ct, node.starts, node.steps, node.args[0].shape),
)
"""Zeros with x placed at starts + steps * i: the transpose of slice."""

# --- diagonal, window ------------------------------------------------------------------------------------------------


def _diagonal_infer(x: ArrayType, axis1: int, axis2: int) -> ArrayType:
    rest = tuple([n for axis, n in enumerate(x.shape) if axis not in (axis1, axis2)])
    return ArrayType((*rest, x.shape[axis1]), x.dtype)


def _embed_numpy(x: Any, axis1: int, axis2: int) -> np.ndarray:
    n = x.shape[-1]
    lead = list(x.shape[:-1])
    for axis in sorted((axis1, axis2)):
        lead.insert(axis, n)
    out = np.zeros(tuple(lead), x.dtype)
    diagonal_view(out, axis1, axis2)[...] = x
    return out


def diagonal_view(x: np.ndarray, axis1: int, axis2: int) -> np.ndarray:
    """numpy.diagonal as a writable view: einsum with a repeated label, listed last."""
    labels = list(range(x.ndim))
    labels[axis1] = labels[axis2] = x.ndim
    rest = [axis for axis in range(x.ndim) if axis not in (axis1, axis2)]
    return np.einsum(x, labels, [*rest, x.ndim])


def _embed_infer(x: ArrayType, axis1: int, axis2: int) -> ArrayType:
    shape = list(x.shape[:-1])
    for axis in sorted((axis1, axis2)):
        shape.insert(axis, x.shape[-1])
    return ArrayType(tuple(shape), x.dtype)


diagonal = move(
    "diagonal",
    attrs=("axis1", "axis2"),
    infer=_diagonal_infer,
    numpy=lambda x, axis1, axis2: np.diagonal(x, 0, axis1, axis2),
    transpose=lambda ct, node, index: embed_diagonal(ct, axis1=node.axis1, axis2=node.axis2),
    door=lambda op, x, axis1, axis2: op.make((x,), axis1=axis1, axis2=axis2),
)
"""The main diagonal of two axes of equal size (slice first for an offset); it becomes the last axis."""

embed_diagonal = move(
    "embed_diagonal",
    attrs=("axis1", "axis2"),
    infer=_embed_infer,
    numpy=_embed_numpy,
    transpose=lambda ct, node, index: diagonal(ct, axis1=node.axis1, axis2=node.axis2),
    door=lambda op, x, axis1, axis2: op.make((x,), axis1=axis1, axis2=axis2),
)
"""Zeros with x on the main diagonal of axis1 and axis2: the transpose of diagonal."""


def _fold_infer(x: ArrayType, axis: int, length: Dim) -> ArrayType:
    return ArrayType((*x.shape[:axis], length, *x.shape[axis + 1 : -1]), x.dtype)


def _fold_numpy(x: Any, axis: int, length: int) -> np.ndarray:
    out = np.zeros((*x.shape[:axis], length, *x.shape[axis + 1 : -1]), x.dtype)
    moved = np.moveaxis(out, axis, 0)
    values = np.moveaxis(x, (axis, -1), (0, 1))
    for k in range(x.shape[-1]):
        moved[k : k + x.shape[axis]] += values[:, k]
    return out


window = move(
    "window",
    attrs=("axis", "size", "count"),
    dims=frozenset({"size", "count"}),
    infer=lambda x, axis, size, count: ArrayType((*x.shape[:axis], count, *x.shape[axis + 1 :], size), x.dtype),
    numpy=lambda x, axis, size, count: np.lib.stride_tricks.sliding_window_view(x, size, axis),
    transpose=lambda ct, node, index: fold_windows(ct, node.axis, node.args[0].shape[node.axis]),
    door=lambda op, x, axis, size, count=None: op.make((x,), axis=axis, size=size, count=x.shape[axis] - size + 1),
)
"""`count` sliding windows of `size` along an axis; the position inside the window becomes the last axis. New sizes are attributes,
never arithmetic inside `infer`: so every size of a graph is a leaf's or an attribute's (see ir/canonical.py)."""

fold_windows = register(
    Op(
        name="fold_windows",
        kind=Kind.LIBRARY,
        attrs=("axis", "length"),
        dims=frozenset({"length"}),
        infer=_fold_infer,
        numpy=_fold_numpy,
        transpose=lambda ct, node, index: window(ct, node.axis, node.args[0].shape[-1]),
        door=lambda op, x, axis, length: op.make((x,), axis=axis, length=length),
    )
)
"""Overlap-add: the transpose of window."""

# --- join ------------------------------------------------------------------------------------------------------------


def _total(sizes: list[Dim]) -> Dim:
    total: Dim = 0
    for n in sizes:
        total = n if type(total) is int and total == 0 else total + n  # type: ignore[operator]
    return total


def _join_infer(*types: ArrayType, axis: int, length: Dim) -> ArrayType:
    first = types[0]
    for other in types[1:]:
        if other.shape[:axis] + other.shape[axis + 1 :] != first.shape[:axis] + first.shape[axis + 1 :]:
            raise ValueError("all the input array dimensions except for the concatenation axis must match exactly")
    return ArrayType((*first.shape[:axis], length, *first.shape[axis + 1 :]), first.dtype)


def _join_door(op: Op, *xs: Node, axis: int) -> Node:
    return xs[0] if len(xs) == 1 else op.make(tuple(xs), axis=axis, length=_total([x.shape[axis] for x in xs]))


_beginnings: WeakKeyDictionary[Node, list[Dim]] = WeakKeyDictionary()
"""Where each part of a join begins. Kept, because the derivative asks part by part: a list of a thousand rows is one join."""


def _begins_at(node: Node, index: int) -> Dim:
    known = _beginnings.get(node)
    if known is None:
        known = _beginnings[node] = [0]
        for part in node.args[:-1]:
            known.append(_total([known[-1], part.shape[node.axis]]))
    return known[index]


def _join_transpose(ct: Node, node: Node, index: int) -> Node:
    part = node.args[index]
    before = _begins_at(node, index)
    starts = tuple([before if axis == node.axis else 0 for axis in range(part.ndim)])
    return slice_(ct, starts, (1,) * part.ndim, part.shape)


join = move(
    "join",
    attrs=("axis", "length"),
    dims=frozenset({"length"}),
    infer=_join_infer,
    numpy=lambda *xs, axis, length, out=None: np.concatenate(xs, axis, out),
    transpose=_join_transpose,
    door=_join_door,
)
"""Arrays of one dtype, equal shapes but for `axis`, one after the other; `length` is their total size along it."""

# --- paths -----------------------------------------------------------------------------------------------------------


def follow(x: Node, path: Path) -> Node:
    """The view that a path leads to."""
    for op, attrs in path:
        x = op(x, **dict(zip(op.attrs, attrs, strict=True)))
    return x


def cut_first(path: Path) -> Path:
    """The same view of an array whose axes are put in order by the first step: slices come before that."""
    for k, (turn, cut) in enumerate(zip(path, path[1:], strict=False)):
        if turn.op is not permute or cut.op is not slice_:
            return path
        back = inverse_axes(turn.attrs[0])
        cut = Step(slice_, tuple([tuple([part[axis] for axis in back]) for part in cut.attrs]))
        path = (*path[:k], cut, turn, *path[k + 2 :])
    return path


def follow_type(x: ArrayType, path: Path) -> ArrayType:
    """The type of that view."""
    for op, attrs in path:
        x = op.infer(x, **dict(zip(op.attrs, attrs, strict=True)))
    return x


def follow_numpy(x: np.ndarray, path: Path, known: Callable[[Any], Any] | None = None) -> np.ndarray:
    """The same view of a NumPy array: no step copies (a reshape that cannot be a view raises ValueError). known: what stands for attributes
    that hold sizes of a trace."""
    for step in path:
        op, attrs = step if known is None else (step.op, known(step.attrs))
        if type(step) is Pick and step.key is not None:
            x = x[(*step.key, ...)]
        elif op is reshape:
            x = x.reshape(attrs[0], copy=False)
        elif op is diagonal:
            x = diagonal_view(x, *attrs)
        else:
            x = op.numpy(x, **dict(zip(op.attrs, attrs, strict=True)))
    return x
