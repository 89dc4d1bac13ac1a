"""A derivative that is applied again and again: what it needs of the function is computed at its first use and kept."""

from collections.abc import Sequence

from lazynp.functional.run import Run, zeros
from lazynp.ir.node import Node, substitute, toposort
from lazynp.ir.op import Kind
from lazynp.runtime.storage import borrowed, bound, tracing


class Linear:
    """outputs: nodes that are linear in the variables; a call gives them for other nodes in the place of the variables.

    Outside a trace the values that do not depend on the variables (the residuals) are computed once: a thousand pullbacks
    run the function forward one time."""

    def __init__(self, run: Run, variables: Sequence[Node], outputs: Sequence[Node]) -> None:
        self.run = run
        self.variables = variables
        self.outputs = list(outputs)
        self.settled = tracing()

    def __call__(self, given: Sequence[Node | None]) -> list[Node]:
        if not self.settled and not tracing():
            self.settled = True
            self.outputs = self._with_residuals()
        places = {v: zeros(v) if g is None else g for v, g in zip(self.variables, given, strict=True)}
        return substitute(self.outputs, places)

    def _with_residuals(self) -> list[Node]:
        outputs = self.run.scope.seen_from_outside(self.outputs)
        residuals = _residuals(outputs, self.variables)
        if not residuals:
            return outputs
        values = self.run.scope.values(residuals)
        return substitute(outputs, {node: borrowed(value) for node, value in zip(residuals, values, strict=True)})


def _residuals(outputs: Sequence[Node], variables: Sequence[Node]) -> list[Node]:
    """The nodes at the border: independent of the variables, needed by one that depends on them. Views are looked through:
    the array that they show is kept."""
    dependent, varying = set(variables), set()
    border = [node for node in outputs if node not in dependent]
    for node in toposort(outputs):
        if any(a in dependent for a in node.args):
            dependent.add(node)
            border.extend([a for a in node.args if a not in dependent])
        elif bound(node) is not None or any(a in varying for a in node.args):
            varying.add(node)
    found: dict[Node, None] = {}
    while border:
        node = border.pop()
        if node.op.kind is Kind.MOVE:
            border.extend(node.args)
        elif node.args and node in varying and node not in dependent:
            found[node] = None
    return list(found)
