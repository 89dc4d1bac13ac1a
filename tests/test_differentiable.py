"""Every row of tests/differentiable.py: its value is NumPy's, its derivatives agree with each other and with differences of values."""

from typing import Any

import numpy
import pytest
from cases import leaves, sample
from differentiable import ROWS, Row
from test_ops import inner

import lazynp
from lazynp.backends.reference import evaluate
from lazynp.functional.arguments import every_positional
from lazynp.functional.run import Run
from lazynp.ir.node import Graph, constant, toposort
from lazynp.runtime.storage import bound
from lazynp.transform.derive import differentiable, pullback, pushforward

STEP = 1e-6
IDS = [f"{row.name}-{number}" for number, row in enumerate(ROWS)]


def as_tuple(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, (tuple, list)) else (value,)


@pytest.mark.parametrize("row", ROWS, ids=IDS)
def test_value_is_numpys(row: Row, all_lazy: None) -> None:
    with numpy.errstate(all="ignore"):
        expected = as_tuple(row.function(numpy, *row.args))
    found = as_tuple(row.function(lazynp, *[lazynp.array(a) for a in row.args]))
    for one, other in zip(found, expected, strict=True):
        assert numpy.asarray(one).dtype == numpy.asarray(other).dtype
        numpy.testing.assert_allclose(numpy.asarray(one), other, rtol=1e-9, atol=1e-9)


class Checked:
    """The graph of a row with random directions: t and u for the arguments, ct for the results."""

    def __init__(self, row: Row) -> None:
        rng = numpy.random.default_rng(7)
        args = tuple([numpy.array(a) for a in row.args])
        run = Run("test", lambda *a: as_tuple(row.function(lazynp, *a)), every_positional("test", row.function, args), args, {})
        self.wrt = list(run.variables)
        self.outs = [node for node in run.output_nodes()[0] if differentiable(node.type)]
        self.args = [numpy.asarray(a) for a in row.args]
        self.t, self.u, self.ct = (leaves([sample(rng, n.shape, n.dtype) for n in nodes]) for nodes in (self.wrt, self.wrt, self.outs))
        self.directions = [sample(rng, n.shape, n.dtype) for n in (*self.t, *self.u, *self.ct)]

    def values(self, wanted: list[Any], step: float = 0.0, along: int = 0) -> list[float]:
        """Scalars of the graph, the arguments moved by a step along direction t (0) or u (1)."""
        count = len(self.args)
        args = [a + step * self.directions[along * count + k] for k, a in enumerate(self.args)]
        inputs = [*self.wrt, *self.t, *self.u, *self.ct]
        known = dict(zip(inputs, [*args, *self.directions], strict=True))
        outside = [n for n in toposort(wanted) if n not in known and bound(n) is not None]
        graph = Graph((*inputs, *outside), tuple(wanted))
        return [float(v) for v in evaluate(graph, [*known.values(), *[bound(n) for n in outside]])]

    def slope(self, wanted: Any, along: int) -> float:
        ends = [self.values([wanted], sign * STEP, along)[0] for sign in (1, -1)]
        return (ends[0] - ends[1]) / (2 * STEP)


def close(one: float, other: float, unit: float) -> bool:
    return one == pytest.approx(other, rel=unit, abs=unit)


@pytest.mark.parametrize("row", ROWS, ids=IDS)
def test_derivatives(row: Row) -> None:
    """<ct, J t> == <vjp ct, t> == the difference quotient; the same one order higher, forward over reverse and reverse over forward."""
    c = Checked(row)
    forward, backward = pushforward(c.outs, c.wrt, c.t), pullback(c.outs, c.ct, c.wrt)
    first, first_back = inner(zip(c.ct, forward, strict=True)), inner(zip(backward, c.t, strict=True))
    one, back = c.values([first, first_back])
    assert close(one, back, 1e-8), "forward and reverse disagree"
    assert close(one, c.slope(inner(zip(c.ct, c.outs, strict=True)), 0), 2e-5), "wrong derivative"
    if row.order == 1:
        return
    second = inner(zip(pullback([first], [constant(1.0)], c.wrt), c.u, strict=True))
    second_forward = pushforward([first_back], c.wrt, c.u)[0] or constant(0.0)
    two, two_forward = c.values([second, second_forward])
    assert close(two, two_forward, 1e-7), "second derivatives disagree"
    assert close(two, c.slope(first, 1), 2e-4), "wrong second derivative"
