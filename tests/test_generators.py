"""sum, any, all, min and max of generator expressions are loops in compiled functions, of any number of turns."""

import numpy as np
import pytest

import lazynp

LIMIT = 0.5

PROGRAMS = {
    "sum": lambda x: sum(v * v for v in x),
    "sum_of_neighbours": lambda x: sum(x[i] * x[i + 1] for i in range(len(x) - 1)),
    "sum_where": lambda x: sum(v for v in x if v > LIMIT),
    "sum_where_never": lambda x: sum(v for v in x if v > 99),
    "sum_where_both": lambda x: sum(v for v in x if v > 0 if v < 1),
    "count": lambda x: sum(1 for v in x if v > 0),
    "sum_of_truths": lambda x: sum(v > 0 for v in x),
    "sum_of_pairs": lambda x: sum(a * b for a, b in zip(x, x[::-1], strict=True)),
    "sum_by_place": lambda x: sum(i * v for i, v in enumerate(x)),
    "sum_of_integers": lambda x: sum(i * i for i in range(len(x))) * x[1],
    "any": lambda x: any(v > 1.5 for v in x),
    "any_never": lambda x: any(v > 99 for v in x),
    "any_where": lambda x: any(v < 0 for v in x if v > LIMIT),
    "all": lambda x: all(v < 9 for v in x),
    "all_not": lambda x: all(v < 1 for v in x),
    "all_where": lambda x: all(v > 0 for v in x if v > LIMIT),
    "max": lambda x: max(abs(v) for v in x),
    "min": lambda x: min(x[i] - i for i in range(len(x))),
    "max_of_pairs": lambda x: max(a + b for a, b in zip(x, x[1:], strict=False)),
    "of_rows": lambda x: max(row.sum() for row in x.reshape(10, -1)),
    "nested": lambda x: sum(sum(v for v in row) * i for i, row in enumerate(x.reshape(10, -1))),
    "array_max": lambda x: max(x),
    "array_min": lambda x: min(x) + max(x[3:]) + max(x[0], x[1]),
    "array_sum": lambda x: sum(x),
    "array_any": lambda x: (any(x > 1), all(x > -9)),
    "row_sum": lambda x: sum(x.reshape(10, -1)),
    "two_loops": lambda x: sum(v for row in x.reshape(10, -1) for v in row),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_generator_expressions_compile(name):
    f = PROGRAMS[name]
    compiled = lazynp.jit(f, strict=True)
    for x in (np.sin(np.arange(100.0)), -np.cos(np.arange(100.0)), np.full(100, np.nan)):
        got, want = compiled(x.copy()), f(x.copy())
        assert repr(got) == repr(want)


def test_a_name_that_is_not_pythons_is_called():
    def sum(values):
        return [value + 1 for value in values]

    assert lazynp.jit(lambda x: sum(i for i in range(3)))(np.ones(2)) == [1, 2, 3]


def test_empty_arrays_have_pythons_answers():
    empty = np.zeros(0)
    assert lazynp.jit(lambda x: (sum(v for v in x), any(v for v in x), all(v for v in x)))(empty) == (0, False, True)
    with pytest.raises(ValueError, match="empty"):
        lazynp.jit(lambda x: max(v for v in x))(empty)


def test_what_is_written_out_has_a_budget():
    f = lazynp.jit(lambda x: sum(v for row in x for v in row), strict=True)
    with pytest.raises(lazynp.CaptureError, match="too long to be written out"):
        f(np.ones((300, 300)))
