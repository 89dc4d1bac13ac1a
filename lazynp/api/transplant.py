"""NumPy's own Python functions, run on lazynp's names: the definition NumPy ships is the definition, and its operations are recorded.

`transplanted(numpy.unwrap)` is the function that NumPy wrote, with every global it reads replaced: NumPy's functions and ufuncs by
lazynp's, its private Python helpers by transplanted ones. Values, dtypes, messages and their order are NumPy's by construction. What such a
function asks of values (is this polynomial's leading coefficient zero?) forces them, and raises CaptureError inside a trace.
"""

import inspect
import types
from collections.abc import Callable
from typing import Any

import numpy as np

from lazynp.api.dispatch import FORMULAS, HANDLERS, Unsupported, implements, synced
from lazynp.api.ufuncs import OBJECTS
from lazynp.array import ndarray
from lazynp.ir.types import NotLazy


class _Names:
    """A NumPy module whose functions are lazynp's."""

    def __init__(self, module: types.ModuleType) -> None:
        self._module = module

    def __getattr__(self, name: str) -> Any:
        value = _ours(getattr(self._module, name))
        self.__dict__[name] = value
        return value


class _Converter:
    """numpy's `_array_converter`: the arguments as arrays, and results wrapped as their class asks for (here: as they are)."""

    def __init__(self, *operands: Any) -> None:
        self._operands = operands
        self._arrays = [x if isinstance(x, ndarray) else HANDLERS[np.asarray](x) for x in operands]
        self.scalar_input = tuple([not isinstance(x, ndarray) and a.ndim == 0 for x, a in zip(operands, self._arrays, strict=True)])

    def __len__(self) -> int:
        return len(self._arrays)

    def __getitem__(self, position: int) -> Any:
        return self._arrays[position]

    def as_arrays(self, subok: bool = True, pyscalars: str = "convert") -> tuple[Any, ...]:
        weak = (int, float, complex)
        keep = pyscalars in ("preserve", "convert_if_no_array") and (pyscalars == "preserve" or len(self._operands) > 1)
        pairs = zip(self._operands, self._arrays, strict=True)
        return tuple([x if keep and type(x) in weak else a for x, a in pairs])

    def result_type(self, extra_dtype: Any = None, ensure_inexact: bool = False) -> np.dtype:
        known = [x if type(x) in (int, float, complex) else a.dtype for x, a in zip(self._operands, self._arrays, strict=True)]
        known += [] if extra_dtype is None else [extra_dtype]
        return np.result_type(*known, *([1.0] if ensure_inexact else []))

    def wrap(self, result: Any, /, to_scalar: Any = None) -> Any:
        scalar = all(self.scalar_input) if to_scalar is None else to_scalar
        return result[()] if scalar and isinstance(result, ndarray) and result.ndim == 0 else result


def _makearray(a: Any) -> tuple[Any, Callable[..., Any]]:
    """numpy.linalg's helper of that name: the operand as an array, and how to wrap a result (here: as it is)."""
    return HANDLERS[np.asarray](a), lambda result, *rest: result


_REPLACED = {"_array_converter": _Converter, "_makearray": _makearray}
"""Helpers of NumPy's source that read the type of NumPy's arrays."""


def _ours(value: Any) -> Any:
    """What a global of NumPy's source stands for here."""
    if isinstance(value, types.ModuleType):
        return _Names(value) if value.__name__.partition(".")[0] == "numpy" else value
    if isinstance(value, np.ufunc):
        return OBJECTS.get(value, value)
    if value is np.ndarray:
        return ndarray
    if getattr(value, "__name__", "") in _REPLACED:
        return _REPLACED[value.__name__]
    if not callable(value) or isinstance(value, type) or value.__hash__ is None:
        return value
    if value in HANDLERS:
        return HANDLERS[value]
    if not str(getattr(value, "__module__", "")).startswith("numpy"):
        return value
    if hasattr(value, "_implementation"):  # a public function that we leave to NumPy
        return synced(value)
    return transplanted(value) if isinstance(value, types.FunctionType) else value


_transplanted: dict[Any, Callable[..., Any]] = {}


def transplanted(function: Any) -> Callable[..., Any]:
    """The Python function behind a NumPy function, reading lazynp's names. Only called when every name of ours exists."""
    original = inspect.unwrap(function)
    if original not in _transplanted:
        space: dict[str, Any] = {"__builtins__": __builtins__, "__name__": original.__module__}
        copy = types.FunctionType(original.__code__, space, original.__name__, original.__defaults__, original.__closure__)
        copy.__kwdefaults__ = original.__kwdefaults__
        _transplanted[original] = copy  # before its names are looked up: helpers may call each other in circles
        known = original.__globals__
        space |= {name: _ours(known[name]) for name in _names_in(original.__code__) if name in known}
    return _transplanted[original]


def _names_in(code: types.CodeType) -> set[str]:
    found = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            found |= _names_in(constant)
    return found


def adopts(*functions: Any) -> None:
    """Register NumPy's own definitions of these functions as their lazy implementations."""
    for function in functions:
        implements(function)(_adopted(function))


def _adopted(function: Any) -> Callable[..., Any]:
    def lazy(*args: Any, **kwargs: Any) -> Any:
        return transplanted(function)(*args, **kwargs)

    return lazy


def formula_of(*functions: Any) -> None:
    """In a trace NumPy's own definition stands in where the lazy implementation gives up: it is recorded, and so has a derivative."""
    for function in functions:
        FORMULAS[function] = _adopted(function)


adopts(
    np.ediff1d, np.fix, np.geomspace, np.logspace, np.insert, np.ix_, np.poly, np.polyadd, np.polyder,
    np.polydiv, np.polyint, np.polysub, np.sort_complex, np.unwrap, np.vander, np.apply_over_axes, np.fromfunction,
    np.linalg.matrix_rank, np.linalg.tensorinv, np.linalg.tensorsolve, np.fft.hfft, np.fft.ihfft,
)  # fmt: skip
formula_of(
    np.average, np.cov, np.extract, np.gradient, np.linalg.matrix_power, np.linalg.norm, np.linalg.pinv, np.linalg.svd,
    np.linalg.vector_norm, np.median, np.nan_to_num, np.pad, np.piecewise, np.polyfit, np.roots,
    np.fft.fftfreq, np.fft.rfftfreq, np.real_if_close, np.trim_zeros,
)  # fmt: skip
if "row_stack" in vars(np):  # gone in NumPy 2.5
    adopts(vars(np)["row_stack"])


@implements(np.i0)
def i0(x: Any) -> Any:
    """NumPy's two Chebyshev series, both evaluated everywhere at arguments that suit them, in place of its masked writes."""
    x = HANDLERS[np.asarray](x)
    if x.dtype.kind == "c":
        raise NotLazy
    helpers = transplanted(np.i0).__globals__
    size = OBJECTS[np.absolute](x if x.dtype.kind == "f" else x.astype(float))
    near = size <= 8.0
    where = HANDLERS[np.where]
    return where(near, helpers["_i0_1"](where(near, size, 0.0)), helpers["_i0_2"](where(near, 8.0, size)))


@implements(np.kaiser)
def kaiser(M: Any, beta: Any) -> Any:
    """NumPy's formula with a number of points that is no variable: in a trace beta may be one."""
    if type(beta) is not ndarray or not isinstance(M, (int, np.integer)) or M < 2:
        raise Unsupported
    center = (M - 1) / 2.0
    return i0(beta * np.sqrt(1 - ((np.arange(M) - center) / center) ** 2.0)) / i0(beta)
