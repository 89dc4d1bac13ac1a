"""How an argument that is not in C order lies in memory: as a view of a block that is. A program reads and writes the block, the traced
function sees the view, so nothing is copied on the way in, and loops run in the order of the memory."""

import math
from typing import NamedTuple

import numpy as np

from lazynp.array import may_write
from lazynp.ops.movement import Path, Step, broadcast, follow_numpy, inverse_axes, permute, slice_
from lazynp.trace.regions import view_at

_SPARSEST = 4
"""Elements of a block for each that is read. Of a sparser one every line of the cache has but one: a copy costs no more than reading it."""


class Laid(NamedTuple):
    """shape: of the block. path: from the block to the argument; its last step is no slice or reshape, so that a view of the argument
    begins with it. begins: where the block does, in bytes behind the argument's first element. whole: whether all of it is the argument's:
    else the elements between belong to others, and behind the last row there may be no memory."""

    shape: tuple[int, ...]
    path: Path
    begins: int
    whole: bool

    def block(self, array: np.ndarray) -> np.ndarray:
        """The block that the argument shows."""
        strides = tuple([array.dtype.itemsize * math.prod(self.shape[axis + 1 :]) for axis in range(len(self.shape))])
        return view_at(array, self.shape, strides, self.begins)

    def own_block(self, array: np.ndarray) -> np.ndarray:
        """A new block that holds the argument's elements, and anything between them."""
        block = np.empty(self.shape, array.dtype)
        once = tuple([slice(None if stride else 1) for stride in array.strides])
        follow_numpy(block, [step for step in self.path if step.op is not broadcast])[...] = array[once]
        return block


def laid(array: np.ndarray) -> Laid | None:
    """How an array lies in memory; None for one in C order, and for one that is better copied: its strides are those of no block."""
    flags, size, item = array.flags, array.size, array.dtype.itemsize
    if flags.c_contiguous or not size or any(stride % item for stride in array.strides):
        return None
    strides = [stride // item if n > 1 else 0 for stride, n in zip(array.strides, array.shape, strict=True)]
    if may_write(array) and any(stride == 0 and n > 1 for stride, n in zip(strides, array.shape, strict=True)):
        return None
    order = sorted(range(array.ndim), key=lambda axis: -abs(strides[axis]))
    shape, starts, steps = [], [], []
    unit = 1
    for place in reversed(range(array.ndim)):
        stride = strides[order[place]]
        outer = math.gcd(*[strides[axis] for axis in order[:place]])
        n, step = (array.shape[order[place]], abs(stride) // unit) if stride else (1, 1)
        extent = (n - 1) * step + 1
        room = outer // unit if outer and stride else extent
        if room < extent:
            return None
        shape.append(room)
        starts.append(extent - 1 if stride < 0 else 0)
        steps.append(-step if stride < 0 else step)
        unit *= room
    shape, starts, steps = shape[::-1], starts[::-1], steps[::-1]
    if unit > _SPARSEST * size:
        return None
    read = [array.shape[axis] if strides[axis] else 1 for axis in order]
    path: Path = (Step(permute, (inverse_axes(tuple(order)),)),)
    whole = read == shape and all(step == 1 for step in steps)
    if not whole:
        path = (Step(slice_, (tuple(starts), tuple(steps), tuple(read))), *path)
    if any(stride == 0 and n > 1 for stride, n in zip(strides, array.shape, strict=True)):
        path = (*path, Step(broadcast, (array.shape,)))
    begins = sum((n - 1) * stride * item for n, stride in zip(array.shape, strides, strict=True) if stride < 0)
    return Laid(tuple(shape), path, begins, whole)
