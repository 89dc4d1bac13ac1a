"""The numeric variables of a finished program, and whether two runs of it left the same ones."""

import math
from collections import OrderedDict, defaultdict
from collections.abc import Iterator, Mapping
from types import FrameType
from typing import Any, NamedTuple

import numpy as np

from lazynp.array import ndarray

RTOL = 1e-7
"""Of the largest magnitude of a variable; for types with fewer digits than that, 16 units of their last one."""

_PYTHON_NUMBERS = (bool, int, float, complex)
_MAPPINGS = (dict, OrderedDict, defaultdict)


class Unreadable(NamedTuple):
    """A pending variable whose computation failed when it was read."""

    error: str


Values = dict[tuple[str, str], "np.ndarray | Unreadable"]
"""{(scope, name): value}; scope is "module" or "main()", name may end in "[3]" or "['key']"."""


class Difference(NamedTuple):
    """One variable of the two runs. error: largest |difference| / largest magnitude, None where it makes no sense. reason: why it is
    not the same, else "". varies: two runs on NumPy differ as well, so nothing can be said about it."""

    scope: str
    name: str
    shape: tuple[int, ...]
    dtype: str
    error: float | None
    reason: str
    varies: bool = False

    @property
    def same(self) -> bool:
        return not self.reason


def numeric_variables(module: Mapping[str, Any], main: Mapping[str, Any] | None) -> Values:
    """The numbers and numeric arrays in the namespaces, also inside lists, tuples and dicts. Computes what is pending."""
    found: Values = {}
    for scope, names in (("module", module), ("main()", main or {})):
        for name, value in list(names.items()):
            if not (name.startswith("__") and name.endswith("__")):
                found.update({(scope, path): leaf for path, leaf in _leaves(name, value, frozenset())})
    return found


def variables_of_frame(frame: FrameType) -> dict[str, Any]:
    """References to a frame's variables as they are now; nothing is computed."""
    return dict(frame.f_locals)


def _leaves(path: str, value: Any, inside: frozenset[int]) -> Iterator[tuple[str, "np.ndarray | Unreadable"]]:
    if isinstance(value, (*_PYTHON_NUMBERS, np.generic, ndarray)):
        leaf = _read(value)
        if leaf is not None:
            yield path, leaf
    elif id(value) not in inside and isinstance(value, dict) and type(value) in _MAPPINGS:
        for key, item in list(value.items()):
            yield from _leaves(f"{path}[{key!r}]", item, inside | {id(value)})
    elif id(value) not in inside and _is_sequence(value):
        yield from _leaves_of_sequence(path, value, inside | {id(value)})


def _is_sequence(value: Any) -> bool:
    return type(value) in (list, tuple) or (isinstance(value, tuple) and hasattr(value, "_fields"))


def _leaves_of_sequence(path: str, value: Any, inside: frozenset[int]) -> Iterator[tuple[str, "np.ndarray | Unreadable"]]:
    """Numbers of one dtype are one leaf: a list of a million floats is one variable, not a million."""
    kinds = {type(item) for item in value}
    if len(kinds) == 1 and kinds <= set(_PYTHON_NUMBERS):
        yield path, np.asarray(value)
        return
    leaves = [leaf for i, item in enumerate(value) for leaf in _leaves(f"{path}[{i}]", item, inside)]
    values = [leaf for _, leaf in leaves]
    numbers = [isinstance(leaf, np.ndarray) and leaf.ndim == 0 and name == f"{path}[{i}]" for i, (name, leaf) in enumerate(leaves)]
    if len(leaves) == len(value) and all(numbers) and len({leaf.dtype for leaf in values}) == 1:  # type: ignore[union-attr]
        yield path, np.array(values)
    else:
        yield from leaves


def _read(value: Any) -> "np.ndarray | Unreadable | None":
    """The value as an array, None when it is not numeric. Python integers beyond 64 bits are object arrays."""
    try:
        array = np.asarray(value)
    except Exception as error:  # the program's own deferred error, whatever its class
        return Unreadable(f"{type(error).__name__}: {error}")
    return array if array.dtype.kind in "biufc" or isinstance(value, int) else None


def compare(lazynp: Values, numpy: Values) -> list[Difference]:
    """Every variable of either run, in the order of NumPy's."""
    keys = [*numpy, *[key for key in lazynp if key not in numpy]]
    return [_compared(key, lazynp.get(key), numpy.get(key)) for key in keys]


def _compared(key: tuple[str, str], a: Any, b: Any) -> Difference:
    """a: on lazynp, b: on NumPy."""
    error, reason = None, ""
    for value, here, there in ((a, "lazynp", "NumPy"), (b, "NumPy", "lazynp")):
        if value is None:
            reason = f"a number on {there} only"
        elif isinstance(value, Unreadable):
            reason = f"on {here}: {value.error}"
    if not reason:
        error, reason = _difference(a, b)
    shown = next((v for v in (b, a) if isinstance(v, np.ndarray)), np.empty(0))
    return Difference(*key, shown.shape, str(shown.dtype), error, reason)


def _difference(a: np.ndarray, b: np.ndarray) -> tuple[float | None, str]:
    """(largest relative difference, why they are not the same or "")."""
    if a.shape != b.shape:
        return None, f"shape {a.shape} on lazynp, {b.shape} on NumPy"
    if a.dtype != b.dtype:
        return None, f"dtype {a.dtype} on lazynp, {b.dtype} on NumPy"
    if a.dtype == object:
        return None, "" if np.array_equal(a, b) else "other integers"
    if a.size == 0 or a.tobytes() == b.tobytes():
        return 0.0, ""
    tolerance = tolerance_of(b.dtype)
    a, b = _parts(a), _parts(b)
    finite = np.isfinite(a)
    if not np.array_equal(np.where(finite, 0, a), np.where(np.isfinite(b), 0, b), equal_nan=True):
        return None, "NaN or infinity at different places"
    error = _relative_error(np.where(finite, a, 0), np.where(finite, b, 0))
    return error, "" if error <= tolerance else f"differs by {error:.1e} of the largest magnitude"


def tolerance_of(dtype: np.dtype) -> float:
    """The relative difference up to which two arrays of this type count as the same."""
    return max(RTOL, 16 * float(np.finfo(dtype).eps)) if dtype.kind in "fc" else RTOL


def _parts(array: np.ndarray) -> np.ndarray:
    """Real numbers, two for a complex one. Integers and booleans in the widest float: only their magnitude is compared."""
    if array.dtype.kind == "c":
        return np.stack([array.real, array.imag], axis=-1).astype(np.longdouble)
    return array.astype(np.longdouble)


def _relative_error(a: np.ndarray, b: np.ndarray) -> float:
    largest = max(float(np.abs(b).max()), 0.0)
    difference = float(np.abs(a - b).max())
    return 0.0 if difference == 0 else difference / largest if largest else math.inf


def marked_varying(differences: list[Difference], once: Values, again: Values) -> list[Difference]:
    """once, again: two runs on NumPy. What differs between these as well (a clock, unseeded random numbers) is marked."""
    varying = {(d.scope, d.name) for d in compare(again, once) if not d.same}
    return [d._replace(varies=not d.same and (d.scope, d.name) in varying) for d in differences]
