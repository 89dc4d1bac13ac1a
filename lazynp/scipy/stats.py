"""scipy.stats, with lazynp's functions."""

from importlib import import_module
from typing import Any

from lazynp.api.families import stats


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(f"module 'lazynp.scipy.stats' has no attribute {name!r}")
    globals()[name] = value = stats(name)
    return value


def __dir__() -> list[str]:
    return list(import_module("scipy.stats").__all__)
