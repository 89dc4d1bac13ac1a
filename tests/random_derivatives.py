"""Random programs to differentiate: views and writes through them, masks, branches, loops, reductions, linear algebra, `out=`.

A program is a list of steps on a few arrays of 4 x 4; each step replaces one of them or writes into it. The same code runs on NumPy.
"""

from collections.abc import Callable
from typing import Any

import numpy

N = 4
Function = Callable[..., Any]
Step = Callable[[Any, list[Any]], None]


def _pick(rng: numpy.random.Generator, values: list[Any]) -> Any:
    return values[int(rng.integers(len(values)))]


REGIONS: list[Any] = [
    (slice(1, None), slice(None)),
    (slice(None, None, -1), slice(1, 3)),
    (slice(None, None, 2), slice(None, None, -2)),
    (1, slice(None)),
    (slice(None), -1),
    (Ellipsis, slice(0, 2)),
    (slice(2, 3), slice(3, 0, -1)),
]
ROWS: list[Any] = [[0, 2], [3, 3, 1], [-1, 0], numpy.array([[0, 1], [2, 2]])]


def _unary(np: Any, kind: str, a: Any) -> Any:
    return {
        "sin": lambda: np.sin(a),
        "tanh": lambda: np.tanh(a),
        "gauss": lambda: np.exp(-a * a),
        "sqrt": lambda: np.sqrt(1.5 + a * a),
        "log1p": lambda: np.log1p(a * a),
        "abs": lambda: abs(a),
        "power": lambda: np.abs(a) ** 1.5,
        "arctan": lambda: np.arctan(a),
        "sign": lambda: np.sign(a) * a,
        "floor": lambda: a - np.floor(a),
        "clip": lambda: np.clip(a, -0.8, 0.9),
    }[kind]()


def _binary(np: Any, kind: str, a: Any, b: Any) -> Any:
    return {
        "add": lambda: a + b,
        "multiply": lambda: a * b,
        "subtract": lambda: a - 0.5 * b,
        "divide": lambda: a / (1.5 + b * b),
        "maximum": lambda: np.maximum(a, b),
        "minimum": lambda: np.minimum(a, 0.7 * b),
        "where": lambda: np.where(a > b, a * b, np.sin(b)),
        "hypot": lambda: np.hypot(a, b + 3.0),
        "matmul": lambda: a @ b * 0.5,
        "transposed": lambda: a @ b.T * 0.5,
        "solve": lambda: np.linalg.solve(a @ a.T + 4 * np.eye(N), b),
        "einsum": lambda: np.einsum("ij,kj->ik", a, b) * 0.3,
        "outer": lambda: np.outer(a[0], b[:, 1]),
        "logaddexp": lambda: np.logaddexp(a, b),
        "arctan2": lambda: np.arctan2(a, 2.0 + b * b),
        "inner": lambda: a * np.sum(a * b) * 0.2,
        "tensordot": lambda: np.tensordot(a, b, axes=([0], [1])) * 0.4,
    }[kind]()


def _whole(np: Any, kind: str, a: Any) -> Any:
    """Functions that look at the array as a whole; the result has its shape."""
    return {
        "sum": lambda: a - np.sum(a, axis=0) * 0.2,
        "mean": lambda: a - np.mean(a, axis=1, keepdims=True),
        "max": lambda: a - np.max(a, axis=0),
        "min": lambda: a * np.min(a, axis=1)[:, None],
        "prod": lambda: a + np.prod(1 + 0.1 * a, axis=0),
        "var": lambda: a / np.sqrt(0.5 + np.var(a, axis=1, keepdims=True)),
        "softmax": lambda: np.exp(a) / np.sum(np.exp(a), axis=1, keepdims=True),
        "norm": lambda: a / (1.0 + np.linalg.norm(a)),
        "cumsum": lambda: np.cumsum(a, axis=0) * 0.4,
        "cumprod": lambda: np.cumprod(1 + 0.2 * a, axis=1),
        "sort": lambda: np.sort(a, axis=0),
        "median": lambda: a - np.median(a, axis=1)[:, None],
        "roll": lambda: np.roll(a, 1, axis=0) + a,
        "flip": lambda: np.flip(a, 1) * a,
        "pad": lambda: np.pad(a, 1)[:N, 1 : N + 1] + a,
        "concatenate": lambda: np.concatenate([a[2:], a[:2]], axis=0),
        "stack": lambda: np.stack([a[0], a[2], a[0], np.sin(a[1])]),
        "take": lambda: np.take(a, [1, 1, 3, 0], axis=1),
        "gather": lambda: a[[0, 2, 2, 3]] * a,
        "elements": lambda: a[numpy.arange(N), [1, 0, 3, 3]] + a,
        "along": lambda: np.take_along_axis(a, np.argsort(a, axis=0), axis=0) + 0.1 * a,
        "diff": lambda: np.concatenate([np.diff(a, axis=0), a[:1]]),
        "repeat": lambda: np.repeat(a[:2], 2, axis=0),
        "tile": lambda: np.tile(a[:, :2], (1, 2)),
        "reshape": lambda: a.reshape(2, 8).T.reshape(N, N),
        "diagonal": lambda: a + np.diag(np.diagonal(a)),
        "trace": lambda: a * np.trace(a),
        "triangle": lambda: np.tril(a) + 0.5 * np.triu(a, 1),
        "inverse": lambda: np.linalg.inv(a @ a.T + 3 * np.eye(N)),
        "cholesky": lambda: np.linalg.cholesky(a @ a.T + 3 * np.eye(N)),
        "determinant": lambda: a * np.linalg.det(0.3 * a + np.eye(N)),
        "masked sum": lambda: a + np.sum(a[a > 0.1]),
        "interp": lambda: np.interp(a, numpy.linspace(-2, 2, 7), numpy.linspace(-2, 2, 7) ** 3 * 0.1),
        "convolve": lambda: a + np.convolve(a[0], a[:, 1], mode="same"),
        "fft": lambda: np.real(np.fft.ifft(np.fft.fft(a, axis=0) * (1.0 + numpy.arange(N)[:, None]))) * 0.3,
    }[kind]()


def _apply(function: Function, kind: str, target: int, source: int) -> Step:
    def step(np: Any, v: list[Any]) -> None:
        v[target] = function(np, kind, v[source])

    return step


UNARY = "sin tanh gauss sqrt log1p abs power arctan sign floor clip".split()
BINARY = [
    *"add multiply subtract divide maximum minimum where hypot matmul transposed solve einsum".split(),
    *"outer logaddexp arctan2 inner tensordot".split(),
]
WHOLE = [
    *"sum mean max min prod var softmax norm cumsum cumprod sort median roll flip pad concatenate stack take gather elements along".split(),
    *"diff repeat tile reshape diagonal trace triangle inverse cholesky determinant interp convolve fft".split(),
    "masked sum",
]


def _writing_step(rng: numpy.random.Generator, t: int, a: int, b: int) -> tuple[str, Step]:
    """A step that changes v[t] in place."""
    region, rows, number = _pick(rng, REGIONS), _pick(rng, ROWS), float(rng.uniform(-1, 1))

    def assign(np: Any, v: list[Any]) -> None:
        v[t][region] = np.sin(v[a][region])

    def add(np: Any, v: list[Any]) -> None:
        v[t][region] += v[a][region] * v[b][region]

    def overlap(np: Any, v: list[Any]) -> None:
        v[t][1:] = v[t][:-1] * 0.9 + v[a][1:]

    def through_view(np: Any, v: list[Any]) -> None:
        view = v[t].T[region]
        view *= 0.5
        view += v[a].T[region]

    def through_reshape(np: Any, v: list[Any]) -> None:
        flat = v[t].reshape(-1)
        flat[3:9] = np.tanh(flat[4:10])

    def masked(np: Any, v: list[Any]) -> None:
        v[t][v[a] > number] *= 0.3

    def masked_values(np: Any, v: list[Any]) -> None:
        mask = v[a] < number
        v[t][mask] = v[b][mask] ** 2

    def fancy(np: Any, v: list[Any]) -> None:
        v[t][rows] = v[a][rows] + 0.5

    def add_at(np: Any, v: list[Any]) -> None:
        np.add.at(v[t], [0, 1, 1, 3], v[a][:4] * 0.5)

    def out(np: Any, v: list[Any]) -> None:
        np.multiply(v[a], v[b], out=v[t])

    def out_region(np: Any, v: list[Any]) -> None:
        np.add(v[a][:2], v[b][1:3], out=v[t][::2])

    def out_where(np: Any, v: list[Any]) -> None:
        np.sin(v[a], out=v[t], where=numpy.arange(N) % 2 == 0)

    def in_place(np: Any, v: list[Any]) -> None:
        v[t] *= v[a] * 0.5
        v[t] -= number

    def fill(np: Any, v: list[Any]) -> None:
        v[t].fill(v[a][0, 1])

    def copyto(np: Any, v: list[Any]) -> None:
        np.copyto(v[t], v[a], where=v[b] > number)

    def alias(np: Any, v: list[Any]) -> None:
        row = v[t][1]
        v[t][0] = row
        row[:] = v[a][2]
        v[t][3] += row

    def loop(np: Any, v: list[Any]) -> None:
        x = v[t]
        for k in range(1, N):
            x[k] = np.sin(x[k - 1]) + v[a][k]

    def long_loop(np: Any, v: list[Any]) -> None:
        x, y = v[t], v[a]
        for k in range(9):
            x[k % N, 1:] = 0.7 * x[k % N, :-1] + 0.2 * y[k // 3, 1:]

    named = [
        assign,
        add,
        overlap,
        through_view,
        through_reshape,
        masked,
        masked_values,
        fancy,
        add_at,
        out,
        out_region,
        out_where,
        in_place,
    ]
    step = _pick(rng, [*named, fill, copyto, alias, loop, long_loop])
    return step.__name__, step


def _flow_step(rng: numpy.random.Generator, t: int, a: int, b: int) -> tuple[str, Step]:
    """A step with a loop or branch that replaces v[t]."""
    number = float(rng.uniform(-1, 1))

    def loop(np: Any, v: list[Any]) -> None:
        x, y = v[a], v[b]
        for _ in range(7):
            x = np.tanh(0.6 * x + 0.3 * y)
        v[t] = x

    def counted(np: Any, v: list[Any]) -> None:
        x, y = v[a], v[b]
        for k in range(6):
            x = x * 0.8 + y[k % N] / (k + 1.0)
        v[t] = x

    def branch(np: Any, v: list[Any]) -> None:
        if np.sum(v[a]) > number:
            v[t] = v[a] * v[b]
        else:
            v[t] = np.cos(v[a]) + v[b]

    def product(np: Any, v: list[Any]) -> None:
        x = v[a]
        for _ in range(5):
            x = 0.4 * (x @ v[b]) / (1.0 + np.max(np.abs(x)))
        v[t] = x

    def rows(np: Any, v: list[Any]) -> None:
        v[t] = np.stack([np.sin(row) * 0.5 for row in v[a]])

    def branch_in_loop(np: Any, v: list[Any]) -> None:
        x = v[a]
        for k in range(6):
            if k % 2 == 0:
                x = x + 0.1 * v[b]
            else:
                x = np.sin(x)
        v[t] = x

    step = _pick(rng, [loop, counted, branch, product, rows, branch_in_loop])
    return step.__name__, step


def _view_step(rng: numpy.random.Generator, t: int, a: int, b: int) -> tuple[str, Step]:
    """A step after which v[t] is a view of v[a]: later writes reach both."""
    kind = _pick(rng, ["T", "flip", "same", "reshape"])

    def view(np: Any, v: list[Any]) -> None:
        v[t] = {"T": v[a].T, "flip": v[a][::-1], "same": v[a], "reshape": v[a].reshape(2, 8).reshape(N, N)}[kind]

    return f"view {kind}", view


def random_steps(seed: int) -> tuple[list[str], list[Step]]:
    """Three to nine steps with their names."""
    rng = numpy.random.default_rng(seed)
    names, steps = [], []
    for _ in range(int(rng.integers(3, 10))):
        t, a, b = [int(k) for k in rng.integers(0, 3, 3)]
        family = _pick(rng, ["unary", "binary", "whole", "whole", "write", "write", "write", "flow", "view"])
        if family == "unary":
            name = _pick(rng, UNARY)
            step = _apply(_unary, name, t, a)
        elif family == "binary":
            name = _pick(rng, BINARY)
            step = lambda np, v, name=name, t=t, a=a, b=b: v.__setitem__(t, _binary(np, name, v[a], v[b]))  # noqa: E731
        elif family == "whole":
            name = _pick(rng, WHOLE)
            step = _apply(_whole, name, t, a)
        else:
            name, step = {"write": _writing_step, "flow": _flow_step, "view": _view_step}[family](rng, t, a, b)
        names.append(f"{name} {t}{a}{b}")
        steps.append(step)
    return names, steps


def random_program(seed: int, np: Any, wrap: Function = lambda f: f) -> Function:
    """loss(x, y) of two 4 x 4 arrays. wrap: around the second half of the steps, as a function of the arrays."""
    _, steps = random_steps(seed)
    half = len(steps) // 2

    def rest(v: list[Any]) -> list[Any]:
        for step in steps[half:]:
            step(np, v)
        return v

    wrapped = wrap(rest)

    def loss(x: Any, y: Any) -> Any:
        v = [x * 1.0, y + 0.0, np.sin(x + y)]
        for step in steps[:half]:
            step(np, v)
        v = wrapped(v)
        return np.sum(v[0] * 0.9) + np.sum(np.tanh(v[1])) + np.sum(v[2] * numpy.arange(1.0, 5.0)) * 0.1

    return loss
