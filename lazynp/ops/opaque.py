"""NumPy routines that stay NumPy's, as steps of a program: no formula, but a result type known beforehand."""

import importlib
import warnings
from typing import Any

import numpy as np

from lazynp.errors import user_position
from lazynp.ir.node import Node
from lazynp.ir.op import Kind, Op, register
from lazynp.ir.types import ArrayType, Shape
from lazynp.ops.batching import unrolled
from lazynp.ops.structured import item


def _infer(*arguments: ArrayType, function: str, options: Any, gather: bool, shapes: tuple[Shape, ...], dtypes: Any) -> Any:
    types = tuple([ArrayType(shape, dtype) for shape, dtype in zip(shapes, dtypes, strict=True)])
    return types[0] if len(types) == 1 else types


def _run(*arrays: Any, function: str, options: Any, gather: bool, shapes: Any, dtypes: Any) -> Any:
    module, _, name = function.rpartition(".")
    routine = getattr(importlib.import_module(module), name)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = routine(*((list(arrays),) if gather else arrays), **dict(options))
    for warning in caught:
        _warn(warning)
    results = _flat(result) if len(dtypes) > 1 else [result]
    values = tuple([np.asarray(r, d) for r, d in zip(results, dtypes, strict=True)])
    return values[0] if len(values) == 1 else values


def _flat(result: Any) -> list[Any]:
    return [leaf for r in result for leaf in (_flat(r) if isinstance(r, (tuple, list)) else [r])]


def _warn(warning: warnings.WarningMessage) -> None:
    """Issue a routine's warning for the user's line."""
    where = user_position()
    if where is None:
        warnings.warn(warning.message, stacklevel=1)
    else:
        warnings.warn_explicit(warning.message, warning.category, where.filename, where.line)


def _refuse(cotangents: Any, node: Node, index: int) -> None:
    name = node.function if "._" not in node.function else "numpy." + node.function.rpartition("._")[2]
    raise TypeError(f"lazynp: {name} has no derivative; give it arguments that do not depend on the variables")


numpy_call = register(
    Op(
        name="numpy_call",
        kind=Kind.LIBRARY,
        attrs=("function", "options", "gather", "shapes", "dtypes"),
        dims=frozenset({"shapes"}),
        infer=_infer,
        numpy=_run,
        vjp=_refuse,
        batch=unrolled,
        jvp=lambda tangents, node: _refuse(tangents, node, 0),
    )
)
"""function: "numpy.partition"; options: its keywords as sorted pairs of hashable values; gather: the arguments are one list of arrays;
shapes, dtypes: of the results, in the order in which nested tuples of them are read."""


def call(function: Any, args: list[Node], types: list[tuple[Shape, Any]], options: dict[str, Any], gather: bool = False) -> list[Node]:
    """The results of a NumPy function as nodes. Its warnings are issued when it runs."""
    node = numpy_call.make(
        tuple(args),
        function=f"{_module(function)}.{function.__name__}",
        options=tuple(sorted(options.items())),
        gather=gather,
        shapes=tuple([tuple(shape) for shape, _ in types]),
        dtypes=tuple([np.dtype(dtype) for _, dtype in types]),
    )
    return [node] if len(types) == 1 else [item(node, k) for k in range(len(types))]


def _module(function: Any) -> str:
    return "numpy" if getattr(np, function.__name__, None) is function else str(function.__module__)
