"""Floor 0: nodes, graphs, the rewriter, the verifier, the text of graphs."""

import numpy as np
import pytest

from lazynp.errors import PerformanceWarning, VerifyError
from lazynp.ir.node import Graph, Node, constant, make_node, new_input, numbered_dim, toposort, users_of
from lazynp.ir.rewrite import Rules, Var, listening, real_float, rewrite, scalar_value
from lazynp.ir.show import dot, show_graph, show_node, size_text
from lazynp.ir.types import ArrayType
from lazynp.ir.verify import verify
from lazynp.ops.elementwise import add, cos, exp, filled, log, log1p, multiply, negative, sin, subtract
from lazynp.ops.movement import broadcast, reshape
from lazynp.ops.reduction import reduce_add

F8 = np.dtype(float)
X = new_input(ArrayType((3, 4), F8))
Y = new_input(ArrayType((3, 4), F8))
x, y = Var("x"), Var("y")


# --- nodes -----------------------------------------------------------------------------------------------------------


def test_equal_nodes_are_one_object() -> None:
    assert add(X, Y) is add(X, Y)
    assert add(X, Y) is not add(Y, X)
    assert reduce_add(X, (0,)) is not reduce_add(X, (1,))


def test_constants_are_told_apart_by_dtype_and_bits() -> None:
    different = [constant(v) for v in (0.0, -0.0, 0, False, 1, 1.0, True, np.float32(1), np.nan, 1j)]
    assert len(set(different)) == len(different)
    assert constant(np.nan) is constant(np.nan)
    assert constant([1.0, 2.0]) is constant(np.array([1.0, 2.0])) is not constant([[1.0, 2.0]])


def test_nodes_die_with_their_last_user() -> None:
    node = sin(X)
    for _ in range(20_000):
        node = cos(node)
    assert len(toposort([node])) == 20_002
    del node  # must not recurse


def test_users_of_counts_each_argument_position() -> None:
    square = multiply(X, X)
    assert users_of(toposort([square]))[X] == [square, square]


# --- rules -----------------------------------------------------------------------------------------------------------


def one_rule(pattern, build, **conditions) -> Rules:
    rules = Rules("test", level="stable")
    rules(pattern, **conditions)(build)
    return rules


def test_a_rule_replaces_its_formula_everywhere() -> None:
    rules = one_rule(log(1 + x), lambda x: log1p(x))
    assert rewrite([sin(log(1 + X)), log(X + 1), log(X)], rules) == [sin(log1p(X)), log1p(X), log(X)]


def test_a_variable_bound_twice_is_one_node() -> None:
    rules = one_rule(subtract(x, x), lambda x: filled(x.shape, 0, x.dtype))
    assert rewrite([X - X, X - Y], rules) == [filled((3, 4), 0.0, F8), X - Y]


def test_commutative_ops_match_both_ways_also_inside() -> None:
    rules = one_rule(exp(x) + log(y), lambda x, y: x * y)
    assert rewrite([exp(X) + log(Y), log(Y) + exp(X), log(Y) - exp(X)], rules) == [X * Y, X * Y, log(Y) - exp(X)]


def test_a_literal_matches_any_dtype_through_broadcasts_but_tells_zeros_apart() -> None:
    rules = one_rule(x + 0, lambda x: x)
    i = new_input(ArrayType((3,), np.dtype(np.int8)))
    negative_zero = add(X, -0.0)
    assert rewrite([X + 0.0, i + 0, negative_zero, X + False], rules)[:3] == [X, i, negative_zero]


def test_conditions_on_variables_and_on_the_match() -> None:
    floats = Var("x", real_float)
    i = new_input(ArrayType((3, 4), np.dtype(np.int64)))
    rules = one_rule(negative(floats), lambda x: sin(x), when=lambda x: x is not Y)
    assert rewrite([-X, -Y, -i], rules) == [sin(X), -Y, -i]


def test_attributes_can_be_bound() -> None:
    rules = one_rule(reduce_add(negative(x), axes=Var("axes")), lambda x, axes: -reduce_add(x, axes))
    assert rewrite([reduce_add(-X, (1,))], rules) == [-reduce_add(X, (1,))]


def test_rules_apply_to_what_rules_made() -> None:
    rules = one_rule(sin(x), lambda x: cos(x)) + one_rule(cos(x), lambda x: exp(x))
    assert rewrite([sin(sin(X))], rules) == [exp(exp(X))]
    assert len(rules) == 2 and len(rules.upto("exact")) == 0


def test_a_rule_that_changes_a_type_is_refused() -> None:
    with pytest.raises(VerifyError, match="test.*float64.*float32"):
        rewrite([sin(X)], one_rule(sin(x), lambda x: new_input(ArrayType((3, 4), np.dtype("f4")))))


def test_rules_that_undo_each_other_are_stopped_and_named() -> None:
    def swapped(x, y):
        return add(y, x)

    with pytest.warns(PerformanceWarning, match="swapped"):
        (result,) = rewrite([sin(add(X, Y))], one_rule(add(x, y), swapped), fuel=100)
    assert result in (sin(add(X, Y)), sin(add(Y, X)))


def test_a_rule_whose_result_contains_its_formula_is_stopped() -> None:
    with pytest.warns(PerformanceWarning, match="undo"):
        rewrite([sin(X)], one_rule(sin(x), lambda x: cos(sin(x))), fuel=100)


def test_new_nodes_belong_to_the_line_of_what_they_replace() -> None:
    before = log(1 + new_input(ArrayType((3,), F8)))
    before.where = "line 12"  # type: ignore[assignment]
    (after,) = rewrite([before], one_rule(log(1 + x), lambda x: sin(cos(x))))
    assert (after.where, after.args[0].where) == ("line 12", "line 12")


def test_listeners_hear_rule_before_and_after() -> None:
    rules = one_rule(sin(x), lambda x: cos(x))
    heard, also = [], []
    with listening(lambda *event: also.append(event)):
        rewrite([sin(X)], rules, lambda *event: heard.append(event))
    rewrite([sin(Y)], rules)
    assert heard == also == [(rules.all[0], sin(X), cos(X))]


def test_a_rule_knows_its_name_reason_and_line() -> None:
    rules = Rules("noun")

    @rules(sin(x))
    def result(x):
        """Because."""
        return cos(x)

    assert repr(result) == "noun.result" and result.reason == "Because."
    assert result.filename == __file__ and result.line > 0


def test_rewriting_is_linear_and_does_not_recurse() -> None:
    node = X
    for _ in range(20_000):
        node = negative(negative(node))
    fired = []
    (result,) = rewrite([node], one_rule(negative(negative(x)), lambda x: x), lambda *event: fired.append(event))
    assert result is X and len(fired) == 1  # -(-x) is one node, however often it is written


def test_scalar_value_is_seen_through_repetition() -> None:
    assert scalar_value(reshape(broadcast(constant(2.5), (2, 3)), (6,))) == 2.5
    assert scalar_value(X) is None and scalar_value(constant([1.0, 1.0])) is None


# --- the verifier ----------------------------------------------------------------------------------------------------


def test_a_good_graph_is_returned() -> None:
    graph = Graph((X, Y), (add(X, Y), X), ((0, 1),))
    assert verify(graph) is graph


def _broken(op=sin, args=(X,), attrs=(), type_=X.type) -> Node:
    """A node that was never inferred."""
    node = Node.__new__(Node)
    node.op, node.args, node.attrs, node.type, node.where = op, args, attrs, type_, None
    return node


@pytest.mark.parametrize(
    ("graph", "problem"),
    [
        (Graph((X,), (_broken(type_=ArrayType((3, 5), F8)),)), "infers"),
        (Graph((X,), (_broken(add, (X, reduce_add(X, (0,)))),)), "shapes"),
        (Graph((X,), (_broken(attrs=(1,)),)), "attributes"),
        (Graph((X,), (_broken(type_=ArrayType((3, 4), np.dtype("f16"))),)), "dtype"),
        (Graph((X,), (_broken(type_=ArrayType((3, -4), F8)),)), "size"),
        (Graph((X,), (_broken(reduce_add, attrs=([0],)),)), "hashable"),
        (Graph((X,), (add(X, Y),)), "does not list"),
        (Graph((X, X), (X,)), "twice"),
        (Graph((sin(X),), (X,)), "no leaf"),
        (Graph((X,), (sin(X),), ((1, 0),)), "alias"),
        (Graph((X,), (reduce_add(X, (0,)),), ((0, 0),)), "another type"),
        (Graph((X, Y), (sin(X),), ((0, 0), (0, 1))), "twice"),
    ],
)
def test_a_broken_graph_is_named(graph: Graph, problem: str) -> None:
    with pytest.raises(VerifyError, match=problem):
        verify(graph)


# --- text ------------------------------------------------------------------------------------------------------------


def test_a_graph_is_shown_line_by_line() -> None:
    graph = Graph((X,), (reduce_add(exp(X * 2.0), (1,)),), ((0, 0),))
    lines = show_graph(graph).splitlines()
    assert [line.split(" = ")[1].split("  ")[0] for line in lines[1:5]] == [
        "broadcast(2.0, out_shape=(3, 4))", "multiply(%0, %1)", "exp(%2)", "add.reduce(%3, axes=(1,))"]  # fmt: skip
    assert lines[4].endswith("float64[3]") and lines[5] == "return %4" and lines[6] == "output 0 is written into %0"


def test_a_node_is_shown_as_a_formula() -> None:
    assert show_node(log(1 + X)).startswith("log(add(1.0, input")


def test_sizes_are_shown_as_formulas() -> None:
    n = numbered_dim(0)
    assert size_text((n - 1) * 2) == "((n0 - 1) * 2)"
    z = make_node(new_input(ArrayType((n,), F8)).op, (), (("argument", 0), ArrayType((n,), F8)))
    assert "float64[n0]" in show_graph(Graph((z,), (sin(z),)))


def test_dot_has_every_node_and_edge() -> None:
    text = dot(Graph((X, Y), (add(X, Y),)))
    assert text.count("->") == 3 and text.startswith("digraph") and text.endswith("}")
