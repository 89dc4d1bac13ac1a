"""Methods of our array type: each is the function of that name, or a few lines where NumPy has no function for it."""

import math
import operator
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from lazynp import array as arrays
from lazynp import operands, ordering
from lazynp.api import linear, routines, selecting
from lazynp.api.dispatch import HANDLERS, refuse_lost_derivative, sync, unwrapped, wrapped
from lazynp.array import ndarray
from lazynp.errors import LazynpError
from lazynp.ir.types import LAZY_DTYPES
from lazynp.native import keeping
from lazynp.operands import node_of
from lazynp.ops import elementwise as ew
from lazynp.runtime.stats import record_fallback
from lazynp.runtime.storage import shared_outside, tracing

# the families are registered before their methods are attached
assert linear.dot is HANDLERS[np.dot] and routines.put is HANDLERS[np.put]

METHODS: dict[str, str] = {}
"""Method name -> status, for the table."""


def _attach(name: str, method: Callable[..., Any], status: str) -> None:
    method.__name__ = name
    method.__qualname__ = f"ndarray.{name}"
    method.__doc__ = getattr(np.ndarray, name).__doc__ if hasattr(np.ndarray, name) else method.__doc__
    method.__wrapped__ = getattr(np.ndarray, name)  # type: ignore[attr-defined]  # whose signature inspect shows
    setattr(ndarray, name, method)
    METHODS[name] = status


def _same_as(function: Any, name: str) -> Callable[..., Any]:
    public, numpys = HANDLERS[function], getattr(np.ndarray, name)

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        """What the function does not take is NumPy's method's: `x.all(dtype=bool)`, and its words for wrong keywords."""
        if kwargs and any(value is np._NoValue for value in kwargs.values()):
            return sync(numpys, self, *args, **kwargs)
        try:
            return public(self, *args, **kwargs)
        except TypeError as error:
            if isinstance(error, LazynpError):
                raise
        return sync(numpys, self, *args, **kwargs)

    return method


for _function in (
    np.all, np.any, np.argmax, np.argmin, np.argpartition, np.argsort, np.cumprod, np.cumsum, np.diagonal, np.dot,
    np.max, np.mean, np.min, np.prod, np.ravel,
    np.repeat, np.round, np.searchsorted, np.squeeze, np.std, np.sum, np.swapaxes, np.take, np.trace, np.var,
):  # fmt: skip
    _name = _function.__name__.removeprefix("a") if _function in (np.max, np.min) else _function.__name__
    _attach(_name, _same_as(_function, _name), "COMPOSED")


def eager(self: Any) -> bool:
    return not operands.goes_lazy(self) or operands.short_here((self,))


def _reshape(self: Any, *shape: Any, order: str = "C", copy: Any = None) -> Any:
    if not shape:
        raise TypeError("reshape() takes exactly 1 argument (0 given)")
    target = shape[0] if len(shape) == 1 else shape
    return HANDLERS[np.reshape](self, target, order=order, copy=copy)


def _transpose(self: Any, *axes: Any) -> Any:
    wanted = axes[0] if len(axes) == 1 and (axes[0] is None or np.ndim(axes[0])) else axes or None
    return HANDLERS[np.transpose](self, wanted)


def _astype(self: Any, dtype: Any, order: str = "K", casting: str = "unsafe", subok: bool = True, copy: bool = True) -> Any:
    target = np.dtype(dtype)
    if casting == "same_value":  # looks at the values
        return wrapped(arrays.to_numpy(self).astype(target, order, casting, subok, copy))
    if type(copy) is not bool or not np.can_cast(self.dtype, target, casting):
        np.empty(0, self.dtype).astype(target, order, casting, subok, copy)  # NumPy's error
    if target == self.dtype and not copy and _lies_in(self, order):
        return self
    if eager(self) or target not in LAZY_DTYPES:
        return wrapped(keeping(arrays.to_numpy(self).astype, target, order, casting))
    operands.warn_of_lost_imaginary(self.dtype, target)
    return operands.recorded(_cast, self, target, order)


def _lies_in(x: Any, order: str) -> bool:
    """Whether an array lies in memory in NumPy's order of this name."""
    if order in "KA":
        return True
    flags = arrays.geometry(x).flags
    return bool(flags.f_contiguous if order == "F" else flags.c_contiguous)


def _cast(x: Any, to: np.dtype, order: str) -> Any:
    return _scalar_like(x, ordering.wrap_ordered(ew.cast(node_of(x), to=to), ordering.order_of(x, order)))


def _scalar_like(source: Any, result: Any) -> Any:
    """The result as an array, unless it is made of a scalar."""
    return result if source._scalar else arrays.as_array(result)


def _copy(self: Any, order: str = "C") -> Any:
    if not self._scalar and operands.short_here((self,)):
        return arrays.from_numpy(keeping(arrays.to_numpy(self).copy, order))
    return operands.recorded(ordering.copy_of, self, order)


def _choose(self: Any, *choices: Any, out: Any = None, mode: str = "raise") -> Any:
    return HANDLERS[np.choose](self, choices[0] if len(choices) == 1 else choices, out, mode)


def _fill(self: Any, value: Any) -> None:
    self[...] = value


def _flatten(self: Any, order: str = "C") -> Any:
    return _copied(HANDLERS[np.ravel](self, order))


def _copied(x: Any) -> Any:
    return ordering.copy_of(x, "C") if type(x) is ndarray else x.copy()


def _conjugate(self: Any, out: Any = None) -> Any:
    if out is not None:
        return arrays.hooks.ufunc(np.conjugate, "__call__", (self,), {"out": (out,)})
    if self.dtype.kind != "c":
        return self  # as NumPy's method; numpy.conjugate copies
    return arrays.hooks.ufunc(np.conjugate, "__call__", (self,), {})


def _nonzero(self: Any) -> Any:
    return sync(np.nonzero, self)


def _sort(self: Any, axis: int = -1, kind: Any = None, order: Any = None, *, stable: Any = None) -> None:
    axis = operator.index(axis)  # None is for numpy.sort
    if eager(self) or order is not None or not self._writeable:
        arrays.exported(self).sort(axis, kind, order, **({} if stable is None else {"stable": stable}))
    else:
        self[...] = selecting.sort(self, axis, kind, stable=stable)


def _item(self: Any, *args: Any) -> Any:
    return arrays.read_as_number(self).item(*args)


def _view(self: Any, *args: Any, **kwargs: Any) -> Any:
    args = tuple([a for a in args if a is not ndarray])  # x.view(type(x)) is x.view()
    kwargs = {name: value for name, value in kwargs.items() if value is not ndarray}
    if self._scalar:
        return arrays.to_numpy(self)[()].view(*args, **kwargs)
    if not args and not kwargs:
        return self[...]
    view = wrapped(arrays.exported(self).view(*args, **kwargs))
    if type(view) is ndarray:
        view._parent = self if self._parent is None else self._parent
    return view


def _resize(self: Any, *shape: Any, refcheck: bool = True) -> None:
    operator.index(refcheck)
    if not shape or shape[0] is None:
        return
    sizes = shape[0] if len(shape) == 1 and hasattr(shape[0], "__iter__") else shape
    try:
        target = tuple([operator.index(size) for size in sizes])
    except TypeError:
        np.empty(0).resize(*shape)  # NumPy's words
        raise
    in_rows, in_columns = self.flags.c_contiguous, self.flags.f_contiguous
    if self._storage is not None:
        self._np = None  # the view that was made to look at: nobody else's
    if not (in_rows or in_columns):
        raise ValueError("resize only works on single-segment arrays")
    if min(target, default=0) < 0:
        raise ValueError("negative dimensions not allowed")
    if self.base is not None and math.prod(target) != self.size:
        raise ValueError("cannot resize this array: it does not own its data")
    if math.prod(target) == self.size:  # the same memory: views stay views
        along = self if in_rows else _reshape(self.T, target[::-1]).T
        along.shape = target
        self._np, self._storage, self._path = along._np, along._storage, along._path
        if self._storage is not None:
            self._type = along._type
        return
    if refcheck and self._storage is not None and (sys.getrefcount(self._storage) > 2 or shared_outside(self._storage)):  # views
        raise ValueError(
            "cannot resize an array that references or is referenced\nby another object in this way.\n"
            "Use the np.resize function to get a new resized copy or\n set refcheck=False to disable this check"
        )
    values = arrays.to_numpy(self)
    order = "F" if values.flags.fnc else "C"  # elements stay where they are in memory
    kept = np.resize(values.ravel(order), math.prod(target))
    kept[self.size :] = 0
    arrays.become(self, kept.reshape(target, order=order))


def _setflags(self: Any, write: Any = None, align: Any = None, uic: Any = None) -> None:
    if uic:
        raise ValueError("cannot set WRITEBACKIFCOPY flag to True")
    if self._readonly is None:
        arrays.repeat_in_memory(self)
    if self._storage is None:
        self._np.setflags(write, align, uic)
    elif self._scalar:
        if write is not None:
            raise ValueError("Cannot set flags on array scalars.")
    elif write is not None:
        _set_writeable(self, bool(write))


def _set_writeable(x: Any, writeable: bool) -> None:
    x._readonly = not writeable
    if writeable and not (x._writeable and (x._parent is None or x._parent._writeable)):
        x._readonly = True
        raise ValueError("cannot set WRITEABLE flag to True of this array")


def _put(self: Any, indices: Any, values: Any, mode: str = "raise") -> None:
    HANDLERS[np.put](self, indices, values, mode)


def _partition(self: Any, kth: Any, axis: int = -1, kind: str = "introselect", order: Any = None) -> None:
    axis = operator.index(axis)
    if eager(self) or order is not None or not self._writeable:
        arrays.exported(self).partition(unwrapped(kth), axis, kind, order)
    else:
        self[...] = HANDLERS[np.partition](self, kth, axis, kind)


def _compress(self: Any, condition: Any, axis: Any = None, out: Any = None) -> Any:
    return HANDLERS[np.compress](condition, self, axis, out)


def _clip(self: Any, min: Any = None, max: Any = None, out: Any = None, **options: Any) -> Any:
    return HANDLERS[np.clip](self, min, max, out, **options)


def _through_numpy(name: str) -> Callable[..., Any]:
    """A method that is Python's business: forces, calls NumPy's, wraps."""

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        if operands.is_lazy(self):
            record_fallback(f"ndarray.{name}")
        values = arrays.read_as_number(self) if name == "tolist" else arrays.exported(self)
        values = values[()] if self._scalar else values
        result = getattr(values, name)(*[unwrapped(a) for a in args], **{k: unwrapped(v) for k, v in kwargs.items()})
        if tracing():
            refuse_lost_derivative(getattr(np.ndarray, name), (self, *args), result)
        if result is values:
            return self
        return wrapped(result)

    return method


_OWN: dict[str, tuple[Callable[..., Any], str]] = {
    "reshape": (_reshape, "LAZY"), "transpose": (_transpose, "LAZY"), "astype": (_astype, "LAZY"), "copy": (_copy, "LAZY"),
    "fill": (_fill, "LAZY"), "choose": (_choose, "COMPOSED"),
    "flatten": (_flatten, "LAZY"), "conj": (_conjugate, "LAZY"), "conjugate": (_conjugate, "LAZY"), "nonzero": (_nonzero, "SYNC"),
    "sort": (_sort, "LAZY"), "item": (_item, "SYNC"), "view": (_view, "LAZY"), "resize": (_resize, "SYNC"), "setflags": (_setflags, "LAZY"),
    "put": (_put, "LAZY"), "partition": (_partition, "COMPOSED"), "compress": (_compress, "COMPOSED"),
    "clip": (_clip, "COMPOSED"),
}  # fmt: skip
for _name, (_method, _status) in _OWN.items():
    _attach(_name, _method, _status)
for _name in (
    "byteswap",
    "dump",
    "dumps",
    "getfield",
    "setfield",
    "tobytes",
    "tofile",
    "tolist",
):
    _attach(_name, _through_numpy(_name), "SYNC")

ndarray.to_device.__wrapped__ = np.ndarray.to_device  # type: ignore[attr-defined]


def _refusal(name: str) -> Callable[[Any, Any], None]:
    def refuse(self: Any, value: Any) -> None:
        raise AttributeError(f"attribute {name!r} of 'numpy.ndarray' objects is not writable")

    return refuse


for _name, _attribute in list(vars(ndarray).items()):
    if isinstance(_attribute, property) and _attribute.fset is None and not _name.startswith("_"):
        setattr(ndarray, _name, _attribute.setter(_refusal(_name)))
for _name, _attribute in vars(ndarray).items():  # the setter made a new property of the function's own docstring
    if isinstance(_attribute, property) and not _attribute.__doc__ and hasattr(np.ndarray, _name):
        _attribute.__doc__ = getattr(np.ndarray, _name).__doc__
