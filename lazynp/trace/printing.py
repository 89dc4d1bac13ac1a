"""`print` in captured functions: what it shows is known only when the program runs, and so is whether it is called."""

import builtins
import sys
from typing import Any

from lazynp import operands
from lazynp.array import ndarray
from lazynp.errors import CaptureError
from lazynp.ir.node import Node
from lazynp.ir.types import Symbolic, Undecided
from lazynp.ops.movement import broadcast
from lazynp.ops.printing import Piece
from lazynp.ops.sizes import SymBool, SymFloat, SymInt
from lazynp.trace import queues

_NUMBERS = {SymInt: "int", SymFloat: "float", SymBool: "bool"}


class Text:
    """The parts of an f-string: strings, and (value, conversion, format) of values of a trace."""

    def __init__(self, parts: list[Any]) -> None:
        self.parts = parts


def text(*parts: Any) -> Any:
    """An f-string that stands in a call of print. parts: strings, and (value, conversion, format specification)."""
    if not queues.under_jit():
        return "".join([_formatted(*part) for part in parts])
    return Text([part if _is_unknown(part[0]) else _formatted(*part) for part in parts])


def _formatted(value: Any, conversion: str = "", spec: str = "") -> str:
    return format({"r": repr, "a": ascii, "s": str}.get(conversion, lambda x: x)(value), spec)


def _is_unknown(value: Any) -> bool:
    return isinstance(value, (Symbolic, Undecided)) or type(value) is ndarray


def print_(*values: Any, sep: str | None = None, end: str | None = None, file: Any = None, flush: bool = False) -> None:
    """print(), of values of a trace when the program runs."""
    if not queues.under_jit():
        builtins.print(*values, sep=sep, end=end, file=file, flush=flush)
        return
    if file is not None and file is not sys.stdout:
        raise CaptureError("print() to a file of its own cannot be part of a program")
    pieces: list[Piece] = []
    nodes: list[Node] = []
    for number, value in enumerate(values):
        parts = value.parts if type(value) is Text else [(value, "s", "")]
        pieces += [(" " if sep is None else sep,)] if number else []
        for part in parts:
            pieces.append(_piece(part, nodes))
    queues.record_print(tuple(pieces), nodes, "\n" if end is None else end, bool(flush))


def _piece(part: Any, nodes: list[Node]) -> Piece:
    if type(part) is str:
        return (part,)
    value, conversion, spec = part
    if not _is_unknown(value):
        return (_formatted(value, conversion, spec),)
    value = value.settled() if isinstance(value, Undecided) else value
    node = operands.node_of(value)
    nodes.append(broadcast(node, (1,)) if not node.shape else node)
    kind = _NUMBERS.get(type(value)) or ("scalar" if value._scalar or not node.shape else "array")
    return kind, conversion, spec
