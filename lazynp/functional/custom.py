"""Derivatives of one's own: `custom_vjp` and `custom_jvp`, in JAX's form.

Inside a derivative a call becomes one node that keeps the function's graph and its rule; the rule runs when the derivative is taken, on
arrays of the trace, so what it returns can be differentiated again. Each form gives the other mode too: the reverse rule is linear in the
cotangent and the forward rule in the tangent, and the transpose of a linear function is its derivative.
"""

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

from lazynp.array import wrap
from lazynp.functional.run import Scope, zeros
from lazynp.ir.node import Graph, Node, input_, new_input, substitute, toposort
from lazynp.operands import node_of
from lazynp.ops import elementwise as ew
from lazynp.ops.custom import custom
from lazynp.ops.structured import item
from lazynp.runtime.storage import queue, trace_scope
from lazynp.trace import trees
from lazynp.trace.capture import is_array
from lazynp.transform import derive

Function = Callable[..., Any]


class Call:
    """One call: which leaves of the arguments are arrays, and how the rule's trees are made of nodes."""

    def __init__(self, owner: "Custom", args: tuple[Any, ...]) -> None:
        self.owner = owner
        self.static = {k: args[k] for k in owner.nondiff_argnums}
        self.given = tuple([a for k, a in enumerate(args) if k not in self.static])
        self.leaves, self.structure = trees.flatten(self.given)
        self.places = [k for k, leaf in enumerate(self.leaves) if is_array(leaf) or hasattr(leaf, "_storage") or type(leaf) is float]
        self.results: Any = None
        self.latest: Any = None

    def rebuilt(self, arrays: Sequence[Any]) -> tuple[Any, ...]:
        """The differentiable arguments with these arrays in the place of theirs."""
        leaves = list(self.leaves)
        for place, array in zip(self.places, arrays, strict=True):
            leaves[place] = array
        return trees.unflatten(self.structure, leaves)  # type: ignore[no-any-return]

    def argument_of(self, index: int) -> int:
        """Which of the differentiable arguments the array of this number belongs to."""
        return self._position(index)[0]

    def number_within(self, index: int) -> int:
        """Which leaf of its argument it is."""
        return self._position(index)[1]

    def _position(self, index: int) -> tuple[int, int]:
        place = self.places[index]
        for number, argument in enumerate(self.given):
            count = len(trees.flatten(argument)[0])
            if place < count:
                return number, place
            place -= count
        raise IndexError(index)

    def every(self, arrays: Sequence[Any]) -> list[Any]:
        """All arguments in order."""
        rest = iter(self.rebuilt(arrays))
        return [self.static[k] if k in self.static else next(rest) for k in range(len(self.given) + len(self.static))]

    def record(self) -> Any:
        """The node of this call. The function runs in a scope of its own: its values can be had, its graph is that of the arguments."""
        nodes = [node_of(self.leaves[k]) for k in self.places]
        inputs = [new_input(node.type) for node in nodes]
        scope = _Inside(queue())
        scope.stands_for.update(zip(inputs, nodes, strict=True))
        with trace_scope(scope):
            try:
                result = self.owner.function(*self.every([wrap(leaf) for leaf in inputs]))
                leaves, self.results = trees.flatten(result)
                outputs = [node_of(leaf) for leaf in leaves]
            finally:
                writes = scope.take_back()
        for storage, node in writes:
            storage.write(scope.seen_from_outside([node])[0])
        self._check_closure(outputs, set(inputs))
        made = custom.make(tuple(nodes), body=Graph(tuple(inputs), tuple(outputs)), rule=self)
        return trees.unflatten(self.results, [wrap(item(made, k)) for k in range(len(outputs))])

    def _check_closure(self, outputs: Sequence[Node], own: set[Node]) -> None:
        """Raises TypeError where the graph has variables that are no arguments."""
        if any(queue().differentiates(node) for node in toposort(outputs) if node.op is input_ and node not in own):
            raise TypeError(
                f"lazynp: {self.owner.__name__} has a rule of its own and uses a differentiated value from outside; "
                "pass it as an argument, so that the rule can say its derivative"
            )

    # --- what derive asks

    def vjp(self, cts: tuple[Node | None, ...], node: Node) -> list[Node | None]:
        return self.owner.pull(self, cts, node)

    def vjp_one(self, cts: tuple[Node | None, ...], node: Node, index: int) -> Node | None:
        return self.owner.pull_one(self, cts, node, index)

    def jvp(self, tangents: tuple[Node | None, ...], node: Node) -> tuple[Node | None, ...]:
        return self.owner.push(self, tangents, node)


class _Inside(Scope):
    """What a function with a rule records: its derivative is the rule's, so its values may become anything."""

    def differentiates(self, node: Node) -> bool:
        return False


def _floating(type_: Any) -> bool:
    return bool(type_.dtype.kind in "fc")


def fitted(leaf: Any, node: Any, what: str) -> Node | None:
    """What a rule returned for a value, in the value's type."""
    if not _floating(node.type):
        return None
    found = node_of(leaf)
    if found.shape != node.shape:
        raise TypeError(f"lazynp: {what} returned shape {found.shape} for a value of shape {node.shape}")
    return ew.recast(found, node.dtype)


class Custom:
    """A function with a rule; calls outside of derivatives are calls of the function."""

    def __init__(self, f: Function, nondiff_argnums: int | tuple[int, ...] = ()) -> None:
        if not callable(f):
            raise TypeError(f"lazynp.{type(self).__name__} expects a function, got {f!r}")
        self.function = f
        self.nondiff_argnums = (nondiff_argnums,) if isinstance(nondiff_argnums, int) else tuple(nondiff_argnums)
        self.rule: Any = None
        functools.update_wrapper(self, f)

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else functools.partial(self, instance)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if kwargs:
            known = inspect.signature(self.function).bind(*args, **kwargs)
            known.apply_defaults()
            args = known.args
        if not queue().derives:
            return self.function(*args)
        if self.rule is None:
            raise AttributeError(f"lazynp.{type(self).__name__}: {self.__name__} has no rule yet; call its def{type(self).__name__[7:]}")
        return Call(self, args).record()

    __name__: str

    def pull(self, call: Call, cts: tuple[Node | None, ...], node: Node) -> list[Node | None]:
        raise NotImplementedError

    def push(self, call: Call, tangents: tuple[Node | None, ...], node: Node) -> tuple[Node | None, ...]:
        raise NotImplementedError

    def pull_one(self, call: Call, cts: tuple[Node | None, ...], node: Node, index: int) -> Node | None:
        """What one argument receives; rules that give all at once are asked once."""
        known = call.latest
        if known is None or known[0] is not node or known[1] != cts:
            known = call.latest = (node, cts, self.pull(call, cts, node))
        return known[2][index]

    def transposed_pull(self, call: Call, tangents: tuple[Node | None, ...], node: Node) -> tuple[Node | None, ...]:
        """The tangents by the transpose of the reverse rule, which is linear in the cotangent."""
        variables = [new_input(t) if _floating(t) else None for t in node.type]
        wanted = [k for k, t in enumerate(tangents) if t is not None]
        back = [self.pull_one(call, tuple(variables), node, k) for k in wanted]
        return _transposed([(b, tangents[k]) for b, k in zip(back, wanted, strict=True) if b is not None], variables)

    def transposed_push(self, call: Call, cts: tuple[Node | None, ...], node: Node) -> tuple[Node | None, ...]:
        """The cotangents by the transpose of the forward rule, which is linear in the tangent."""
        variables = [new_input(a.type) if _floating(a.type) else None for a in node.args]
        moved = self.push(call, tuple(variables), node)
        pairs = [(m, ct) for m, ct in zip(moved, cts, strict=True) if m is not None and ct is not None]
        return _transposed(pairs, variables)


class custom_vjp(Custom):  # noqa: N801  (used as a decorator)
    """A function whose reverse derivative is given: f.defvjp(fwd, bwd).

    fwd(*args) -> (result, residuals); bwd(residuals, cotangent) -> the tuple of the arguments' cotangents, None for zero. With
    nondiff_argnums these arguments stand first in bwd and have no cotangent."""

    def defvjp(self, fwd: Function, bwd: Function) -> None:
        self.rule = (fwd, bwd)

    def pull(self, call: Call, cts: tuple[Node | None, ...], node: Node) -> list[Node | None]:
        fwd, bwd = self.rule
        _, residuals = fwd(*call.every([wrap(a) for a in node.args]))
        outputs = [item(node, k) for k in range(len(cts))]
        filled = [wrap(zeros(o) if ct is None else ct) for ct, o in zip(cts, outputs, strict=True)]
        found = bwd(*call.static.values(), residuals, trees.unflatten(call.results, filled))
        if not isinstance(found, (tuple, list)) or len(found) != len(call.given):
            raise TypeError(f"lazynp.custom_vjp: bwd of {self.__name__} must return a tuple of {len(call.given)} cotangent(s)")
        leaves: list[Any] = []
        for argument, part in zip(call.given, found, strict=True):
            count = len(trees.flatten(argument)[0])
            leaves += [None] * count if part is None else trees.flatten_with_none(part)[0]
        if len(leaves) != len(call.leaves):
            raise TypeError(f"lazynp.custom_vjp: bwd of {self.__name__} must return trees like the arguments")
        return [
            None if leaves[place] is None else fitted(leaves[place], a, f"bwd of {self.__name__}")
            for place, a in zip(call.places, node.args, strict=True)
        ]

    def push(self, call: Call, tangents: tuple[Node | None, ...], node: Node) -> tuple[Node | None, ...]:
        return self.transposed_pull(call, tangents, node)


class custom_jvp(Custom):  # noqa: N801  (used as a decorator)
    """A function whose forward derivative is given: f.defjvp(rule), rule(primals, tangents) -> (result, its tangent).

    With nondiff_argnums these arguments stand first in the rule."""

    def defjvp(self, rule: Function) -> Function:
        self.rule = rule
        return rule

    def defjvps(self, *partials: Function | None) -> None:
        """One function (tangent, result, *primals) -> its part of the result's tangent for each argument; None for zero."""

        def rule(primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Any, Any]:
            result = self(*primals)
            parts = [p(t, result, *primals) for p, t in zip(partials, tangents, strict=True) if p is not None]
            return result, functools.reduce(lambda a, b: a + b, parts)

        self.rule = rule

    def push(self, call: Call, tangents: tuple[Node | None, ...], node: Node) -> tuple[Node | None, ...]:
        primals = call.rebuilt([wrap(a) for a in node.args])
        moved = call.rebuilt([wrap(zeros(a) if t is None else t) for t, a in zip(tangents, node.args, strict=True)])
        _, change = self.rule(*call.static.values(), tuple(primals), tuple(moved))
        leaves = trees.flatten(change)[0]
        if len(leaves) != len(node.type):
            raise TypeError(f"lazynp.custom_jvp: the rule of {self.__name__} must return a tangent like the result")
        return tuple([fitted(leaf, item(node, k), f"the rule of {self.__name__}") for k, leaf in enumerate(leaves)])

    def pull(self, call: Call, cts: tuple[Node | None, ...], node: Node) -> list[Node | None]:
        return list(self.transposed_push(call, cts, node))


def _transposed(pairs: Sequence[tuple[Node, Any]], variables: Sequence[Node | None]) -> tuple[Node | None, ...]:
    """For nodes that are linear in the variables, each with a cotangent: what the variables receive."""
    leaves = [v for v in variables if v is not None]
    found = derive.pullback([node for node, _ in pairs], [ct for _, ct in pairs], leaves)
    at_zero = {leaf: zeros(leaf) for leaf in leaves}  # a linear function has the same derivative everywhere
    kept = iter([None if f is None else substitute([f], at_zero)[0] for f in found])
    return tuple([None if v is None else next(kept) for v in variables])
