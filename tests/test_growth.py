"""Long programs: no recursion, work that grows linearly, memory that does not grow, forks and threads."""

import gc
import os
import resource
import signal
import subprocess
import sys
import threading
import time

import numpy
import pytest

import lazynp
import lazynp as np
from lazynp.ir.node import _number, _table, toposort
from lazynp.runtime import evaluate

CHAIN = 20_000
WRITES = 5_000


def chain(x, length):
    """`length` elementwise operations, none of which simplifies away."""
    for _ in range(length // 2):
        x = np.sin(x)
        x = x + 1.25
    return x


def numpy_chain(x, length):
    for _ in range(length // 2):
        x = numpy.sin(x) + 1.25
    return x


def write_slices(count):
    a = np.zeros(count + 3)
    for i in range(count):
        a[i : i + 3] += i % 7
    return a


def numpy_slices(count):
    a = numpy.zeros(count + 3)
    for i in range(count):
        a[i : i + 3] += i % 7
    return a


# --- long chains --------------------------------------------------------------------------------------------------------


def test_a_chain_of_20000_operations_in_lazy_mode(all_lazy):
    assert sys.getrecursionlimit() <= 1000
    x = numpy.linspace(0, 1, 50)
    numpy.testing.assert_allclose(numpy.asarray(chain(np.array(x), CHAIN)), numpy_chain(x, CHAIN), rtol=1e-9)


def test_a_chain_of_20000_operations_through_the_interpreter():
    x = numpy.linspace(0, 1, 50)
    with lazynp.config(backend="reference"):
        y = lazynp.jit(lambda x: chain(x, CHAIN), strict=True)(x)
    numpy.testing.assert_allclose(y, numpy_chain(x, CHAIN), rtol=1e-9)


def test_a_chain_of_20000_operations_under_jit():
    assert sys.getrecursionlimit() <= 1000
    x = numpy.linspace(0, 1, 50)
    f = lazynp.jit(lambda x: chain(x, CHAIN), strict=True)
    numpy.testing.assert_allclose(f(x), numpy_chain(x, CHAIN), rtol=1e-9)


def test_a_dying_chain_leaves_no_nodes_behind():
    with lazynp.config(pending_nodes=10 * CHAIN, lazy_threshold=0):
        gc.collect()
        before = len(_table)
        node = lazynp.lazy(numpy.ones(3))._storage.value()
        for k in range(CHAIN):
            node = node * (k + 0.5)
        assert len(toposort([node])) > CHAIN
        del node
        gc.collect()
        assert len(_table) <= before + 10 + _number.cache_info().maxsize  # the newest constants are kept


def seconds(program, *args):
    """The best of three, each compiled anew."""
    best = float("inf")
    for _ in range(3):
        evaluate.clear_memory_cache()
        start = time.perf_counter()
        numpy.asarray(program(*args))
        best = min(best, time.perf_counter() - start)
    return best


@pytest.mark.slow
def test_time_grows_linearly_with_the_chain():
    """Twice the length, four times the time would be quadratic. The bound has room for a busy machine."""
    x = numpy.linspace(0, 1, 20)

    def program(length):
        with lazynp.config(backend="reference"):
            return lazynp.jit(lambda x: chain(x, length), strict=True)(x)

    program(100)
    assert seconds(program, 8000) < 3.5 * seconds(program, 4000)


# --- gradients ----------------------------------------------------------------------------------------------------------


def layered(layers):
    """The loss of a network of tanh layers of width 32, written out: weights in lists."""
    rng = numpy.random.default_rng(0)
    weights = list(rng.standard_normal((layers, 32, 32)) * 0.2), list(numpy.zeros((layers, 32)))

    def loss(weights, biases, x):
        for w, b in zip(weights, biases, strict=True):
            x = np.tanh(x @ w + b)
        return np.sum(x * x)

    return loss, (*weights, rng.standard_normal((16, 32)))


def tangled(nodes):
    """The loss of a graph of elementwise operations, each of values of the one before."""
    factors = [0.9 + 0.001 * (k % 7) for k in range(nodes // 5)]

    def loss(x):
        y = x * 0.5
        for factor in factors:
            x, y = 0.7 * np.sin(x) + 0.25 * y, x * factor
        return np.sum(x)

    return loss, (numpy.linspace(0, 1, 50),)


def processor_seconds(make, size, wrt):
    """Of the first call of a jitted gradient, the C compiler's included."""
    loss, arguments = make(size)
    evaluate.clear_memory_cache()
    before = sum(os.times()[:4])
    lazynp.jit(lazynp.grad(loss, wrt))(*arguments)
    return sum(os.times()[:4]) - before


LONG = {
    "1000 layers": (layered, 1_000, (0, 1), 20.0),
    "20000 elementwise operations": (tangled, 20_000, 0, 20.0),
}
"""With the processor seconds that optimising and compiling may take: a quiet machine needs half."""


@pytest.mark.slow
@pytest.mark.parametrize("name", LONG)
def test_gradients_of_long_programs_compile_in_linear_time(name, tmp_path):
    make, size, wrt, most = LONG[name]
    assert sys.getrecursionlimit() <= 1000
    with lazynp.config(cache_dir=str(tmp_path)):
        processor_seconds(make, 100, wrt)
        quarter, whole = processor_seconds(make, size // 4, wrt), processor_seconds(make, size, wrt)
    assert whole < 7 * quarter
    assert whole < most


def test_a_long_list_of_calls_is_compiled_in_pieces():
    """gcc takes time that grows with the square of the calls in one function. Values are those of NumPy's."""
    loss, (weights, biases, x) = layered(200)
    jitted = lazynp.jit(lazynp.grad(loss))
    slopes = jitted(weights, biases, x)
    text = jitted.lower(weights, biases, x).ready.program.source
    assert "calls0_1(slots, dims);" in text[text.index("lazynp_run") :]
    hidden = [x]
    for w in weights:
        hidden.append(numpy.tanh(hidden[-1] @ w))
    back = 2 * hidden[-1]
    for k in reversed(range(200)):
        back = back * (1 - hidden[k + 1] ** 2)
        numpy.testing.assert_allclose(slopes[k], hidden[k].T @ back, rtol=1e-8, atol=1e-300)
        back = back @ weights[k].T


# --- many writes --------------------------------------------------------------------------------------------------------


def test_5000_slices_written_in_lazy_mode(all_lazy):
    assert numpy.array_equal(numpy.asarray(write_slices(WRITES)), numpy_slices(WRITES))


@pytest.mark.parametrize("count", [500, pytest.param(WRITES, marks=pytest.mark.slow)])
def test_slices_written_under_jit(count):
    """One unrolled program."""
    with lazynp.config(unroll_writes=10 * WRITES):
        result = lazynp.jit(lambda: write_slices(count), strict=True)()
    assert numpy.array_equal(result, numpy_slices(count))


@pytest.mark.slow
def test_time_grows_linearly_with_the_writes(all_lazy):
    write_slices(10)
    assert seconds(write_slices, 2000) < 3.5 * seconds(write_slices, 1000)


def test_a_loop_of_writes_compiles_a_constant_number_of_programs(all_lazy):
    write_slices(10)
    before = lazynp.stats()["programs"]
    numpy.asarray(write_slices(200))
    first = lazynp.stats()["programs"] - before
    numpy.asarray(write_slices(400))
    assert lazynp.stats()["programs"] - before - first <= first + 2


def diffuse(turns):
    """A Python loop over a large lazy array, with numbers that differ at every turn."""
    u = np.linspace(0.0, 1.0, 70_000) ** 2
    for k in range(turns):
        new = u.copy()
        new[1:-1] = 0.5 * (u[:-2] + u[2:])
        u = new * 0.999 + k * 1e-6
        if k % 100 == 50:
            u /= u.max()
    return u


def test_a_thousand_turns_over_large_arrays_compile_a_handful_of_programs():
    """Whatever compiling waits for: every turn has the key of the one before."""
    evaluate.clear_memory_cache()
    with lazynp.config(compile_after=1):
        before = lazynp.stats()
        numpy.asarray(diffuse(1000))
        after = lazynp.stats()
    assert 1 <= after["programs"] - before["programs"] <= 8
    assert after["program_runs"] - before["program_runs"] >= 900


# --- forks --------------------------------------------------------------------------------------------------------------


FORK = """
import os, sys
import numpy
import lazynp

f = lazynp.jit(lambda x: lazynp.exp(-x) + x * x)
g = lazynp.jit(lambda x: lazynp.sum(lazynp.cos(x)))
x = numpy.linspace(0, 1, 1 << 20)
with lazynp.config(threads=2, parallel_threshold=1000):
    expected, total = f(x), g(x)
    pid = os.fork()
    if pid == 0:
        same = numpy.array_equal(f(x), expected) and g(x) == total
        fresh = float(lazynp.jit(lambda x: lazynp.sum(x + 2))(x))
        os._exit(0 if same and abs(fresh - (x + 2).sum()) < 1e-6 else 3)
    _, status = os.waitpid(pid, 0)
    assert numpy.array_equal(f(x), expected)
    sys.exit(os.waitstatus_to_exitcode(status))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_child_forked_after_a_parallel_kernel_computes_and_ends():
    """In a process of its own: it has one Python thread, and when the child hangs both can be ended."""
    process = subprocess.Popen([sys.executable, "-c", FORK], start_new_session=True)
    try:
        assert process.wait(timeout=60) == 0
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


# --- threads ------------------------------------------------------------------------------------------------------------


def test_eight_threads_call_one_jitted_function():
    f = lazynp.jit(lambda x, y: np.sqrt(x * x + y) - np.sum(y))
    barrier = threading.Barrier(8)
    wrong = []

    def work(k):
        rng = numpy.random.default_rng(k)
        barrier.wait()
        for n in (5, 1000, 5, 70_000, 33, 1000):
            x, y = rng.random((2, n))
            if not numpy.allclose(f(x, y), numpy.sqrt(x * x + y) - numpy.sum(y), rtol=1e-11):
                wrong.append((k, n))

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    assert not wrong


def test_eight_threads_force_lazy_arrays(all_lazy):
    wrong = []

    def work(k):
        for i in range(20):
            x = lazynp.lazy(numpy.arange(50.0) + k)
            y = x * 2 + i
            z = np.sum(y)
            if float(z) != float(numpy.sum((numpy.arange(50.0) + k) * 2 + i)):
                wrong.append((k, i))

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    assert not wrong


# --- memory -------------------------------------------------------------------------------------------------------------


def resident():
    """Bytes of this process that are in memory now."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="memory of this process cannot be read without /proc")
def test_memory_does_not_grow_over_2000_forced_programs(all_lazy):
    data = numpy.random.default_rng(0).random(4000)

    def once():
        x = np.array(data)
        y = np.sin(x) + x[::-1] * 2
        x[1:] = y[:-1]
        return float(np.sum(x * y))

    expected = once()
    for _ in range(100):
        once()
    gc.collect()
    nodes, before = len(_table), resident()
    for _ in range(2000):
        assert once() == expected
    gc.collect()
    assert len(_table) <= nodes + 50
    assert resident() - before < 8 << 20


PEAK = """
import sys
import numpy
import lazynp as np

def status(name):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) << 10 for line in file if line.startswith(name))

{setup}
before = status("VmRSS:")
{program}
print(status("VmHWM:") - before, "bytes more at the peak")
"""

ADVERSARIES = {
    "a chain that nobody reads": (
        "np.config(lazy_threshold=0); x = np.zeros(10)", "for _ in range({turns}): x = x + 1",
        "x[0] == {turns}", 64,
    ),
    "a large chain that nobody reads": ("x = np.zeros(131072)", "for _ in range({turns} // 5): x = x + 1", "x[0] == {turns} // 5", 64),
    "a chain without a loop": (
        "np.config(lazy_threshold=0); x = np.zeros(10); code = compile('x = x + 1\\n' * {turns}, 'long', 'exec')", "exec(code)",
        "x[0] == {turns}", 64 + 96,
    ),
    "megabytes that are dropped": (
        "x, kept = np.zeros(131072), [None]", "for k in range(10_000): kept[0] = x + k", "kept[0][0] == 9_999", 64,
    ),
    "megabytes that are kept": ("x = np.zeros(131072)", "kept = [x + k for k in range(300)]", "kept[7][0] == 7", 300 + 96),
    "megabytes that are kept, of others that are not": (
        "x, kept = np.zeros(131072), []; code = compile('y = x + 1; z = y * y; kept.append(z - 1)\\n' * 200, 'long', 'exec')",
        "exec(code)", "kept[7][0] == 0", 200 + 96,
    ),
}  # fmt: skip
"""name -> what is there before, a program that records work without end, what holds then, and the megabytes that it may need."""


@pytest.mark.parametrize("turns", [5_000, pytest.param(100_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", ADVERSARIES)
@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="the peak of this process's memory cannot be read without /proc")
def test_pending_work_is_bounded_by_nodes_and_by_bytes(name, turns):
    setup, program, holds, megabytes = [part.format(turns=turns) if isinstance(part, str) else part for part in ADVERSARIES[name]]
    text = PEAK.format(setup=f"np.config(pending_bytes={32 << 20})\n" + setup, program=f"{program}\nassert {holds}, x")
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[0]) < megabytes << 20


def test_compiling_leaves_the_garbage_collector_as_it_was():
    before = gc.get_threshold()
    seen = lazynp.jit(lambda x: np.sin(x) + gc.get_threshold()[0])(numpy.zeros(1))
    with pytest.raises(ZeroDivisionError):
        lazynp.jit(lambda x: x + 1 // 0)(numpy.ones(3))
    assert seen[0] > before[0]
    assert gc.get_threshold() == before
    gc.disable()
    try:
        lazynp.jit(lambda x: np.cos(x) + 1)(numpy.ones(3))
        assert not gc.isenabled()
    finally:
        gc.enable()
