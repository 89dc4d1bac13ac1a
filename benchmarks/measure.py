"""Checking and timing. All competitors of a case are timed in turns in one process, so that a disturbance hits all of them."""

import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.cases import Case
from benchmarks.peers import Call, Peer, Unable, numpy_peer

TOLERANCE = 1e-9
"""Of the largest magnitude: double precision, other orders of summation."""
TOLERANCES = {"float64": TOLERANCE, "float32": 2e-3}
"""In single precision C and Numba add a million numbers one after the other."""
Clock = Callable[[], float]


def flat(result: Any) -> list[np.ndarray]:
    """The arrays of a nested tuple."""
    if isinstance(result, (tuple, list)):
        return [array for part in result for array in flat(part)]
    return [np.asarray(result)]


def difference(result: Any, expected: Any) -> float:
    """The largest distance between two results, relative to the largest magnitude. Raises AssertionError when shapes or NaNs differ."""
    worst = 0.0
    for a, b in zip(flat(result), flat(expected), strict=True):
        assert a.shape == b.shape, f"shape {a.shape}, NumPy has {b.shape}"
        assert np.array_equal(np.isnan(a), np.isnan(b)), "NaNs in other places than NumPy"
        scale = float(np.max(np.abs(b), initial=0.0)) or 1.0
        worst = max(worst, float(np.max(np.abs(a - b), initial=0.0)) / scale)
    return worst


def seconds(call: Call, number: int, clock: Clock = time.perf_counter) -> float:
    """Of one call, by `number` calls in a row."""
    start = clock()
    for _ in range(number):
        call()
    return (clock() - start) / number


def calibrated(call: Call, budget: float, clock: Clock = time.perf_counter) -> int:
    """How many calls fill the budget (s). The warm-up: it runs at least twice as long as one measurement. The shorter of two runs counts:
    one that a neighbour has interrupted looks as if a single call were enough, and single calls find cold caches."""
    number = 1
    while True:
        spent = min(seconds(call, number, clock) for _ in range(2)) * number
        if spent >= budget:
            return number
        number = max(number * 2, min(int(number * budget / max(spent, 1e-9)) + 1, number * 100))


def copy_call(count: int) -> Call:
    """Moves `count` bytes: half of them read, half written."""
    source = np.ones(max(count // 16, 1))
    target = np.empty_like(source)
    return lambda: np.copyto(target, source)


def in_precision(args: tuple[Any, ...], dtype: str) -> tuple[Any, ...]:
    """The arguments with float64 and complex128 arrays in another precision."""
    if dtype == "float64":
        return args
    other = {np.dtype(np.float64): np.dtype(dtype), np.dtype(np.complex128): np.result_type(dtype, np.complex64)}
    return tuple([a.astype(other.get(a.dtype, a.dtype)) if isinstance(a, np.ndarray) else a for a in args])


def measure(
    case: Case,
    n: int,
    peers: dict[str, Peer],
    repeat: int,
    budget: float,
    report: Callable[[str], None],
    dtype: str = "float64",
    clock: Clock = time.perf_counter,
) -> dict[str, Any]:
    """One case at one size: {"case", "n", "peers": {name: {"median", "ratio", "first_call", "difference", ...} or {"failed": reason}}}."""
    args = in_precision(case.arguments(np.random.default_rng(0), n), dtype)
    expected = numpy_peer(case, args)()
    calls: dict[str, Call] = {}
    rows: dict[str, dict[str, Any]] = {}
    for name, peer in peers.items():
        try:
            calls[name], rows[name] = checked(peer, case, args, expected, TOLERANCES[dtype])
        except Unable as reason:
            rows[name] = {"failed": str(reason)}
        except Exception as error:  # a peer's own failure is a result, printed in the table
            rows[name] = {"failed": f"{type(error).__name__}: {(str(error).splitlines() or [''])[0][:200]}"}
            report(f"{case.name} n={n}: {name} failed: {rows[name]['failed']}")
    moved = None
    if case.passes is not None:
        moved = case.passes * sum([a.nbytes for a in (*flat(args), *flat(expected)) if a.ndim])
        calls["copy"] = copy_call(moved)
    times = timed(calls, repeat, budget, clock)
    for name, samples in times.items():
        if name != "copy":
            rows[name] |= summary(samples, times["numpy"])
            if moved is not None:
                rows[name]["copy_share"] = statistics.median(times["copy"]) / rows[name]["median"]
            if "lazynp.jit" in times:
                rows[name]["lazynp_ahead"] = ahead(samples, times["lazynp.jit"])
    return {"case": case.name, "formula": case.formula, "n": n, "dtype": dtype, "bytes": moved, "peers": rows}


def checked(peer: Peer, case: Case, args: tuple[Any, ...], expected: Any, tolerance: float = TOLERANCE) -> tuple[Call, dict[str, Any]]:
    """The peer's call after its first run, which is timed with its compilation and compared with NumPy. Raises ArithmeticError."""
    start = time.perf_counter()
    call = peer(case, args)
    result = call()
    first = time.perf_counter() - start
    distance = difference(result, expected)
    if distance > tolerance:
        raise ArithmeticError(f"the result differs from NumPy's by {distance:.1e} of its largest magnitude")
    return call, {"first_call": first, "difference": distance, "compared": True}


def timed(calls: dict[str, Call], repeat: int, budget: float, clock: Clock = time.perf_counter) -> dict[str, list[float]]:
    """Seconds per call: `repeat` samples of each, in turns, each of about `budget` seconds."""
    numbers = {name: calibrated(call, budget, clock) for name, call in calls.items()}
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(repeat):
        for name, call in calls.items():
            times[name].append(seconds(call, numbers[name], clock))
    return times


def summary(samples: list[float], numpy_samples: list[float]) -> dict[str, Any]:
    """ratio: times faster than NumPy, by turns, so that slow and fast periods of the machine cancel."""
    return {
        "median": statistics.median(samples),
        "best": min(samples),
        "ratio": ahead(numpy_samples, samples),
        "samples": len(samples),
    }


def ahead(theirs: list[float], ours: list[float]) -> float:
    """How many times their time is ours: the median over turns."""
    return statistics.median([a / b for a, b in zip(theirs, ours, strict=True)])
