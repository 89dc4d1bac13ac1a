"""`odeint`: SciPy's solver of ordinary differential equations, whose right side is a graph.

The rules of its derivative differentiate that graph: transform/odes.py sets them.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

from lazynp.ir.node import Graph, Node, substitute
from lazynp.ir.op import Kind, Op, register
from lazynp.ir.types import ArrayType
from lazynp.ops.batching import unrolled
from lazynp.ops.structured import interpreter

Options = tuple[tuple[str, Any], ...]


class _Rules:
    """vjp(ct, node, index) and jvp(tangents, node)."""

    vjp: Callable[..., Any]
    jvp: Callable[..., Any]


rules = _Rules()


def _infer(y: ArrayType, t: ArrayType, *parameters: ArrayType, body: Graph, options: Options) -> ArrayType:
    for type_, leaf in zip((y, ArrayType((), t.dtype), *parameters), body.inputs, strict=True):
        if type_.shape != leaf.type.shape or type_.dtype != leaf.type.dtype:
            raise ValueError(f"odeint: a value of type {type_} for a leaf of type {leaf.type}")
    return ArrayType((*t.shape, *y.shape), y.dtype)


def _run(y: Any, t: Any, *parameters: Any, body: Graph, options: Options) -> Any:
    solve = import_module("scipy.integrate").odeint

    def slope(state: Any, time: float) -> Any:
        return interpreter.compiled(body, [state, np.float64(time), *parameters])[0]

    return solve(slope, y, t, **dict(options))


odeint = register(
    Op(
        name="odeint",
        kind=Kind.LIBRARY,
        attrs=("body", "options"),
        infer=_infer,
        numpy=_run,
        vjp=lambda ct, node, index: rules.vjp(ct, node, index),
        jvp=lambda tangents, node: rules.jvp(tangents, node),
        batch=unrolled,
        source="scipy.integrate.odeint",
    )
)
"""odeint(y, t, *parameters, body): row i is the solution at t[i] that is y (1-d) at t[0], where dy/dt = body(y, t, *parameters).
All of y, t and the result are float64. options: keywords of SciPy's function as sorted pairs."""


def slope_at(node: Node, y: Node, t: Node) -> Node:
    """The right side of a solution's equation at a point."""
    from_outside = dict(zip(node.body.inputs, (y, t, *node.args[2:]), strict=True))
    return substitute(node.body.outputs, from_outside)[0]
