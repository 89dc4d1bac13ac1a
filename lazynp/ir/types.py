"""What a node produces: a shape, whose sizes may be known only at run time, and a concrete dtype."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from lazynp.ir.node import Node

Dim: TypeAlias = "int | Node"
Shape: TypeAlias = "tuple[Dim, ...]"

LAZY_DTYPES = frozenset(np.dtype(code) for code in "?bhilqBHILQefdFD")
"""The dtypes that graphs compute with. Everything else (longdouble, strings, objects, dates, records) stays with NumPy."""


class NotLazy(TypeError):
    """An operand has no place in a graph (its dtype is not numeric, or it is of a subclass); the caller goes through NumPy."""


class Symbolic:
    """A Python number of a trace: `node` holds its value, `kind` is the Python type whose weak place in promotion it takes."""

    __slots__ = ("__weakref__", "node")
    kind: type
    used = False
    """Whether there has been any in this process: as long as not, nobody looks for them."""

    def __init__(self, node: Node) -> None:
        self.node = node
        Symbolic.used = True

    def must_fit(self, dtype: np.dtype) -> None:
        """Told before the number takes part in what NumPy computes or keeps in that dtype, which may refuse it."""


class Undecided:
    """A number of a trace of which the running program decides what kind it has (see lazynp.trace.either)."""

    __slots__ = ()

    def settled(self) -> Any:
        """The number as one of a single kind, whatever that takes."""
        raise NotImplementedError

    def stored(self, dtype: np.dtype) -> Any:
        """The number as one that an array of that dtype takes as it would take this one."""
        raise NotImplementedError

    def indexing(self) -> Any:
        """The number as one that means the same element."""
        raise NotImplementedError

    def in_array(self) -> Any:
        """The number as one of which NumPy makes the same array."""
        raise NotImplementedError


def settled(value: Any) -> Any:
    """Attributes with the nodes of symbolic numbers in their places."""
    if isinstance(value, Symbolic):
        return value.node
    if type(value) is tuple:
        return tuple([settled(v) for v in value])
    if isinstance(value, tuple) and hasattr(value, "op"):  # a step of a path
        return value._replace(attrs=settled(value.attrs))  # type: ignore[attr-defined]
    return value


class ArrayType(NamedTuple):
    """shape: a tuple of int or 0-d int64 node; dtype: a native-endian member of LAZY_DTYPES."""

    shape: Shape
    dtype: np.dtype

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def static(self) -> bool:
        """Whether every size is known while compiling."""
        return all(type(n) is int for n in self.shape)

    def __str__(self) -> str:
        return f"{self.dtype.name}[{', '.join(map(str, self.shape))}]"


def itemcount(shape: Shape) -> int:
    """The number of elements of a static shape."""
    count = 1
    for n in shape:
        count *= n  # type: ignore[assignment,operator]
    return count
