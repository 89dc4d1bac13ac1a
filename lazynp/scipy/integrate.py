"""scipy.integrate, with lazynp's functions."""

from importlib import import_module
from typing import Any

from lazynp.functional.odes import integrate


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(f"module 'lazynp.scipy.integrate' has no attribute {name!r}")
    globals()[name] = value = integrate(name)
    return value


def __dir__() -> list[str]:
    return list(import_module("scipy.integrate").__all__)
