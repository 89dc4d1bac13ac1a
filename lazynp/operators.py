"""The operators of the array: attached to the type from one table."""

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy._core._exceptions import _UFuncNoLoopError

from lazynp.array import EAGER_SCALARS, exported, from_numpy, geometry, hooks, ndarray, to_numpy
from lazynp.config import settings
from lazynp.errors import KNOWN_FILES
from lazynp.ir.op import Op
from lazynp.ir.types import NotLazy, Symbolic, itemcount
from lazynp.native import ARRAYS, connect_lines
from lazynp.operands import goes_lazy, operand, recorded, short_here
from lazynp.ops import elementwise as ew
from lazynp.ordering import wrap_like
from lazynp.runtime.stats import record_fallback
from lazynp.runtime.storage import queue, tracing


def elementwise(ufunc: np.ufunc, *operands: Any, through: Callable[..., Any] | None = None) -> Any:
    """A ufunc of one output on operands of which at least one is lazy. Goes through NumPy where no op or no lazy dtype exists: by its
    operator `through`, if the user wrote one, which compares numbers and texts and finds them different."""
    try:
        check_operands(ufunc, operands)
        return recorded(_record_elementwise, ew.UFUNCS[ufunc][0], operands)
    except (NotLazy, OverflowError, KeyError, _UFuncNoLoopError):
        record_fallback(ufunc.__name__)
        return from_numpy((through or ufunc)(*[_numpys(x) for x in operands]))


def _numpys(x: Any) -> Any:
    """What NumPy would have here: a number where it hands out numbers, whose operators answer differently (`x == None` is False)."""
    values = exported(x)
    return values[()] if type(x) is ndarray and x._scalar else values


def check_operands(ufunc: np.ufunc, operands: tuple[Any, ...], where: Any = True) -> None:
    """The errors of a ufunc that depend on values: integers to negative integer powers (looks at the exponents: forces them), and numbers
    of Python that no integer holds, as truth values."""
    if ufunc in _LOGICAL and any(type(x) is int and not -(1 << 63) <= x < 1 << 63 for x in operands):
        raise OverflowError("Python int too large to convert to C long")
    if ufunc is np.power and _is_of_integers(operands) and np.any(np.less(to_numpy(operands[1]), 0) & to_numpy(where)):
        raise ValueError("Integers to negative integer powers are not allowed.")


_LOGICAL = frozenset({np.logical_and, np.logical_or, np.logical_xor})


def _is_of_integers(operands: tuple[Any, ...]) -> bool:
    """Whether NumPy's loop for the power is one of signed integers."""
    plain = [operand(x) if type(x) in _SEQUENCES else x for x in operands]  # a list may hold traced numbers
    types = tuple([x.dtype if isinstance(x, (ndarray, np.generic)) else ew.operand_type(x) for x in plain])
    return any(t is int or (type(t) is not type and t.kind in "biu") for t in types) and ew.loop_dtypes(np.power, types)[1].kind == "i"


def _record_elementwise(op: Op, operands: tuple[Any, ...]) -> Any:
    return wrap_like(op.door(op, *[operand(x) for x in operands]), *operands)


def _binary(ufunc: np.ufunc, function: Callable[..., Any]) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """The operator and its reflection."""

    def forward(self: Any, other: Any) -> Any:
        return _general(ufunc, function, self, other)

    def reflected(self: Any, other: Any) -> Any:
        return _second_answer(_general(ufunc, function, other, self), function, other, self)

    return forward, reflected


def _of_power(x: Any, exponent: Any) -> np.ufunc | None:
    """The ufunc that NumPy's `**` is for an array and this exponent, whose warnings and dtypes are others than those of power."""
    kind = type(exponent)
    if kind is int and exponent == 2:
        return np.square if x.dtype.kind == "b" and not x._scalar else None  # else the same, and power has more rules
    if x.dtype.kind not in "fc" or x._scalar:
        return None
    return np.reciprocal if kind is int and exponent == -1 else np.sqrt if kind is float and exponent == 0.5 else None


def _power(self: Any, other: Any, modulus: Any = None) -> Any:
    """x ** other."""
    if modulus is not None:
        return pow(exported(self)[()], other, modulus)  # NumPy's TypeError
    short = _of_power(self, other) if goes_lazy(self) else None
    return _general(np.power, operator.pow, self, other) if short is None else elementwise(short, self)


def _inplace_power(self: Any, other: Any) -> Any:
    """x **= other."""
    short = _of_power(self, other) if goes_lazy(self) else None
    if short is None:
        return _plain_inplace_power(self, other)
    hooks.ufunc(short, "__call__", (self,), {"out": (self,)})
    return self


def _second_answer(first: Any, function: Callable[..., Any], other: Any, x: Any) -> Any:
    """What an object whose operator did not know our array makes of NumPy's (a torch.Tensor takes no other type)."""
    return function(other, exported(x)) if first is NotImplemented else first


_SEQUENCES = frozenset({list, tuple, str, bytes, bytearray})


def _repeats(a: Any, b: Any) -> bool:
    """Whether one is a number of NumPy's scalars and the other one a sequence, which Python repeats."""
    return (type(b) in _SEQUENCES and type(a) is ndarray and a._scalar) or (type(a) in _SEQUENCES and type(b) is ndarray and b._scalar)


def _general(ufunc: np.ufunc, function: Callable[..., Any], a: Any, b: Any) -> Any:
    if ufunc is np.multiply and _repeats(a, b):
        return function(*[to_numpy(x)[()] if type(x) is ndarray else x for x in (a, b)])
    if not is_operand(a) or not is_operand(b):
        return answer_of_others(ufunc, a, b)
    if _is_subclass(a) or _is_subclass(b):  # numpy.matrix multiplies matrices
        return from_numpy(function(exported(a), exported(b)))
    if (goes_lazy(a, b) or grows(a, b)) and not short_here((a, b)):
        return elementwise(ufunc, a, b, through=function)
    return from_numpy(function(to_numpy(a), to_numpy(b)))


def _is_subclass(x: Any) -> bool:
    """Whether x is an array of a subclass of NumPy's whose operators are its own."""
    return isinstance(x, np.ndarray) and type(x) not in ARRAYS and type(x).__mul__ is not np.ndarray.__mul__


def is_operand(x: Any) -> bool:
    """Whether our operators take it. A type with an __array_ufunc__ of its own, or a greater priority, decides for itself, as in NumPy."""
    kind = type(x)
    if kind is ndarray or kind in ARRAYS or kind in EAGER_SCALARS:
        return True
    if isinstance(x, (np.ndarray, np.generic)) or issubclass(kind, Symbolic):
        return True
    if hasattr(kind, "__array_ufunc__"):
        return False
    return getattr(kind, "__array_priority__", 0) <= 0


def answer_of_others(ufunc: np.ufunc, *operands: Any, **options: Any) -> Any:
    """What the __array_ufunc__ of operands that are not NumPy's or ours makes of an operator; NotImplemented, so that Python asks for
    their reflected operator, where they have none."""
    for x in operands:
        override = None if is_operand(x) else getattr(type(x), "__array_ufunc__", None)
        if override is not None:
            result = override(x, ufunc, "__call__", *operands, **options)
            if result is not NotImplemented:
                return result
    return NotImplemented


def grows(a: Any, b: Any) -> bool:
    """Whether two small operands broadcast to something large."""
    if not (isinstance(a, ndarray) and isinstance(b, ndarray)) or a.shape == b.shape or a.size * b.size < settings.lazy_threshold:
        return False
    try:
        return itemcount(np.broadcast_shapes(a.shape, b.shape)) >= settings.lazy_threshold
    except ValueError:
        return False


def _inplace(ufunc: np.ufunc) -> Callable[..., Any]:
    def operate(self: Any, other: Any) -> Any:
        if not is_operand(other):
            return answer_of_others(ufunc, self, other, out=(self,))
        if self._storage is None and not tracing():
            ufunc(self._np, to_numpy(other), out=self._np)
            return self
        if self._scalar:
            return hooks.ufunc(ufunc, "__call__", (self, other), {})
        if short_here((self, other)) and self._writeable:
            self._storage.settle_readers()
            memory = geometry(self)
            ufunc(memory, to_numpy(other), out=memory)
        else:
            hooks.ufunc(ufunc, "__call__", (self, other), {"out": (self,)})
        return self

    return operate


def _unary(ufunc: np.ufunc, function: Callable[..., Any]) -> Callable[..., Any]:
    def operate(self: Any) -> Any:
        return elementwise(ufunc, self) if goes_lazy(self) and not short_here((self,)) else from_numpy(function(to_numpy(self)))

    return operate


BINARY = {
    "add": (np.add, operator.add), "sub": (np.subtract, operator.sub), "mul": (np.multiply, operator.mul),
    "truediv": (np.true_divide, operator.truediv), "floordiv": (np.floor_divide, operator.floordiv), "mod": (np.remainder, operator.mod),
    "pow": (np.power, operator.pow), "and": (np.bitwise_and, operator.and_), "or": (np.bitwise_or, operator.or_),
    "xor": (np.bitwise_xor, operator.xor), "lshift": (np.left_shift, operator.lshift), "rshift": (np.right_shift, operator.rshift),
}  # fmt: skip
COMPARE = {
    "eq": (np.equal, operator.eq), "ne": (np.not_equal, operator.ne), "lt": (np.less, operator.lt),
    "le": (np.less_equal, operator.le), "gt": (np.greater, operator.gt), "ge": (np.greater_equal, operator.ge),
}  # fmt: skip
UNARY = {
    "neg": (np.negative, operator.neg), "pos": (np.positive, operator.pos), "abs": (np.absolute, operator.abs),
    "invert": (np.invert, operator.invert),
}  # fmt: skip

for _name, (_ufunc, _function) in BINARY.items():
    _forward, _reflected = _binary(_ufunc, _function)
    setattr(ndarray, f"__{_name}__", _forward)
    setattr(ndarray, f"__r{_name}__", _reflected)
    setattr(ndarray, f"__i{_name}__", _inplace(_ufunc))
_plain_inplace_power = ndarray.__ipow__  # type: ignore[attr-defined]
ndarray.__pow__, ndarray.__ipow__ = _power, _inplace_power  # type: ignore[attr-defined]
for _name, (_ufunc, _function) in COMPARE.items():
    setattr(ndarray, f"__{_name}__", _binary(_ufunc, _function)[0])
for _name, (_ufunc, _function) in UNARY.items():
    setattr(ndarray, f"__{_name}__", _unary(_ufunc, _function))


def _through(ufunc: np.ufunc, function: Callable[..., Any]) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """The operator and its reflection, for ufuncs that are not elementwise functions of one result."""

    def call(a: Any, b: Any) -> Any:
        return hooks.ufunc(ufunc, "__call__", (a, b), {}) if is_operand(a) and is_operand(b) else answer_of_others(ufunc, a, b)

    return call, lambda self, other: _second_answer(call(other, self), function, other, self)


def _imatmul(self: Any, other: Any) -> Any:
    if not is_operand(other):
        return answer_of_others(np.matmul, self, other, out=(self,))
    if self.ndim < 1 or getattr(other, "ndim", 0) < 2:
        exported(self).__imatmul__(to_numpy(other) if type(other) is ndarray else other)  # NumPy's error, or a list as it takes it
        return self
    hooks.ufunc(np.matmul, "__call__", (self, other), {"out": (self,)})
    return self


for _name, (_ufunc, _function) in {"divmod": (np.divmod, divmod), "matmul": (np.matmul, operator.matmul)}.items():
    _forward, _reflected = _through(_ufunc, _function)
    setattr(ndarray, f"__{_name}__", _forward)
    setattr(ndarray, f"__r{_name}__", _reflected)
ndarray.__imatmul__ = _imatmul  # type: ignore[attr-defined]

PRODUCTS = frozenset({np.matmul, np.dot, np.vdot, np.inner, np.vecdot, np.matvec, np.vecmat})
"""Products of matrices: small ones of arrays that are there are NumPy's (dispatch.is_small_product)."""

connect_lines(ndarray, (queue(), queue().short, KNOWN_FILES), PRODUCTS)
