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
