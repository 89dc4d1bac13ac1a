"""Programs with loops and branches (tests/loop_programs.py): NumPy, `lazynp.jit` on the plain source, Numba where it compiles it.

python benchmarks/loops.py [--cases cholesky lu] [--threads 1] [--repeat 7] [--json FILE]

Every competitor's first result, and what it leaves in its arguments, is compared with NumPy's. Numba is the better one of its serial and
its parallel form. Each call gets fresh copies of the arguments, made before the clock starts. First calls (trace or compile, and run) are
kept apart.
"""

import argparse
import copy
import importlib
import importlib.util
import json
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from types import FunctionType
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from loop_programs import PROGRAMS, Program  # noqa: E402

import lazynp  # noqa: E402
from benchmarks.measure import difference  # noqa: E402
from benchmarks.peers import versions  # noqa: E402
from benchmarks.run import duration, machine, restart_pinned  # noqa: E402

TOLERANCE = 1e-7
"""Of the largest magnitude: thousands of steps, other orders of summation."""
_SECONDS, _MOST = 1.0, 200
"""Short programs are sampled more often, for about so long and at most so often: the best of seven calls of 30 us is noise."""
Call = Callable[..., Any]


def plain(function: Call) -> Call:
    return function


def jitted(function: Call) -> Call:
    return lazynp.jit(function, strict=True)


def with_numba(parallel: bool) -> Callable[[Call], Call]:
    """numba.njit of a program and of the functions of its module that it calls."""

    def compiled(function: Call) -> Call:
        numba = importlib.import_module("numba")
        assert isinstance(function, FunctionType)
        names = {n: function.__globals__[n] for n in function.__code__.co_names if n in function.__globals__}
        helpers = {n: compiled(f) for n, f in names.items() if type(f) is FunctionType}
        own = FunctionType(function.__code__, function.__globals__ | helpers, function.__name__, function.__defaults__)
        return numba.njit(parallel=parallel)(own)

    return compiled


PEERS: dict[str, Callable[[Call], Call]] = {"numpy": plain, "lazynp.jit": jitted}
if importlib.util.find_spec("numba") is not None:
    PEERS |= {"numba": with_numba(False), "numba parallel": with_numba(True)}


def seconds(call: Call, arguments: tuple[Any, ...]) -> tuple[float, Any]:
    """Of one call on copies of the arguments, and (its result, the arguments afterwards)."""
    own = copy.deepcopy(arguments)
    start = time.perf_counter()
    result = call(*own)
    return time.perf_counter() - start, (none_as_zero(result), own)


def none_as_zero(result: Any) -> Any:
    return 0.0 if result is None else result


def measure(program: Program, n: int, repeat: int) -> dict[str, dict[str, Any]]:
    """{peer: {"median", "best", "ratio", "first_call", "difference"} or {"failed": reason}}, timed in turns."""
    arguments = program.arguments(np.random.default_rng(0), n)
    expected: Any = None
    calls: dict[str, Call] = {}
    rows: dict[str, dict[str, Any]] = {}
    for name, peer in PEERS.items():
        try:
            call = peer(program.function)
            first, found = seconds(call, arguments)
            expected = found if name == "numpy" else expected
            distance = difference(found, expected)
            if distance > TOLERANCE:
                raise ArithmeticError(f"differs from NumPy by {distance:.1e} of the largest magnitude")
            calls[name], rows[name] = call, {"first_call": first, "difference": distance}
        except Exception as error:  # a peer's own failure is a result, printed in the table
            rows[name] = {"failed": f"{type(error).__name__}: {(str(error).splitlines() or [''])[0][:200]}"}
    samples: dict[str, list[float]] = {name: [] for name in calls}
    begun, rounds = time.perf_counter(), 0
    while rounds < repeat or (rounds < _MOST and time.perf_counter() - begun < _SECONDS):
        rounds += 1
        for name, call in calls.items():
            samples[name].append(seconds(call, arguments)[0])
    for name, times in samples.items():
        ratio = statistics.median([a / b for a, b in zip(samples["numpy"], times, strict=True)])
        rows[name] |= {"median": statistics.median(times), "best": min(times), "ratio": ratio}
    return rows


def best_numba(rows: dict[str, dict[str, Any]]) -> float | None:
    """The least time of Numba's forms; None where neither ran."""
    return min([rows[name]["best"] for name in rows if name.startswith("numba") and "best" in rows[name]], default=None)


def line(name: str, n: int, rows: dict[str, dict[str, Any]]) -> str:
    """One row of the table."""
    ours, rival = rows["lazynp.jit"], best_numba(rows)
    cells = f"{name:24}{n:>10}{duration(rows['numpy']['best']):>10}"
    if "failed" in ours:
        return f"{cells}  {ours['failed']}"
    against = "-" if rival is None else f"{rival / ours['best']:.2f}x"
    times = f"{duration(ours['best']):>10}{'-' if rival is None else duration(rival):>10}{against:>10}"
    return f"{cells}{times}{ours['ratio']:>9.1f}x{duration(ours['first_call']):>10}"


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit status: 1 when a result of lazynp differs from NumPy's or lazynp could not compile a program."""
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = argparse.ArgumentParser(prog="benchmarks/loops.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", nargs="+", choices=list(PROGRAMS), default=list(PROGRAMS), metavar="CASE")
    parser.add_argument("--threads", type=int, default=1, help="threads, each pinned to a processor (1)")
    parser.add_argument("--repeat", type=int, default=7, help="samples of each competitor (7)")
    parser.add_argument("--small", action="store_true", help="the sizes of the tests")
    parser.add_argument("--json", metavar="FILE", help="write all numbers there")
    options = parser.parse_args(arguments)
    restart_pinned(options.threads, arguments, __file__)
    warnings.simplefilter("ignore")  # Numba's, about what it cannot run on threads
    print(f"{'program':24}{'n':>10}{'numpy':>10}{'lazynp':>10}{'numba':>10}{'vs numba':>10}{'vs numpy':>10}{'first':>10}")
    results = []
    for name in options.cases:
        n = PROGRAMS[name].small if options.small else PROGRAMS[name].large
        rows = measure(PROGRAMS[name], n, options.repeat)
        print(line(name, n, rows), flush=True)
        results.append({"case": name, "n": n, "peers": rows})
    print(summary(results))
    if options.json:
        report = {"machine": machine(), "versions": versions(), "threads": options.threads, "repeat": options.repeat, "results": results}
        Path(options.json).parent.mkdir(parents=True, exist_ok=True)
        Path(options.json).write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return 1 if any("failed" in r["peers"]["lazynp.jit"] for r in results) else 0


def summary(results: list[dict[str, Any]]) -> str:
    """How lazynp compares with Numba, over the programs that both run."""
    ratios = [
        rival / r["peers"]["lazynp.jit"]["best"]
        for r in results
        if "best" in r["peers"]["lazynp.jit"] and (rival := best_numba(r["peers"])) is not None
    ]
    if not ratios:
        return "no program that both run"
    mean, slower = statistics.geometric_mean(ratios), sum(r < 1 for r in ratios)
    return f"{len(ratios)} programs that both run: {mean:.2f}x Numba's speed, slower on {slower}"


if __name__ == "__main__":
    sys.exit(main())
