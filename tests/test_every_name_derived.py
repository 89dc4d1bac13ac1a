"""Every function and method of the NumPy namespace under `grad`, from the table of names: a right derivative, or a TypeError that names it
and the user's line. Nothing is silently zero."""

import importlib
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy
import pytest

import lazynp as np
from lazynp.api.table import OWN_MODULES, Row, rows

X, Y = numpy.array([0.31, 1.27, -0.83]), numpy.array([1.9, 0.64, 0.22])
M = numpy.array([[1.31, 0.27, -0.43], [0.2, -1.7, 0.9], [0.53, 0.11, 2.13]])
PLACES = numpy.array([0, 2, 1])
PROBES: tuple[tuple[Any, ...], ...] = (
    (X,), (M,), (X, Y), (M, M.T + 0.3), (X, 1), (M, 1), (X, 0.4), (M, X), (abs(X),), (abs(X) / 2, Y), (0.7,), (X, PLACES), (PLACES, X),
    (X, numpy.sort(Y), Y), ([X, Y],), ([X, Y], 0), (Y, Y > 0.5), ("ij,j->i", M, X), ([X[:1], Y],), ([M, M.T - 0.7], 1),
)  # fmt: skip
"""Arguments that some function takes. Two arrays in a list are the same variable twice."""

READS_AND_WRITES = frozenset("dump dumps fromfile genfromtxt load loadtxt memmap save savetxt savez savez_compressed test tofile".split())
NOT_OF_VALUES = {
    "empty": "what is in its memory is anybody's guess", "empty_like": "what is in its memory is anybody's guess",
    "frombuffer": "NumPy's own function, of bytes", "mintypecode": "NumPy's own function, of characters",
    "eig": "vectors up to a factor: tests/differentiable.py", "eigh": "of the Hermitian part: tests/differentiable.py",
    "eigvalsh": "of the Hermitian part: tests/differentiable.py", "qr": "signs are LAPACK's choice", "svd": "signs are LAPACK's choice",
    "choose": "as a method of a NumPy array: NumPy's", "dot": "as a method of a NumPy array: NumPy's",
    "conj": "a method of a NumPy array with its output", "conjugate": "a method of a NumPy array with its output",
    "item": "a number that is read counts as constant, with a warning", "tolist": "numbers that are read count as constant",
    "from_dlpack": "takes over memory", "diff": "no differences (n = 0) are the list itself: tests/differentiable.py",
    "norm": "of rank-deficient lists, and by its order", "cond": "of rank-deficient lists", "resize": "asks for its memory alone",
}  # fmt: skip
"""What this test does not ask of a name, and why."""
NAMES = [
    row
    for row in rows()
    if row.module in (*OWN_MODULES, "numpy.ndarray")
    and row.module != "numpy.random"
    and callable(row.value)
    and not isinstance(row.value, type)
    and row.name not in {*READS_AND_WRITES, *NOT_OF_VALUES}
]


def numpys(row: Row) -> Callable[..., Any]:
    if row.module == "numpy.ndarray":
        return lambda a, *rest: getattr(numpy.array(a), row.name)(*rest)
    function: Callable[..., Any] = getattr(importlib.import_module(row.module), row.name)
    return function


def ours(row: Row) -> Callable[..., Any]:
    return (lambda a, *rest: getattr(a, row.name)(*rest)) if row.module == "numpy.ndarray" else row.value


def floats(value: Any) -> list[Any]:
    """The floating arrays among nested results."""
    if isinstance(value, (tuple, list)):
        return [array for part in value for array in floats(part)]
    return [value] if getattr(value, "dtype", numpy.dtype(bool)).kind in "fc" else []


def varied(args: tuple[Any, ...]) -> list[int]:
    return [k for k, a in enumerate(args) if isinstance(a, (float, list)) or (isinstance(a, numpy.ndarray) and a.dtype.kind == "f")]


def put(args: tuple[Any, ...], values: list[Any]) -> list[Any]:
    """The arguments with these values at the varied places; a list holds its value, and what it held besides."""
    full = list(args)
    for place, value in zip(varied(args), values, strict=True):
        full[place] = [value, *args[place][1:]] if isinstance(args[place], list) else value
    return full


def start(args: tuple[Any, ...]) -> list[Any]:
    return [args[k][0] if isinstance(args[k], list) else args[k] for k in varied(args)]


def calls(row: Row) -> Iterator[tuple[tuple[Any, ...], list[numpy.ndarray]]]:
    """Arguments that NumPy takes and answers with finite floating arrays; weights for these."""
    for args in PROBES:
        if row.module == "numpy.ndarray" and not isinstance(args[0], numpy.ndarray):
            continue
        try:
            found = floats(numpys(row)(*put(args, [numpy.array(v) for v in start(args)])))
        except Exception:  # whatever NumPy says: it does not take these
            continue
        if found and all(numpy.isfinite(v).all() for v in found):
            yield args, [numpy.random.default_rng(1).normal(size=v.shape) for v in found]


def slope(row: Row, args: tuple[Any, ...], weights: list[numpy.ndarray], directions: list[numpy.ndarray], step: float) -> float:
    """NumPy's difference quotient; NaN where the results change their shapes."""
    ends = []
    for sign in (1, -1):
        found = floats(numpys(row)(*put(args, [numpy.array(v + sign * step * d) for v, d in zip(start(args), directions, strict=True)])))
        if [v.shape for v in found] != [w.shape for w in weights]:
            return float("nan")
        ends.append(sum([numpy.sum(numpy.real(v) * w) for v, w in zip(found, weights, strict=True)]))
    return float((ends[0] - ends[1]) / (2 * step))


@pytest.mark.parametrize("row", NAMES, ids=[f"{row.module}.{row.name}" for row in NAMES])
def test_right_or_named(row: Row) -> None:
    with warnings.catch_warnings(), numpy.errstate(all="ignore"), np.config(backend="reference"):
        warnings.simplefilter("ignore")
        for args, weights in calls(row):

            def loss(*values: Any, args: Any = args, weights: Any = weights) -> Any:
                results = floats(ours(row)(*put(args, list(values))))  # the line
                return sum([np.sum(np.real(v) * w) for v, w in zip(results, weights, strict=True)])

            values = start(args)
            try:
                found = np.grad(loss, tuple(range(len(values))))(*values) if values else ()
            except TypeError as error:
                notes = "".join(getattr(error, "__notes__", []))
                assert "has no derivative" in str(error), (args, error)
                assert row.name in str(error) or "float" in notes, (args, error)
                assert __file__ in notes, (args, error)
                continue
            directions = [numpy.random.default_rng(2).normal(size=numpy.shape(v)) for v in values]
            expected = [slope(row, args, weights, directions, step) for step in (1e-6, 1e-7)]
            if numpy.isclose(*expected, rtol=1e-3, atol=1e-4):  # else there is none
                total = sum([numpy.sum(d * g) for d, g in zip(directions, found, strict=True)])
                assert total == pytest.approx(expected[0], rel=1e-4, abs=1e-5), args
