"""`lazynp.ndarray`: the type that user code names. NumPy's arrays and lazy ones are its instances; classes derived from it are NumPy's.

It has to be a real subclass of numpy.ndarray, because C code takes it: `x.view(np.ndarray)`, `np.ndarray.__new__(cls, ...)`.
"""

import functools
from abc import ABCMeta
from collections.abc import Callable
from inspect import signature
from typing import Any

import numpy as np

from lazynp import array as arrays
from lazynp.array import from_numpy
from lazynp.native import ARRAYS


class _ArrayType(ABCMeta):  # ABCMeta: so that a class may derive from an array and an abstract class
    def __new__(mcls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **options: Any) -> Any:
        if not any(type(base) is _ArrayType for base in bases):
            return super().__new__(mcls, name, bases, namespace, **options)
        plain = tuple([np.ndarray if type(base) is _ArrayType else base for base in bases])
        kinds = [type(base) for base in plain]
        metaclass = next(kind for kind in kinds if all(issubclass(kind, other) for other in kinds))
        return metaclass(name, plain, namespace, **options)

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, arrays.ndarray)

    def __subclasscheck__(cls, subclass: type) -> bool:
        return subclass is arrays.ndarray or issubclass(subclass, np.ndarray)

    def __eq__(cls, other: object) -> bool:
        return other is cls or other in ARRAYS or other is arrays.ndarray

    def __hash__(cls) -> int:
        return hash(np.ndarray)


class ndarray(np.ndarray, metaclass=_ArrayType):  # noqa: N801  (NumPy's name)
    __doc__ = np.ndarray.__doc__
    __module__ = "lazynp"
    __slots__ = ()
    __signature__ = signature(np.ndarray)

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        if type(cls) is not _ArrayType:
            return np.ndarray.__new__(cls, *args, **kwargs)
        return from_numpy(np.ndarray(*args, **kwargs))

    def __array_wrap__(self, array: Any, context: Any = None, return_scalar: bool = False) -> Any:
        """What is computed from `x.view(np.ndarray)` is a plain array again."""
        plain = np.asarray(array)
        return plain[()] if return_scalar else plain


def _unbound(name: str) -> Callable[..., Any]:
    """`np.ndarray.sum`, which is called with any array: a lazy one has the method of its own type."""
    numpys = getattr(np.ndarray, name)

    @functools.wraps(numpys)
    def method(self: Any, /, *args: Any, **options: Any) -> Any:
        if isinstance(self, arrays.ndarray) and not isinstance(self, np.ndarray):
            return getattr(self, name)(*args, **options)
        return numpys(self, *args, **options)

    return method


for _name in dir(np.ndarray):
    if not _name.startswith("_") and callable(getattr(np.ndarray, _name)):
        setattr(ndarray, _name, _unbound(_name))
