"""What compiled loops promise, within bounds that a busy machine keeps: processor time, ratios of calls made in turns.

The figures themselves are those of benchmarks/criteria.py.
"""

import shutil
import time

import pytest

import lazynp
from benchmarks import criteria


@pytest.fixture(scope="module")
def c():
    if shutil.which("gcc") is None:
        pytest.skip("needs gcc")
    return criteria.compiled_c()


@pytest.fixture(autouse=True)
def one_thread(monkeypatch):
    """Processor time of several threads would be added up."""
    with lazynp.config(threads=1):
        yield


def test_a_scalar_recurrence_is_as_fast_as_c(c):
    """1.5 times C's time is the aim; no more time than C that computes the same numbers."""
    row = criteria.recurrence_against_c(c, 1_000_000, 7, time.process_time)
    assert row["lazynp"] < 3 * row["c"], row
    assert row["lazynp"] < 2 * row["c rounded"], row


def test_a_stencil_is_as_fast_as_c(c, monkeypatch):
    """1.2 times the time of C on the same threads is the aim. Both arrays together fit a cache of 1 MB wherever their pages are: of two with
    256 x 256 numbers some of each would push out the other's on some days."""
    row = criteria.stencil_against_c(c, 160, 500, 25, time.process_time)
    assert row["lazynp"] < 2.4 * row["c"], row


def test_checkpoints_bound_memory_and_cost_one_more_pass():
    """A fifth of the memory and 1.6 times the time, of the gradient of 10,000 steps over 1,000 numbers."""
    row = criteria.checkpointed(10_000, 1000, 2, time.process_time)
    assert row["checkpoint bytes"] * 5 < row["plain bytes"], row
    assert row["checkpoint"] < 2.4 * row["plain"], row


def test_compiling_does_not_depend_on_the_number_of_turns():
    row = criteria.first_calls()
    assert row["1000000"] < 3 * row["100"] + 0.3, row
