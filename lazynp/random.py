"""numpy.random, with lazynp's functions."""

from typing import Any

import numpy as _numpy

from lazynp.api import table as _table


def __getattr__(name: str) -> Any:
    if name == "__all__":
        return __dir__()
    if name.startswith("__") or not hasattr(_numpy.random, name):
        raise AttributeError(f"module 'lazynp.random' has no attribute {name!r}")
    value = _table.value_of("numpy.random", name)[1]
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return _table.names_of(_numpy.random)
