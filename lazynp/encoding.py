"""json.dumps of lazy numbers: NumPy's float64 is a Python float, which JSON's encoder writes; a lazy one it takes for something unknown."""

import functools
import json.encoder
from collections.abc import Callable
from json import JSONEncoder
from typing import Any

import numpy as np

from lazynp.array import ndarray


def install() -> None:
    """Let encoders that do not know what to do with a lazy float64 write its value; everything else they refuse as before."""
    refuse, write = JSONEncoder.default, json.encoder._make_iterencode  # type: ignore[attr-defined]
    if hasattr(refuse, "__wrapped__"):
        return

    @functools.wraps(refuse)
    def default(self: Any, o: Any) -> Any:
        return float(o) if _is_float(o) else refuse(self, o)

    @functools.wraps(write)
    def make_iterencode(markers: Any, default: Any, encoder: Any, indent: Any, floatstr: Callable[[float], str], *rest: Any) -> Any:
        return write(markers, default, encoder, indent, lambda o: floatstr(float(o) if _is_float(o) else o), *rest)

    JSONEncoder.default = default  # type: ignore[method-assign]
    json.encoder._make_iterencode = make_iterencode  # type: ignore[attr-defined]


def _is_float(x: Any) -> bool:
    """Whether NumPy would have a float here. The encoder written in Python, of indented texts and files, sees one by isinstance."""
    return type(x) is ndarray and x._scalar and x.dtype == np.float64
