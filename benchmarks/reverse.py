"""What a reverse pass costs: the time of jit(value_and_grad(f)) over that of jit(f), by the processor's clock, in turns in one process.

python benchmarks/reverse.py [--programs attention stencil] [--repeat 15] [--threads 1] [--json FILE]

Values are compared with NumPy's first, gradients with differences of values. The reverse pass may take 3 times the function for elementwise
code and 2.5 times for matrix products: of a product by both factors it is two products.
"""

import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # run as a script, it finds this package and the checkout's lazynp

import lazynp
from benchmarks.gradients import command_line, processor_seconds
from benchmarks.measure import calibrated
from benchmarks.peers import versions
from benchmarks.run import duration, machine, restart_pinned

Function = Callable[..., Any]
_rng = numpy.random.default_rng(0)


class Program(NamedTuple):
    """loss(np, *arguments), differentiated by the first `wrt`; most: what the reverse pass may cost, in times of the function."""

    loss: Function
    arguments: tuple[Any, ...]
    wrt: int
    most: float


def chain(np: Any, x: Any) -> Any:
    """exp, sin and sqrt of a hundred thousand numbers, three times."""
    for _ in range(3):
        x = np.exp(-x * x) * np.sin(x) + np.sqrt(1.0 + x * x)
    return np.sum(x)


def masks(np: Any, x: Any) -> Any:
    """relu, where and abs."""
    return np.sum(np.maximum(x, 0.0) * np.where(x > 1.0, x * x, -x) + np.abs(x) ** 1.5)


def cross_entropy(np: Any, x: Any, labels: Any) -> Any:
    """Softmax over rows."""
    shifted = x - np.max(x, axis=1, keepdims=True)
    return -np.sum(labels * (shifted - np.log(np.sum(np.exp(shifted), axis=1, keepdims=True))))


def layer_norm(np: Any, x: Any, scale: Any, shift: Any) -> Any:
    """Rows of zero mean and unit variance, scaled."""
    centred = x - np.mean(x, axis=-1, keepdims=True)
    return np.sum(np.tanh(centred / np.sqrt(np.var(x, axis=-1, keepdims=True) + 1e-5) * scale + shift))


def stencil(np: Any, u: Any) -> Any:
    """Twenty steps of the heat equation in place."""
    u = u.copy()
    for _ in range(20):
        u[1:-1, 1:-1] += 0.1 * (u[2:, 1:-1] + u[:-2, 1:-1] + u[1:-1, 2:] + u[1:-1, :-2] - 4.0 * u[1:-1, 1:-1])
    return np.sum(u * u)


def scan(np: Any, x: Any) -> Any:
    """A running sum."""
    return np.sum(np.sin(np.cumsum(x, axis=0)))


def pairs(np: Any, x: Any) -> Any:
    """A kernel of all pairs of points."""
    d = x[:, None, :] - x[None, :, :]
    return np.sum(np.exp(-np.sum(d * d, axis=-1)))


def mlp(np: Any, w1: Any, b1: Any, w2: Any, b2: Any, x: Any) -> Any:
    """Two layers."""
    return np.mean((np.tanh(x @ w1 + b1) @ w2 + b2) ** 2)


def attention(np: Any, q: Any, k: Any, v: Any, o: Any, x: Any) -> Any:
    """One head and its residual connection."""
    scores = (x @ q) @ (x @ k).T / 8.0
    weights = np.exp(scores - np.max(scores, axis=-1, keepdims=True))
    return np.sum((weights / np.sum(weights, axis=-1, keepdims=True) @ (x @ v) @ o + x) ** 2)


def batched(np: Any, a: Any, b: Any) -> Any:
    """Thirty-two products of matrices, by both factors."""
    return np.sum(np.tanh(np.matmul(a, b)))


def _normal(*shape: int, scale: float = 1.0) -> numpy.ndarray:
    return scale * _rng.standard_normal(shape)


PROGRAMS = {
    "chain": Program(chain, (_normal(100_000),), 1, 3.0),
    "masks": Program(masks, (_normal(100_000),), 1, 3.0),
    "cross_entropy": Program(cross_entropy, (_normal(512, 100), numpy.eye(100)[_rng.integers(0, 100, 512)]), 1, 3.0),
    "layer_norm": Program(layer_norm, (_normal(256, 512), _normal(512), _normal(512)), 3, 3.0),
    "stencil": Program(stencil, (_normal(256, 256),), 1, 3.0),
    "scan": Program(scan, (_normal(1000, 100),), 1, 3.0),
    "pairs": Program(pairs, (_normal(300, 3),), 1, 3.0),
    "mlp": Program(
        mlp, (_normal(512, 512, scale=0.05), _normal(512), _normal(512, 64, scale=0.05), _normal(64), _normal(256, 512)), 4, 2.5
    ),
    "attention": Program(attention, (*[_normal(64, 64, scale=0.1) for _ in range(4)], _normal(256, 64)), 4, 2.5),
    "batched": Program(batched, (_normal(32, 64, 64), _normal(32, 64, 64)), 2, 2.5),
}


def check(name: str) -> None:
    """Raises AssertionError where lazynp's value is not NumPy's, or its gradient no slope."""
    program = PROGRAMS[name]
    arguments, wrt = program.arguments, program.wrt
    value, gradients = lazynp.value_and_grad(lambda *a: program.loss(lazynp, *a), tuple(range(wrt)))(*arguments)
    numpy.testing.assert_allclose(value, program.loss(numpy, *arguments), rtol=1e-9)
    along = [_normal(*a.shape) for a in arguments[:wrt]]
    ends = [program.loss(numpy, *[a + h * d for a, d in zip(arguments, along, strict=False)], *arguments[wrt:]) for h in (1e-6, -1e-6)]
    slope = sum([float(numpy.sum(g * d)) for g, d in zip(gradients, along, strict=True)])
    size = sum([float(numpy.sum(numpy.abs(g * d))) for g, d in zip(gradients, along, strict=True)])
    numpy.testing.assert_allclose(slope, (ends[0] - ends[1]) / 2e-6, atol=1e-5 * size)


def measure(name: str, repeat: int, budget: float) -> dict[str, Any]:
    """Medians of processor time (s); how many times that of the function the reverse pass takes alone: a median turn by turn."""
    program = PROGRAMS[name]
    check(name)
    loss = program.loss
    both = lazynp.jit(lazynp.value_and_grad(lambda *a: loss(lazynp, *a), tuple(range(program.wrt))))
    value = lazynp.jit(lambda *a: loss(lazynp, *a))
    found = {"function": lambda: value(*program.arguments), "value_and_grad": lambda: both(*program.arguments)}
    numbers = {what: calibrated(call, budget) for what, call in found.items()}
    turns = [{what: processor_seconds(call, numbers[what]) for what, call in found.items()} for _ in range(repeat)]
    ratio = statistics.median([turn["value_and_grad"] / turn["function"] for turn in turns])
    medians = {what: statistics.median([turn[what] for turn in turns]) for what in found}
    return {"program": name, "median": medians, "ratio": ratio, "reverse": ratio - 1, "target": program.most}


def main(arguments: list[str] | None = None) -> int:
    arguments = sys.argv[1:] if arguments is None else arguments
    options = command_line(__doc__, PROGRAMS, 0.02).parse_args(arguments)
    restart_pinned(options.threads, arguments, __file__)
    print(f"{'':16}{'function':>12}{'value, gradient':>18}{'ratio':>8}{'reverse pass alone':>21}{'at most':>9}")
    rows = []
    for name in options.programs:
        rows.append(row := measure(name, options.repeat, options.budget))
        times = f"{duration(row['median']['function']):>12}{duration(row['median']['value_and_grad']):>18}"
        print(f"{name:16}{times}{row['ratio']:8.2f}{row['reverse']:21.2f}{row['target']:9.1f}", flush=True)
    if options.json:
        report = {"machine": machine(), "versions": versions(), "threads": options.threads, "results": rows}
        report["time"] = time.strftime("%FT%TZ", time.gmtime())
        Path(options.json).parent.mkdir(parents=True, exist_ok=True)
        Path(options.json).write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
