"""lazynp: NumPy programs, unchanged, made lazy, fused, differentiated and compiled to C.

import lazynp as np          # instead of: import numpy as np
@lazynp.jit                  # traced once, compiled, cached
lazynp.grad(loss)(params)    # symbolic derivatives
"""

import sys
import warnings as _warnings
from importlib import import_module
from typing import Any

import numpy as _numpy

from lazynp import fft, linalg, random, scan
from lazynp.api import table as _table
from lazynp.api.arraytype import ndarray
from lazynp.api.standard import VERSION as __array_api_version__  # noqa: N811
from lazynp.array import hooks as _hooks
from lazynp.config import config
from lazynp.encoding import install as _encode_lazy_numbers
from lazynp.errors import CaptureError, DerivativeWarning, FallbackWarning, LazynpError, PerformanceWarning
from lazynp.errors import show_users_lines as _show_users_lines
from lazynp.modules import install as _find_shared_modules
from lazynp.operands import lazy
from lazynp.runtime.evaluate import VERSION
from lazynp.runtime.stats import fallbacks, stats
from lazynp.trace.jit import jit

__version__ = VERSION

# fmt: off
_LATER = {
    "lazynp.debug.explain": ("explain", "show"),
    "lazynp.functional.batching": ("vmap",),
    "lazynp.functional.checkpoint": ("checkpoint",),
    "lazynp.functional.custom": ("custom_jvp", "custom_vjp"),
    "lazynp.functional.gradients": ("elementwise_grad", "grad", "hvp", "jvp", "linearize", "value_and_grad", "vjp"),
    "lazynp.functional.implicit": ("custom_linear_solve", "custom_root", "fixed_point"),
    "lazynp.functional.jacobians": ("hessian", "jacfwd", "jacobian", "jacrev"),
    "lazynp.trace.markers": ("stop_gradient",),
    "lazynp.functional.operators": (
        "deriv", "grad_and_aux", "grad_named", "hessian_tensor_product", "hessian_vector_product", "holomorphic_grad", "make_ggnvp",
        "make_hvp", "make_jvp", "make_vjp", "multigrad_dict", "tensor_jacobian_product", "vector_jacobian_product",
    ),
    "lazynp.functional.primitives": ("primitive",),
}
# fmt: on
"""Own names by the module that is loaded when one of them is first asked for: a program that needs neither starts sooner."""

_MODULE_OF = {name: module for module, names in _LATER.items() for name in names}

_OWN = [
    "CaptureError", "DerivativeWarning", "FallbackWarning", "LazynpError", "PerformanceWarning", "config", "fallbacks", "fft", "jit",
    "lazy", "linalg", "ndarray", "random", "scan", "stats", "testing", "__version__", *_MODULE_OF,
]  # fmt: skip

array = _table.value_of("numpy", "array")[1]
trace = _table.value_of("numpy", "trace")[1]
"""numpy.array and numpy.trace. They hide the submodules of these names: inside the package write `from lazynp.array import ...`."""


def __getattr__(name: str) -> Any:
    """NumPy's names, made when first asked for."""
    if name in _MODULE_OF:
        globals()[name] = own = getattr(import_module(_MODULE_OF[name]), name)
        return own
    if name in ("testing", "polynomial", "scipy"):
        return import_module(f"lazynp.{name}")
    if name == "__all__":  # a star import means NumPy's names: own ones would hide the program's `show` or `grad`
        return list(_numpy.__all__)
    if name.startswith("__") and name not in (*_numpy.__all__, "__config__"):
        raise AttributeError(f"module 'lazynp' has no attribute {name!r}")
    if name not in vars(_numpy):
        return _from_numpy(name)
    value = _table.value_of("numpy", name)[1]
    globals()[name] = value
    return value


def _from_numpy(name: str) -> Any:
    """What NumPy itself makes only when it is asked, or its words about what it has no longer; a warning is of the user's line."""
    with _warnings.catch_warnings(record=True) as told:
        _warnings.simplefilter("always")
        try:
            value, missing = getattr(_numpy, name), None
        except AttributeError as error:
            value, missing = None, str(error).replace("module 'numpy'", "module 'lazynp'")
    for warning in told:
        _warnings.warn(warning.message, warning.category, stacklevel=3)
    if missing is not None:
        raise AttributeError(missing)
    return value


def __dir__() -> list[str]:
    return sorted({*_OWN, *_table.names_of(_numpy)})


_hooks.namespace = sys.modules[__name__]
_find_shared_modules()
_encode_lazy_numbers()
_show_users_lines()
