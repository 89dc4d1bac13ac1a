"""lazynp: NumPy programs, unchanged, made lazy, fused, differentiated and compiled to C.

import lazynp as np          # instead of: import numpy as np
@lazynp.jit                  # traced once, compiled, cached
lazynp.grad(loss)(params)    # symbolic derivatives
"""

import sys
from importlib import import_module
from typing import Any

import numpy as _numpy

from lazynp import fft, linalg, random, scan
from lazynp.api import table as _table
from lazynp.array import hooks as _hooks
from lazynp.array import lazy, ndarray
from lazynp.config import config
from lazynp.errors import CaptureError, FallbackWarning, LazynpError, PerformanceWarning
from lazynp.grad import grad, jvp, value_and_grad, vjp
from lazynp.runtime.evaluate import VERSION
from lazynp.runtime.stats import fallbacks, stats
from lazynp.trace.jit import jit

__version__ = VERSION

_OWN = [
    "CaptureError", "FallbackWarning", "LazynpError", "PerformanceWarning", "config", "explain", "fallbacks", "fft", "grad", "jit",
    "jvp", "lazy",
    "linalg", "ndarray", "random", "scan", "show", "stats", "value_and_grad", "vjp", "__version__",
]  # fmt: skip

array = _table.value_of("numpy", "array")[1]
trace = _table.value_of("numpy", "trace")[1]
"""numpy.array and numpy.trace. They hide the submodules of these names: inside the package write `from lazynp.array import ...`."""


def __getattr__(name: str) -> Any:
    """NumPy's names, made when first asked for."""
    if name in ("explain", "show"):  # with the optimizer, which a warm process does without
        globals()[name] = own = getattr(import_module("lazynp.debug.explain"), name)
        return own
    if name == "__all__":  # a star import means NumPy's names: own ones would hide the program's `show` or `grad`
        return list(_numpy.__all__)
    if not hasattr(_numpy, name) or (name.startswith("__") and name not in _numpy.__all__):
        raise AttributeError(f"module 'lazynp' has no attribute {name!r}")
    value = _table.value_of("numpy", name)[1]
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*_OWN, *_table.names_of(_numpy)})


_hooks.namespace = sys.modules[__name__]
