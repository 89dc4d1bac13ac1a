"""The record of an operation: everything lazynp knows about it stands in its one entry of the op table."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from lazynp.ir.node import Node
    from lazynp.ir.types import ArrayType


class Kind(Enum):
    """What passes dispatch on: type inference, derivatives, batching, lowering and tests are written once per kind."""

    LEAF = "leaf"
    ELEMENTWISE = "elementwise"
    REDUCE = "reduce"
    ACCUMULATE = "accumulate"
    MOVE = "move"
    CONTRACT = "contract"
    GATHER = "gather"
    UPDATE = "update"
    LIBRARY = "library"
    STRUCTURED = "structured"
    LOOP = "loop"


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Op:
    """One operation. Only `name`, `kind`, `infer` and `numpy` are required; the rest says what the passes may do with it.

    Calling an op is its *door*: it takes nodes and Python scalars, promotes and broadcasts as NumPy does, and returns an interned node
    (or, when an argument is a `Pattern`, a pattern). `make` is the raw constructor for arguments that already fit.
    """

    name: str
    kind: Kind
    infer: Callable[..., Any]
    """(*argument types, **attrs) -> ArrayType, or a tuple of them; raises NumPy's own errors."""
    numpy: Callable[..., Any]
    """(*arrays, **attrs) -> array, or a tuple: the meaning, oracle of every other rule."""
    attrs: tuple[str, ...] = ()
    """Names of the static attributes, in the order in which nodes store them."""
    dims: frozenset[str] = frozenset()
    """The attributes that hold sizes or offsets (nested tuples of Dim): facts that a size-generic program turns into parameters."""
    keeps: Callable[..., list[tuple[int, int]]] | None = None
    """(shape of the argument, **attrs), all of known sizes -> the axes of the argument that are whole axes of the output, and which. A
    size-generic program has one size for both, and holds where they are equal."""
    door: Callable[..., Any] | None = None
    raises: bool = False
    """Whether its values decide if it raises an error (LinAlgError)."""

    # what NumPy knows
    ufunc: np.ufunc | None = None
    scalar: Op | None = None
    """REDUCE, ACCUMULATE: the binary elementwise op that is folded."""
    identity: Any = None
    commutative: bool = False
    associative: bool = False

    # derivatives
    partials: tuple[Callable[..., Any] | None, ...] | None = None
    """ELEMENTWISE: per argument a function (output, *args) -> local derivative (a node or a number), or None where it is zero.
    The op is then holomorphic in its complex loops; None instead of the tuple: no derivative, or `vjp` and `jvp` say it."""
    transpose: Callable[..., Any] | None = None
    """Linear ops: (cotangent, node, index) -> cotangent of argument `index`, or None. Linear in that argument."""
    vjp: Callable[..., Any] | None = None
    """(cotangent, node, index) -> cotangent of argument `index`, or None; node is the op's output."""
    jvp: Callable[..., Any] | None = None
    """(tangents (None for zero), node) -> tangent of the output; linear ops need none: the op itself is applied to the tangents."""

    # batching
    batch: Callable[..., Any] | None = None
    """(node, batched arguments (None for shared ones), size) -> the batched value; None: the rule of its kind, which for LIBRARY ops is
    that they map over further leading axes of all their arguments. `lazynp.ops.batching.unrolled` is for those that do not."""

    # code
    c: str | Callable[..., str | None] | None = None
    """ELEMENTWISE: C expression template "({0} + {1})", or a function of the argument dtypes; None: the prelude's lz_<name>_<suffix>."""
    cost: float = 1.0
    """ELEMENTWISE: arithmetic cost in additions; decides whether recomputing is cheaper than storing."""

    # tests and reports
    draw: Callable[..., Any] | None = None
    """Sample domain of the generic tests: (random generator, shape, dtype, position) -> array."""
    source: str = ""

    def __call__(self, *args: Any, **attrs: Any) -> Any:
        for argument in args:
            if isinstance(argument, Pattern):
                return Pattern(self, args, attrs)
        if self.door is not None:
            return self.door(self, *args, **attrs)
        return self.make(args, **attrs)

    def make(self, args: tuple[Node, ...], **attrs: Any) -> Node:
        """The interned node of exactly these arguments; attributes are given by name, all of them."""
        return make_node(self, args, tuple([attrs[name] for name in self.attrs]) if attrs else ())

    def infer_type(self, args: tuple[Node, ...], attrs: tuple[Any, ...]) -> ArrayType | tuple[ArrayType, ...]:
        types = [a.type for a in args]
        return self.infer(*types, **dict(zip(self.attrs, attrs, strict=True))) if attrs else self.infer(*types)

    def infer_type_of(self, types: list[Any], attrs: list[Any]) -> Any:
        """The output type for argument types that belong to no node."""
        return self.infer(*types, **dict(zip(self.attrs, attrs, strict=True)))

    def __repr__(self) -> str:
        return self.name

    def __reduce__(self) -> tuple[Any, ...]:
        return op_named, (self.name, _homes[self.name])


class Pattern:
    """An op applied to pattern variables: the left side of a rewrite rule. See `lazynp.ir.rewrite`."""

    __slots__ = ("args", "attrs", "op")

    def __init__(self, op: Op | None, args: tuple[Any, ...] = (), attrs: dict[str, Any] | None = None) -> None:
        self.op = op
        self.args = args
        self.attrs = attrs or {}

    def __repr__(self) -> str:
        return f"{self.op}({', '.join(map(repr, self.args))})"


make_node: Callable[..., Node] = None  # type: ignore[assignment]
"""Set by lazynp.ir.node, which needs Op; the two modules are one idea in two files."""

_registry: dict[str, Op] = {}
_homes: dict[str, str] = {}
"""The module that registers each op as it is imported: stored programs name their ops, and some modules are imported when first needed."""


def register(op: Op) -> Op:
    """Enter an op into the table; names are unique."""
    if op.name in _registry:
        raise ValueError(f"op {op.name!r} is registered twice")
    _registry[op.name] = op
    _homes[op.name] = _importing()
    return op


def _importing() -> str:
    """The module whose import is under way."""
    frame = sys._getframe(1)
    while frame.f_code.co_name != "<module>" and frame.f_back is not None:
        frame = frame.f_back
    return str(frame.f_globals["__name__"])


def op_named(name: str, home: str | None = None) -> Op:
    """The op of that name, from `home` if it has not been imported yet. Raises KeyError."""
    if name not in _registry and home is not None:
        import_module(home)
    return _registry[name]


def all_ops() -> tuple[Op, ...]:
    """Every registered op, in order of registration: what the generic tests run over."""
    return tuple(_registry.values())
