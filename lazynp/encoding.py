"""json.dumps of lazy numbers: NumPy's float64 is a Python float, which JSON's encoder writes; a lazy one it takes for something unknown."""

import functools
from json import JSONEncoder
from typing import Any

import numpy as np

from lazynp.array import ndarray


def install() -> None:
    """Let encoders that do not know what to do with a lazy float64 write its value; everything else they refuse as before."""
    refuse = JSONEncoder.default
    if hasattr(refuse, "__wrapped__"):
        return

    @functools.wraps(refuse)
    def default(self: Any, o: Any) -> Any:
        return float(o) if type(o) is ndarray and o._scalar and o.dtype == np.float64 else refuse(self, o)

    JSONEncoder.default = default  # type: ignore[method-assign]
