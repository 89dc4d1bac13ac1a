"""Numbers with which a program only computes stay lazy, so that a loop is one program; all others are NumPy's at once."""

import math
import textwrap

import numpy
import pytest

import lazynp
import lazynp as np
from lazynp import escapes
from lazynp.array import is_pending

COMPUTED_WITH = [
    "y = x / x.sum()",
    "m = x.mean(); y = x - m",
    "m, s = x.mean(), x.std(); y = (x - m) / s",
    "m = n = x.mean(); y = x - m * n",
    "m = x.mean(); n = m; y = x - n",
    "s = 0.0; s += x.sum(); y = x * s",
    "y = x / np.sqrt(x.sum())",
    "y = x * math.sqrt(x.sum())",
    "y = x / max(x.sum(), 1.0)",
    "y = x * (x.sum() if len(x) else 1.0)",
    "y = x * (m := x.sum()) - m",
    "y = x * x.sum().real",
    "y = x if x.sum() > 0 else -x",
    "text = f'{x.sum():.3f}'",
    "x.sum()",
    "m = x.sum(); y = [x * m for k in range(2)]",
]
ESCAPING = [
    "y = [x.sum()]",
    "y = {'sum': x.sum()}",
    "take(x.sum())",
    "m = x.sum(); take(m)",
    "m = x.sum(); y = m * x; take(m)",
    "m = x.sum(); take(key=m)",
    "m = n = x.sum(); y = x * m; take(n)",
    "m = x.sum(); n = m; y = x * m; take(n)",
    "m, n = x.sum(), x.mean(); take(n); y = x * m; take(m)",
    "m, n = pair = x.sum(), x.mean(); y = x * m * n",
    "y = np.sqrt(take(x.sum()))",
    "y = max(x.sum(), 1.0); take(y)",
    "y = table[x.argmax()]",
    "table[0] = x.sum()",
    "table[0] += x.sum() * 2; m = x.sum(); take.value = m",
    "y = (lambda: x.sum())()",
    "m = x.sum(); inner = lambda: m; y = x * m",
    "m = x.sum(); y = (x * m, locals())",
    "m = x.sum(); y = m is None",
    "y = x.sum() or 0.0; take(y)",
    "y = [v for v in (x.sum(),)]",
    "y = type(x.sum())",
    "m = x.sum()",
]


def take(value=None, key=None):
    return 1.0


def kept(code):
    """Of each of the numbers that the last turn of a loop over the code makes: whether it stays lazy."""
    text = "def program(x, table):\n    for turn in range(3):\n" + textwrap.indent(code.replace("; ", "\n"), " " * 8) + "\n"
    name = f"program of {code}"
    escapes.linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    escapes._source.cache_clear()
    names = {"np": np, "math": math, "take": take}
    exec(compile(text, name, "exec"), names)
    with lazynp.config(lazy_threshold=0):
        names["program"](lazynp.lazy(numpy.arange(1.0, 5.0)), [0.0] * 9)
    return [answer for place, answer in escapes._known.values() if place.co_filename == name]


@pytest.mark.parametrize("code", COMPUTED_WITH)
def test_numbers_that_are_only_computed_with_stay(code):
    assert kept(code)
    assert all(kept(code))


@pytest.mark.parametrize("code", ESCAPING)
def test_numbers_that_go_elsewhere_are_numpys(code):
    assert not all(kept(code))


def test_a_loop_that_computes_with_its_sums_is_one_program_a_turn(all_lazy):
    def normalise(v, turns):
        for _ in range(turns):
            v = np.sin(v) + 1.5
            v = v / np.linalg.norm(v)
        return v

    def runs(turns):
        before = lazynp.stats()["program_runs"]
        numpy.asarray(normalise(lazynp.lazy(numpy.arange(6.0)), turns))
        return lazynp.stats()["program_runs"] - before

    normalise(lazynp.lazy(numpy.arange(6.0)), 3)
    assert runs(20) - runs(10) == 10


def test_where_there_is_no_source_numbers_are_numpys(all_lazy):
    names = {"np": np, "x": lazynp.lazy(numpy.arange(4.0)), "is_pending": is_pending}
    exec("for turn in range(3):\n    m = x.sum()\n    pending = is_pending(m)", names)
    assert not names["pending"]
    assert type(names["m"]) is numpy.float64


def test_variables_of_a_module_may_be_read_elsewhere(all_lazy, tmp_path):
    source = "for turn in range(3):\n    m = x.sum()\n    y = x * m\n"
    for name, expected in [("__main__", True), ("library", False)]:
        path = tmp_path / f"{name}.py"
        path.write_text(source)
        exec(compile(source, str(path), "exec"), {"__name__": name, "__file__": str(path), "x": lazynp.lazy(numpy.arange(4.0))})
        assert [answer for code, answer in escapes._known.values() if code.co_filename == str(path)] == [expected]


def test_a_file_that_has_changed_says_nothing(tmp_path):
    path = tmp_path / "program.py"
    path.write_text("def one(x):\n    return x.sum()\n")
    code = compile("def two(x):\n    return x.sum()\n", str(path), "exec").co_consts[0]
    assert escapes._Source(path.read_text()).operation(code, next(i for i, p in places(code) if p == (2, 2, 11, 18))) is None


def places(code):
    return [(2 * k, position) for k, position in enumerate(code.co_positions())]
