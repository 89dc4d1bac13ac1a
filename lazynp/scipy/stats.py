"""scipy.stats, with lazynp's functions. `import lazynp.scipy.stats.norm as norm` is `from lazynp.scipy.stats import norm`."""

import sys
from importlib import import_module
from typing import Any

from lazynp.api.families import DISTRIBUTIONS, stats

__path__: list[str] = []


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(f"module 'lazynp.scipy.stats' has no attribute {name!r}")
    globals()[name] = value = stats(name)
    return value


def __dir__() -> list[str]:
    return list(import_module("scipy.stats").__all__)


for _name in DISTRIBUTIONS:
    globals()[_name] = sys.modules[f"{__name__}.{_name}"] = stats(_name)  # where the import statement looks first
