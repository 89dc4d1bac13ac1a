"""`np.mgrid[...]`, `np.ogrid[...]`, `np.r_[...]`, `np.c_[...]` and `np.indices`: NumPy's own source, reading lazynp's names. Only a dense
grid is made otherwise: it is the open one, broadcast, so that whoever takes its parts computes them where they are needed."""

import sys
from typing import Any

import numpy as np

from lazynp.api.dispatch import HANDLERS, Unsupported, implements
from lazynp.api.transplant import transplanted
from lazynp.array import wrap
from lazynp.config import settings
from lazynp.ir.types import LAZY_DTYPES
from lazynp.operands import node_of, recorded
from lazynp.ops.movement import broadcast, broadcast_shape, join, reshape
from lazynp.runtime.storage import tracing


def _dense(axes: Any) -> Any:
    """The axes of an open grid, each broadcast to the whole, one after the other. Lazy."""
    nodes = [node_of(axis) for axis in axes]
    shape = broadcast_shape(*[node.shape for node in nodes])
    return wrap(join(*[reshape(broadcast(node, shape), (1, *shape)) for node in nodes], axis=0))


@implements(np.indices)
def indices(dimensions: Any, dtype: Any = int, sparse: bool = False) -> Any:
    if np.dtype(dtype) not in LAZY_DTYPES:
        raise Unsupported
    axes = transplanted(np.indices)(dimensions, dtype, sparse=True)
    return axes if sparse or not axes else _dense(axes)


def _grid(original: Any) -> Any:
    kind = type(original)

    class Grid(kind):  # type: ignore[misc, valid-type]
        __doc__ = kind.__doc__
        __slots__ = ()

        def __getitem__(self, key: Any) -> Any:
            axes = transplanted(kind.__getitem__)(_OPEN, key)
            if self.sparse or type(axes) is not tuple:
                return axes
            if not axes or (not tracing() and np.prod([axis.size for axis in axes]) < settings.lazy_threshold):
                return np.mgrid[key]
            return recorded(_dense, axes)

    Grid.__name__, Grid.__qualname__, Grid.__module__ = kind.__name__, kind.__qualname__, kind.__module__
    return Grid()


_OPEN = np.ogrid


def _concatenator(original: Any) -> Any:
    kind = type(original)

    class Concatenator(kind):  # type: ignore[misc, valid-type]
        __doc__ = kind.__doc__
        concatenate = staticmethod(HANDLERS[np.concatenate])

        def __getitem__(self, key: Any) -> Any:
            if isinstance(key, str):  # a matrix, whose blocks are the user's variables
                frame = sys._getframe(1)
                return np.bmat(key, frame.f_globals, frame.f_locals)  # type: ignore[arg-type]
            return transplanted(kind.__getitem__)(self, key)

    Concatenator.__name__, Concatenator.__qualname__, Concatenator.__module__ = kind.__name__, kind.__qualname__, kind.__module__
    return Concatenator()


OBJECTS = {"mgrid": _grid(np.mgrid), "ogrid": _grid(np.ogrid), "r_": _concatenator(np.r_), "c_": _concatenator(np.c_)}
"""By their names."""
