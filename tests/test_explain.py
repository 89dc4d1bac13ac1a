"""`explain` and `show`: what they say about a function, for whom reads them."""

import numpy as np
import pytest

from lazynp.debug.explain import explain, show
from lazynp.trace.jit import jit


def shifted(x, y):
    first = x * 1.0
    return first - (-y)


X = np.linspace(0.0, 1.0, 12).reshape(3, 4)
_LINE = shifted.__code__.co_firstlineno


def test_explain_names_rules_formulas_and_lines() -> None:
    explanation = explain(shifted)(X, X)
    rules = {r.rule: r for r in explanation.rewrites}
    assert set(rules) == {"simplify.without_one", "simplify.minus_negative"}
    one = rules["simplify.without_one"]
    assert one.where == f"test_explain.py:{_LINE + 1}" and one.before.startswith("multiply(") and one.count == 1
    text = str(explanation)
    assert "2 rewrites by 2 rules" in text and one.where in text and one.reason in text and "kernels" in text


def test_explain_takes_a_jitted_function_and_leaves_its_arguments_alone() -> None:
    @jit
    def write(x):
        x[0] = 5.0

    before = X.copy()
    assert explain(write)(before).uncaptured == ""
    np.testing.assert_array_equal(before, X)


def test_explain_shows_kernels_and_what_they_move() -> None:
    def scaled(x):
        return (x * 2) @ x.T + 1

    x = np.ones((100, 50))
    explanation = explain(scaled)(x)
    doubled, product, shifted = explanation.traffic.kernels
    assert (doubled.loops, doubled.read, doubled.written) == ("5000", x.nbytes, x.nbytes)
    assert (product.read, product.written) == (2 * x.nbytes, 80_000) and shifted.read == shifted.written == 80_000
    assert doubled.where == product.where == f"test_explain.py:{scaled.__code__.co_firstlineno + 1}"
    assert doubled.apart == product.apart == "a call of a library" and shifted.apart == ""
    assert explanation.traffic.moved == 4 * x.nbytes + 3 * 80_000 and explanation.traffic.least == x.nbytes + 80_000
    text = str(explanation)
    assert "400 kB moved, 120 kB at least" in text and "not one with the next: a call of a library" in text


def test_explain_says_why_neighbours_are_two_kernels() -> None:
    def smoothed(x):
        y = np.sqrt(x) + 1
        return y[1:] + y[:-1]

    x = np.ones(5000)
    first, second = explain(smoothed)(x).traffic.kernels
    assert first.apart == "their loops differ: 5000 and 4999" and second.read == x.nbytes


def test_explain_counts_the_turns_of_loops() -> None:
    def repeated(x):
        for _ in range(30):
            x[1:-1] = 0.5 * (x[2:] + x[:-2])
        return x

    traffic = explain(repeated)(np.ones(300)).traffic
    assert {k.turns for k in traffic.kernels} == {30}
    assert traffic.moved == 30 * sum(k.read + k.written for k in traffic.kernels) > traffic.least


@pytest.mark.filterwarnings("ignore::lazynp.errors.PerformanceWarning")
def test_explain_says_why_a_function_is_not_one_program() -> None:
    def branching(x):
        return x.tolist() if x[0, 0] > 0 else x - 1

    explanation = explain(branching)(X)
    assert explanation.uncaptured and "not one program" in str(explanation)


def test_show_prints_each_stage() -> None:
    graph, optimized = show(shifted, X, X, stage="graph"), show(shifted, X, X)
    assert "multiply" in graph and f"test_explain.py:{_LINE + 2}" in graph
    assert "multiply" not in optimized and "add(" in optimized
    assert "run(" in show(shifted, X, X, stage="c")
    assert show(shifted, X, X, stage="loops")


def test_show_refuses_an_unknown_stage() -> None:
    with pytest.raises(ValueError, match="graph.*optimized.*loops.*c"):
        show(shifted, X, X, stage="ptx")


def test_products_with_a_matrix_and_its_transpose_each_walk_along_its_rows() -> None:
    def both(a, x, y):
        x += a @ x
        y += y @ a

    a = np.ones((400, 400))
    folding = [k for k in explain(both)(a, a[0].copy(), a[0].copy()).traffic.kernels if k.loops == "400 x 400"]
    assert [k.read // a.nbytes for k in folding] == [1, 1]
