"""scipy.linalg, with lazynp's functions."""

from importlib import import_module
from typing import Any

from lazynp.api.matrices import linalg


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(f"module 'lazynp.scipy.linalg' has no attribute {name!r}")
    globals()[name] = value = linalg(name)
    return value


def __dir__() -> list[str]:
    return list(import_module("scipy.linalg").__all__)
