"""Times faster than NumPy, drawn: one group of bars per case and size. Needs matplotlib."""

import importlib
import math
from typing import Any

COLOURS = {
    "lazynp": "#7fb3e6",
    "lazynp.jit": "#1f5fa8",
    "c": "#303030",
    "jax": "#e08a3c",
    "numba": "#58a55c",
    "numexpr": "#b58bc9",
    "pytensor": "#a8a8a8",
}


def draw(report: dict[str, Any], path: str) -> None:
    """Write the chart of a report of `run.py`; the suffix of path decides the format. Raises ImportError without matplotlib."""
    matplotlib = importlib.import_module("matplotlib")
    matplotlib.use("agg")
    pyplot = importlib.import_module("matplotlib.pyplot")
    results = report["results"]
    names = [n for n in COLOURS if any("ratio" in r["peers"].get(n, {}) for r in results)]
    figure, axes = pyplot.subplots(figsize=(9, 1.2 + len(results) * (0.16 + 0.13 * len(names))), layout="constrained")
    height = 0.8 / max(len(names), 1)
    for k, name in enumerate(names):
        places = [i + k * height for i, r in enumerate(results) if "ratio" in r["peers"].get(name, {})]
        ratios = [r["peers"][name]["ratio"] for r in results if "ratio" in r["peers"].get(name, {})]
        axes.barh(places, [math.log2(r) for r in ratios], height, color=COLOURS[name], label=name)
    axes.set_yticks([i + 0.4 - height / 2 for i in range(len(results))], [f"{r['case']}, {r['n']:g}" for r in results])
    axes.invert_yaxis()
    axes.axvline(0, color="black", linewidth=0.8)
    low, high = axes.get_xlim()
    ticks = range(math.floor(low), math.ceil(high) + 1)
    axes.set_xticks(list(ticks), [f"{2**t}x" if t >= 0 else f"1/{2**-t}x" for t in ticks])
    axes.set_xlabel(f"times faster than NumPy (threads: {report['threads']})")
    axes.grid(axis="x", linewidth=0.3)
    axes.legend(loc="best", frameon=False, fontsize="small")
    figure.savefig(path, metadata={"Date": None} if path.endswith(".svg") else None)
    pyplot.close(figure)
