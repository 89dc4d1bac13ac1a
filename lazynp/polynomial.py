"""numpy.polynomial: NumPy's classes, and its modules, whose functions of points run on lazynp's names.

NumPy's ask `isinstance(x, numpy.ndarray)` to see whether the points have axes of their own, which a lazy array does not pass.
"""

import sys
from importlib import import_module
from types import FunctionType, ModuleType
from typing import Any

from numpy import polynomial as _numpys

from lazynp.api.transplant import transplanted

__path__: list[str] = []
"""A package: `import lazynp.polynomial.chebyshev` finds the modules made here."""

_MODULES = ("polynomial", "chebyshev", "hermite", "hermite_e", "laguerre", "legendre", "polyutils")
_OF_POINTS = ("val", "grid", "vander")


def _on_our_names(numpys: ModuleType) -> ModuleType:
    own = ModuleType(numpys.__name__.replace("numpy", "lazynp", 1), numpys.__doc__)
    for name, value in vars(numpys).items():
        if not name.startswith("__") or name == "__all__":
            takes_points = isinstance(value, FunctionType) and any(part in name for part in _OF_POINTS)
            setattr(own, name, transplanted(value) if takes_points else value)
    return own


for _name in _MODULES:
    globals()[_name] = sys.modules[f"{__name__}.{_name}"] = _on_our_names(import_module(f"numpy.polynomial.{_name}"))


def __getattr__(name: str) -> Any:
    """The classes and settings are NumPy's own."""
    return getattr(_numpys, name)


def __dir__() -> list[str]:
    return dir(_numpys)
