"""Derivatives of the solutions of ordinary differential equations: solutions of larger ones, so of any order.

Forwards the sensitivities are solved beside the state. Backwards the adjoint state and the integrals of the parameters' cotangents
are, from each time to the one before, beside the state itself (Froehlich, Loos & Hasenauer 2017, section 2.4.2; as in HIPS/autograd).
Both are as exact as the solver's tolerances.
"""

from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from lazynp.ir.body import canonical_bodies
from lazynp.ir.node import Graph, Node, new_input, substitute
from lazynp.ir.types import ArrayType, itemcount
from lazynp.ops import elementwise as ew
from lazynp.ops.contraction import contract
from lazynp.ops.movement import join, reshape, slice_
from lazynp.ops.odes import Options, odeint, rules, slope_at
from lazynp.transform import derive

_FLOAT = np.dtype(float)
_JACOBIAN = ("ml", "mu")
"""Options that describe the Jacobian of the equation at hand."""


def _larger(options: Options) -> Options:
    """The options for an equation that this one is a part of: tolerances given by element become the strictest of them."""
    kept = [(name, value) for name, value in options if name not in _JACOBIAN]
    return tuple([(name, min(value) if name in ("rtol", "atol") and type(value) is tuple else value) for name, value in kept])


def _element(x: Node, i: int) -> Node:
    """x[i]."""
    shape = x.shape[1:]
    row = slice_(x, (i, *[0] * len(shape)), (1,) * x.ndim, (1, *shape))
    return reshape(row, shape)


def _part(x: Node, start: int, shape: Any) -> Node:
    """A stretch of a vector, as an array."""
    return reshape(slice_(x, (start,), (1,), (itemcount(shape),)), shape)


def _flat(parts: Sequence[Node]) -> Node:
    return join(*[reshape(part, (itemcount(part.shape),)) for part in parts], axis=0)


def _packed(x: Node) -> Node:
    """Any floating array as a vector of float64: complex numbers as their real parts, then their imaginary ones."""
    if x.dtype.kind == "c":
        return _flat([_packed(ew.real(x)), _packed(ew.imag(x))])
    return ew.as_node(reshape(x, (itemcount(x.shape),)), _FLOAT)


def _width(type_: ArrayType) -> int:
    return itemcount(type_.shape) * (2 if type_.dtype.kind == "c" else 1)


def _unpacked(x: Node, type_: ArrayType) -> Node:
    """The inverse of _packed."""
    if type_.dtype.kind != "c":
        return ew.recast(reshape(x, type_.shape), type_.dtype)
    half = ArrayType(type_.shape, np.empty(0, type_.dtype).real.dtype)
    count = itemcount(type_.shape)
    parts = [_unpacked(_part(x, start, (count,)), half) for start in (0, count)]
    return ew.add(parts[0], ew.multiply(parts[1], 1j))


def _zeros(type_: ArrayType) -> Node:
    return ew.filled(type_.shape, 0, type_.dtype)


def _rate(node: Node | None, type_: ArrayType) -> Node:
    return _packed(_zeros(type_) if node is None else node)


# --- reverse mode ----------------------------------------------------------------------------------------------------

_latest: WeakKeyDictionary[Node, tuple[Node, dict[int, Node]]] = WeakKeyDictionary()
"""A solution -> (cotangent, what its arguments receive): one way back serves all of them."""


def _vjp(ct: Node, node: Node, index: int) -> Node | None:
    known = _latest.get(node)
    if known is None or known[0] is not ct:
        known = _latest[node] = (ct, _way_back(ct, node))
    return known[1].get(index)


def _way_back(ct: Node, node: Node) -> dict[int, Node]:
    """The cotangents of the arguments, by position."""
    y, t, *parameters = node.args
    count, size = t.shape[0], y.shape[0]
    moving = [k for k, p in enumerate(parameters) if derive.differentiable(p.type)]
    backwards = _backwards(node.body, moving)
    ends = np.cumsum([0, size, size, 1, *[_width(parameters[k].type) for k in moving]]).tolist()
    adjoint = _element(ct, count - 1)
    rest = ew.filled((ends[-1] - 2 * size,), 0, _FLOAT)  # of the first time, then of the parameters
    times = []
    for i in range(count - 1, 0, -1):
        here, now = _element(node, i), _element(t, i)
        by_time = contract(slope_at(node, here, now), _element(ct, i), (0,), (0,), ())
        times.append(by_time)
        first = _part(rest, 0, (1,)) - reshape(by_time, (1,))
        start = _flat([here, adjoint, first, _part(rest, 1, (rest.shape[0] - 1,))])
        solved = odeint.make((start, _flat([now, _element(t, i - 1)]), *parameters), body=backwards, options=_larger(node.options))
        before = _element(solved, 1)
        adjoint = _part(before, size, (size,)) + _element(ct, i - 1)
        rest = _part(before, 2 * size, rest.shape)
    found = {0: adjoint, 1: _flat([_part(rest, 0, (1,)), *times[::-1]])}
    for k, start, end in zip(moving, ends[3:], ends[4:], strict=False):
        found[2 + k] = _unpacked(_part(rest, start - 2 * size, (end - start,)), parameters[k].type)
    return found


def _backwards(body: Graph, moving: Sequence[int]) -> Graph:
    """The rates of the state, its adjoint, and the cotangents of time and parameters, over one vector of them all."""
    y, time, *parameters = body.inputs
    size = y.shape[0]
    wrt = [y, time, *[parameters[k] for k in moving]]
    leaf = new_input(ArrayType((2 * size + 1 + sum([_width(parameters[k].type) for k in moving]),), _FLOAT))
    pulled = derive.pullback(body.outputs, [-_part(leaf, size, (size,))], wrt)
    rates = _flat([body.outputs[0], *[_rate(part, w.type) for part, w in zip(pulled, wrt, strict=True)]])
    return _over(leaf, body, rates)


def _over(leaf: Node, body: Graph, rates: Node) -> Graph:
    """The rates as the slope of an equation whose state begins with the body's."""
    y, *others = body.inputs
    return canonical_bodies([Graph((leaf, *others), tuple(substitute([rates], {y: _part(leaf, 0, y.shape)})))])[0]


# --- forward mode ----------------------------------------------------------------------------------------------------


def _jvp(tangents: Sequence[Node | None], node: Node) -> Node:
    y, t, *parameters = node.args
    count, size = t.shape[0], y.shape[0]
    by_state, by_times, *by_parameters = tangents
    moved_by = {k: tangent for k, tangent in enumerate(by_parameters) if tangent is not None}
    start = _zeros(y.type) if by_state is None else by_state
    moved = start
    if by_times is not None:
        start = start - slope_at(node, y, _element(t, 0)) * _element(by_times, 0)
    arguments = (_flat([y, start]), t, *parameters, *moved_by.values())
    solved = odeint.make(arguments, body=_sensitivities(node.body, list(moved_by)), options=_larger(node.options))
    tangent = slice_(solved, (0, size), (1, 1), (count, size))
    if by_times is None:
        return tangent
    shifts = [slope_at(node, _element(node, i), _element(t, i)) * _element(by_times, i) + _element(tangent, i) for i in range(1, count)]
    return reshape(_flat([moved, *shifts]), (count, size))


def _sensitivities(body: Graph, moving: Sequence[int]) -> Graph:
    """The rates of the state and of its tangent; the parameters are followed by the tangents of those that move."""
    y, _, *parameters = body.inputs
    size = y.shape[0]
    leaf = new_input(ArrayType((2 * size,), _FLOAT))
    tangents = [new_input(parameters[k].type) for k in moving]
    moved = derive.pushforward(body.outputs, [y, *[parameters[k] for k in moving]], [_part(leaf, size, (size,)), *tangents])
    rates = _flat([body.outputs[0], _rate(moved[0], y.type)])
    return _over(leaf, Graph((*body.inputs, *tangents), body.outputs), rates)


rules.vjp, rules.jvp = _vjp, _jvp
