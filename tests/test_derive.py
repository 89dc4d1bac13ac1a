"""The reverse and the forward pass: conventions, shape of the graphs, errors. Rules of single ops are tested by tests/test_ops.py."""

import itertools
from typing import Any

import numpy as np
import pytest
from cases import leaves

from lazynp.backends.reference import evaluate
from lazynp.errors import user_position
from lazynp.ir.node import Graph, Node, constant, new_input, toposort
from lazynp.ir.types import ArrayType
from lazynp.ops import elementwise as ew
from lazynp.ops.contraction import matmul
from lazynp.ops.indexing import gather, scatter, update
from lazynp.ops.library import fft, ifft, inv, random_draw, sort
from lazynp.ops.movement import Step, pad, slice_
from lazynp.ops.reduction import (
    accumulate_logaddexp,
    accumulate_maximum,
    accumulate_multiply,
    reduce_add,
    reduce_logaddexp,
    reduce_maximum,
    reduce_multiply,
)
from lazynp.ops.structured import call, item
from lazynp.transform.derive import pullback, pushforward

FLOAT = np.dtype(float)


def vector(n: int = 3, dtype: Any = float) -> Node:
    return new_input(ArrayType((n,), np.dtype(dtype)))


def ones(node: Node) -> Node:
    return ew.filled(node.shape, 1, node.dtype)


def gradient(function: Any, *values: Any) -> list[np.ndarray]:
    """The gradient of sum(function(*values)) by each value."""
    inputs = leaves(values)
    out = function(*inputs)
    found = pullback([out], [ones(out)], inputs)
    return evaluate(Graph(tuple(inputs), tuple([f for f in found if f is not None])), list(values))


def derivative(function: Any, value: float) -> float:
    return float(gradient(function, np.array([value]))[0][0])


# --- conventions where there is no derivative ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "at", "expected"),
    [
        (lambda x: ew.maximum(x, 0.0), 0.0, 0.5),
        (lambda x: ew.minimum(x, 0.0), 0.0, 0.5),
        (lambda x: ew.fmax(x, 0.0), 0.0, 0.5),
        (ew.absolute, 0.0, 0.0),
        (ew.fabs, -0.0, 0.0),
        (ew.sign, 0.3, 0.0),
        (ew.sqrt, 0.0, np.inf),
        (ew.cbrt, 0.0, np.inf),
        (ew.log, 0.0, np.inf),
        (lambda x: ew.hypot(x, 0.0), 0.0, 0.0),
        (lambda x: x**2, 0.0, 0.0),
        (lambda x: x**1, 0.0, 1.0),
        (lambda x: x**0, 0.0, 0.0),
        (lambda x: x**0.5, 0.0, np.inf),
        (lambda x: 0.0**x, 2.0, 0.0),
        (lambda x: ew.power(x, x * 0.0), 0.0, 0.0),
        (lambda x: ew.logaddexp(x, -np.inf), -np.inf, 1.0),
        (lambda x: ew.floor(x), 0.5, 0.0),
        (lambda x: ew.remainder(x, 2.0), 5.5, 1.0),
    ],
)
def test_conventions(function: Any, at: float, expected: float) -> None:
    with np.errstate(all="ignore"):
        found = gradient(function, np.array([at]))
    assert (found[0][0] if found else 0.0) == expected


def test_extrema_share() -> None:
    x = np.array([1.0, 3.0, 3.0, 2.0])
    np.testing.assert_array_equal(gradient(lambda x: reduce_maximum(x, (0,)), x)[0], [0, 0.5, 0.5, 0])
    np.testing.assert_array_equal(gradient(lambda x: accumulate_maximum(x, 0), x)[0], [1, 3, 0, 0])


def test_sorting_moves_the_cotangent() -> None:
    weights = constant(np.array([1.0, 10.0, 100.0]))
    np.testing.assert_array_equal(gradient(lambda x: sort(x, 0) * weights, np.array([2.0, 1.0, 2.0]))[0], [10, 1, 100])


@pytest.mark.parametrize("zeros", [(), (1,), (0, 3), (0, 1, 2, 3)])
def test_products_with_zeros(zeros: tuple[int, ...]) -> None:
    """All first and second derivatives of prod and cumprod, against the products written out."""
    x = np.array([2.0, -3.0, 0.5, 1.5])
    x[list(zeros)] = 0
    n = len(x)

    def others(upto: int, *left_out: int) -> float:
        if any(k > upto for k in left_out) or len(set(left_out)) < len(left_out):
            return 0.0
        return float(np.prod([x[j] for j in range(upto + 1) if j not in left_out]))

    (total,) = gradient(lambda x: reduce_multiply(x, (0,)), x)
    np.testing.assert_allclose(total, [others(n - 1, k) for k in range(n)])
    (running,) = gradient(lambda x: accumulate_multiply(x, 0), x)
    np.testing.assert_allclose(running, [sum(others(i, k) for i in range(n)) for k in range(n)])
    for k, direction in enumerate(np.eye(n)):
        for op, ends in ((lambda x: reduce_multiply(x, (0,)), [n - 1]), (lambda x: accumulate_multiply(x, 0), range(n))):

            def along(x: Node, op: Any = op, direction: Any = direction) -> Node:
                tangent = pushforward([op(x)], [x], [constant(direction)])[0]
                assert tangent is not None
                return tangent

            (second,) = gradient(along, x)
            np.testing.assert_allclose(second, [sum(others(i, k, j) for i in ends) for j in range(n)])


def test_running_logaddexp_far_apart() -> None:
    """The running sums weigh by exp of differences, never by exp of the values."""
    x = np.array([-np.inf, 1000.0, -1000.0, 1001.0])
    found = gradient(lambda x: accumulate_logaddexp(x, 0), x)[0]
    small = np.exp(-1.0) / (1 + np.exp(-1.0))
    np.testing.assert_allclose(found, [1, 2 + small, 0, 1 - small], atol=1e-15)
    np.testing.assert_allclose(gradient(lambda x: reduce_logaddexp(x, (0,)), x)[0], [0, small, 0, 1 - small], atol=1e-15)


# --- masks -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "at", "expected"),
    [
        (lambda x: ew.where(ew.greater(x, 0), ew.log(x), 0), 0.0, 0.0),
        (lambda x: ew.where(ew.greater(x, 0), ew.sqrt(x * x), 0), 0.0, 0.0),
        (lambda x: ew.where(ew.equal(x, 0), 1, ew.sin(x) / x), 0.0, 0.0),
        (lambda x: ew.where(ew.greater(x, 0), ew.where(ew.greater(x, 1), ew.log(x - 1), x), 0) * 2, 0.5, 2.0),
        (lambda x: ew.where(ew.greater(x, 0), ew.where(ew.greater(x, 1), ew.log(x - 1), x), 0), -0.5, 0.0),
    ],
)
def test_untaken_branch_does_not_poison(function: Any, at: float, expected: float) -> None:
    """0 * inf and 0 * nan of the branch not taken must not appear."""
    assert derivative(function, at) == expected


def test_masks_do_not_pile_up() -> None:
    """A thousand nested `where` cost a thousand masks, not a million."""
    x = y = vector()
    for k in range(1000):
        y = ew.where(ew.greater(x, k), ew.sin(y), 0)
    found = pullback([y], [ones(y)], [x])
    assert len(toposort([found[0]])) < 12_000  # type: ignore[list-item]


# --- complex numbers -------------------------------------------------------------------------------------------------


def test_complex_gradient_descends() -> None:
    """L = |z**2 - w|**2: a step against the gradient makes it smaller, and the gradient is dL/dx + i dL/dy."""
    z, w = np.array([0.7 - 0.4j]), 1 + 2j

    def loss(z: Node) -> Node:
        gap = ew.absolute(z * z - w)
        return gap * gap

    (found,) = gradient(loss, z)
    np.testing.assert_allclose(found, 2 * (z * z - w) * np.conj(2 * z))
    before, after = (evaluate(Graph((n := vector(1, complex),), (loss(n),)), [v])[0] for v in (z, z - 1e-3 * found))
    assert after[0] < before[0]


def test_real_argument_of_a_complex_function() -> None:
    """Real values get real cotangents also through complex intermediate ones."""
    x = np.array([0.3, -1.2, 2.0, 0.1])
    (found,) = gradient(lambda x: ew.real(ifft(fft(x) * 3.0)), x)
    assert found.dtype == float
    np.testing.assert_allclose(found, 3)


# --- the passes ------------------------------------------------------------------------------------------------------


def test_zero_is_none() -> None:
    x, y, n = vector(), vector(), new_input(ArrayType((3,), np.dtype(int)))
    out = ew.floor(x) + ew.cast(ew.cast(x, to=np.dtype(int)), to=FLOAT) + n
    assert pullback([out], [ones(out)], [x, y, n]) == [None, None, None]
    assert pushforward([out, y], [x, n], [ones(x), None]) == [None, None]
    assert pullback([out], [None], [x]) == [None]


def test_output_is_a_variable() -> None:
    x, ct = vector(), vector()
    assert pullback([x], [ct], [x]) == [ct]
    assert pushforward([x], [x], [ct]) == [ct]
    assert pullback([x, x], [ct, ct], [x]) == [ct + ct]


def test_derivatives_are_total() -> None:
    """A variable that depends on another variable does not hide it."""
    x = vector()
    y = ew.sin(x)
    z = y * 2.0
    by_y, by_x = pullback([z], [ones(z)], [y, x])
    assert by_y is ones(z) * 2.0
    assert by_x is (ones(z) * 2.0) * ew.cos(x)


def test_patterns_of_use() -> None:
    """Fan-out, several outputs, one argument twice."""
    a = np.array([0.5, 1.0, 2.0])
    np.testing.assert_allclose(gradient(lambda x: x * x + ew.exp(x) * x, a)[0], 2 * a + np.exp(a) * (1 + a))


def test_long_chain() -> None:
    """20,000 operations: no recursion, a graph that grows linearly."""
    x = y = vector(1)
    for k in range(10_000):
        y = ew.sin(y) if k % 2 else y * 1.0000001
        y = y + 0.0000001
    (found,) = pullback([y], [ones(y)], [x])
    (tangent,) = pushforward([y], [x], [ones(x)])
    assert found is not None
    assert tangent is not None
    assert len(toposort([found])) < 60_000
    values = evaluate(Graph((x,), (found, tangent)), [np.array([0.3])])
    np.testing.assert_allclose(values[0], values[1], rtol=1e-9)


def test_slices_of_one_array_are_added_by_region() -> None:
    """A loop that reads a thousand slices must not build a thousand arrays of the whole size; a stencil's few stay fused."""
    x = vector(1000)
    parts = [slice_(x, (k,), (1,), (1,)) for k in range(1000)]
    total = parts[0]
    for part in parts[1:]:
        total = total + part * part
    (found,) = pullback([total], [ones(total)], [x])
    order = toposort([found])  # type: ignore[list-item]
    assert sum(node.op is update for node in order) == 1000
    a = np.linspace(0, 1, 1000)
    np.testing.assert_allclose(evaluate(Graph((x,), (found,)), [a])[0], np.concatenate([[1], 2 * a[1:]]))  # type: ignore[arg-type]
    few = slice_(x, (0,), (1,), (998,)) * slice_(x, (2,), (1,), (998,))
    order = toposort(pullback([few], [ones(few)], [x]))  # type: ignore[arg-type]
    assert not any(node.op is update for node in order)
    assert any(node.op is pad for node in order)


def test_in_place_chain() -> None:
    """Each write takes its region's cotangent and hides what was there before."""
    x = np.array([1.0, 2.0, 3.0])

    def program(x: Node) -> Node:
        y = x * 2.0
        for k in range(2):
            region = slice_(y, (k,), (1,), (1,)) * slice_(y, (k + 1,), (1,), (1,))
            y = update(y, region, path=(Step(slice_, ((k + 1,), (1,), (1,))),))
        return y

    np.testing.assert_allclose(gradient(program, x)[0], [2 + 4 * 2 + 8 * 2 * 3, 4 * 1 + 8 * 1 * 3, 8 * 1 * 2])


def test_last_write_counts() -> None:
    """a[[0, 2, 0]] = new: the first new value has no influence."""
    base, new = np.zeros(3), np.array([5.0, 6.0, 7.0])
    index = constant(np.array([0, 2, 0]))
    by_base, by_new = gradient(lambda b, v: scatter(b, v, index, axes=(0,), position=0, combine=None), base, new)
    np.testing.assert_array_equal(by_base, [0, 1, 0])
    np.testing.assert_array_equal(by_new, [0, 1, 1])


def test_repeated_reads_accumulate() -> None:
    index = constant(np.array([1, -1, 1, 0]))
    np.testing.assert_array_equal(gradient(lambda x: gather(x, index, axes=(0,), position=0), np.zeros(3))[0], [1, 2, 1])


def test_call_is_its_body() -> None:
    """Also nested, and when only one of the outputs is used."""
    a, b = vector(), vector()
    inner_body = Graph((a, b), (a * b, ew.sin(a)))
    c = vector()
    outer_body = Graph((c,), (item(call(c, c * 2.0, body=inner_body), 0), c))
    x = np.array([0.5, 1.0, 2.0])
    np.testing.assert_allclose(gradient(lambda x: item(call(x, body=outer_body), 0), x)[0], 4 * x)


def test_mixed_precision_keeps_dtypes() -> None:
    """A float32 parameter in a float64 computation has a float32 gradient."""
    p, d = np.ones(3, np.float32), np.arange(3.0)
    by_p, by_d = gradient(lambda p, d: p * d * d, p, d)
    assert by_p.dtype == np.float32
    assert by_d.dtype == np.float64


def test_matrix_chain_to_third_order() -> None:
    """d^3/dt^3 of tr((A + t B)^-1) at 0 is -6 tr((A^-1 B)^3 A^-1)."""
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(3, 3)) + 4 * np.eye(3), rng.normal(size=(3, 3))
    t = new_input(ArrayType((), FLOAT))
    spread = ew.filled((3, 3), 1, FLOAT) * t
    out = reduce_add(inv(constant(a) + spread * constant(b)) * constant(np.eye(3)))
    for _ in range(3):
        (out,) = pullback([out], [constant(1.0)], [t])  # type: ignore[assignment]
    back = np.linalg.inv(a)
    np.testing.assert_allclose(evaluate(Graph((t,), (out,)), [np.array(0.0)])[0], -6 * np.trace(np.linalg.matrix_power(back @ b, 3) @ back))


def test_forward_over_reverse_is_the_hessian() -> None:
    rng = np.random.default_rng(1)
    m, x = rng.normal(size=(3, 3)), rng.normal(size=3)
    leaf = vector()
    loss = reduce_add(leaf * matmul(constant(m), leaf))
    (slope,) = pullback([loss], [constant(1.0)], [leaf])
    rows = [pushforward([slope], [leaf], [constant(row)])[0] for row in np.eye(3)]  # type: ignore[list-item]
    np.testing.assert_allclose(evaluate(Graph((leaf,), tuple(rows)), [x]), m + m.T)  # type: ignore[arg-type]


# --- errors ----------------------------------------------------------------------------------------------------------


def test_refusal_names_op_and_line() -> None:
    x = vector()
    out = scatter(x, x, constant(np.arange(3)), axes=(0,), position=0, combine=ew.maximum)
    out.where = user_position()
    for attempt in (lambda: pullback([out], [out], [x]), lambda: pushforward([out], [x], [x])):
        with pytest.raises(TypeError, match=r"numpy\.maximum\.at has no derivative") as caught:
            attempt()
        assert "test_derive.py" in caught.value.__notes__[0]


def test_refusal_only_where_it_matters() -> None:
    """A draw whose parameters are constants is a constant."""
    state, scale, x = leaves([np.zeros(6, np.uint64), np.zeros(()), np.zeros(3)])
    drawn = item(random_draw(state, scale, method="gamma", generator="PCG64", size=(3,), out_dtype=FLOAT), 1)
    out = drawn * x
    assert pullback([out], [ones(out)], [x]) == [ones(out) * drawn]
    with pytest.raises(TypeError, match="random_draw"):
        pullback([out], [ones(out)], [scale])


def test_derivative_nodes_know_their_line() -> None:
    """An error in a backward computation (a singular matrix) names the line of the forward one."""
    a = new_input(ArrayType((2, 2), FLOAT))
    x, out = a, inv(a)
    here = out.where = user_position()
    (found,) = pullback([out], [ones(out)], [x])
    fresh = [n for n in toposort([found]) if n.args and n is not out and n is not ones(out)]  # type: ignore[list-item]
    assert fresh
    assert all(n.where == here for n in fresh)


def test_numpy_agrees_on_every_pair() -> None:
    """Products of all pairs of smooth functions, as a check of accumulation: (f g)' = f' g + f g'."""
    x = np.array([0.3, 0.6])
    functions = [(ew.sin, np.cos), (ew.exp, np.exp), (ew.tanh, lambda x: 1 - np.tanh(x) ** 2), (ew.square, lambda x: 2 * x)]
    for (f, df), (g, dg) in itertools.product(functions, repeat=2):
        expected = df(x) * g.ufunc(x) + f.ufunc(x) * dg(x)
        np.testing.assert_allclose(gradient(lambda x, f=f, g=g: f(x) * g(x), x)[0], expected)
