"""numpy.testing, and `check_grads`."""

from importlib import import_module
from typing import Any

from lazynp.functional.checking import check_grads

__all__ = ["check_grads"]


def __getattr__(name: str) -> Any:
    return getattr(import_module("numpy.testing"), name)


def __dir__() -> list[str]:
    return sorted({*dir(import_module("numpy.testing")), *__all__})
