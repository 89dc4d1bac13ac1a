"""Gradients against JAX and HIPS/autograd: results are compared first, then all are timed in turns in one process.

python benchmarks/gradients.py [--programs mlp rnn] [--repeat 15] [--threads 1] [--json FILE]

`lazynp.jit` and `jax.jit` compile the gradient; `lazynp` and `autograd` derive it while Python runs. Programs are written once, in NumPy's
words, except where a library has no such words: JAX has no in-place writes, and unrolls Python loops (it gets lax.scan and .at[]);
autograd has no in-place writes (it gets concatenate).
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # run as a script, it finds this package and the checkout's lazynp

import lazynp
from benchmarks.measure import calibrated, difference
from benchmarks.peers import versions
from benchmarks.run import duration, machine, restart_pinned

Function = Callable[..., Any]
TOLERANCE = 1e-8
"""Of the largest magnitude of each gradient: double precision, other orders of summation."""
_rng = numpy.random.default_rng(0)


class Program(NamedTuple):
    """loss(np, *arguments) -> scalar, differentiated by the first `wrt` arguments; jax, autograd: a form for that library."""

    loss: Function
    arguments: tuple[Any, ...]
    wrt: int
    jax: Function | None = None
    autograd: Function | None = None


# --- the programs ----------------------------------------------------------------------------------------------------


def logistic(np: Any, w: Any, x: Any, y: Any) -> Any:
    """Regression of 400 pictures of 784 pixels."""
    return np.mean(np.logaddexp(0.0, -y * np.dot(x, w))) + 0.5e-3 * np.sum(w * w)


def mlp(np: Any, w1: Any, b1: Any, w2: Any, b2: Any, x: Any, labels: Any) -> Any:
    """Two layers, cross-entropy."""
    h = np.tanh(np.dot(x, w1) + b1)
    logits = np.dot(h, w2) + b2
    top = np.max(logits, axis=1, keepdims=True)
    normal = np.log(np.sum(np.exp(logits - top), axis=1, keepdims=True)) + top
    return -np.mean(np.sum(labels * (logits - normal), axis=1))


def eight_schools(np: Any, mu: Any, log_tau: Any, eta: Any, y: Any, sigma: Any) -> Any:
    """The log-density of Rubin's example, not centred: a few operations on eight numbers, called thousands of times by a sampler."""
    tau = np.exp(log_tau)
    theta = mu + tau * eta
    likelihood = -0.5 * np.sum(((y - theta) / sigma) ** 2)
    return likelihood - 0.5 * np.sum(eta**2) - 0.5 * (mu / 5.0) ** 2 - np.log1p((tau / 5.0) ** 2) + log_tau


def rnn(np: Any, u: Any, w: Any, b: Any, xs: Any) -> Any:
    """A hundred steps of 64 units on a batch of 32."""
    h = np.zeros((xs.shape[1], w.shape[0]))
    for t in range(xs.shape[0]):
        h = np.tanh(np.dot(xs[t], u) + np.dot(h, w) + b)
    return np.mean(h**2)


def rnn_jax(np: Any, u: Any, w: Any, b: Any, xs: Any) -> Any:
    def step(h: Any, x: Any) -> Any:
        return np.tanh(np.dot(x, u) + np.dot(h, w) + b), None

    return np.mean(import_module("jax.lax").scan(step, np.zeros((xs.shape[1], w.shape[0])), xs)[0] ** 2)


def gaussian_process(np: Any, log_scale: Any, log_length: Any, log_noise: Any, distances: Any, y: Any, eye: Any) -> Any:
    """The likelihood of 500 points under a squared-exponential kernel."""
    k = np.exp(log_scale) * np.exp(-0.5 * distances * np.exp(-2 * log_length)) + np.exp(log_noise) * eye
    lower = np.linalg.cholesky(k)
    a = np.linalg.solve(lower, y)
    return 0.5 * np.sum(a * a) + np.sum(np.log(np.diagonal(lower, 0, -1, -2)))


def heat(np: Any, u0: Any, rate: Any, target: Any) -> Any:
    """200 explicit steps of the heat equation on a 96 x 96 grid, in place; what is left against a target."""
    u = u0.copy()
    for _ in range(200):
        u[1:-1, 1:-1] += rate * (u[2:, 1:-1] + u[:-2, 1:-1] + u[1:-1, 2:] + u[1:-1, :-2] - 4.0 * u[1:-1, 1:-1])
    return np.sum((u - target) ** 2)


def heat_jax(np: Any, u0: Any, rate: Any, target: Any) -> Any:
    def step(u: Any, _: Any) -> Any:
        change = rate * (u[2:, 1:-1] + u[:-2, 1:-1] + u[1:-1, 2:] + u[1:-1, :-2] - 4.0 * u[1:-1, 1:-1])
        return u.at[1:-1, 1:-1].add(change), None

    return np.sum((import_module("jax.lax").scan(step, u0, None, length=200)[0] - target) ** 2)


def heat_autograd(np: Any, u0: Any, rate: Any, target: Any) -> Any:
    u = u0
    for _ in range(200):
        inner = u[1:-1, 1:-1]
        inner = inner + rate * (u[2:, 1:-1] + u[:-2, 1:-1] + u[1:-1, 2:] + u[1:-1, :-2] - 4.0 * inner)
        middle = np.concatenate([u[1:-1, :1], inner, u[1:-1, -1:]], axis=1)
        u = np.concatenate([u[:1], middle, u[-1:]], axis=0)
    return np.sum((u - target) ** 2)


def _normal(*shape: int) -> numpy.ndarray:
    return _rng.standard_normal(shape)


def _points(n: int) -> tuple[numpy.ndarray, ...]:
    x = numpy.sort(_rng.uniform(0, 10, n))
    return (x[:, None] - x) ** 2, numpy.sin(x) + 0.1 * _normal(n), numpy.eye(n)


PROGRAMS = {
    "logistic": Program(logistic, (0.01 * _normal(784), _normal(400, 784), numpy.sign(_normal(400))), 1),
    "mlp": Program(
        mlp,
        (
            0.05 * _normal(784, 512),
            numpy.zeros(512),
            0.05 * _normal(512, 10),
            numpy.zeros(10),
            _normal(256, 784),
            numpy.eye(10)[_rng.integers(0, 10, 256)],
        ),
        4,
    ),
    "eight_schools": Program(
        eight_schools,
        (
            numpy.float64(1.0),
            numpy.float64(0.5),
            _normal(8),
            numpy.array([28.0, 8, -3, 7, -1, 1, 18, 12]),
            numpy.array([15.0, 10, 16, 11, 9, 11, 10, 18]),
        ),
        3,
    ),
    "rnn": Program(rnn, (0.1 * _normal(16, 64), 0.1 * _normal(64, 64), numpy.zeros(64), _normal(100, 32, 16)), 3, jax=rnn_jax),
    "gaussian_process": Program(gaussian_process, (numpy.float64(0.1), numpy.float64(0.2), numpy.float64(-2.0), *_points(500)), 3),
    "heat": Program(heat, (_normal(96, 96), numpy.float64(0.1), _normal(96, 96)), 2, jax=heat_jax, autograd=heat_autograd),
}

# --- the libraries ---------------------------------------------------------------------------------------------------


def _by_lazynp(program: Program) -> Function:
    loss = program.loss
    return lazynp.grad(lambda *arguments: loss(lazynp, *arguments), tuple(range(program.wrt)))


def _by_autograd(program: Program) -> Function:
    autograd = import_module("autograd")
    np = import_module("autograd.numpy")
    form = program.autograd or program.loss
    derived = autograd.grad(lambda parts, rest: form(np, *parts, *rest))
    return lambda *arguments: derived(arguments[: program.wrt], arguments[program.wrt :])


def _by_jax(program: Program) -> tuple[Function, Sequence[Any]]:
    jax, np = import_module("jax"), import_module("jax.numpy")
    form = program.jax or program.loss
    derived = jax.jit(jax.grad(lambda *arguments: form(np, *arguments), tuple(range(program.wrt))))
    arguments = [np.asarray(a) for a in program.arguments]
    return lambda *given: jax.block_until_ready(derived(*given)), arguments


def calls(program: Program) -> dict[str, Function]:
    """Each library's gradient as a call without arguments, on arrays of its own."""
    found = {
        "lazynp.jit": _with(lazynp.jit(_by_lazynp(program)), program.arguments),
        "lazynp": _with(_by_lazynp(program), program.arguments),
    }
    if find_spec("jax") is not None:
        import_module("jax").config.update("jax_enable_x64", True)
        found["jax.jit"] = _with(*_by_jax(program))
    if find_spec("autograd") is not None:
        found["autograd"] = _with(_by_autograd(program), program.arguments)
    return found


def _with(f: Function, arguments: Sequence[Any]) -> Function:
    return lambda: f(*arguments)


# --- measuring -------------------------------------------------------------------------------------------------------


def processor_seconds(call: Function, number: int) -> float:
    """Of one call, by `number` calls in a row: the time that this process has had a processor, of which a busy neighbour takes none."""
    start = time.process_time()
    for _ in range(number):
        call()
    return (time.process_time() - start) / number


def measure(name: str, repeat: int, budget: float) -> dict[str, Any]:
    """Medians of processor time (s), first calls (s), and how many times as long as lazynp.jit each other library takes: medians of
    ratios turn by turn."""
    program = PROGRAMS[name]
    found = calls(program)
    first, values = {}, {}
    for library, call in found.items():
        start = time.perf_counter()
        values[library] = call()
        first[library] = time.perf_counter() - start
    expected = values.get("autograd", values["lazynp"])
    worst = {library: difference(tuple(value), tuple(expected)) for library, value in values.items()}
    wrong = {library: distance for library, distance in worst.items() if not distance <= TOLERANCE}
    if wrong:
        raise AssertionError(f"{name}: gradients differ: {wrong}")
    numbers = {library: calibrated(call, budget) for library, call in found.items()}
    turns = [{library: processor_seconds(call, numbers[library]) for library, call in found.items()} for _ in range(repeat)]
    return {
        "program": name,
        "difference": worst,
        "first_call": first,
        "median": {library: statistics.median([turn[library] for turn in turns]) for library in found},
        "least": {library: min([turn[library] for turn in turns]) for library in found},
        "times_faster": {
            library: statistics.median([turn[library] / turn["lazynp.jit"] for turn in turns])
            for library in found
            if library != "lazynp.jit"
        },
    }


def line(row: dict[str, Any]) -> str:
    """One row of the table."""
    cells = [f"{duration(row['median'][k])} ({duration(row['first_call'][k])})" for k in row["median"]]
    ratios = ", ".join([f"{ratio:.2f}x {library}" for library, ratio in row["times_faster"].items()])
    return f"{row['program']:18}" + "".join([f"{cell:>24}" for cell in cells]) + f"   {ratios}"


def command_line(description: str | None, programs: Iterable[str], budget: float) -> argparse.ArgumentParser:
    """The options of a comparison of programs. budget: seconds of one sample, unless told otherwise."""
    names = list(programs)
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", nargs="+", choices=names, default=names, metavar="NAME", help=", ".join(names))
    parser.add_argument("--repeat", type=int, default=15, help="turns (15)")
    parser.add_argument("--budget", type=float, default=budget, help=f"seconds of one sample, at least ({budget})")
    parser.add_argument("--threads", type=int, default=1, help="threads, each pinned to a processor (1)")
    parser.add_argument("--json", metavar="FILE", help="write all numbers there")
    return parser


def main(arguments: list[str] | None = None) -> int:
    arguments = sys.argv[1:] if arguments is None else arguments
    options = command_line(__doc__, PROGRAMS, 0.05).parse_args(arguments)
    restart_pinned(options.threads, arguments, __file__)
    rows = []
    for name in options.programs:
        rows.append(measure(name, options.repeat, options.budget))
        if len(rows) == 1:
            print(
                "Median processor time of a cached call (first call, by the clock); how many times as long as lazynp.jit the others take."
            )
            print(" " * 18 + "".join([f"{library:>24}" for library in rows[0]["median"]]))
        print(line(rows[-1]), flush=True)
    if options.json:
        report = {"machine": machine(), "versions": versions(), "threads": options.threads, "results": rows}
        report["time"] = time.strftime("%FT%TZ", time.gmtime())
        Path(options.json).parent.mkdir(parents=True, exist_ok=True)
        Path(options.json).write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
