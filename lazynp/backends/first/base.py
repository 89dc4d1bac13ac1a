"""What every backend gives the runtime: a program that runs on arrays."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from lazynp.backends import reference
from lazynp.ir.node import Graph, numbered_dim


class Program(Protocol):
    """A compiled graph. kernels: loop nests and library calls; library_steps: nodes that run through NumPy; source, loops: for people."""

    kernels: int
    library_steps: int
    source: str
    loops: str

    def run(
        self, inputs: Sequence[np.ndarray], dims: Sequence[int] = (), outputs: Sequence[np.ndarray | None] | None = None
    ) -> list[np.ndarray]:
        """inputs: C-contiguous, of the graph's input types; dims: values of dim leaves; outputs: memory to write to, None: allocated.

        An output that the graph aliases to an input must be given that input's array. Errors found on the way carry `lazynp_origin`:
        the number of the node in the canonical graph."""
        ...


class ReferenceProgram:
    """A graph run by the NumPy interpreter."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.kernels = 0
        self.library_steps = 0
        self.source = ""
        self.loops = ""

    def run(
        self, inputs: Sequence[np.ndarray], dims: Sequence[int] = (), outputs: Sequence[np.ndarray | None] | None = None
    ) -> list[np.ndarray]:
        values = reference.evaluate(self.graph, list(inputs), {numbered_dim(k): n for k, n in enumerate(dims)})
        fresh = [np.array(value, order="C") for value in values]  # all are computed before any memory is written
        return [new if out is None else _fill(out, new) for new, out in zip(fresh, outputs or [None] * len(fresh), strict=True)]


def _fill(out: np.ndarray, values: Any) -> np.ndarray:
    out[...] = values
    return out


def reference_program(graph: Graph) -> Program:
    """The program that interprets the graph: what runs when there is no compiler."""
    return ReferenceProgram(graph)
