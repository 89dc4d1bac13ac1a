"""`trace` and `Node`: what a function does to its argument as nodes of the user's own class, in HIPS/autograd's form."""

from collections.abc import Callable
from typing import Any

from lazynp.functional.arguments import every_positional
from lazynp.functional.run import Run
from lazynp.ir.node import Node as GraphNode
from lazynp.ir.node import toposort
from lazynp.ir.op import Kind
from lazynp.ops.movement import broadcast


class Node:
    """Base of the user's class. Its `__init__` gets the value, the function, its positional and keyword arguments, which of the positional
    ones depend on the traced argument, and their nodes; `initialize_root` what new_root was given."""

    def __init__(
        self,
        value: Any,
        fun: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        parent_argnums: tuple[int, ...],
        parents: tuple["Node", ...],
    ) -> None:
        raise NotImplementedError(f"{type(self).__name__} needs an __init__ of its own")

    def initialize_root(self, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError(f"{type(self).__name__} needs an initialize_root of its own")

    @classmethod
    def new_root(cls, *args: Any, **kwargs: Any) -> Any:
        """A node for the argument."""
        root = cls.__new__(cls)
        root.initialize_root(*args, **kwargs)
        return root


def trace(start_node: Any, f: Callable[[Any], Any], x: Any) -> tuple[Any, Any]:
    """(f(x), its node): f runs on x, an array or number, and every operation of its graph that depends on x becomes a node of the class of
    start_node, in the order of the graph. The node is None where the result does not depend on x. Raises TypeError where the
    result is no array or number."""
    run = Run("lazynp.tracer.trace", f, every_positional("lazynp.tracer.trace", f, (x,)), (x,), {}, keep=True)
    (output,), _ = run.output_nodes()
    variable = run.variables[0]
    order = toposort([output], stop=lambda node: node is variable)
    values = dict(zip(order, [_as_given(value) for value in run.scope.values(order)], strict=True))
    made: dict[GraphNode, Any] = {variable: start_node}
    for node in order:
        parents = {k: made[a] for k, a in enumerate(node.args) if a in made}
        if node in made or not parents:
            continue
        if _is_silent(node):  # NumPy, too, makes a number as large as its partner without a call
            made[node] = made[node.args[0]]
            continue
        args = tuple([values[a] for a in node.args])
        keywords = {} if node.op.kind is Kind.ELEMENTWISE else node.attributes
        made[node] = type(start_node)(values[node], _Function(node), args, keywords, tuple(parents), tuple(parents.values()))
    return values[output], made.get(output)


def _as_given(value: Any) -> Any:
    return value if value.ndim else value[()]


def _is_silent(node: GraphNode) -> bool:
    return node.op is broadcast or node.op.name == "cast"


class _Function:
    """An operation as the function that it is."""

    def __init__(self, node: GraphNode) -> None:
        self.node = node
        ufunc = getattr(node.op, "ufunc", None)
        self.__name__ = ufunc.__name__ if ufunc is not None else node.op.name

    def __call__(self, *args: Any) -> Any:
        return self.node.op.numpy(*args, **self.node.attributes)
