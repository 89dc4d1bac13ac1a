"""Programs with loops and branches (tests/loop_programs.py): NumPy, `lazynp.jit` on the plain source, Numba where it compiles it, JAX where
there is a form for it (benchmarks/jax_loops.py).

python benchmarks/loops.py [--cases cholesky lu] [--threads 1] [--repeat 7] [--json FILE]

Every competitor's first result, and what it leaves in its arguments, is compared with NumPy's (JAX leaves nothing). Numba is the better one
of its serial and its parallel form. Each call gets fresh copies of the arguments, made before the clock starts. First calls (trace or
compile, and run) are kept apart.
"""

import argparse
import copy
import functools
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

from loop_programs import PROGRAMS  # noqa: E402

import lazynp  # noqa: E402
from benchmarks.jax_loops import forms  # noqa: E402
from benchmarks.measure import difference  # noqa: E402
from benchmarks.peers import versions  # noqa: E402
from benchmarks.run import duration, machine, restart_pinned  # noqa: E402

TOLERANCE = 1e-7
"""Of the largest magnitude: thousands of steps, other orders of summation."""
_SECONDS, _MOST = 1.0, 200
"""Short programs are sampled more often, for about so long and at most so often: the best of seven calls of 30 us is noise."""
_SHORT, _AGAIN = 3e-3, 3
"""Calls of less are made again, so often, before the next competitor's turn."""
FIRST_CALL = 1.0
"""Seconds that no first call should take."""
Call = Callable[..., Any]
JAX = forms()


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


def peers_of(name: str) -> dict[str, Call]:
    """The competitors of a program, each made of its function when it is asked to."""
    function = PROGRAMS[name].function
    made: dict[str, Call] = {peer: functools.partial(make, function) for peer, make in PEERS.items()}
    if name in JAX:
        made["jax"] = functools.partial(JAX.__getitem__, name)
    return made


def seconds(call: Call, arguments: tuple[Any, ...]) -> tuple[float, Any]:
    """Of one call on copies of the arguments, and (its result, the arguments afterwards)."""
    own = copy.deepcopy(arguments)
    start = time.perf_counter()
    result = call(*own)
    return time.perf_counter() - start, (none_as_zero(result), own)


def quickest(call: Call, arguments: tuple[Any, ...]) -> float:
    """Seconds of one call; of a short one the least of some in a row: the first one finds the caches full of what the others have left."""
    first = seconds(call, arguments)[0]
    return min([first, *[seconds(call, arguments)[0] for _ in range(_AGAIN if first < _SHORT else 0)]])


def none_as_zero(result: Any) -> Any:
    return 0.0 if result is None else result


def measure(name: str, n: int, repeat: int) -> dict[str, dict[str, Any]]:
    """{peer: {"median", "best", "ratio", "first_call", "difference"} or {"failed": reason}}, timed in turns."""
    arguments = PROGRAMS[name].arguments(np.random.default_rng(0), n)
    expected: Any = None
    calls: dict[str, Call] = {}
    rows: dict[str, dict[str, Any]] = {}
    for peer, make in peers_of(name).items():
        try:
            call = make()
            first, found = seconds(call, arguments)
            expected = found if peer == "numpy" else expected
            distance = difference(*[pair if peer != "jax" else returned(name, pair) for pair in (found, expected)])
            if distance > TOLERANCE:
                raise ArithmeticError(f"differs from NumPy by {distance:.1e} of the largest magnitude")
            calls[peer], rows[peer] = call, {"first_call": first, "difference": distance}
        except Exception as error:  # a peer's own failure is a result, printed in the table
            rows[peer] = {"failed": f"{type(error).__name__}: {(str(error).splitlines() or [''])[0][:200]}"}
    samples: dict[str, list[float]] = {peer: [] for peer in calls}
    begun, rounds = time.perf_counter(), 0
    while rounds < repeat or (rounds < _MOST and time.perf_counter() - begun < _SECONDS):
        rounds += 1
        for peer, call in calls.items():
            samples[peer].append(quickest(call, arguments))
    for peer, times in samples.items():
        ratio = statistics.median([a / b for a, b in zip(samples["numpy"], times, strict=True)])
        rows[peer] |= {"median": statistics.median(times), "best": min(times), "ratio": ratio}
    return rows


def returned(name: str, outcome: tuple[Any, Any]) -> Any:
    """What a call returns, or, of a program that returns nothing, the arrays that it has written to, which JAX's form returns."""
    result, arguments = outcome
    return arguments[:3] if name == "fdtd" and isinstance(result, float) else result


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
    jax = rows.get("jax", {}).get("best")
    cells += "".join([f"{'-' if t is None else duration(t):>10}" for t in (ours["best"], rival)]) + f"{against:>10}"
    return f"{cells}{'-' if jax is None else duration(jax):>10}{ours['ratio']:>9.1f}x{duration(ours['first_call']):>10}"


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
    print(f"{'program':24}{'n':>10}{'numpy':>10}{'lazynp':>10}{'numba':>10}{'vs numba':>10}{'jax':>10}{'vs numpy':>10}{'first':>10}")
    results = []
    for name in options.cases:
        n = PROGRAMS[name].small if options.small else PROGRAMS[name].large
        rows = measure(name, n, options.repeat)
        print(line(name, n, rows), flush=True)
        results.append({"case": name, "n": n, "peers": rows})
    print(summary(results))
    if options.json:
        report = {"machine": machine(), "versions": versions(), "threads": options.threads, "repeat": options.repeat, "results": results}
        Path(options.json).parent.mkdir(parents=True, exist_ok=True)
        Path(options.json).write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return 1 if any("failed" in r["peers"]["lazynp.jit"] for r in results) else 0


def summary(results: list[dict[str, Any]]) -> str:
    """How lazynp compares with Numba and JAX, over the programs that both run, and whether a first call took long."""
    ratios = [
        rival / r["peers"]["lazynp.jit"]["best"]
        for r in results
        if "best" in r["peers"]["lazynp.jit"] and (rival := best_numba(r["peers"])) is not None
    ]
    lines = [compared("Numba", ratios), compared("JAX", against_jax(results))]
    late = [f"{r['case']} {duration(t)}" for r in results if (t := r["peers"]["lazynp.jit"].get("first_call", 0.0)) >= FIRST_CALL]
    return "\n".join([*lines, f"first calls of {duration(FIRST_CALL)} and more: {', '.join(late) or 'none'}"])


def against_jax(results: list[dict[str, Any]]) -> list[float]:
    peers = [r["peers"] for r in results]
    return [p["jax"]["best"] / p["lazynp.jit"]["best"] for p in peers if "best" in p.get("jax", {}) and "best" in p["lazynp.jit"]]


def compared(rival: str, ratios: list[float]) -> str:
    """ratios: the rival's time by ours."""
    if not ratios:
        return f"no program that {rival} runs too"
    mean, slower = statistics.geometric_mean(ratios), sum(r < 1 for r in ratios)
    return f"{len(ratios)} programs that {rival} runs too: {mean:.2f}x its speed, slower on {slower}"


if __name__ == "__main__":
    sys.exit(main())
