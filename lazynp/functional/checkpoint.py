"""`checkpoint`: the derivative backwards computes a function's inner values again instead of keeping them.

Inside a derivative a call becomes one node: a graph of what it reads from outside. Its results, and what it writes to arrays from outside,
are the node's.
"""

import functools
from collections.abc import Callable
from typing import Any

from lazynp.functional.regions import Nodes, Region
from lazynp.ir.node import Graph, new_input, substitute
from lazynp.ops.custom import checkpointed
from lazynp.ops.structured import item
from lazynp.runtime.storage import queue
from lazynp.trace.control import captured_under_jit

Function = Callable[..., Any]


def checkpoint(f: Function) -> Function:
    """f, whose inner values a reverse pass computes again when it needs them; between the passes only what f reads is kept.

    Of a chain of n such calls the memory is that of the n arguments and of the inside of one call, for one more evaluation of f.
    Values, aliasing and in-place writes are those of f; derivatives of any order and mode, under jit, vmap and scan. Outside
    of derivatives f is called as it is."""
    if not callable(f):
        raise TypeError(f"lazynp.checkpoint expects a function, got {f!r}")

    @functools.wraps(f, updated=())
    def call(*args: Any, **kwargs: Any) -> Any:
        if not queue().derives:
            return captured_under_jit(f)(*args, **kwargs)
        region = Region()
        result = region.run_in(f, *args, **kwargs)
        region.hand_over(lambda outputs: _as_call(region, outputs))
        return result

    return call


def _as_call(region: Region, outputs: Nodes) -> Nodes:
    """The same values as results of one checkpointed call."""
    leaves = {node: new_input(node.type) for node in region.read_by(outputs)}
    if not leaves:
        return outputs
    made = checkpointed.make(tuple(leaves), body=Graph(tuple(leaves.values()), tuple(substitute(outputs, leaves))))
    return [item(made, k) for k in range(len(outputs))]
