"""Where a NaN was born: with config.debug_nans every program's graph is first run node by node."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from lazynp.backends.reference import evaluate
from lazynp.errors import with_origin
from lazynp.ir.canonical import Form
from lazynp.ir.node import Graph, Node


def check_nans(form: Form, arrays: Sequence[np.ndarray]) -> None:
    """Raises FloatingPointError naming the line of the operation that made the first NaN of a result from values without NaN.

    Nodes of a derivative carry the line of the operation that they differentiate. NaN that a selection drops are no results."""
    values = dict(zip(form.order, evaluate(Graph(form.leaves, tuple(form.order)), list(arrays)), strict=True))
    waiting = [node for node in form.outputs if _has_nan(values[node])]
    seen = set(waiting)
    while waiting:
        node = waiting.pop()
        if not node.args:  # it came with the data
            continue
        causes = [a for a in node.args if _has_nan(values[a])]
        if not causes:
            raise with_origin(FloatingPointError(f"lazynp: {_named(node)} made a NaN of values without one"), node.where)
        waiting += [a for a in causes if a not in seen]
        seen.update(causes)


def _named(node: Node) -> str:
    return node.args[0].op.name if node.op.name == "item" else node.op.name


def _has_nan(value: Any) -> bool:
    parts = value if isinstance(value, tuple) else (value,)
    return any(np.asarray(part).dtype.kind in "fc" and bool(np.isnan(part).any()) for part in parts)
