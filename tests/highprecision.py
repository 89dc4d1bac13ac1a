"""The meaning of a graph in decimal arithmetic of 900 digits: the truth that stable rules are compared with."""

import decimal
from decimal import Decimal
from typing import Any

import numpy as np

from lazynp.ir.node import Node, const, toposort
from lazynp.ir.op import Kind
from lazynp.ops import elementwise as ew
from lazynp.ops import reduction as red

_CONTEXT = decimal.Context(prec=900, Emin=-(10**9), Emax=10**9, traps=[])
_ONE = Decimal(1)


def _exp(x: Decimal) -> Decimal:
    return _CONTEXT.exp(x)


def _log(x: Decimal) -> Decimal:
    return _CONTEXT.ln(x)


def _logaddexp(x: Decimal, y: Decimal) -> Decimal:
    return _log(_exp(x) + _exp(y))


def _tanh(x: Decimal) -> Decimal:
    return (_exp(x) - _exp(-x)) / (_exp(x) + _exp(-x))


_SCALAR = {
    ew.add: lambda x, y: x + y,
    ew.subtract: lambda x, y: x - y,
    ew.multiply: lambda x, y: x * y,
    ew.divide: lambda x, y: x / y,
    ew.negative: lambda x: -x,
    ew.reciprocal: lambda x: _ONE / x,
    ew.square: lambda x: x * x,
    ew.absolute: abs,
    ew.sqrt: lambda x: _CONTEXT.sqrt(x),
    ew.power: lambda x, y: _CONTEXT.power(x, y),
    ew.exp: _exp,
    ew.log: _log,
    ew.log1p: lambda x: _log(_ONE + x),
    ew.expm1: lambda x: _exp(x) - _ONE,
    ew.expit: lambda x: _ONE / (_ONE + _exp(-x)),
    ew.logaddexp: _logaddexp,
    ew.tanh: _tanh,
    ew.sinh: lambda x: (_exp(x) - _exp(-x)) / 2,
    ew.cosh: lambda x: (_exp(x) + _exp(-x)) / 2,
    ew.maximum: max,
    ew.equal: lambda x, y: x == y,
    ew.isfinite: lambda x: x.is_finite(),
    ew.where: lambda c, x, y: x if c else y,
}
_FOLD = {red.reduce_add: lambda x, y: x + y, red.reduce_logaddexp: _logaddexp, red.reduce_maximum: max}


def true_values(output: Node, values: dict[Node, np.ndarray]) -> np.ndarray:
    """The output as an object array of Decimal (NaN where the formula has no real value)."""
    known: dict[Node, Any] = {node: _decimals(array) for node, array in values.items()}
    with decimal.localcontext(_CONTEXT):
        for node in toposort([output]):
            if node not in known:
                known[node] = _value(node, [known[a] for a in node.args])
    return known[output]


def _decimals(array: np.ndarray) -> np.ndarray:
    out = np.empty(array.shape, object)
    for index in np.ndindex(array.shape):
        out[index] = Decimal(float(array[index]))
    return out


def _value(node: Node, args: list[Any]) -> Any:
    if node.op is const:
        return _decimals(node.value.array)
    if node.op in _SCALAR:
        return _elementwise(_SCALAR[node.op], args)
    if node.op in _FOLD:
        value = args[0]
        for axis in sorted(node.axes, reverse=True):
            value = np.asarray(np.frompyfunc(_FOLD[node.op], 2, 1).reduce(value, axis), object)
        return value
    assert node.op.kind in (Kind.MOVE, Kind.GATHER), node
    return node.op.numpy(*args, **node.attributes)


def _elementwise(function: Any, args: list[Any]) -> np.ndarray:
    out = np.empty(args[0].shape, object)
    for index in np.ndindex(out.shape):
        out[index] = function(*[a[index] for a in args])
    return out
