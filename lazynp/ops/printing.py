"""`printed`: print() of values that are known only when a program runs. Its result stands for what has been printed so far, so that
the calls keep their order and none is dropped; its value means nothing."""

from typing import Any

import numpy as np

from lazynp.errors import CaptureError
from lazynp.ir.node import Node
from lazynp.ir.op import Kind, Op, register
from lazynp.ir.types import ArrayType

Piece = tuple[Any, ...]
"""(text,), or (kind, conversion, format) of the next value. kind: int, float, bool, scalar or array, what Python would have had."""


def text_of(pieces: tuple[Piece, ...], values: tuple[Any, ...]) -> str:
    """What is printed."""
    rest = iter(values)
    return "".join([piece[0] if len(piece) == 1 else _formatted(next(rest), *piece) for piece in pieces])


def _formatted(value: Any, kind: str, conversion: str, spec: str) -> str:
    if kind != "array":
        value = np.asarray(value).reshape(())[()]
        value = value if kind == "scalar" else {"int": int, "float": float, "bool": bool}[kind](value)
    text = {"r": repr, "a": ascii, "s": str}.get(conversion, lambda x: x)(value)
    return format(text, spec) if spec or type(text) is not str else text


def _print(before: Any, *values: Any, pieces: tuple[Piece, ...], end: str, flush: bool) -> Any:
    print(text_of(pieces, values), end=end, flush=flush)
    return np.int64(0)


def _infer(before: ArrayType, *values: ArrayType, pieces: tuple[Piece, ...], end: str, flush: bool) -> ArrayType:
    return ArrayType((), np.dtype(np.int64))


def _refuse(*args: Any) -> None:
    raise CaptureError("print() of many values at once (vmap)")


def _nothing(tangents: Any, node: Node) -> None:
    return None


printed = register(
    Op(
        name="printed",
        kind=Kind.LIBRARY,
        attrs=("pieces", "end", "flush"),
        infer=_infer,
        numpy=_print,
        vjp=lambda ct, node, index: None,
        jvp=_nothing,
        batch=_refuse,
    )
)
"""printed(what was printed before, *values)."""
