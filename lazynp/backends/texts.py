"""Values as C text: expressions of elementwise ops, casts, literals, identities of folds."""

from __future__ import annotations

from typing import Any

import numpy as np

from lazynp.backends import prelude
from lazynp.ir.node import Node
from lazynp.ir.op import Op
from lazynp.ops import elementwise as ew

PLAIN = frozenset(map(np.dtype, "fdilqILQ"))
"""Dtypes on which C's operators are NumPy's: no promotion to int, no struct."""


def expression(op: Op, node: Node, dtypes: list[np.dtype], texts: list[str]) -> str:
    """The C expression of an elementwise op on scalars."""
    if op is ew.cast:
        return cast_text(node.to, dtypes[0], texts[0])
    if (mixed := prelude.mixed(op.name, dtypes)) is not None:
        return f"{mixed}({', '.join(map(unwrapped, texts))})"
    template = op.c(*dtypes) if callable(op.c) else op.c
    if op is ew.where and dtypes[1].kind == "c":
        return f"{prelude.helper(op.name, dtypes[1])}({', '.join(map(unwrapped, texts))})"
    if template is not None and (op is ew.where or callable(op.c) or all(d in PLAIN for d in dtypes)):
        return template.format(*texts)
    return f"{prelude.helper(op.name, dtypes[0])}({', '.join(map(unwrapped, texts))})"


def unwrapped(text: str) -> str:
    """Without the outermost parentheses, where nothing follows them."""
    if not text.startswith("("):
        return text
    depth = 0
    for place, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if depth == 0:
            return text[1:-1] if place == len(text) - 1 else text
    return text


def cast_text(to: np.dtype, frm: np.dtype, text: str) -> str:
    if to == frm:
        return text
    if to in PLAIN and frm in PLAIN and not (frm.kind == "f" and to.kind in "iu"):
        return f"(({prelude.ctype(to)}){text})"
    return f"{prelude.cast(to, frm)}({unwrapped(text)})"


def fold_text(op: Op, dtype: np.dtype, a: str, b: str) -> str:
    """a folded with b."""
    return unwrapped(expression(op, None, [dtype, dtype], [a, b]))  # type: ignore[arg-type]


def combined(op: Op, dtype: np.dtype, new: np.dtype, old: str, value: str) -> str:
    """`ufunc.at`: the old element combined with a new one, in the loop that NumPy picks for them."""
    loop = ew.loop_dtypes(op.ufunc, (dtype, new))  # type: ignore[arg-type]
    text = expression(op, None, list(loop[:2]), [cast_text(loop[0], dtype, old), cast_text(loop[1], new, value)])  # type: ignore[arg-type]
    return cast_text(dtype, loop[2], text)


def literal(value: Any, dtype: np.dtype) -> str:
    """A constant as C."""
    kind = dtype.kind
    if kind == "b":
        return "1" if value else "0"
    if kind in "iu":
        return _integer(int(value), dtype)
    if kind == "c":
        part = np.empty(0, dtype).real.dtype
        return f"(({prelude.ctype(dtype)}){{{literal(value.real, part)}, {literal(value.imag, part)}}})"
    if dtype.itemsize == 2:
        return f"((lz_f16){{{int(np.float16(value).view(np.uint16))}}})"
    return _real(float(value), dtype)


def _integer(value: int, dtype: np.dtype) -> str:
    text = (
        "(-9223372036854775807LL - 1)"
        if value == -(1 << 63)
        else f"{value}{'ULL' if value >= 1 << 63 else 'LL' if abs(value) >= 1 << 31 else ''}"
    )
    return text if dtype.itemsize == 8 and text.endswith("LL") and value >= 0 else f"(({prelude.ctype(dtype)}){text})"


def _real(value: float, dtype: np.dtype) -> str:
    tail = "f" if dtype.itemsize == 4 else ""
    if value != value:
        return f"(({prelude.ctype(dtype)})LZ_NAN)"
    if value in (np.inf, -np.inf):
        return f"(({prelude.ctype(dtype)}){'-' if value < 0 else ''}LZ_INF)"
    text = repr(np.float32(value).item()) if tail else repr(value)
    text = f"{text}{tail}" if "." in text or "e" in text else f"{text}.0{tail}"
    return f"({text})" if text.startswith("-") else text


_EXTREME = {"maximum": False, "fmax": False, "minimum": True, "fmin": True}
_IDENTITY = {"add": 0, "multiply": 1, "logaddexp": -np.inf, "logaddexp2": -np.inf, "hypot": 0, "logical_and": 1, "logical_or": 0,
             "logical_xor": 0, "bitwise_and": -1, "bitwise_or": 0, "bitwise_xor": 0, "gcd": 0, "lcm": 1}  # fmt: skip


def identity(op: Op, dtype: np.dtype) -> str:
    """The value that changes nothing when it is folded, as C."""
    if op.name in _EXTREME:
        return literal(_extreme(op.name, dtype), dtype)
    value = _IDENTITY[op.name]
    if dtype.kind == "u" and value == -1:
        value = np.iinfo(dtype).max
    return literal(np.array(value).astype(dtype)[()] if dtype.kind == "c" else value, dtype)


def _extreme(name: str, dtype: np.dtype) -> Any:
    largest = _EXTREME[name]
    if dtype.kind == "b":
        return largest
    if dtype.kind in "iu":
        return np.iinfo(dtype).max if largest else np.iinfo(dtype).min
    value = np.nan if name in ("fmax", "fmin") else np.inf if largest else -np.inf
    return complex(value, value) if dtype.kind == "c" else value
