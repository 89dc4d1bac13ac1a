"""scipy.signal, with lazynp's functions."""

from importlib import import_module
from typing import Any

from lazynp.api.signal import signal


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(f"module 'lazynp.scipy.signal' has no attribute {name!r}")
    globals()[name] = value = signal(name)
    return value


def __dir__() -> list[str]:
    return list(import_module("scipy.signal").__all__)
