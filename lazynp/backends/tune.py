"""Choice by measurement: a program is made with every answer to the questions in `lazynp.choices` that makes a difference to it, and run.

    compile(graph, key) -> Program      with the fastest answers; they are kept on disk for programs of the same class on this machine

One question after the other, each with the best answers so far. Most answers change nothing about a program: then its text is the same, and
nothing is measured. Programs that cannot be run on made-up arguments (loops that end by their values, printing, routines in Python) have
the answers of the cost model.
"""

import hashlib
import json
import time
from collections.abc import Iterable, Sequence
from threading import get_ident

import numpy as np

from lazynp import choices
from lazynp.backends import base, c, diskcache, threads, toolchain
from lazynp.backends.program import Blueprint, CProgram
from lazynp.ir.node import Graph, Node, toposort
from lazynp.ir.types import ArrayType, itemcount
from lazynp.ops.structured import while_

_KEPT = ".tuned"
_MOST_BYTES = 1 << 29
"""Of the arguments of a program that is measured."""
_SECONDS = 0.2
"""Spent on one question, without compiling."""
_ROUNDS = 25
_CLEARLY = 0.97
"""Another answer has to take at most so much of the time of the cost model's."""


def compile(graph: Graph, key: str) -> base.Program:
    """The program of an optimised graph. Raises CompileError: a defect of lazynp."""
    answers = kept_answers(graph)
    with choices.using(answers):
        blueprint = c.draft(graph)
    blueprint.choices = answers
    return c.linked(blueprint, key)


def kept_answers(graph: Graph) -> dict[str, float]:
    """The fastest answers, known from disk or measured now; those of the cost model are left out."""
    name = f"class-{class_of(graph)}"
    stored = diskcache.get(name, _KEPT)
    if stored is not None:
        return {name: value for name, value in json.loads(stored).items() if name in choices.TABLE}
    answers = _measured(graph)
    diskcache.put(name, _KEPT, json.dumps(answers).encode())
    return answers


def class_of(graph: Graph) -> str:
    """The same for graphs of the same operations whose sizes have as many binary digits, on this machine with this compiler."""
    hasher = hashlib.sha256(repr((toolchain.fingerprints(), threads.thread_count(), choices.changed())).encode())
    for node in _nodes(graph):
        types = node.type if type(node.type) is tuple else (node.type,)
        shapes = [[n.bit_length() if type(n) is int else "n" for n in t.shape] + [t.dtype.str] for t in types if isinstance(t, ArrayType)]
        hasher.update(f"{node.op.name}{len(node.args)}{shapes}\n".encode())
    return hasher.hexdigest()[:32]


def _nodes(graph: Graph) -> Iterable[Node]:
    """The nodes of a graph and of the bodies in it."""
    waiting = [graph]
    while waiting:
        for node in toposort(waiting.pop().outputs):
            yield node
            waiting += [attr for attr in node.attrs if isinstance(attr, Graph)]


def _measured(graph: Graph) -> dict[str, float]:
    best: dict[str, float] = {}
    arguments = _arguments(graph)
    if arguments is None:
        return best
    for name, choice in choices.TABLE.items():
        candidates: dict[tuple[str, int], tuple[dict[str, float], Blueprint]] = {}
        for answer in sorted(choice.alternatives, key=lambda a: a != choices.value(name)):  # the cost model's first
            with choices.using({**best, name: answer}):
                blueprint = c.draft(graph)
            if blueprint.steps or blueprint.callbacks:
                return {}
            threshold = blueprint.threshold if blueprint.parallel and threads.thread_count() > 1 else 0
            candidates.setdefault((blueprint.source, threshold), ({**best, name: answer}, blueprint))
        if len(candidates) > 1:
            answers, blueprints = zip(*candidates.values(), strict=True)
            try:
                best = answers[_fastest([_loaded(b) for b in blueprints], arguments)]
            except Exception:
                return {}
    return {name: answer for name, answer in best.items() if answer != choices.value(name)}


def _arguments(graph: Graph) -> list[np.ndarray] | None:
    """Arrays of the types of the inputs; None where sizes are not known, there are too many, or a loop ends by its values."""
    types = [node.type for node in graph.inputs]
    if not all(isinstance(t, ArrayType) and all(type(n) is int for n in t.shape) for t in types):
        return None
    if sum(itemcount(t.shape) * t.dtype.itemsize for t in types) > _MOST_BYTES or any(node.op is while_ for node in _nodes(graph)):
        return None
    rng = np.random.default_rng(0)
    floats = [t.dtype.kind in "fc" for t in types]
    return [(rng.random(t.shape) + 0.5 if f else np.zeros(t.shape)).astype(t.dtype) for t, f in zip(types, floats, strict=True)]


def _loaded(blueprint: Blueprint) -> CProgram:
    name = hashlib.sha256(blueprint.source.encode()).hexdigest()
    return CProgram(blueprint, toolchain.build(blueprint.source, name))


def _fastest(programs: Sequence[CProgram], arguments: list[np.ndarray]) -> int:
    """The number of the program with the least time, by turns in the same minute; the first one unless another is clearly faster."""
    least = [float("inf")] * len(programs)
    end = time.perf_counter() + _SECONDS
    for turn in range(_ROUNDS):
        for number, program in enumerate(programs):
            given = [a.copy() for a in arguments]  # programs may write to them
            start = time.perf_counter()
            program.run(given)
            spent = time.perf_counter() - start
            if turn:
                least[number] = min(least[number], spent)
            base.raised.pop(get_ident(), None)
        if turn > 2 and time.perf_counter() > end:
            break
    found = min(range(len(programs)), key=least.__getitem__)
    return found if least[found] < _CLEARLY * least[0] else 0
