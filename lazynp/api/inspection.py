"""Questions about shape, dtype and memory: answered without computing anything."""

import functools
from typing import Any

import numpy as np

from lazynp import array as arrays
from lazynp.api.dispatch import inspects, unwrapped
from lazynp.array import ndarray


@inspects(np.shape)
def shape(a: Any) -> tuple[int, ...]:
    return a.shape


@inspects(np.ndim)
def ndim(a: Any) -> int:
    return a.ndim


@inspects(np.size)
def size(a: Any, axis: Any = None) -> int:
    if axis is None:
        return a.size
    return np.size(np.broadcast_to(np.zeros(()), a.shape), axis)


@inspects(np.isscalar)
def isscalar(element: Any) -> bool:
    return element._scalar  # type: ignore[no-any-return]


@inspects(np.iscomplexobj)
def iscomplexobj(x: Any) -> bool:
    return issubclass(x.dtype.type, np.complexfloating)


@inspects(np.isrealobj)
def isrealobj(x: Any) -> bool:
    return not iscomplexobj(x)


def _dtypes(items: tuple[Any, ...]) -> list[Any]:
    return [a.dtype if type(a) is ndarray else a for a in items]


@inspects(np.result_type)
def result_type(*arrays_and_dtypes: Any) -> np.dtype:
    return np.result_type(*_dtypes(arrays_and_dtypes))


@inspects(np.common_type)
def common_type(*items: Any) -> Any:
    return np.common_type(*[np.empty(0, a.dtype) for a in items])


@inspects(np.can_cast)
def can_cast(from_: Any, to: Any, casting: Any = "safe") -> bool:
    return np.can_cast(from_.dtype if type(from_) is ndarray else from_, _memory(to), casting)


@inspects(np.shares_memory)
def shares_memory(a: Any, b: Any, /, max_work: int = -1) -> bool:
    return np.shares_memory(_memory(a), _memory(b), max_work)


@inspects(np.may_share_memory)
def may_share_memory(a: Any, b: Any, /, max_work: int = 0) -> bool:
    return np.may_share_memory(_memory(a), _memory(b), max_work)


def _memory(x: Any) -> Any:
    return arrays.geometry(x) if type(x) is ndarray else x


@functools.wraps(np.array_repr)
def array_repr(arr: Any, max_line_width: Any = None, precision: Any = None, suppress_small: Any = None) -> str:
    """NumPy's writes the name of the type where that is not its own, as for a watched array."""
    return np.array_repr(unwrapped(arr), max_line_width, precision, suppress_small)


array_repr.__module__ = "lazynp"
