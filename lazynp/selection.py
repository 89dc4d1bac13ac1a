"""What `x[mask]` is while its size is not known: the elements of an array where a boolean array of its shape is True.

How many there are is data, but most programs never ask: `x[m] = x[m] ** 2 + c[m]` is a `where`, `x[m].mean()` a masked sum. A
`Selection` keeps the whole array (with a harmless 1 where the mask is False) and the mask; elementwise functions of selections by one
mask and of scalars are selections, reductions to a scalar become reductions with `where=`, and writing one back through its mask is a
`where`. Anything else computes the elements: from then on the selection stands for that array. Inside a trace that raises CaptureError.
Inside a trace there are also selections of rows, `x[labels == k]`, by a mask over the first axes of the array.
"""

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from lazynp import operators
from lazynp.array import as_array, as_int, exported, from_numpy, hooks, ndarray, to_numpy, wrap
from lazynp.ir.node import Node, constant
from lazynp.ir.types import itemcount
from lazynp.native import keeping
from lazynp.operands import node_of, recorded
from lazynp.ops import elementwise as ew
from lazynp.ops import sizes
from lazynp.ops.indexing import gather
from lazynp.ops.movement import broadcast, reshape
from lazynp.runtime.storage import tracing

REDUCTIONS = frozenset({np.sum, np.prod, np.mean, np.var, np.std, np.any, np.all})
"""Functions of one array that take `where=`, and whose value for no elements is NumPy's too."""
EXTREMES = frozenset({np.max, np.min})
"""Those that raise for no elements: in a trace that is a doubt."""


class Selection:
    """The elements of an array where a mask is True, in C order: one axis, of a size that is found when it is needed, and the axes of the
    array that the mask has not."""

    __slots__ = ("_array", "_mask", "_whole")
    is_lazynp_array = True
    __array_priority__ = 1.0
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, whole: Any, mask: Any) -> None:
        self._whole = whole
        self._mask = mask
        self._array: Any = None

    @property
    def dtype(self) -> np.dtype:
        return self._whole.dtype if self._array is None else self._array.dtype

    @property
    def ndim(self) -> int:
        return 1 + self.rest if self._array is None else int(self._array.ndim)

    @property
    def rest(self) -> int:
        """How many axes of the array the mask has not."""
        return int(self._whole.ndim - self._mask.ndim)

    def compute(self) -> Any:
        """The elements as an array of their own; the same array every time."""
        if self._array is None:
            self._array = recorded(_elements, self._whole, self._mask) if tracing() else self._values()
            self._whole = self._mask = None
        return self._array

    def _values(self) -> Any:
        return from_numpy(keeping(operator.getitem, to_numpy(self._whole), to_numpy(self._mask)))

    def is_by(self, mask: Any) -> bool:
        """Whether it was selected by this mask: the same values of the same array."""
        return self._array is None and isinstance(mask, ndarray) and mask.dtype == bool and node_of(mask) is node_of(self._mask)

    # --- NumPy's protocols ---

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(exported(self.compute()), dtype, copy=copy)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        return apply(ufunc, inputs, options) if method == "__call__" else getattr(ufunc, method)(*computed(inputs), **options)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return call(function, args, kwargs)

    # --- everything that needs the elements ---

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__array_"):
            raise AttributeError(name)
        return getattr(self.compute(), name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in Selection.__slots__:
            object.__setattr__(self, name, value)
        else:
            setattr(self.compute(), name, value)

    def __len__(self) -> int:
        return len(self.compute())

    def __iter__(self) -> Any:
        return iter(self.compute())

    def __getitem__(self, index: Any) -> Any:
        return self.compute()[index]

    def __setitem__(self, index: Any, value: Any) -> None:
        self.compute()[index] = value

    def __contains__(self, value: Any) -> bool:
        return value in self.compute()

    def __repr__(self) -> str:
        return repr(self.compute())

    def __str__(self) -> str:
        return str(self.compute())

    def __bool__(self) -> bool:
        return bool(self.compute())

    def __float__(self) -> float:
        return float(self.compute())

    def __int__(self) -> int:
        return as_int(exported(self.compute()))

    def __copy__(self) -> Any:
        return self.copy()

    def __deepcopy__(self, memo: Any) -> Any:
        return self.copy()

    def __reduce__(self) -> Any:
        return self.compute().__reduce__()

    def copy(self, order: str = "C") -> Any:
        """As ndarray.copy."""
        return Selection(self._whole, self._mask) if self._array is None else self._array.copy()

    def __divmod__(self, other: Any) -> Any:
        return divmod(self.compute(), other)

    def __rdivmod__(self, other: Any) -> Any:
        return divmod(other, self.compute())

    def __matmul__(self, other: Any) -> Any:
        return self.compute() @ other

    def __rmatmul__(self, other: Any) -> Any:
        return other @ self.compute()


def select(x: Any, mask: Any) -> Selection:
    """x[mask] for a mask of the shape of x's first axes."""
    return recorded(_select, x, mask)


def _select(x: Any, mask: Any) -> Selection:
    test = as_array(wrap(node_of(mask)))
    node = node_of(x)
    one = broadcast(constant(np.ones((), node.dtype)), node.shape)
    return Selection(as_array(wrap(ew.where(_spread(node_of(test), node.ndim), node, one))), test)


def _spread(mask: Node, ndim: int) -> Node:
    """A mask over the first axes with axes of size 1 for the others."""
    return reshape(mask, mask.shape + (1,) * (ndim - mask.ndim)) if mask.ndim < ndim else mask


def _elements(array: Any, mask: Any) -> Any:
    """The elements in a trace, where the array may be a variable of a derivative: read at the places that the mask has now."""
    node, places = node_of(array), np.flatnonzero(to_numpy(mask))
    flat = reshape(node, (itemcount(mask.shape), *node.shape[mask.ndim :]))
    return as_array(wrap(gather(flat, constant(places), axes=(0,), position=0)))


def computed(values: Any) -> Any:
    """Arguments in which selections are the arrays they stand for, also inside lists, tuples and dicts."""
    kind = type(values)
    if kind is Selection:
        return values.compute()
    if kind is list or kind is tuple:
        return kind([computed(v) for v in values])
    if kind is dict:
        return {name: computed(v) for name, v in values.items()}
    return values


def apply(ufunc: np.ufunc, operands: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """A ufunc with a selection among its operands: a selection, if the other operands are selections by the same mask or scalars."""
    first = next((x for x in operands if type(x) is Selection), None)
    together = first is not None and first._array is None and not options and ufunc.signature is None and ufunc.nout == 1
    if not together or not all(_joins(x, first) for x in operands):
        return hooks.ufunc(ufunc, "__call__", computed(operands), computed(options))
    whole = hooks.ufunc(ufunc, "__call__", tuple([x._whole if type(x) is Selection else x for x in operands]), {})
    return Selection(whole, first._mask)


def _joins(x: Any, first: Selection) -> bool:
    if type(x) is Selection:
        return x is first or (x._array is None and x.is_by(first._mask) and x.rest == first.rest)
    return np.ndim(x) <= first.rest


def call(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """A NumPy function with a selection among its arguments."""
    if function in EXTREMES and type(args[0]) is Selection and args[0]._array is None and len(args) == 1 and not kwargs:
        found = _extreme(function, args[0])
        if found is not None:
            return found
    if function in REDUCTIONS and type(args[0]) is Selection and args[0]._array is None:
        found = _reduced(function, *args, **kwargs) if len(args) <= 2 and kwargs.keys() <= {"axis", "dtype"} else None
        if found is not None:
            return found
    return hooks.function(function, computed(args), computed(kwargs))


def _reduced(function: Any, x: Selection, axis: Any = None, **options: Any) -> Any:
    """The reduction of a selection: over all or over what is selected with `where`, over other axes a selection again. None for an axis
    that it has not."""
    masked = x._mask.ndim
    if axis is None or (type(axis) is int and axis in (0, -x.ndim)):
        where = x._mask.reshape(x._mask.shape + (1,) * x.rest) if x.rest else x._mask
        axes = tuple(range(masked)) if axis is not None and x.rest else None
        return hooks.function(function, (x._whole,), {**options, "axis": axes, "where": where})
    if type(axis) is not int or not -x.ndim < axis < x.ndim:
        return None
    return Selection(hooks.function(function, (x._whole,), {**options, "axis": axis - x.ndim if axis > 0 else axis}), x._mask)


def _extreme(function: Any, x: Selection) -> Any:
    """The greatest or the least element; None outside of a trace, for dtypes without a least or greatest number, and where nobody would
    call again if there were no elements."""
    if x.dtype.kind not in "iuf" or not sizes.hooks.doubt(ew.logical_not(node_of(hooks.function(np.any, (x._mask,), {})))):
        return None
    limits = np.iinfo(x.dtype) if x.dtype.kind != "f" else None
    least, greatest = (limits.min, limits.max) if limits else (-np.inf, np.inf)
    where = x._mask.reshape(x._mask.shape + (1,) * x.rest) if x.rest else x._mask
    return hooks.function(function, (x._whole,), {"where": where, "initial": least if function is np.max else greatest})


def selected_by(value: Any, mask: Any) -> bool:
    """Whether a value is a selection by this very mask, so that writing it back through the mask is a `where`."""
    return type(value) is Selection and value.is_by(mask)


def whole(selection: Selection) -> Any:
    """The array in which a selection's elements stand at their places."""
    return selection._whole


def _binary(ufunc: np.ufunc) -> tuple[Callable[..., Any], Callable[..., Any], Callable[..., Any]]:
    def forward(self: Any, other: Any) -> Any:
        return apply(ufunc, (self, other), {}) if type(other) is Selection or operators.is_operand(other) else NotImplemented

    def reflected(self: Any, other: Any) -> Any:
        return apply(ufunc, (other, self), {}) if operators.is_operand(other) else NotImplemented

    def in_place(self: Any, other: Any) -> Any:
        result = apply(ufunc, (self, other), {}) if self._array is None else None
        if type(result) is Selection and result._array is None and result.dtype == self.dtype:
            self._whole = result._whole
        else:
            self._array = hooks.ufunc(ufunc, "__call__", (self.compute(), computed(other)), {"out": (self.compute(),)})
        return self

    return forward, reflected, in_place


def _unary(ufunc: np.ufunc) -> Callable[..., Any]:
    return lambda self: apply(ufunc, (self,), {})


def _reduction(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda self, *args, **kwargs: call(function, (self, *args), kwargs)


for _name, (_ufunc, _) in operators.BINARY.items():
    for _prefix, _method in zip(("", "r", "i"), _binary(_ufunc), strict=True):
        setattr(Selection, f"__{_prefix}{_name}__", _method)
for _name, (_ufunc, _) in operators.COMPARE.items():
    setattr(Selection, f"__{_name}__", _binary(_ufunc)[0])
for _name, (_ufunc, _) in operators.UNARY.items():
    setattr(Selection, f"__{_name}__", _unary(_ufunc))
for _function in REDUCTIONS | EXTREMES:
    setattr(Selection, _function.__name__, _reduction(_function))
