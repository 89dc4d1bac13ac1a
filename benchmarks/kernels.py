"""The compiler's table: fused expressions against C by hand and the peers, whole kernels against the peers, memory, compile times.

python -m benchmarks.kernels                                     everything, one pinned thread
python -m benchmarks.kernels --cases softmax k3mm --sizes 1e5 --json results/kernels.json --chart results/kernels.svg
python -m benchmarks.kernels --summary results/kernels.json      the rows that are behind, and means, of a written report

Results are compared with NumPy's first. `c` is benchmarks/kernels.c, called through cffi, its results in the same memory at every call.
All competitors run in turns in one process with the same number of threads. Ratios behind a competitor's name are its time over that of
lazynp.jit: above 1, lazynp is ahead.
"""

import argparse
import json
import math
import os
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # run as a script, it finds this package and the checkout's lazynp

import lazynp
from benchmarks import chart
from benchmarks.applications import APPLICATIONS
from benchmarks.cases import Case
from benchmarks.expressions import EXPRESSIONS
from benchmarks.measure import in_precision, measure
from benchmarks.peers import Peer, c_peer, copies, installed, rebound, versions
from benchmarks.run import duration, elements, first_calls, machine, restart_pinned

SIZES = (1000, 100_000, 10_000_000)
PEERS = ("lazynp.jit", "c", "numexpr", "numba", "jax")
BEHIND_C = 1 / 1.15
"""lazynp may take 1.15 times as long as C by hand; of no peer's time more than all."""


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit status: 1 when a result of lazynp differs from NumPy's or lazynp could not run a case."""
    arguments = sys.argv[1:] if arguments is None else arguments
    options = parser().parse_args(arguments)
    if options.summary:
        print("\n".join(summary(json.loads(Path(options.summary).read_text(encoding="utf-8"))["results"])))
        return 0
    restart_pinned(options.threads, arguments, __file__)
    report: dict[str, Any] = {"machine": machine(), "versions": versions(), "threads": options.threads}
    report["time"] = time.strftime("%FT%TZ", time.gmtime())
    report["settings"] = {"repeat": options.repeat, "budget": options.budget, "clock": options.clock}
    report["results"] = list(rows(options))
    print("\n".join(summary(report["results"])))
    if options.compile:
        report["compile"] = {str(count): first_calls(options.repeat, count) for count in (10, 1000, 20_000)}
    for file in filter(None, (options.json, options.chart)):
        Path(file).parent.mkdir(parents=True, exist_ok=True)
    if options.json:
        Path(options.json).write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    if options.chart:
        chart.draw(report, options.chart)
    return int(any("failed" in r["peers"].get("lazynp.jit", {}) for r in report["results"]))


def parser() -> argparse.ArgumentParser:
    """The command line."""
    names = [c.name for c in (*EXPRESSIONS, *APPLICATIONS)]
    out = argparse.ArgumentParser(prog="benchmarks.kernels", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    out.add_argument("--cases", nargs="+", choices=names, default=names, metavar="CASE", help=", ".join(names))
    out.add_argument("--sizes", nargs="+", type=elements, metavar="N", help="of expressions: 1e3 1e5 1e7; of kernels: each its own")
    out.add_argument("--dtypes", nargs="+", choices=("float64", "float32"), default=["float64", "float32"], help="of expressions")
    out.add_argument("--peers", nargs="+", choices=PEERS, default=list(PEERS), metavar="PEER", help=f"beside NumPy: {', '.join(PEERS)}")
    out.add_argument("--threads", type=int, default=1, help="threads, each pinned to a processor (1)")
    out.add_argument("--repeat", type=int, default=15, help="samples of each competitor (15)")
    out.add_argument("--budget", type=float, default=0.02, help="seconds of one sample, at least (0.02)")
    out.add_argument("--clock", choices=("wall", "cpu"), default="wall", help="cpu: the process's own time, on a machine with neighbours")
    out.add_argument("--compile", action="store_true", help="time first calls of 10, 1000 and 20000 operations as well")
    out.add_argument("--json", metavar="FILE", help="write all numbers there")
    out.add_argument("--chart", metavar="FILE", help="draw the ratios there: .svg or .png (needs matplotlib)")
    out.add_argument("--summary", metavar="FILE", help="only read a report and print where it is behind")
    return out


def rows(options: argparse.Namespace) -> Iterable[dict[str, Any]]:
    """Every chosen case at every size and precision; prints as it goes."""
    found = installed() | {"c": c_peer}
    peers = {name: found[name] for name in ("numpy", *options.peers) if name in found}
    print(header([name for name in peers if name != "numpy"]))
    for case in EXPRESSIONS:
        for dtype in options.dtypes if case.name in options.cases else ():
            for n in options.sizes or SIZES:
                yield row(case, n, dtype, peers, options)
    for case in APPLICATIONS:
        if case.name in options.cases:
            assert case.size is not None
            for n in options.sizes or [case.size]:
                yield row(case, n, "float64", {name: peer for name, peer in peers.items() if name not in ("c", "numexpr")}, options)


def row(case: Case, n: int, dtype: str, peers: dict[str, Peer], options: argparse.Namespace) -> dict[str, Any]:
    """Times and memory of one case; prints its line."""
    clock = time.process_time if options.clock == "cpu" else time.perf_counter
    with np.errstate(all="ignore"):
        result = measure(case, n, peers, options.repeat, options.budget, lambda text: print(text, file=sys.stderr), dtype, clock)
        if "median" in result["peers"].get("lazynp.jit", {}):
            args = in_precision(case.arguments(np.random.default_rng(0), n), dtype)
            result["memory"] = memory(case, args, n, dtype)
    print(line(result, [name for name in options.peers if name in peers or name in PEERS]), flush=True)
    return result


def memory(case: Case, args: tuple[Any, ...], n: int, dtype: str) -> dict[str, int]:
    """The most bytes that a call holds beside its arguments, with what is packed for products: NumPy's as traced, lazynp's as planned."""
    plan = lazynp.jit(rebound(case.function, lazynp), strict=True).memory_plan(*args)
    own = copies(args)
    tracemalloc.start()
    try:
        case.function(*own)
        traced = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    return {"numpy": traced + (packed_by_blas(case, n, dtype) if plan.buffers else 0), "lazynp": plan.peak}


def packed_by_blas(case: Case, n: int, dtype: str) -> int:
    """The bytes in which NumPy's BLAS keeps packed operands after a case: what a fresh process has touched of its buffers."""
    path = os.pathsep.join([str(Path(__file__).resolve().parent.parent), *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, str(Path(__file__).with_name("packed.py")), case.name, str(n), dtype]
    return int(subprocess.run(command, env=os.environ | {"PYTHONPATH": path}, check=True, capture_output=True, text=True).stdout)


def header(names: list[str]) -> str:
    """What the columns mean."""
    columns = "".join([f"{name:>15}" for name in names if name != "lazynp.jit"])
    ours = f"{'case':22}{'n':>8} {'dtype':8}{'lazynp.jit':>11} {'copy':>5}"
    return f"Median time; its multiple of lazynp's; bytes held as a part of NumPy's.\n{ours}{'numpy':>15}{columns} memory"


def line(result: dict[str, Any], names: list[str]) -> str:
    """One row of the table."""
    ours = result["peers"].get("lazynp.jit", {})
    time_of = duration(ours["median"]) if "median" in ours else "failed"
    share = f"{100 * ours['copy_share']:4.0f}%" if "copy_share" in ours else "     "
    others = "".join([f"{_cell(result['peers'].get(name, {})):>15}" for name in ("numpy", *names) if name != "lazynp.jit"])
    held = result.get("memory")
    fraction = f" {held['lazynp'] / held['numpy']:6.2f}" if held and held["numpy"] else ""
    return f"{result['case']:22}{result['n']:8g} {result['dtype']:8}{time_of:>11} {share}{others}{fraction}"


def _cell(row: dict[str, Any]) -> str:
    if "median" not in row:
        return "-"
    return f"{duration(row['median'])}{row['lazynp_ahead']:6.2f}" if "lazynp_ahead" in row else duration(row["median"])


def summary(results: list[dict[str, Any]]) -> list[str]:
    """The rows that are behind somebody, and geometric means over those that are ahead or not."""
    lines = ["", "behind (time of the other over lazynp's):"]
    behind = [(ratio, r, name) for r in results for name, ratio in ratios(r).items() if ratio < (BEHIND_C if name == "c" else 1.0)]
    lines += [f"  {ratio:5.2f}  {name:8} {r['case']} {r['n']:g} {r['dtype']}" for ratio, r, name in sorted(behind, key=lambda b: b[0])]
    more = [r for r in results if "memory" in r and r["memory"]["lazynp"] > r["memory"]["numpy"]]
    lines += [f"  holds more memory than NumPy: {r['case']} {r['n']:g} {r['dtype']} {r['memory']}" for r in more]
    lines.append("geometric means of those ratios:")
    for name in ("numpy", *PEERS[1:]):
        found = [ratios(r)[name] for r in results if name in ratios(r)]
        if found:
            lines.append(f"  {name:8} {mean(found):6.2f}  ({len(found)} rows)")
    best = [min(found.values()) for r in results if (found := {k: v for k, v in ratios(r).items() if k not in ("c", "numpy")})]
    if best:
        lines.append(f"  best peer of each row {mean(best):6.2f}  ({len(best)} rows)")
    return lines


def ratios(result: dict[str, Any]) -> dict[str, float]:
    """The others' times over lazynp's, by name."""
    return {name: p["lazynp_ahead"] for name, p in result["peers"].items() if "lazynp_ahead" in p and name != "lazynp.jit"}


def mean(found: list[float]) -> float:
    """Of ratios: geometric."""
    return math.exp(sum(map(math.log, found)) / len(found))


if __name__ == "__main__":
    sys.exit(main())
