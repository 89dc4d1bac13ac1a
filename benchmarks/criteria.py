"""Compiled loops against hand-written C, and what `checkpoint` costs and saves.

python benchmarks/criteria.py [--threads 2] [--repeat 9] [--json FILE]

recurrence    1e6 scalar steps, against the same loop in C (gcc -O3 -march=native), where a step is one fused instruction, and against C
              that rounds the product as NumPy does: two instructions that wait for each other
stencil       1,000 steps over 512 x 512, against C with OpenMP on the same number of threads
checkpoint    the gradient of a recurrence of 10,000 steps over 1,000 numbers, with and without: time and bytes
trip count    first calls of one function whose loop has a hundred and a million turns

Times are the least of several, taken in turns.
"""

import argparse
import ctypes
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT)]

import lazynp  # noqa: E402
from benchmarks.run import machine, restart_pinned  # noqa: E402
from lazynp import grad, jit  # noqa: E402
from lazynp.runtime import evaluate  # noqa: E402
from lazynp.scan import fori_loop  # noqa: E402

Clock = Callable[[], float]
SOURCE = """
void recurrence(const double *x, double *y, long n) {
    y[0] = x[0];
    for (long i = 1; i < n; i++) y[i] = 0.9 * y[i - 1] + 0.5 * x[i];
}
__attribute__((optimize("fp-contract=off"))) void rounded(const double *x, double *y, long n) {
    y[0] = x[0];
    for (long i = 1; i < n; i++) y[i] = 0.9 * y[i - 1] + 0.5 * x[i];
}
void stencil(double *u, double *v, long n, long steps) {
    for (long t = 0; t < steps; t++) {
        #pragma omp parallel for schedule(static)
        for (long i = 1; i < n - 1; i++)
            for (long j = 1; j < n - 1; j++)
                v[i * n + j] = 0.25 * (u[(i - 1) * n + j] + u[(i + 1) * n + j] + u[i * n + j - 1] + u[i * n + j + 1]);
        double *old = u; u = v; v = old;
    }
}
"""


def compiled_c() -> Any:
    """The functions of SOURCE. Raises OSError where there is no gcc."""
    folder = tempfile.mkdtemp()
    source, library = Path(folder) / "loops.c", Path(folder) / "loops.so"
    source.write_text(SOURCE)
    flags = ["-O3", "-march=native", "-fopenmp", "-shared", "-fPIC"]
    subprocess.run(["gcc", *flags, str(source), "-o", str(library)], check=True, capture_output=True)
    return ctypes.CDLL(str(library))


def pointer(a: np.ndarray) -> Any:
    return ctypes.c_void_p(a.ctypes.data)


@jit
def recurrence(x):
    y = np.empty_like(x)
    y[0] = x[0]
    for i in range(1, len(x)):
        y[i] = 0.9 * y[i - 1] + 0.5 * x[i]
    return y


@jit
def stencil(u, steps):
    v = u.copy()
    for _ in range(steps):
        v[1:-1, 1:-1] = 0.25 * (u[:-2, 1:-1] + u[2:, 1:-1] + u[1:-1, :-2] + u[1:-1, 2:])
        u, v = v, u
    return u


def gradient(steps: int, checkpointed: bool) -> Callable[[np.ndarray], np.ndarray]:
    def loss(x):
        return fori_loop(0, steps, lambda i, s: np.sin(s) * 0.5 + x, x * 0.0, checkpoint=checkpointed).sum()

    return jit(grad(loss), strict=True)


def least(calls: dict[str, Callable[[], Any]], repeat: int, clock: Clock = time.perf_counter) -> dict[str, float]:
    """Seconds of each call, in turns; the first round is not counted."""
    found: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(repeat + 1):
        for name, call in calls.items():
            start = clock()
            call()
            found[name].append(clock() - start)
    return {name: min(times[1:]) for name, times in found.items()}


def recurrence_against_c(c: Any, n: int, repeat: int, clock: Clock = time.perf_counter) -> dict[str, float]:
    x, y = np.random.default_rng(0).uniform(size=n), np.empty(n)
    c.recurrence(pointer(x), pointer(y), ctypes.c_long(n))
    np.testing.assert_allclose(recurrence(x), y, rtol=1e-12)
    c.rounded(pointer(x), pointer(y), ctypes.c_long(n))
    np.testing.assert_array_equal(recurrence(x), y)
    calls: dict[str, Callable[[], Any]] = {
        "lazynp": lambda: recurrence(x),
        "c": lambda: c.recurrence(pointer(x), pointer(y), ctypes.c_long(n)),
        "c rounded": lambda: c.rounded(pointer(x), pointer(y), ctypes.c_long(n)),
    }
    return least(calls, repeat, clock)


def stencil_against_c(c: Any, n: int, steps: int, repeat: int, clock: Clock = time.perf_counter) -> dict[str, float]:
    u = np.random.default_rng(0).uniform(size=(n, n))

    def by_hand() -> np.ndarray:
        a, b = u.copy(), u.copy()
        c.stencil(pointer(a), pointer(b), ctypes.c_long(n), ctypes.c_long(steps))
        return b if steps % 2 else a

    np.testing.assert_allclose(stencil(u.copy(), steps), by_hand(), rtol=1e-12)
    return least({"lazynp": lambda: stencil(u.copy(), steps), "c": by_hand}, repeat, clock)


def checkpointed(steps: int, width: int, repeat: int, clock: Clock = time.perf_counter) -> dict[str, float]:
    """Seconds and bytes of the gradient, with and without."""
    x = np.linspace(0.1, 1.0, width)
    calls = {"plain": gradient(steps, False), "checkpoint": gradient(steps, True)}
    np.testing.assert_allclose(calls["plain"](x), calls["checkpoint"](x), rtol=1e-12)
    seconds = least({name: (lambda call=call: call(x)) for name, call in calls.items()}, repeat, clock)
    return seconds | {f"{name} bytes": calls[name].memory_plan(x).peak for name in calls}


def first_calls() -> dict[str, float]:
    """Seconds of processors, the compiler's too, until a fresh function's first result is there, less what its second call takes."""

    def made() -> Callable[[Any, int], Any]:
        def turns(x, n):
            for i in range(n):
                x[i % 10] = np.sin(x[(i + 3) % 10]) + i
            return x

        return jit(turns, strict=True)

    found = {}
    for n in (100, 1_000_000):
        f, times = made(), []
        evaluate.clear_memory_cache()
        with tempfile.TemporaryDirectory() as folder, lazynp.config(cache_dir=folder):
            for _ in range(2):
                start = sum(os.times()[:4])
                f(np.ones(10), n)
                times.append(sum(os.times()[:4]) - start)
        found[str(n)] = times[0] - times[1]
    return found


def main(arguments: list[str] | None = None) -> int:
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = argparse.ArgumentParser(
        prog="benchmarks/criteria.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=9)
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args(arguments)
    restart_pinned(options.threads, arguments, __file__)
    c = compiled_c()
    results = {
        "recurrence": recurrence_against_c(c, 1_000_000, options.repeat),
        "stencil": stencil_against_c(c, 512, 1000, options.repeat),
        "checkpoint": checkpointed(10_000, 1000, max(options.repeat // 3, 1)),
        "trip count": first_calls(),
    }
    for name in ("recurrence", "stencil"):
        row = results[name]
        print(f"{name:12}lazynp {1e3 * row['lazynp']:8.3f} ms, C {1e3 * row['c']:8.3f} ms: {row['lazynp'] / row['c']:.2f}x the time")
        if "c rounded" in row:
            print(f"{'':12}C that rounds as NumPy {1e3 * row['c rounded']:8.3f} ms: {row['lazynp'] / row['c rounded']:.2f}x the time")
    row = results["checkpoint"]
    time_ratio, memory_ratio = row["checkpoint"] / row["plain"], row["checkpoint bytes"] / row["plain bytes"]
    print(f"{'checkpoint':12}{time_ratio:.2f}x the time, {memory_ratio:.3f}x the memory ({row['checkpoint bytes'] / 1e6:.1f} MB)")
    print(f"{'trip count':12}" + ", ".join([f"{n} turns {1e3 * t:.0f} ms to compile" for n, t in results["trip count"].items()]))
    if options.json:
        Path(options.json).write_text(json.dumps({"machine": machine(), "threads": options.threads, "results": results}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
