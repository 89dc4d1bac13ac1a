"""Errors that depend on values come where the program would catch them; elsewhere they come when the work runs."""

import contextlib
import dis
import inspect
import types

import numpy
import pytest

import lazynp as np
from lazynp import handlers

SINGULAR, NEGATIVE = numpy.zeros((3, 3)), -numpy.eye(3)
FAILING = {
    "cholesky": lambda: np.linalg.cholesky(np.array(NEGATIVE)), "upper": lambda: np.linalg.cholesky(np.array(NEGATIVE), upper=True),
    "inv": lambda: np.linalg.inv(np.array(SINGULAR)), "solve": lambda: np.linalg.solve(np.array(SINGULAR), np.ones(3)),
    "power": lambda: np.linalg.matrix_power(np.array(SINGULAR), -1), "eig": lambda: np.linalg.eig(np.array(SINGULAR) / 0),
}  # fmt: skip


@pytest.mark.parametrize("name", FAILING)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_caught_in_place(all_lazy, name):
    try:
        FAILING[name]()
    except numpy.linalg.LinAlgError:
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
