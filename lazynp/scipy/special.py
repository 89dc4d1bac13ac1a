"""scipy.special, with lazynp's functions."""

from importlib import import_module
from typing import Any

from lazynp.api.special import special


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(f"module 'lazynp.scipy.special' has no attribute {name!r}")
    globals()[name] = value = special(name)
    return value


def __dir__() -> list[str]:
    return list(import_module("scipy.special").__all__)
