"""Errors that depend on values come where the program would catch them; elsewhere they come when the work runs."""

import contextlib
import dis
import inspect
import types
import unittest
import warnings

import numpy
import pytest

import lazynp
import lazynp as np
from lazynp import handlers

SINGULAR, NEGATIVE = numpy.zeros((3, 3)), -numpy.eye(3)
FAILING = {
    "cholesky": lambda: np.linalg.cholesky(np.array(NEGATIVE)), "upper": lambda: np.linalg.cholesky(np.array(NEGATIVE), upper=True),
    "inv": lambda: np.linalg.inv(np.array(SINGULAR)), "solve": lambda: np.linalg.solve(np.array(SINGULAR), np.ones(3)),
    "choose": lambda: np.choose(np.array([0, 5]), [np.ones(2), np.zeros(2)]), "pending index": lambda: np.arange(5)[np.arange(3) * 3],
    "power": lambda: np.linalg.matrix_power(np.array(SINGULAR), -1), "eig": lambda: np.linalg.eig(np.array(SINGULAR) / 0),
}  # fmt: skip


@pytest.mark.parametrize("name", FAILING)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_caught_in_place(all_lazy, name):
    try:
        FAILING[name]()
    except (numpy.linalg.LinAlgError, IndexError, ValueError):
        return
    raise AssertionError("nothing was caught")


def test_caught_by_a_caller_and_by_with(all_lazy):
    def positive(a):
        np.linalg.cholesky(np.array(a))

    def check(a):
        try:
            positive(a)
        except numpy.linalg.LinAlgError:
            return False
        return True

    assert check(numpy.eye(3))
    assert not check(NEGATIVE)
    reached = False
    with contextlib.suppress(numpy.linalg.LinAlgError):
        np.linalg.inv(np.array(SINGULAR))
        reached = True
    assert not reached


def test_without_a_handler_it_is_lazy(all_lazy):
    wrong = np.linalg.inv(np.array(SINGULAR))
    right = np.linalg.inv(np.array(numpy.eye(3)))
    assert wrong.shape == right.shape == (3, 3)
    with pytest.raises(numpy.linalg.LinAlgError):
        str(wrong)
    assert str(right) == str(numpy.eye(3))


def codes(code):
    yield code
    for part in code.co_consts:
        if isinstance(part, types.CodeType):
            yield from codes(part)


def test_ranges_are_those_of_the_interpreter():
    seen = 0
    for code in codes(compile(inspect.getsource(contextlib) + inspect.getsource(inspect), "both", "exec")):
        entries = dis._parse_exception_table(code)
        assert handlers._guarded(code) == tuple((entry.start, entry.end) for entry in entries)
        seen += len(entries)
    assert seen > 100


def test_caught_around_code_that_is_evaluated(all_lazy):
    try:
        eval("invert(singular)", {"invert": np.linalg.inv, "singular": np.array(SINGULAR)})
    except numpy.linalg.LinAlgError:
        return
    raise AssertionError("nothing was caught")


def test_the_order_of_a_copy_is_checked_at_once(all_lazy):
    with pytest.raises(ValueError, match="order must be one of"):
        np.arange(5.0).copy("Z")


@pytest.mark.parametrize("xp", [[0.0, 0.0, 1.0, 1.0], [0.0, 1.0, 2.0, 3.0]], ids=str)
def test_interpolation_between_equal_places_says_nothing(all_lazy, xp):
    found = np.interp(np.linspace(-1, 2, 50), np.array(xp), np.array([1.0, 2.0, 3.0, 4.0]))
    numpy.testing.assert_allclose(numpy.asarray(found), numpy.interp(numpy.linspace(-1, 2, 50), xp, [1.0, 2.0, 3.0, 4.0]))


def test_caught_by_functions_that_call_what_they_are_given(all_lazy):
    case = unittest.TestCase()
    case.assertRaises(numpy.linalg.LinAlgError, np.linalg.inv, np.array(SINGULAR))


def test_warnings_come_where_they_are_collected_or_caught(all_lazy):
    def caught():
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                return 1 / np.zeros(3)
        except RuntimeWarning as warning:
            return str(warning)

    with warnings.catch_warnings(record=True) as collected:
        warnings.simplefilter("always")
        np.log(np.zeros(3))
    assert [str(w.message) for w in collected] == ["divide by zero encountered in log"]
    with pytest.warns(RuntimeWarning, match="invalid value encountered in sqrt"):
        np.sqrt(-np.ones(3))
    assert caught() == "divide by zero encountered in divide"


def test_a_warning_that_was_ignored_where_it_arose_does_not_come_later(all_lazy):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        ignored = np.log(np.zeros(3))
    assert str(ignored) == "[-inf -inf -inf]"


@pytest.mark.filterwarnings("always")
def test_warnings_that_were_ignored_by_their_words_do_not_come_later(all_lazy):
    with collecting():
        warnings.filterwarnings("ignore", "divide by zero")
        partly = np.log(lazynp.lazy(numpy.zeros(4))) * 0
    with collecting(record=True) as told:
        assert str(partly) == "[nan nan nan nan]"
    assert [str(w.message) for w in told] == ["invalid value encountered in multiply"]


collecting = warnings.catch_warnings
"""A name that does not speak of warnings: what it surrounds stays lazy."""


@pytest.mark.filterwarnings("always")
def test_a_block_that_does_not_speak_of_warnings_stays_lazy(all_lazy):
    with collecting(record=True) as told:
        later = np.log(np.zeros(6))
        assert not told
        str(later)
    assert [str(w.message) for w in told] == ["divide by zero encountered in log"]
