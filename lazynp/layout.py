"""How arrays lie in memory: the order of NumPy's results, which is that of their operands where these are not in C order; flags."""

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

Axes = tuple[int, ...]


def order_of_copy(view: np.ndarray, order: str | None = "K", shape: Any = None) -> Axes | None:
    """The axes of a copy of the view (or of another shape), outermost in memory first; None: C order. order: as in numpy.copy."""
    if order == "C" or (view.ndim < 2 and shape is None) or (view.flags.c_contiguous and order != "F"):
        return None
    return _outermost_first(np.empty_like(view, np.int8, order=order or "K", shape=shape))


def order_of_result(views: list[np.ndarray]) -> Axes | None:
    """The axes of what a ufunc makes of the views, outermost in memory first; None: C order."""
    if all(view.flags.c_contiguous for view in views):
        return None
    operands = [["readonly"]] * len(views) + [["writeonly", "allocate"]]
    made = np.nditer([*views, None], ["zerosize_ok"], operands, [None] * len(views) + [np.int8], order="K")  # type: ignore[arg-type, list-item]
    return _outermost_first(made.operands[-1])


def order_in_memory(view: np.ndarray) -> Axes | None:
    """The axes of a view that has no gaps, outermost in memory first; None: C order. Unlike order_of_copy, also where it makes no
    difference but to the strides of axes of size 1."""
    return _outermost_first(view) if view.ndim > 1 and 0 not in view.shape else None


def order_of_picked(ndim: int, view: np.ndarray, chosen: list[np.ndarray], picked: Axes, position: int) -> Axes | None:
    """The axes of what index arrays pick of the view, outermost in memory first; None: C order. Those of the index arrays are outermost,
    and in their order where no axis stays. ndim: of the result; picked: the axes of the view that are indexed; position: where the axes of
    the index arrays are in the result."""
    if 0 in view.shape:
        return None
    if len(picked) == view.ndim:
        return order_of_result(chosen) if chosen else None
    stay = view[tuple([0 if axis in picked else slice(0, 2) for axis in range(view.ndim)])]
    new = ndim - stay.ndim
    last = order_of_copy(stay)
    outer = [position + axis for axis in range(new)]
    inner = [axis + new * (axis >= position) for axis in (range(stay.ndim) if last is None else last)]
    return None if [*outer, *inner] == list(range(ndim)) else (*outer, *inner)


def order_of_join(views: list[np.ndarray], axis: int) -> Axes | None:
    """The axes of the views joined along an axis, outermost in memory first; None: C order. Two elements along each axis tell."""
    corners = [view[(slice(0, 2),) * view.ndim] for view in views]
    return _outermost_first(np.concatenate(corners, axis))


def order_of_einsum(labels: str, views: list[np.ndarray], optimize: Any) -> Axes | None:
    """The axes of numpy.einsum(labels, *views), outermost in memory first; None: C order."""
    corners = [view[(slice(0, 2),) * view.ndim] for view in views]
    with np.errstate(all="ignore"):
        return _outermost_first(np.einsum(labels, *corners, optimize=optimize))


_KEPT = 1 << 30
"""Added to the number of an axis in numpy.nditer's op_axes: it is reduced, and stays with size 1 (NPY_ITER_REDUCTION_AXIS)."""


def order_of_reduction(view: np.ndarray, reduced: Axes, keepdims: bool) -> Axes | None:
    """The axes of a reduction of the view, outermost in memory first; None: C order. From the iterator that NumPy reduces with."""
    if view.flags.c_contiguous or 0 in view.shape:
        return None
    corner = view[(slice(0, 2),) * view.ndim]
    stay = [axis for axis in range(view.ndim) if axis not in reduced]
    gone = [_KEPT + axis if keepdims else -1 for axis in range(view.ndim)]
    target = [gone[axis] if axis in reduced else axis if keepdims else stay.index(axis) for axis in range(view.ndim)]
    operands = [["readonly"], ["readwrite", "allocate"]]
    axes = [list(range(view.ndim)), target]
    made = np.nditer([corner, None], ["reduce_ok"], operands, [None, np.int8], order="K", op_axes=axes)  # type: ignore[arg-type, list-item]
    return _outermost_first(made.operands[1])


def block_of_nothing(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Shape and strides of an array in C order, whose memory must not be read."""
    strides = [dtype.itemsize]
    for n in shape[:0:-1]:
        strides.append(strides[-1] * max(n, 1))
    return as_strided(np.empty(1, dtype), shape, strides[::-1][: len(shape)])


def fortran_order(ndim: int) -> Axes | None:
    """The axes of an array in Fortran order; None: of one that is in C order too."""
    return tuple(reversed(range(ndim))) if ndim > 1 else None


def _outermost_first(made: np.ndarray) -> Axes | None:
    """Beside an axis of the same stride, one of size 1 lies inside."""
    axes = sorted(range(made.ndim), key=lambda axis: (-made.strides[axis], made.shape[axis] == 1))
    return None if axes == sorted(axes) else tuple(axes)


class Flags:
    """`x.flags` of a lazy array: NumPy's for its memory, but what is set counts for this one array, not for all that share the memory."""

    __slots__ = ("_array", "_flags")

    def __init__(self, array: Any, flags: Any) -> None:
        object.__setattr__(self, "_array", array)
        object.__setattr__(self, "_flags", flags)

    @property
    def owndata(self) -> bool:
        return self._array.base is None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._flags, name)

    def __getitem__(self, key: str) -> Any:
        return self.owndata if key in ("O", "OWNDATA") else self._flags[key]

    def __setattr__(self, name: str, value: Any) -> None:
        if name in ("writeable", "aligned", "writebackifcopy"):
            self._set(name, value)
        else:
            setattr(self._flags, name, value)  # NumPy's error

    def __setitem__(self, key: str, value: Any) -> None:
        names = {"W": "writeable", "WRITEABLE": "writeable", "A": "aligned", "ALIGNED": "aligned"}
        if key in names:
            self._set(names[key], value)
        else:
            self._flags[key] = value  # NumPy's error

    def _set(self, name: str, value: Any) -> None:
        self._array.setflags(**{{"writeable": "write", "aligned": "align", "writebackifcopy": "uic"}[name]: value})
        object.__setattr__(self, "_flags", self._array.flags._flags)

    def __repr__(self) -> str:
        return repr(self._flags).replace(f"OWNDATA : {self._flags.owndata}", f"OWNDATA : {self.owndata}")

    def __eq__(self, other: object) -> bool:
        return bool(self._flags == (other._flags if type(other) is Flags else other))

    __hash__ = None  # type: ignore[assignment]
