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


def seconds(call: Call, number: int) -> float:
    """Of one call, by `number` calls in a row."""
    start = time.perf_counter()
    for _ in range(number):
        call()
    return (time.perf_counter() - start) / number


def calibrated(call: Call, budget: float) -> int:
    """How many calls fill the budget (s). The warm-up: it runs at least twice as long as one measurement."""
    number = 1
    while True:
        spent = seconds(call, number) * number
        if spent >= budget:
            seconds(call, number)
            return number
        number = max(number * 2, min(int(number * budget / max(spent, 1e-9)) + 1, number * 100))


def copy_call(count: int) -> Call:
    """Moves `count` bytes: half of them read, half written."""
    source = np.ones(max(count // 16, 1))
    target = np.empty_like(source)
    return lambda: np.copyto(target, source)


def measure(case: Case, n: int, peers: dict[str, Peer], repeat: int, budget: float, report: Callable[[str], None]) -> dict[str, Any]:
    """One case at one size: {"case", "n", "peers": {name: {"median", "ratio", "first_call", "difference", ...} or {"failed": reason}}}."""
    args = case.arguments(np.random.default_rng(0), n)
    expected = numpy_peer(case, args)()
    calls: dict[str, Call] = {}
    rows: dict[str, dict[str, Any]] = {}
    for name, peer in peers.items():
        try:
            calls[name], rows[name] = checked(peer, case, args, expected)
        except Unable as reason:
            rows[name] = {"failed": str(reason)}
        except Exception as error:  # a peer's own failure is a result, printed in the table
            rows[name] = {"failed": f"{type(error).__name__}: {(str(error).splitlines() or [''])[0][:200]}"}
            report(f"{case.name} n={n}: {name} failed: {rows[name]['failed']}")
    moved = case.bytes(n) if case.bytes is not None else None
    if moved is not None:
        calls["copy"] = copy_call(moved)
    times = timed(calls, repeat, budget)
    for name, samples in times.items():
        if name != "copy":
            rows[name] |= summary(samples, times["numpy"])
            if moved is not None:
                rows[name]["copy_share"] = statistics.median(times["copy"]) / rows[name]["median"]
    return {"case": case.name, "formula": case.formula, "n": n, "bytes": moved, "peers": rows}


def checked(peer: Peer, case: Case, args: tuple[Any, ...], expected: Any) -> tuple[Call, dict[str, Any]]:
    """The peer's call after its first run, which is timed with its compilation and compared with NumPy. Raises ArithmeticError."""
    start = time.perf_counter()
    call = peer(case, args)
    result = call()
    first = time.perf_counter() - start
    distance = difference(result, expected)
    if distance > TOLERANCE:
        raise ArithmeticError(f"the result differs from NumPy's by {distance:.1e} of its largest magnitude")
    return call, {"first_call": first, "difference": distance, "compared": True}


def timed(calls: dict[str, Call], repeat: int, budget: float) -> dict[str, list[float]]:
    """Seconds per call: `repeat` samples of each, in turns, each of about `budget` seconds."""
    numbers = {name: calibrated(call, budget) for name, call in calls.items()}
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(repeat):
        for name, call in calls.items():
            times[name].append(seconds(call, numbers[name]))
    return times


def summary(samples: list[float], numpy_samples: list[float]) -> dict[str, Any]:
    """ratio: times faster than NumPy, the median over turns, so that slow and fast periods of the machine cancel."""
    return {
        "median": statistics.median(samples),
        "best": min(samples),
        "ratio": statistics.median([n / s for n, s in zip(numpy_samples, samples, strict=True)]),
        "samples": len(samples),
    }
