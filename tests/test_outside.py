"""What a function under jit does besides computing: draws are recorded; what reads clocks, writes files or warns runs at every call."""

import array
import datetime
import logging
import random
import sys
import time
import warnings

import numpy as np
import pytest
import scipy.stats

import lazynp


class Layer:
    """Draws from a generator that is an attribute."""

    def __init__(self):
        self.generator = np.random.default_rng(5)

    def dropped(self, x):
        return x * (self.generator.random(x.shape) < 0.5)


def by_method(x, generator):
    return x * generator.normal(size=x.shape)


def by_loop(x, generator):
    for i in range(x.shape[0]):
        x[i] = x[i] * generator.random() + generator.uniform(0, 1)
    return x


def shuffled(x, generator):
    generator.shuffle(x)
    return x


def globally(x, generator):
    return x + np.random.randn(5) + np.random.randint(9)


@pytest.mark.parametrize("function", [by_method, by_loop, shuffled, globally])
@pytest.mark.parametrize("make", [np.random.default_rng, np.random.RandomState])
def test_draws_of_numpys_own_generators(function, make):
    """They were drawn once, while tracing. The stream goes on between the calls and after them."""
    answers = []
    for call in (function, lazynp.jit(function, strict=True)):
        np.random.seed(3)
        generator = make(3)
        with lazynp.config(unroll_nodes=20):
            answers.append([(call(np.arange(1.0, 6.0), generator), generator.random(2), np.random.rand()) for _ in range(3)])
    for expected, actual in zip(*answers, strict=True):
        for e, a in zip(expected, actual, strict=True):
            np.testing.assert_allclose(a, e, rtol=1e-15)


def test_a_generator_of_numpys_as_attribute():
    plain, layer = Layer(), Layer()
    compiled = lazynp.jit(lambda x: layer.dropped(x), strict=True)
    for _ in range(3):
        assert compiled(np.ones(9)).tolist() == plain.dropped(np.ones(9)).tolist()


def test_a_new_generator_of_numpys_at_an_old_address():
    """States were kept by the identity of generators, which may be gone."""
    function = lazynp.jit(by_method, strict=True)
    for seed in range(6):
        expected = np.random.default_rng(seed).normal(size=3)
        assert function(np.ones(3), np.random.default_rng(seed)).tolist() == expected.tolist()


def by_python(x):
    return x * random.gauss(0, 1)


def by_python_in_a_loop(x):
    for i in range(x.shape[0]):
        x[i] = x[i] * random.random() + random.uniform(0, 1)
    return x


def by_scipy(x):
    return x + scipy.stats.norm.rvs(size=5)


def unseeded(x):
    return x + np.random.default_rng().random() + np.random.RandomState().rand()


@pytest.mark.parametrize("function", [by_python, by_python_in_a_loop, by_scipy])
def test_draws_that_no_trace_sees(function):
    answers = []
    for call in (function, lazynp.jit(function)):
        random.seed(4)
        np.random.seed(4)
        with warnings.catch_warnings(), lazynp.config(unroll_nodes=20):
            warnings.simplefilter("ignore", lazynp.PerformanceWarning)
            answers.append([(call(np.arange(1.0, 6.0)).tolist(), random.random(), np.random.rand()) for _ in range(3)])
    assert answers[0] == answers[1]


def by_clock(x):
    return x + time.perf_counter_ns()


def by_date(x):
    return x + datetime.datetime.now().timestamp()


@pytest.mark.parametrize("function", [unseeded, by_clock, by_date])
def test_what_differs_from_call_to_call(function):
    compiled = lazynp.jit(function)
    with pytest.warns(lazynp.PerformanceWarning, match="uncompiled"):
        first = compiled(np.zeros(1))
    time.sleep(1e-3)
    assert compiled(np.zeros(1)) != first


def writing(x):
    sys.stdout.write("written\n")
    return x + 1


def logging_(x):
    logging.getLogger("outside").warning("logged")
    return x + 1


def warning(x):
    warnings.warn("told", stacklevel=2)
    return x + 1


def test_what_is_done_at_every_call(capsys, caplog):
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        for function in (writing, logging_, warning):
            compiled = lazynp.jit(function)
            for _ in range(3):
                assert compiled(np.zeros(2)).tolist() == [1, 1]
    assert capsys.readouterr().out == 3 * "written\n"
    assert [record.message for record in caplog.records] == 3 * ["logged"]
    assert [str(one.message) for one in told].count("told") == 3


def test_an_argument_that_calls_use_up():
    @lazynp.jit
    def function(x, numbers):
        return x + next(numbers)

    numbers = iter(range(9))
    with pytest.warns(lazynp.PerformanceWarning, match="uses up"):
        assert [function(np.zeros(1), numbers).tolist() for _ in range(3)] == [[0], [1], [2]]


_memory = bytearray(32)
_large = bytearray(1 << 14)
_numbers = array.array("d", [1, 2, 3])


def over_memory(x):
    total = np.ndarray((4,), buffer=_memory)
    total += x
    return total.sum()


def over_large_memory(x):
    return np.frombuffer(_large)[:4].sum() + x


def from_memory(x):
    total = np.frombuffer(_memory)
    total[1:] += 1
    return total.sum() + x


def from_an_array(x):
    return np.asarray(_numbers).sum() + x


@pytest.mark.parametrize("function", [over_memory, over_large_memory, from_memory, from_an_array])
def test_memory_of_others_is_read_at_every_call(function):
    """What lay there while the function was traced was taken for constant, and what it wrote there stayed in the trace."""
    answers = []
    for call in (function, lazynp.jit(function)):
        _memory[:], _large[:32], _numbers[0] = bytes(32), bytes(32), 1
        found = []
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", lazynp.PerformanceWarning)
            for k in range(3):
                found.append((float(call(np.float64(2))), bytes(_memory)))
                _memory[6:8], _large[6:8], _numbers[0] = bytes([240, 63 + k]), bytes([240, 63 + k]), k
        answers.append(found)
    assert answers[0] == answers[1]


def test_files_are_read_and_written_at_every_call(tmp_path):
    def loaded(x):
        return np.loadtxt(tmp_path / "in.txt") + x

    def saved(x):
        np.save(tmp_path / "out.npy", np.arange(3))
        np.arange(3).tofile(tmp_path / "out.raw")
        return x

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", lazynp.PerformanceWarning)
        read, write = lazynp.jit(loaded), lazynp.jit(saved)
        for k in range(3):
            (tmp_path / "in.txt").write_text(f"{k}")
            assert read(np.ones(1)).tolist() == [k + 1]
            write(np.ones(1))
            (tmp_path / "out.npy").unlink()
            (tmp_path / "out.raw").unlink()
