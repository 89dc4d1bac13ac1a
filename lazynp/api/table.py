"""The status of every NumPy name. LAZY and COMPOSED follow from the registrations; what is left is said here, with a reason.

LAZY: an op records it. COMPOSED: a formula over ops. SYNC: forces, calls NumPy, wraps; counted for the user's line.
SAME: NumPy's own object (types, constants, errors, functions on dtypes). ABSENT: raises, with a reason.
"""

import types
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np

from lazynp.api import (  # noqa: F401  (they register)
    along,
    arraytype,
    creation,
    fourier,
    grids,
    histograms,
    inspection,
    linear,
    methods,
    quantiles,
    reductions,
    routines,
    selecting,
    shaping,
    standard,
    transplant,
    uniques,
)
from lazynp.api.dispatch import HANDLERS, LAZY, synced
from lazynp.api.ufuncs import OBJECTS, ufunc
from lazynp.array import ndarray
from lazynp.ops.elementwise import UFUNCS


class Row(NamedTuple):
    """One public name: its module, status, why it is SYNC or ABSENT, and the object that lazynp offers."""

    module: str
    name: str
    status: str
    reason: str
    value: Any


_SAME_FUNCTIONS = frozenset(
    "array2string busday_count busday_offset datetime_as_string datetime_data frompyfunc "
    "array_str base_repr binary_repr broadcast_shapes dtype errstate finfo format_float_positional "
    "format_float_scientific format_parser frombuffer geterr geterrcall get_include get_printoptions getbufsize iinfo info "
    "is_busday isdtype issubdtype issubsctype iterable memmap min_scalar_type mintypecode ndenumerate ndindex nditer "
    "nested_iters printoptions promote_types set_printoptions setbufsize seterr seterrcall show_config "
    "show_runtime test typename vectorize einsum_path busdaycalendar isfortran".split()
)
"""Functions about dtypes, dates, printing and settings, or that look at shapes only: NumPy's own, given our arrays."""

_DATA = "the size or dtype of the result depends on the data"
_IO = "reads or writes files and text"
_VALUES = "looks at the values to decide"
_CALLS = "calls a Python function on selections that depend on the data"

_REASONS: dict[str, str] = {
    **dict.fromkeys("argwhere extract flatnonzero intersect1d mask_indices nonzero setdiff1d setxor1d trim_zeros union1d".split(), _DATA),
    **dict.fromkeys("unique unique_all unique_counts unique_inverse unique_values real_if_close roots".split(), _DATA),
    **dict.fromkeys("fromfile fromregex fromstring genfromtxt load loadtxt save savetxt savez savez_compressed".split(), _IO),
    **dict.fromkeys("bytes dump dumps tobytes tofile tolist item".split(), "the answer is Python's business"),
    **dict.fromkeys("asmatrix bmat".split(), "numpy.matrix is NumPy's own array"),
    **dict.fromkeys("byteswap getfield setfield".split(), "works on the bytes of the memory"),
    "asarray_chkfinite": _VALUES,
    "piecewise": _CALLS,
    "fromiter": "reads a Python iterator",
    "from_dlpack": "takes over another library's memory",
    "require": "asks for flags of the memory",
    "resize": "replaces the memory in place",
}
"""Why a name is SYNC."""

OWN_MODULES = ("numpy", "numpy.linalg", "numpy.fft", "numpy.random")
SHARED = ("lib.stride_tricks", "polynomial", "testing", "typing", "exceptions", "dtypes", "ma")
"""Modules that are NumPy's own: what they compute, they compute with NumPy's functions on our arrays, or on NumPy's made of ours."""
MODULES = (*OWN_MODULES, *[f"numpy.{name}" for name in SHARED])


def names_of(module: types.ModuleType) -> list[str]:
    """The public names of a NumPy module in this version."""
    return sorted(set(getattr(module, "__all__", None) or [n for n in vars(module) if not n.startswith("_")]))


def value_of(module: str, name: str) -> tuple[str, Any]:
    """The status and lazynp's object of a NumPy name. Raises AttributeError for a name that NumPy does not have."""
    original = getattr(import_module(module), name)
    if module == "numpy.random":
        value = import_module("lazynp.api.randomness").module_function(name)  # numpy.random is loaded when somebody draws
        return ("SAME" if value is original else "SYNC" if name == "bytes" else "LAZY"), value
    if module not in OWN_MODULES:
        return ("COMPOSED" if original.__hash__ is not None and original in LAZY else "SAME"), original
    if original is np.ndarray:
        return "LAZY", arraytype.ndarray
    if name in grids.OBJECTS:
        return "COMPOSED", grids.OBJECTS[name]
    if original is np.array_repr:
        return "COMPOSED", inspection.array_repr
    if original is np.ufunc:
        return "SAME", ufunc
    if isinstance(original, np.ufunc):
        known = original in UFUNCS or (original.signature is not None and name in ("matmul", "vecdot", "matvec", "vecmat"))
        return ("LAZY" if known else "SAME"), OBJECTS[original]  # isnat: dates are NumPy's own arrays
    if not callable(original) or isinstance(original, type) or name in _SAME_FUNCTIONS:
        return "SAME", original
    if original in LAZY:
        return "COMPOSED", HANDLERS[original]
    return "SYNC", synced(original)


def reason_of(name: str) -> str:
    """Why a name is SYNC; empty where nobody has said it (a test fails then)."""
    return _REASONS.get(name, "")


def rows() -> list[Row]:
    """The table, for the NumPy that is installed."""
    table = []
    for module in MODULES:
        for name in names_of(import_module(module)):
            status, value = value_of(module, name)
            table.append(Row(module, name, status, reason_of(name) if status == "SYNC" else "", value))
    for name in sorted(n for n in dir(np.ndarray) if not n.startswith("_")):
        status = methods.METHODS.get(name, "LAZY" if hasattr(ndarray, name) else "ABSENT")
        reason = {"SYNC": _REASONS.get(name, ""), "ABSENT": "not an attribute of lazynp's arrays"}.get(status, "")
        table.append(Row("numpy.ndarray", name, status, reason, getattr(ndarray, name, None)))
    return table


def coverage_counts() -> dict[str, dict[str, int]]:
    """{module: {status: count}}."""
    counts: dict[str, dict[str, int]] = {}
    for row in rows():
        module = counts.setdefault(row.module, {})
        module[row.status] = module.get(row.status, 0) + 1
    return counts


_ORDER = ("LAZY", "COMPOSED", "SYNC", "SAME", "ABSENT")


def coverage_report() -> str:
    """The table as text: counts per module and status, then every name."""
    width = 2 + max(map(len, MODULES))
    lines = [f"{'module':<{width}}" + "".join([f"{s:>10}" for s in _ORDER])]
    for module, counts in coverage_counts().items():
        lines.append(f"{module:<{width}}" + "".join([f"{counts.get(s, 0):>10}" for s in _ORDER]))
    lines += ["", *[f"{r.module + '.' + r.name:<44}{r.status:<10}{r.reason}".rstrip() for r in rows()]]
    return "\n".join(lines)


def sync_share() -> float:
    """The part of NumPy's functions and methods on arrays that still force their arguments."""
    statuses = [row.status for row in rows() if row.status in ("LAZY", "COMPOSED", "SYNC")]
    return statuses.count("SYNC") / len(statuses)


def coverage_page() -> str:
    """The same as a page of the documentation: counts, and why a name forces its arguments."""
    version = ".".join(np.__version__.split(".")[:2])
    head = f"""\
# Which NumPy names are lazy

Made by `python -m lazynp coverage --markdown`, for NumPy {version}. Every public name is there and callable.

* **LAZY**: an operation of the graph. **COMPOSED**: a formula over such operations, or NumPy's own routine as a step of the program.
* **SYNC**: computes its arguments at once, calls NumPy and is counted: `lazynp.stats()["fallbacks"]`, `with lazynp.fallbacks("error")`.
  {sync_share():.1%} of the functions and methods on arrays.
* **SAME**: NumPy's own object: types, constants, errors, settings, functions on dtypes and dates.

| module | {" | ".join(_ORDER[:4])} |
|---|{"---:|" * 4}
"""
    counts = [f"| {module} | {' | '.join([str(found.get(s, 0)) for s in _ORDER[:4]])} |" for module, found in coverage_counts().items()]
    reasons: dict[str, list[str]] = {}
    for row in rows():
        if row.status == "SYNC":
            reasons.setdefault(row.reason, []).append(f"`{row.module.removeprefix('numpy.')}.{row.name}`".replace("`numpy.", "`"))
    why = [f"| {reason} | {' '.join(names)} |" for reason, names in reasons.items()]
    return head + "\n".join(counts) + "\n\n## Why a name is SYNC\n\n| reason | names |\n|---|---|\n" + "\n".join(why) + "\n"
