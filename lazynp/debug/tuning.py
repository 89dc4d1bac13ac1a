"""`python -m lazynp tune`: small programs, each with every answer to a question of the cost model, by turns."""

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from lazynp import choices
from lazynp.trace.jit import jit

_SECONDS = 0.3
"""Spent on one program."""
_CLEARLY = 0.97
"""Another answer has to take at most so much of the default's time."""

Probe = Callable[[np.ndarray], Any]


def _recomputed(x: np.ndarray) -> Any:
    s = x * x + x * 0.5 - x / (x + 2)
    return (s[1:] - s[:-1]) * s.sum()


def _multiplied(n: int) -> Probe:
    return lambda x: x[: n * n].reshape(n, n) @ x[n * n : 2 * n * n].reshape(n, n)


def _summed(x: np.ndarray) -> Any:
    return (x.reshape(-1, 1000) * 2).sum(0)


def _scaled(x: np.ndarray) -> Any:
    m = x.reshape(-1, 100)
    e = np.exp(m - m.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def _added(x: np.ndarray) -> Any:
    return x * x + 1


PROBES: dict[str, list[tuple[Probe, int]]] = {
    "recompute": [(_recomputed, 10_000), (_recomputed, 1_000_000)],
    "blas": [(_multiplied(n), 2 * n * n) for n in (8, 16, 32)],
    "tile": [(_summed, 100_000), (_summed, 2_000_000)],
    "band": [(_scaled, 100_000), (_scaled, 2_000_000)],
    "parallel": [(_added, 20_000), (_added, 50_000), (_added, 200_000)],
}
"""For each question programs to which the answer makes a difference, and their sizes."""


def fit(say: Callable[[str], None]) -> dict[str, float]:
    """The best answer to each question on this machine: least geometric mean of the times over its programs."""
    fitted = {}
    for name, choice in choices.TABLE.items():
        answers = sorted(choice.alternatives, key=lambda a: a != choice.default)
        ratios = [_relative(probe, size, name, answers) for probe, size in PROBES[name]]
        means = [math.prod(column) ** (1 / len(ratios)) for column in zip(*ratios, strict=True)]
        best = min(range(len(answers)), key=means.__getitem__)
        fitted[name] = answers[best] if means[best] < _CLEARLY else choice.default
        say(f"{name:10} {choice.what}")
        say("           " + ", ".join(f"{a:g}: {m:.2f}" for a, m in zip(answers, means, strict=True)) + f"; kept: {fitted[name]:g}")
    return fitted


def _relative(probe: Probe, size: int, name: str, answers: list[float]) -> list[float]:
    """The time of the probe with each answer, in times of the first one's."""
    x = np.random.default_rng(0).random(size) + 0.5
    functions = []
    for answer in answers:
        with choices.using({name: answer}):
            function = jit(probe)
            function(x)
            functions.append(function)
    repeat = max(1, 20_000 // size)
    least = [math.inf] * len(answers)
    end = time.perf_counter() + _SECONDS
    while time.perf_counter() < end:
        for number, function in enumerate(functions):
            start = time.perf_counter()
            for _ in range(repeat):
                function(x)
            least[number] = min(least[number], time.perf_counter() - start)
    return [spent / least[0] for spent in least]
