"""What derivatives cost: nodes, bytes and calls are counted, seconds are not."""

import sys
from collections.abc import Callable
from typing import Any

import numpy
import pytest

import lazynp
import lazynp as np
from lazynp import config, grad, hessian, jacobian, jit, stats, value_and_grad, vjp
from lazynp.ir.node import Graph, Node, toposort
from lazynp.ir.types import ArrayType, itemcount
from lazynp.ops import elementwise as ew
from lazynp.optimize.passes import optimize
from lazynp.transform import derive

Function = Callable[..., Any]


class Calls:
    """The Python calls made inside: a measure of work that neighbours on a shared machine do not change. deepest: of nested ones."""

    def __enter__(self) -> "Calls":
        self.count = self.deepest = self.depth = 0
        sys.setprofile(self._event)
        return self

    def _event(self, frame: Any, event: str, argument: Any) -> None:
        if event == "call":
            self.count += 1
            self.depth += 1
            self.deepest = max(self.deepest, self.depth)
        elif event == "return":
            self.depth -= 1

    def __exit__(self, *exception: Any) -> None:
        sys.setprofile(None)


def backward(f: Function, *args: numpy.ndarray) -> tuple[list[Node], list[Node], Calls]:
    """The graph of a loss, of its gradients, and the work of deriving them."""
    found: list[Any] = []
    original = derive.pullback

    def counted(outputs: Any, *rest: Any) -> Any:
        with Calls() as calls:
            gradients = original(outputs, *rest)
        found.append((list(outputs), [g for g in gradients if g is not None], calls))
        return gradients

    derive.pullback = counted
    try:
        with config(backend="reference", whole_calls=False):
            grad(f, tuple(range(len(args))))(*args)
    finally:
        derive.pullback = original
    return found[0]


def chain(length: int) -> Function:
    def loss(x: Any) -> Any:
        for _ in range(length // 2):
            x = np.sin(x) + 1.25
        return np.sum(x)

    return loss


def network(layers: int) -> tuple[Function, numpy.ndarray, numpy.ndarray]:
    weights = numpy.ones((layers, 4, 4)) * 0.1

    def loss(w: Any, x: Any) -> Any:
        for k in range(layers):
            x = np.tanh(x @ w[k]) + x
        return np.sum(x)

    return loss, weights, numpy.ones((3, 4))


# --- linear time, no recursion ---------------------------------------------------------------------------------------


def test_a_chain_of_20000_operations_is_derived_in_linear_work() -> None:
    x = numpy.linspace(0, 1, 5)
    short, long = [backward(chain(n), x)[2] for n in (2_000, 20_000)]
    assert long.count < 12 * short.count
    assert long.deepest < 50


def test_a_network_of_1000_layers_is_derived_in_linear_work() -> None:
    short, long = [backward(*network(n))[2] for n in (100, 1_000)]
    assert long.count < 12 * short.count
    assert long.deepest < 50


def test_their_values() -> None:
    x = numpy.linspace(0, 1, 5)
    expected, slope = x.copy(), numpy.ones(5)
    for _ in range(10_000):
        slope = slope * numpy.cos(expected)
        expected = numpy.sin(expected) + 1.25
    for whole in (False, True):
        with config(backend="reference", whole_calls=whole):
            numpy.testing.assert_allclose(grad(chain(20_000))(x), slope, rtol=1e-9, atol=1e-300)


# --- slices and zeros ------------------------------------------------------------------------------------------------


def _volume(nodes: list[Node], known: list[Node]) -> int:
    """The elements that the steps of a graph touch: of an update its region, of a view none."""
    seen = set(toposort(known))
    total = 0
    for node in toposort(nodes):
        if node in seen or not node.args or not isinstance(node.type, ArrayType) or node.op.kind.value == "move":
            continue
        total += itemcount(node.args[1].type.shape if node.op.kind.value == "update" else node.type.shape)
    return total


@pytest.mark.parametrize("reads", [False, True], ids=["writes", "reads and writes"])
def test_the_gradient_of_n_written_slices_touches_the_array_and_the_slices(reads: bool) -> None:
    size, width = 4_000, 3

    def loss(count: int) -> Function:
        def f(x: Any) -> Any:
            a = np.zeros(size) + x[0]
            for i in range(count):
                a[i : i + width] = np.sin((a if reads else x)[i : i + width]) * 2.0
            return np.sum(a * a)

        return f

    x = numpy.linspace(0, 1, size)
    few, many = [_volume(g, outputs) for outputs, g, _ in (backward(loss(n), x) for n in (20, 220))]
    assert many - few < 200 * 40 * width
    assert few < 20 * size


def test_the_gradient_of_a_loop_that_writes_slices_touches_them_too() -> None:
    """As one loop of the graph: a turn of the way back updates regions, and builds no array of the size of the whole."""
    size, width = 4_000, 3

    def loss(x: Any) -> Any:
        a = np.zeros(size) + x[0]
        for i in range(200):
            a[i : i + width] = np.sin(a[i : i + width]) * x[i : i + width]
        return np.sum(a * a)

    x = numpy.linspace(0, 1, size)
    nodes = jit(grad(loss)).lower(x).traced.values
    graph = optimize(Graph(tuple([n for n in toposort(nodes) if n.op.name == "input"]), tuple(nodes)))
    loops = [n for n in toposort(graph.outputs) if n.op.name == "loop"]
    assert len(loops) == 2  # what is saved is saved by the loop itself
    for node in loops:
        for inner in toposort(node.body.outputs):
            if inner.args and isinstance(inner.type, ArrayType) and inner.op.kind.value not in ("move", "update"):
                assert itemcount(inner.shape) <= width, inner
    with config(whole_calls=False):
        expected = grad(loss)(x)
    numpy.testing.assert_allclose(grad(loss)(x), expected, rtol=1e-12)


def test_zero_cotangents_are_never_built() -> None:
    """What the result does not depend on, and branches of `where` that are not differentiated, leave no nodes behind."""

    def loss(x: Any, y: Any) -> Any:
        unused = np.exp(x) @ np.ones((5, 5))
        whole = np.floor(x * 3) + np.sign(y)
        return np.sum(x * 2) + 0 * whole.shape[0] + np.sum(lazynp.stop_gradient(np.exp(y))) + 0 * unused.shape[0]

    _, gradients, _ = backward(loss, numpy.ones(5), numpy.ones(5))
    assert len(gradients) == 1
    ops = {node.op for node in toposort(gradients)}
    assert not ops & {ew.exp, ew.floor, ew.sign, ew.add}


# --- one program -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("transform", [jacobian, hessian], ids=["jacobian", "hessian"])
@pytest.mark.parametrize("wrap", [lambda f: f, jit], ids=["plain", "jit"])
def test_all_directions_are_one_program(transform: Function, wrap: Function) -> None:
    f = (lambda x: np.sin(x) * x) if transform is jacobian else (lambda x: np.sum(np.sin(x) * x**3))
    g = wrap(transform(f))
    before = stats()
    found = g(numpy.linspace(0.1, 1.0, 37) + (wrap is jit))
    after = stats()
    assert found.shape == (37, 37)
    assert after["programs"] - before["programs"] <= 1
    assert after["program_runs"] - before["program_runs"] == 1


# --- how much more than the function ---------------------------------------------------------------------------------


def _work(f: Function, *args: Any) -> float:
    """The arithmetic of a compiled graph: additions per element of elementwise work, two per product of contractions."""
    nodes = jit(f).lower(*args).traced.values
    leaves = [n for n in toposort(nodes) if not n.args and n.op.name == "input"]
    graph = optimize(Graph(tuple(leaves), tuple(nodes)))
    total = 0.0
    for node in toposort(graph.outputs):
        if node.op.kind.value == "elementwise":
            total += node.op.cost * itemcount(node.type.shape)
        elif node.op.kind.value == "contract":
            sizes = dict(zip((*node.xs, *node.ys), (*node.args[0].shape, *node.args[1].shape), strict=True))
            total += 2.0 * itemcount(tuple(sizes.values()))
    return total


MULTIPLES: dict[str, tuple[Function, tuple[Any, ...], float]] = {
    "elementwise": (lambda x: np.sum(np.exp(-x * x) * np.sin(x) + np.log1p(x * x)), (numpy.linspace(0, 1, 1000),), 3.0),
    "logistic": (lambda x: np.sum(np.log1p(np.exp(-x)) + np.tanh(x) ** 2), (numpy.linspace(0, 1, 1000),), 3.0),
    "gemm": (lambda a, b: np.sum(np.tanh(a @ b) @ b), (numpy.ones((64, 64)), numpy.ones((64, 64))), 3.1),
}
"""The derivatives by both factors of a product are two products: three times the work of the function, of which the value is one."""


@pytest.mark.parametrize("name", MULTIPLES)
def test_the_arithmetic_of_value_and_gradient(name: str) -> None:
    f, args, most = MULTIPLES[name]
    assert _work(value_and_grad(f, tuple(range(len(args)))), *args) <= most * _work(f, *args)


def test_a_pullback_runs_the_function_once() -> None:
    calls = []
    _, pullback = vjp(lambda x: (calls.append(1), np.sin(x) * x)[1], numpy.linspace(0, 1, 9))
    for k in range(3):
        pullback(numpy.ones(9) * k)
    assert len(calls) == 1


def test_a_shared_weight_receives_one_product() -> None:
    """Ten steps share w: backwards ten products with it, and one by it."""
    xs = numpy.linspace(0, 1, 40).reshape(10, 4)

    def loss(w: Any) -> Any:
        h = np.zeros((4, 8)) + xs[0, 0]
        for t in range(10):
            h = np.tanh(h @ w + xs[t][:, None])
        return np.sum(h)

    w = numpy.eye(8) * 0.5 + 0.1
    _, gradients, _ = backward(loss, w)
    by_w = [n for n in toposort(gradients) if n.op.name == "contract" and n.shape == w.shape]
    assert len(by_w) == 1
    slope = grad(loss)(w)
    step = 1e-6
    for k in range(8):
        ahead, behind = w.copy(), w.copy()
        ahead[k, 2] += step
        behind[k, 2] -= step
        numpy.testing.assert_allclose(slope[k, 2], (loss(ahead) - loss(behind)) / (2 * step), rtol=1e-6)
