"""SciPy's functions on lazynp's arrays: `integrate`, `linalg`, `signal`, `special`, `stats`. SciPy itself is imported when one
is used."""

from importlib import import_module
from typing import Any

_MODULES = ("integrate", "linalg", "signal", "special", "stats")


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"lazynp.scipy.{name}")
    raise AttributeError(f"module 'lazynp.scipy' has no attribute {name!r}")


def __dir__() -> list[str]:
    return list(_MODULES)
