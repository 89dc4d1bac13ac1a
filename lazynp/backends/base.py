"""What a compiled graph offers to the runtime, whatever made it; and the program that runs a graph through NumPy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lazynp.backends import reference
from lazynp.ir.node import Graph, Node, numbered_dim, toposort

Arrays = Sequence[np.ndarray]


class Program:
    """A graph that can be run, by any thread at any time.

    kernels: loop nests and library calls; source: its C text; loops: readable text of its loop nests; foreign_calls: calls into C per run;
    library_steps: steps that run in Python.
    """

    kernels: int = 0
    source: str = ""
    loops: str = ""
    foreign_calls: int = 0
    library_steps: int = 0

    def run(self, inputs: Arrays, dims: Sequence[int] = (), outputs: Sequence[np.ndarray | None] | None = None) -> list[np.ndarray]:
        """The outputs. inputs: C-contiguous arrays of exactly the graph's input types; dims: the values of its `dim` leaves.
        outputs[i]: the array to write output i into (for an aliased output the aliased input's own), or None.
        Errors that belong to one node carry its `where` as `lazynp_origin`."""
        raise NotImplementedError


class _Reference(Program):
    """The interpreter behind the same interface."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self.kernels = len([n for n in toposort(graph.outputs) if n.args])
        self.library_steps = self.kernels
        self._aliases = dict(graph.aliases)

    def run(self, inputs: Arrays, dims: Sequence[int] = (), outputs: Sequence[np.ndarray | None] | None = None) -> list[np.ndarray]:
        known: dict[Node, int] = {numbered_dim(position): n for position, n in enumerate(dims)}
        values = reference.evaluate(self._graph, list(inputs), known)
        given = outputs or [None] * len(values)
        fresh = [np.array(value, order="C") for value in values]  # before any memory is written: a value may be a view of an input
        return [self._delivered(k, value, given[k], inputs) for k, value in enumerate(fresh)]

    def _delivered(self, number: int, value: Any, given: np.ndarray | None, inputs: Arrays) -> np.ndarray:
        if given is None and number in self._aliases:
            given = inputs[self._aliases[number]]
        if given is None:
            return value  # type: ignore[no-any-return]
        given[...] = value
        return given


def reference_program(graph: Graph) -> Program:
    """The graph run by the NumPy interpreter: what is used without a C compiler."""
    return _Reference(graph)
