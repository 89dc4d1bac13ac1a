"""NumPy routines that stay NumPy's, as steps of a program: no formula, but a result type known beforehand."""

import importlib
import warnings
from typing import Any

import numpy as np

from lazynp.errors import user_position
from lazynp.ir.node import Node
from lazynp.ir.op import Kind, Op, register
from lazynp.ir.types import ArrayType, Shape
from lazynp.ops import elementwise as ew
from lazynp.ops.batching import unrolled
from lazynp.ops.indexing import add_along, take_along
from lazynp.ops.library import argsort
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
    values = tuple([_array(r, d) for r, d in zip(results, dtypes, strict=True)])
    return values[0] if len(values) == 1 else values


def _array(result: Any, dtype: np.dtype) -> np.ndarray:
    """The result as an array; one of this dtype itself: for an equal dtype that was read from disk numpy.asarray makes a view, which
    somebody would have to copy."""
    return result if type(result) is np.ndarray and result.dtype == dtype else np.asarray(result, dtype)


def _flat(result: Any) -> list[Any]:
    return [leaf for r in result for leaf in (_flat(r) if isinstance(r, (tuple, list)) else [r])]


def _warn(warning: warnings.WarningMessage) -> None:
    """Issue a routine's warning for the user's line."""
    where = user_position()
    if where is None:
        warnings.warn(warning.message, stacklevel=1)
    else:
        warnings.warn_explicit(warning.message, warning.category, where.filename, where.line)


def _vjp(ct: Any, node: Node, index: int) -> Node | None:
    known = DERIVATIVES.get(node.function.rpartition(".")[2])
    return _refuse(node) if known is None else known[0](ct, node, index)


def _jvp(tangents: Any, node: Node) -> Node | None:
    known = DERIVATIVES.get(node.function.rpartition(".")[2])
    return _refuse(node) if known is None else known[1](tangents, node)


def _orders(node: Node) -> tuple[Node, Node, int]:
    """A routine that moves elements along an axis: both its argument and its result in sorted order, ties as they stand."""
    axis = dict(node.options)["axis"]
    return argsort(node.args[0], axis, "stable"), argsort(node, axis, "stable"), axis


def _moved_vjp(ct: Node, node: Node, index: int) -> Node:
    before, after, axis = _orders(node)
    return add_along(node.shape, take_along(ct, after, axis), before, axis)


def _moved_jvp(tangents: Any, node: Node) -> Node:
    before, after, axis = _orders(node)
    return add_along(node.shape, take_along(tangents[0], before, axis), after, axis)


def _choice(node: Node) -> Node:
    """The number of the option that each element was taken from."""
    which, count = node.args[0], len(node.args) - 1
    mode = dict(node.options)["mode"]
    if mode == "wrap":
        return ew.remainder(ew.as_node(which, _INDEX), count)
    return ew.minimum(ew.maximum(ew.as_node(which, _INDEX), 0), count - 1)


def _chosen_vjp(ct: Node, node: Node, index: int) -> Node | None:
    return None if index == 0 else ew.where(ew.equal(_choice(node), index - 1), ct, 0)


def _chosen_jvp(tangents: Any, node: Node) -> Node | None:
    total, which = None, _choice(node)
    for number, tangent in enumerate(tangents[1:]):
        if tangent is not None:
            part = ew.where(ew.equal(which, number), tangent, 0)
            total = part if total is None else total + part
    return total


_INDEX = np.dtype(np.intp)
DERIVATIVES: dict[str, tuple[Any, Any]] = {"partition": (_moved_vjp, _moved_jvp), "_choose": (_chosen_vjp, _chosen_jvp)}
"""The routines that only move elements: (vjp, jvp)."""


def _refuse(node: Node) -> Any:
    name = node.function if "._" not in node.function else "numpy." + node.function.rpartition("._")[2]
    raise TypeError(f"lazynp: {name} has no derivative; give it arguments that do not depend on the variables")


numpy_call = register(
    Op(
        name="numpy_call",
        kind=Kind.LIBRARY,
        attrs=("function", "options", "gather", "shapes", "dtypes"),
        dims=frozenset({"shapes"}),
        raises=True,
        infer=_infer,
        numpy=_run,
        vjp=_vjp,
        jvp=_jvp,
        batch=unrolled,
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
