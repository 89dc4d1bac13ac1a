"""The page of the documentation that shows what `python -m benchmarks.kernels` has measured.

python -m benchmarks.table benchmarks/results/kernels-*.json --page docs/speed.md
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # run as a script, it finds this package and the checkout's lazynp

from benchmarks.kernels import mean, ratios
from benchmarks.run import duration

OURS, NUMPY, C = "lazynp.jit", "numpy", "c"
INTRODUCTION = """\
# Speed

Made by `python -m benchmarks.table`, measured by `python -m benchmarks.kernels`: all competitors in turns in one process, results compared
with NumPy's first. `lazynp.jit` runs the plain NumPy source; Numba has loops and JAX has values in place of writes where they need them.
Ratios are times of the others over lazynp's: above 1, lazynp is ahead. *C* is `benchmarks/kernels.c` with OpenMP, its results in the same
memory at every call; *copy* is the share of the speed at which `memcpy` moves the bytes that the expression has to move at least; *memory*
is what a call holds beside its arguments, of what NumPy holds.
"""


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit status."""
    out = argparse.ArgumentParser(prog="benchmarks.table", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    out.add_argument("reports", nargs="+", metavar="FILE", help="JSON of benchmarks.kernels")
    out.add_argument("--page", default="docs/speed.md", metavar="FILE", help="the page to write (docs/speed.md)")
    options = out.parse_args(arguments)
    reports = [json.loads(Path(file).read_text(encoding="utf-8")) for file in options.reports]
    Path(options.page).write_text(page(reports), encoding="utf-8")
    return 0


def page(reports: list[dict[str, Any]]) -> str:
    """Markdown: a section per report, fewer threads first."""
    return "\n".join([INTRODUCTION, *[section(report) for report in sorted(reports, key=lambda r: r["threads"])]])


def section(report: dict[str, Any]) -> str:
    """One report: where and with what it was measured, means, all rows."""
    threads = report["threads"]
    versions = ", ".join([f"{name} {version}" for name, version in report["versions"].items()])
    lines = [
        "## One pinned thread" if threads == 1 else f"## {threads} threads, each with a processor of its own",
        "",
        f"{report['machine']['processor']}, Python {report['machine']['python']}, {versions}; {report['time'][:10]}.",
        "",
        *[f"* {line}" for line in means(report["results"])],
        "",
        "| | elements | dtype | lazynp.jit | copy | NumPy | C | best peer | memory |",
        "|---|--:|---|--:|--:|--:|--:|--:|--:|",
        *[row(result) for result in report["results"]],
        "",
    ]
    return "\n".join(lines)


def means(results: list[dict[str, Any]]) -> list[str]:
    """Geometric means, and how many rows are behind."""
    best = [peer[1] for r in results if (peer := best_peer(r)) is not None]
    found = {name: [ratios(r)[name] for r in results if name in ratios(r)] for name in (NUMPY, C)}
    lines = [f"{_words(found[NUMPY])} NumPy" if found[NUMPY] else "", f"{_words(best)} the best peer of each row" if best else ""]
    if found[C]:
        slower = sum([1 / ratio > 1.15 for ratio in found[C]])
        lines.append(
            f"geometric mean {mean(found[C]):.2f}x against C by hand; {slower} of {len(found[C])} rows take more than 1.15 times as long"
        )
    more = [r for r in results if "memory" in r and r["memory"]["lazynp"] > r["memory"]["numpy"]]
    lines.append(f"more memory than NumPy in {len(more)} of {len([r for r in results if 'memory' in r])} rows")
    return [line for line in lines if line]


def _words(found: list[float]) -> str:
    return f"geometric mean {mean(found):.2f}x, behind in {sum([ratio < 1 for ratio in found])} of {len(found)} rows, against"


def best_peer(result: dict[str, Any]) -> tuple[str, float] | None:
    """The fastest of the others but NumPy and C: (name, its time over lazynp's)."""
    peers = {name: ratio for name, ratio in ratios(result).items() if name not in (NUMPY, C)}
    return min(peers.items(), key=lambda peer: peer[1]) if peers else None


def row(result: dict[str, Any]) -> str:
    """One line of the table."""
    ours = result["peers"].get(OURS, {})
    known, peer, held = ratios(result), best_peer(result), result.get("memory")
    cells = [
        f"{result['case'].replace('_', ' ')}: {result['formula'].replace('|', '/')}",
        f"{result['n']:g}",
        result["dtype"],
        duration(ours["median"]) if "median" in ours else "failed",
        f"{100 * ours['copy_share']:.0f} %" if "copy_share" in ours else "",
        *[f"{known[name]:.2f}" if name in known else "" for name in (NUMPY, C)],
        f"{peer[1]:.2f} {peer[0]}" if peer is not None else "",
        f"{held['lazynp'] / held['numpy']:.2f}" if held and held["numpy"] else "",
    ]
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.exit(main())
