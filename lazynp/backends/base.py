"""What a compiled graph offers to the runtime, whatever made it; and the program that runs a graph through NumPy."""

from __future__ import annotations

from collections.abc import Sequence
from threading import get_ident
from typing import Any

import numpy as np

from lazynp.backends import reference
from lazynp.ir.node import Graph, Node, const, numbered_dim, toposort
from lazynp.native import keeping

Arrays = Sequence[np.ndarray]

INVALID, DIVIDE, OVER, UNDER = 1, 4, 8, 16
raised: dict[int, int] = {}
"""Floating-point flags that a run has left behind, per thread; whoever ran the program takes them."""


def raise_flags(flags: int) -> None:
    """Note flags for this thread."""
    if flags:
        thread = get_ident()
        raised[thread] = raised.get(thread, 0) | flags


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
    ends_early: bool = False
    """Whether it may end in the middle, with part of what it writes in place written, when a signal comes."""
    may_fail: bool = False
    """The same when an index is out of range, or a routine fails."""
    flagged: int = 0
    """How often in a row floating-point flags led to no warning."""
    filters: object = None
    """The warning filters that were in force then."""

    def run(self, inputs: Arrays, dims: Sequence[int] = (), outputs: Sequence[np.ndarray | None] | None = None) -> list[np.ndarray]:
        """The outputs. inputs: C-contiguous arrays of exactly the graph's input types; dims: the values of its `dim` leaves.
        outputs[i]: the array to write output i into (for an aliased output the aliased input's own), or None.
        Errors that belong to one node carry its `where` as `lazynp_origin`."""
        raise NotImplementedError


class Interpreted(Program):
    """A graph that NumPy runs, node by node."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._constants = {id(n.value.array) for n in toposort(graph.outputs) if n.op is const}
        self.kernels = len([n for n in toposort(graph.outputs) if n.args])
        self.library_steps = self.kernels
        self._aliases = dict(graph.aliases)
        self._overwritten = reference.overwritten(graph)

    def run(self, inputs: Arrays, dims: Sequence[int] = (), outputs: Sequence[np.ndarray | None] | None = None) -> list[np.ndarray]:
        known: dict[Node, int] = {numbered_dim(position): n for position, n in enumerate(dims)}
        with np.errstate(all="call", call=note_flags):
            values = keeping(reference.interpret, self._graph, list(inputs), known, self._overwritten)
        given = outputs or [None] * len(values)
        fresh = self._own(values, inputs)  # before any memory is written: a value may be a view of an input
        return [self._delivered(k, value, given[k], inputs) for k, value in enumerate(fresh)]

    def _own(self, values: list[Any], inputs: Arrays) -> list[np.ndarray]:
        """The values as arrays that nobody else knows: copies of what is a view, a constant or an input, or comes twice."""
        known = {*map(id, inputs), *self._constants}
        found = []
        for number, value in enumerate(values):
            if number in self._aliases and value is inputs[self._aliases[number]]:
                found.append(value)  # written in place
                continue
            own = type(value) is np.ndarray and reference.is_owner(value) and value.flags.carray and id(value) not in known
            known.add(id(value))
            found.append(value if own else np.array(value, order="C"))
        return found

    def _delivered(self, number: int, value: Any, given: np.ndarray | None, inputs: Arrays) -> np.ndarray:
        if given is None and number in self._aliases:
            given = inputs[self._aliases[number]]
        if given is None:
            return value  # type: ignore[no-any-return]
        if value is not given:
            given[...] = value
        return given


def note_flags(kind: str, flags: int) -> None:
    """NumPy's callback: 1 divide, 2 over, 4 under, 8 invalid."""
    raise_flags((flags & 1) * DIVIDE | (flags >> 1 & 1) * OVER | (flags >> 2 & 1) * UNDER | (flags >> 3 & 1) * INVALID)


def reference_program(graph: Graph) -> Program:
    """The graph run by the NumPy interpreter: what is used without a C compiler."""
    return Interpreted(graph)
