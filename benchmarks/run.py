"""The benchmark runner: checks every result against NumPy, then times all competitors side by side.

python benchmarks/run.py                          all cases, 1e3, 1e5 and 1e7 elements, one pinned thread
python benchmarks/run.py --cases heat --threads 2 --json results/heat.json --chart results/heat.svg
python benchmarks/run.py --compile                first call of a jitted function, cold and warm, and import times
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # run as a script, it finds this package and the checkout's lazynp

from benchmarks import chart  # noqa: E402
from benchmarks.cases import CASES  # noqa: E402
from benchmarks.measure import measure  # noqa: E402
from benchmarks.peers import installed, versions  # noqa: E402

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "NUMEXPR_NUM_THREADS")


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit status: 1 when a result of lazynp differs from NumPy's or lazynp could not run a case."""
    arguments = sys.argv[1:] if arguments is None else arguments
    options = parser().parse_args(arguments)
    restart_pinned(options.threads, arguments)
    report: dict[str, Any] = {
        "machine": machine(),
        "versions": versions(),
        "threads": options.threads,
        "time": time.strftime("%FT%TZ", time.gmtime()),
    }
    report["settings"] = {"repeat": options.repeat, "budget": options.budget}
    report["results"] = [] if options.compile else run_cases(options)
    report["compile"] = first_calls(options.repeat) if options.compile else None
    for file in filter(None, (options.json, options.chart)):
        Path(file).parent.mkdir(parents=True, exist_ok=True)
    if options.json:
        Path(options.json).write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    if options.chart and report["results"]:
        chart.draw(report, options.chart)
    failed = [r for r in report["results"] for name in ("lazynp", "lazynp.jit") if "failed" in r["peers"].get(name, {})]
    return 1 if failed else 0


def parser() -> argparse.ArgumentParser:
    """The command line."""
    out = argparse.ArgumentParser(prog="benchmarks/run.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    out.add_argument("--cases", nargs="+", choices=[c.name for c in CASES], metavar="CASE", help=", ".join(c.name for c in CASES))
    out.add_argument("--sizes", nargs="+", type=elements, default=[1000, 100_000, 10_000_000], metavar="N", help="elements; 1e3 1e5 1e7")
    out.add_argument("--peers", nargs="+", metavar="PEER", help=f"beside NumPy; installed here: {', '.join(list(installed())[1:])}")
    out.add_argument("--threads", type=int, default=1, help="threads, each pinned to a processor (1)")
    out.add_argument("--repeat", type=int, default=15, help="samples of each competitor (15)")
    out.add_argument("--budget", type=float, default=0.02, help="seconds of one sample, at least (0.02)")
    out.add_argument("--compile", action="store_true", help="time imports and first calls in fresh processes instead of the cases")
    out.add_argument("--json", metavar="FILE", help="write all numbers there")
    out.add_argument("--chart", metavar="FILE", help="draw the ratios there: .svg or .png (needs matplotlib)")
    return out


def elements(text: str) -> int:
    """A number of elements: 100000 or 1e5."""
    value = float(text)
    if value < 1 or value != int(value):
        raise argparse.ArgumentTypeError(f"a number of elements, got {text!r}")
    return int(value)


def restart_pinned(threads: int, arguments: list[str], script: str = __file__) -> None:
    """Run the script again with the number of threads in the environment and as many processors: libraries read both when they load."""
    wanted = dict.fromkeys(THREAD_VARIABLES, str(threads))
    available = sorted(os.sched_getaffinity(0))
    if threads > len(available):
        sys.exit(f"benchmarks: --threads {threads}, but this process may use {len(available)} processors")
    if len(available) == threads and all(os.environ.get(k) == v for k, v in wanted.items()):
        return
    os.sched_setaffinity(0, available[:threads])
    os.execve(sys.executable, [sys.executable, str(Path(script).resolve()), *arguments], os.environ | wanted)


def run_cases(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Every chosen case at every size; prints as it goes."""
    peers = installed()
    if options.peers is not None:
        peers = {name: peer for name, peer in peers.items() if name in ("numpy", *options.peers)}
    print(header(list(peers)))
    results = []
    for case in CASES:
        if options.cases is None or case.name in options.cases:
            for n in [case.size] if case.size is not None else options.sizes:
                results.append(measure(case, n, peers, options.repeat, options.budget, lambda text: print(text, file=sys.stderr)))
                print(line(results[-1], list(peers)), flush=True)
    return results


def header(names: list[str]) -> str:
    """What the columns mean."""
    columns = "".join(f"{name:>24}" for name in names[1:])
    return f"Median time, times faster than NumPy, share of copy bandwidth.\n{'case':18}{'n':>8}{'numpy':>11}{columns}"


def line(result: dict[str, Any], names: list[str]) -> str:
    """One row of the table."""
    cells = "".join(f"{cell(result['peers'][name]):>24}" for name in names[1:])
    return f"{result['case']:18}{result['n']:8g}{duration(result['peers']['numpy']['median']):>11}{cells}"


def cell(row: dict[str, Any]) -> str:
    if "median" not in row:
        return "-"
    share = f" {100 * row['copy_share']:3.0f}%" if "copy_share" in row else "     "
    return f"{duration(row['median'])} {row['ratio']:6.2f}x{share}"


def duration(value: float) -> str:
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if value >= scale:
            return f"{value / scale:.3g} {unit}"
    return f"{value / 1e-9:.3g} ns"


def first_calls(repeat: int, count: int = 10) -> dict[str, Any]:
    """Medians over fresh processes, with an empty compile cache and with a filled one; prints them. count: operations of the function."""
    cold = [in_fresh_process(None, count) for _ in range(repeat)]
    with tempfile.TemporaryDirectory() as cache:
        in_fresh_process(cache, count)
        warm = [in_fresh_process(cache, count) for _ in range(repeat)]
    report = {"cold": medians(cold), "warm": medians(warm)}
    imports = report["warm"]
    print(f"import lazynp, beyond NumPy's own: {duration(imports['import_lazynp'])} (NumPy {duration(imports['import_numpy'])})")
    for name, row in report.items():
        print(f"first call of a {count}-op function, {name}: {duration(row['first_call'])} ({row['compiles']:g} compiles)")
        print(f"second call: {duration(row['second_call'])}")
    return report


def in_fresh_process(cache: str | None, count: int = 10) -> dict[str, float]:
    """What `first_call.py` reports; cache: the directory of compiled programs, None: a new empty one."""
    if cache is None:
        with tempfile.TemporaryDirectory() as empty:
            return in_fresh_process(empty, count)
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = os.environ | {"LAZYNP_CACHE_DIR": cache, "PYTHONPATH": path}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed package has its bytecode
    script = str(Path(__file__).with_name("first_call.py"))
    command = [sys.executable, script, str(count)]
    return json.loads(subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout)


def medians(rows: list[dict[str, float]]) -> dict[str, float]:
    return {key: statistics.median([row[key] for row in rows]) for key in rows[0]}


def machine() -> dict[str, Any]:
    """What the numbers were measured on."""
    model = platform.processor() or platform.machine()
    information = Path("/proc/cpuinfo")
    if information.exists():
        names = [text.split(":", 1)[1].strip() for text in information.read_text().splitlines() if text.startswith("model name")]
        model = names[0] if names else model
    return {
        "processor": model,
        "processors": len(os.sched_getaffinity(0)),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


if __name__ == "__main__":
    sys.exit(main())
