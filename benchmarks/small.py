"""What small arrays cost: every ufunc as a function and as an operator, creation, indexing and item access, in multiples of NumPy's time.

python benchmarks/small.py [--sizes 3 100 1000] [--json FILE]

Both sides run in turns in one process; a time is the least of many samples, so neighbours on a shared machine do not matter.
"""

import argparse
import json
import operator
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import lazynp

OPERATORS = (
    "add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "lt", "le", "eq", "ne", "gt", "ge", "and_", "or_", "xor", "lshift", "rshift",
    "neg", "pos", "abs", "invert", "matmul", "iadd", "imul",
)  # fmt: skip
CREATION = {
    "zeros": lambda np, n: np.zeros(n),
    "ones": lambda np, n: np.ones(n),
    "empty": lambda np, n: np.empty(n),
    "full": lambda np, n: np.full(n, 2.0),
    "arange": lambda np, n: np.arange(n),
    "linspace": lambda np, n: np.linspace(0.0, 1.0, n),
    "array": lambda np, n: np.array([1.0, 2.0, 3.0]),
    "zeros((n, 2))": lambda np, n: np.zeros((n, 2)),
}
INDEXING = {
    "x[1:]": lambda np, x: x[1:],
    "x[::2]": lambda np, x: x[::2],
    "x[None]": lambda np, x: x[None],
    "x[mask]": lambda np, x: x[x > 1],
    "x[[0, 1]]": lambda np, x: x[[0, 1]],
    "x[1:] = 2": lambda np, x: x.__setitem__(slice(1, None), 2.0),
}
ITEMS = {
    "x[1]": lambda np, x: x[1],
    "x[1] = 2": lambda np, x: x.__setitem__(1, 2.0),
    "x.item(1)": lambda np, x: x.item(1),
    "float(x[0])": lambda np, x: float(x[0]),
}

Pair = tuple[Callable[[], Any], Callable[[], Any]]


def operands(name: str, size: int) -> tuple[numpy.ndarray, numpy.ndarray] | None:
    """Two arrays of a dtype that the ufunc or operator takes: floating point if it does, else integers."""
    function = getattr(numpy, name, None) or getattr(operator, name)
    for dtype in (float, int):
        x = (numpy.arange(size) % 3 + 1).astype(dtype)
        try:
            function(*[x, x][: getattr(function, "nin", 2)])
        except TypeError:
            continue
        return x, x.copy()
    return None


def ufunc_calls(size: int) -> dict[str, Pair]:
    """np.f(x) of every ufunc that takes vectors of numbers."""
    pairs: dict[str, Pair] = {}
    for name in sorted(n for n in dir(numpy) if isinstance(getattr(numpy, n), numpy.ufunc)):
        function = getattr(numpy, name)
        if function.signature is not None and name != "matmul":
            continue
        found = operands(name, size)
        if found is not None:
            pairs[name] = _calls(function, getattr(lazynp, name), found[: function.nin])
    return pairs


def _calls(theirs: Any, ours: Any, args: tuple[numpy.ndarray, ...]) -> Pair:
    own = tuple([lazynp.array(a) for a in args])
    if len(args) == 1:
        x, y = args[0], own[0]
        return lambda: theirs(x), lambda: ours(y)
    (a, b), (c, d) = args, own
    return lambda: theirs(a, b), lambda: ours(c, d)


def operator_calls(size: int) -> dict[str, Pair]:
    """The operators of the language, on what each side's `array` hands out."""
    pairs: dict[str, Pair] = {}
    for name in OPERATORS:
        function = getattr(operator, name)
        dtype = int if name in ("and_", "or_", "xor", "lshift", "rshift", "invert") else float
        x = (numpy.arange(size) % 3 + 1).astype(dtype)
        args = (x,) if name in ("neg", "pos", "abs", "invert") else (x, numpy.ones(1)) if name in ("iadd", "imul") else (x, x)
        pairs[name] = _calls(function, function, args)
    return pairs


def programs(table: dict[str, Any], size: int, create: bool) -> dict[str, Pair]:
    """Each lambda of a table, called with each namespace and the size or a vector of its own."""

    def bound(function: Any, np: Any) -> Callable[[], Any]:
        argument = size if create else np.array(numpy.arange(size) % 3 + 1.0)
        return lambda: function(np, argument)

    return {name: (bound(f, numpy), bound(f, lazynp)) for name, f in table.items()}


def sections(size: int) -> dict[str, dict[str, Pair]]:
    """Everything that is timed, by kind."""
    return {
        "operators": operator_calls(size),
        "ufunc calls": ufunc_calls(size),
        "creation": programs(CREATION, size, True),
        "indexing": programs(INDEXING, size, False),
        "items": programs(ITEMS, size, False),
    }


def ratio(pair: Pair, calls: int, samples: int) -> float:
    """lazynp's least time over NumPy's, sampled in turns."""
    best = [float("inf"), float("inf")]
    for function in pair:
        function()
    for _ in range(samples):
        for side, function in enumerate(pair):
            start = time.perf_counter()
            for _ in range(calls):
                function()
            best[side] = min(best[side], time.perf_counter() - start)
    return best[1] / best[0]


def measure(size: int, calls: int = 200, samples: int = 15) -> dict[str, dict[str, float]]:
    """kind -> name -> lazynp's time over NumPy's."""
    with warnings.catch_warnings(), numpy.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return {kind: {n: ratio(p, calls, samples) for n, p in pairs.items()} for kind, pairs in sections(size).items()}


def main(arguments: list[str] | None = None) -> None:
    """Print one line of medians per size."""
    parser = argparse.ArgumentParser(prog="benchmarks/small.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", type=int, default=[3, 100, 1000])
    parser.add_argument("--calls", type=int, default=200, help="calls in one sample")
    parser.add_argument("--samples", type=int, default=15, help="the least time of so many counts")
    parser.add_argument("--json", help="write every ratio here")
    options = parser.parse_args(arguments)
    report = {}
    for size in options.sizes:
        report[size] = measured = measure(size, options.calls, options.samples)
        medians = ", ".join(f"{kind} {statistics.median(rows.values()):.2f}" for kind, rows in measured.items())
        worst = max(((r, n) for rows in measured.values() for n, r in rows.items()))
        print(f"size {size}: median of lazynp's time over NumPy's: {medians} (most: {worst[1]} {worst[0]:.2f})", flush=True)
    if options.json:
        Path(options.json).write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
