"""One run of a user's function on arrays without values: what every derivative and every batched call starts from.

The function runs once; `transform.derive` differentiates the graph it leaves behind. Where Python asks for a value on the way (`if`,
`while`, float(), a NumPy call), everything recorded so far is computed and stays differentiable: the derivative is that of the branch
taken. Inside jit there are no values to ask for; jit then says so.

The function sees copies of the arguments it is differentiated by; what it writes to them is differentiated but does not reach the caller.
What it writes to its other arguments does.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from lazynp.array import may_write, ndarray, to_numpy, wrap
from lazynp.errors import CaptureError
from lazynp.functional.arguments import Selection, Slot, check_differentiable
from lazynp.ir.node import Node, new_input, substitute, toposort, transform
from lazynp.ir.types import LAZY_DTYPES, Symbolic
from lazynp.operands import node_of
from lazynp.ops import elementwise as ew
from lazynp.ops.custom import without_rules
from lazynp.runtime.evaluate import execute, stabilized
from lazynp.runtime.storage import (
    Queue,
    Storage,
    TraceQueue,
    borrowed,
    bound,
    captured,
    depends_on_arguments,
    queue,
    trace_scope,
    tracing,
)
from lazynp.trace import trees
from lazynp.trace.capture import is_array, memory_like
from lazynp.trace.control import captured_under_jit
from lazynp.transform import derive
from lazynp.transform.spectra import with_matrix_functions

Function = Callable[..., Any]


class Held:
    """A node in the place of an array in a pytree. source: the caller's array, where the function may write to it; like: an array as which
    it lies in memory."""

    __slots__ = ("like", "node", "source")

    def __init__(self, node: Node, source: Any = None, like: Any = None) -> None:
        self.node = node
        self.source = source
        self.like = like


class Scope(TraceQueue):
    """What one run records. Unlike a jit's trace it can compute values on demand, and then keeps the graph that led to them.

    stands_for: the private leaf of each variable -> what it is to the surroundings. Private, because an expression of the caller that
    happens to equal one inside the function is not a function of the variable. known: values already computed. concrete: every value
    can be had; not so inside a jit, where one that depends on its arguments cannot.
    """

    derives = True

    def __init__(self, parent: Queue) -> None:
        super().__init__()
        self.parent = parent
        self.concrete = parent.concrete if isinstance(parent, Scope) else not isinstance(parent, TraceQueue)
        self.stands_for: dict[Node, Node] = {}
        self.influenced: dict[Node, bool] = {}
        """Whether a variable has influence on a node, for the nodes that were asked about."""
        self.known: dict[Node, Node] = {}
        self.replaced: dict[Node, Node] = {}
        """What has been made of the nodes that were seen from outside so far."""
        self.before: dict[Storage, Node | None] = {}
        self.read: dict[Storage, Node] = {}

    @property
    def runs_once(self) -> bool:  # type: ignore[override]
        return self.parent.runs_once if isinstance(self.parent, TraceQueue) else True

    def add(self, storage: Storage) -> None:
        Queue.add(self, storage)

    def differentiates(self, node: Node) -> bool:
        influenced = self.influenced
        for n in toposort([node], stop=lambda n: n.op is ew.stop_gradient or n in influenced):
            if n not in influenced:
                influenced[n] = n in self.stands_for or (n.op is not ew.stop_gradient and any(influenced[a] for a in n.args))
        return influenced[node] or self.parent.differentiates(node)

    def run(self, wanted: Storage | None) -> None:
        """Compute what is alive; every storage keeps its node, so that it stays differentiable."""
        if wanted is None:
            return
        if wanted in self.before:  # its memory still holds what other nodes read
            raise CaptureError("a differentiated function needs the value of an array from outside that it has written to; copy it first")
        alive = [s for s in self.alive() if self.concrete and s.node is not None and s is not wanted]
        values = self.values([s.node for s in (wanted, *alive)])  # type: ignore[misc]
        wanted.memory()[...] = values[0]  # views of the memory stay views of it

    def values(self, nodes: Sequence[Node], remember: bool = True) -> list[np.ndarray]:
        """What the nodes are worth; remember: for what is recorded later. Raises CaptureError inside a jit."""
        outer = self._with_variables(nodes)
        if isinstance(self.parent, Scope):
            return self.parent.values(outer)
        rest = substitute(outer, self.known)  # only this is walked: a loop that asks for a value at every turn has a long graph
        rest = rest if self.parent.derives else without_rules(rest)
        if any(depends_on_arguments(node) for node in rest):
            raise CaptureError("the value of a traced array is needed here, but inside jit it is not known yet")
        results = execute(tuple(rest), _Memory())  # type: ignore[arg-type]
        if not remember:
            return results
        self.known.update({node: borrowed(value) for node, value in zip(outer, results, strict=True)})
        return [value.copy() for value in results]

    def seen_from_outside(self, nodes: Sequence[Node]) -> list[Node]:
        found = self._with_variables(nodes)
        return found if self.parent.derives else without_rules(found)

    def _with_variables(self, nodes: Sequence[Node]) -> list[Node]:
        """The nodes with the surroundings' variables in the place of private ones."""
        if not self.stands_for.keys() <= self.replaced.keys():
            self.replaced = dict(self.stands_for)
        return transform(nodes, lambda node, args: node.with_args(args), self.replaced)

    # --- storages and arrays of the surrounding program

    def reads_from_outside(self, storage: Storage) -> bool:
        if storage in self.before:
            return False
        return self.parent.reads_from_outside(storage) if isinstance(self.parent, TraceQueue) else True

    def outside(self, storage: Storage) -> Node:
        if storage.home is self:  # ours, read by a run inside: its present value, not the one of an earlier read
            return storage.node if storage.node is not None else storage.leaf()
        if isinstance(self.parent, TraceQueue):
            return self.parent.outside(storage)
        if storage not in self.read:
            self.read[storage] = storage.node if storage.node is not None else storage.leaf()
        return self.read[storage]

    def outside_array(self, array: np.ndarray) -> Node:
        return self.parent.outside_array(array) if isinstance(self.parent, TraceQueue) else super().outside_array(array)

    def before_write_outside(self, storage: Storage) -> None:
        self.before.setdefault(storage, storage.node)

    def take_back(self) -> list[tuple[Storage, Node]]:
        """Undo the writes to storages of the surrounding program; they are (storage, its new value) and can be done again outside."""
        writes = [(storage, storage.node) for storage in self.before]
        for storage, node in self.before.items():
            storage.node = node
        return writes  # type: ignore[return-value]


class _Memory:
    """The memory behind leaves, as `execute` asks for it."""

    def __getitem__(self, leaf: Node) -> np.ndarray:
        memory = bound(leaf)
        assert memory is not None, f"{leaf} has no value"
        return memory


class Run:
    """f(*args, **kwargs) on arrays without values. variables: the leaves of the selected arguments, in order; result: what f
    returned, with Held nodes for arrays. keep: the graph is evaluated after the call returns, so arguments are copied."""

    def __init__(self, name: str, f: Function, selection: Selection, args: Any, kwargs: Any, keep: bool = False) -> None:
        self.name = name
        self.selection = selection
        self.lazy = any(type(leaf) is ndarray for leaf in trees.flatten((args, kwargs))[0])
        self.evaluated_later = keep
        self.keep = keep or self.lazy  # what is pending when the caller goes on must not see its later writes
        self.variables: list[Node] = []
        self.structures: list[tuple[Any, int]] = []
        self.others: list[tuple[Any, Node, Any]] = []
        """The arrays among the other arguments: the caller's, its node, and what the function sees."""
        self.scope = self.new_scope()
        positional, keywords = self._held_arguments(f, args, kwargs)
        with trace_scope(self.scope):
            opened = [self._opened(tree) for tree in positional]
            named = {name: self._opened(tree) for name, tree in keywords.items()}
            try:
                result = captured_under_jit(f)(*opened, **named)
                self.result = trees.map_leaves(
                    lambda leaf: Held(node_of(leaf)) if type(leaf) is ndarray or isinstance(leaf, Symbolic) else leaf, result
                )
            finally:
                self.writes = self.scope.take_back()
                self.arguments_written = self._written()

    def new_scope(self) -> Scope:
        return Scope(queue())

    def _held_arguments(self, f: Function, args: Any, kwargs: Any) -> tuple[Any, Any]:
        """The arguments with nodes for arrays, variables for those of the selected ones."""
        given = {**dict(enumerate(args)), **kwargs}
        own = {slot: self._argument(f, slot, given[slot]) for slot in self.selection.slots}
        every = {slot: own[slot] if slot in own else self._unselected(a) for slot, a in given.items()}
        return [every[i] for i in range(len(args))], {name: every[name] for name in kwargs}

    def _argument(self, f: Function, slot: Slot, argument: Any) -> Any:
        """The argument with a variable for each leaf: a private input that stands for the leaf's value."""
        leaves, structure = trees.flatten(argument)
        held = []
        for number, leaf in enumerate(leaves):
            check_differentiable(self.name, f, slot, argument, number, leaf)
            node = self._node(leaf)
            variable = new_input(node.type)
            self.scope.stands_for[variable] = node
            self.variables.append(variable)
            held.append(Held(variable, like=leaf))
        self.structures.append((structure, len(leaves)))
        return trees.unflatten(structure, held)

    def _unselected(self, argument: Any) -> Any:
        """An argument that no derivative is taken by: lists and dicts without arrays are the caller's own."""
        if not any(map(is_array, trees.flatten(argument)[0])):
            return argument
        return trees.map_leaves(self._other, argument)

    def _other(self, leaf: Any) -> Any:
        return Held(self._node(leaf), leaf, leaf) if is_array(leaf) else leaf

    def _node(self, leaf: Any) -> Node:
        """The value of an argument's leaf as the surroundings know it."""
        if tracing():
            return node_of(leaf)
        if type(leaf) is not ndarray:
            array = np.asarray(leaf, order="C")
            return captured(array) if self.keep else borrowed(array)
        return captured(to_numpy(leaf)) if self.evaluated_later else node_of(leaf)

    def _opened(self, tree: Any) -> Any:
        """The tree with an array of the trace for each held node."""
        if not any(type(leaf) is Held for leaf in trees.flatten(tree)[0]):
            return tree
        return trees.map_leaves(lambda leaf: self._seen(leaf) if type(leaf) is Held else leaf, tree)

    def _seen(self, held: Held) -> ndarray:
        """What the function sees of an argument."""
        array = wrap(held.node)
        if is_array(held.like):
            array._storage.buffer = memory_like(held.like)  # type: ignore[union-attr]
        if held.source is not None and not isinstance(held.source, np.generic):
            self.others.append((held.source, held.node, array))
            array._readonly = not may_write(held.source)
        return array

    def _written(self) -> list[tuple[Any, Node]]:
        """The arguments that the function has written to, and what they hold now."""
        storages = [(source, node, seen._storage) for source, node, seen in self.others]
        return [(source, s.node) for source, node, s in storages if s.node is not None and s.node is not node]

    def output_nodes(self) -> tuple[list[Node], Any]:
        """The nodes of the result's leaves, and its tree. Raises TypeError for a leaf that is no number."""
        leaves, structure = trees.flatten(self.result)
        return [output_node(self.name, leaf) for leaf in leaves], structure

    def cotangents(self, outputs: Sequence[Node], seeds: Sequence[Node | None]) -> list[Node]:
        """What each variable receives."""
        with trace_scope(self.scope):
            found = derive.pullback(with_matrix_functions(stabilized(outputs)), seeds, self.variables)
        return [zeros(leaf) if g is None else g for g, leaf in zip(found, self.variables, strict=True)]

    def tangents(self, outputs: Sequence[Node], seeds: Sequence[Node | None]) -> list[Node]:
        """How each output moves when the variables move along the seeds."""
        with trace_scope(self.scope):
            found = derive.pushforward(with_matrix_functions(stabilized(outputs)), self.variables, seeds)
        return [zeros(node) if t is None else t for t, node in zip(found, outputs, strict=True)]

    def like_arguments(self, leaves: Sequence[Any]) -> list[Any]:
        """One tree per selected argument, made of the flat list for all variables."""
        out = []
        for structure, count in self.structures:
            out.append(trees.unflatten(structure, leaves[:count]))
            leaves = leaves[count:]
        return out

    @property
    def form(self) -> Any:
        """Hashable: what `as_selected` makes."""
        return tuple([structure for structure, _ in self.structures]), self.selection.single

    def as_selected(self, leaves: Sequence[Any]) -> Any:
        """The same in the form argnums asks for: one tree, or a tuple of them."""
        made = self.like_arguments(leaves)
        return made[0] if self.selection.single else tuple(made)

    def finish(self, result: Any) -> Any:
        """The tree with arrays for its held nodes: NumPy's own if all arguments were. All are computed by one program."""
        leaves, structure = trees.flatten(result)
        nodes = [leaf.node for leaf in leaves if type(leaf) is Held]
        written = [node for _, node in self.arguments_written]
        if self.lazy or tracing():
            found: list[Any] = [wrap(node) for node in self.scope.seen_from_outside([*nodes, *written])]
        else:
            found = [value if value.ndim else value[()] for value in self.scope.values([*nodes, *written], remember=self.evaluated_later)]
        values = iter(found)
        finished = [next(values) if type(leaf) is Held else leaf for leaf in leaves]
        for (argument, _), value in zip(self.arguments_written, values, strict=True):
            argument[...] = value
        self.arguments_written = []
        self._leave_behind()
        return trees.unflatten(structure, finished)

    def _leave_behind(self) -> None:
        """What the function wrote to arrays of the surroundings reaches them; arrays that it stored somewhere become theirs."""
        touched = []
        for storage, node in self.writes:
            storage.write(self.scope.seen_from_outside([node])[0])
            touched.append(storage)
        for storage in [s for s in self.scope.alive() if s.home is self.scope and s.node is not None]:
            storage.node = self.scope.seen_from_outside([storage.node])[0]
            storage.home = queue()
            storage.home.add(storage)
            touched.append(storage)
        self.writes = []
        if not (self.lazy or tracing()):  # these nodes read the caller's own NumPy arrays: not a moment later
            for storage in touched:
                storage.force()


def held(nodes: Sequence[Node]) -> list[Held]:
    return [Held(node) for node in nodes]


def output_node(name: str, leaf: Any) -> Node:
    """The node of one leaf of a function's result. Raises TypeError for one that is no number."""
    if type(leaf) is Held:
        return leaf.node
    if np.asarray(leaf).dtype not in LAZY_DTYPES:
        raise TypeError(f"{name}: the function returned {type(leaf).__name__}, which is no numeric array")
    return node_of(leaf)


def zeros(node: Node) -> Node:
    """Zeros of the node's type."""
    return ew.filled(node.shape, 0, node.dtype)


def seed(label: str, given: Any, node: Node) -> Node | None:
    """A tangent or cotangent from outside in the type of the value it belongs to; None for integers, which have none."""
    if not derive.differentiable(node.type):
        return None
    found = node_of(given)
    if found.shape != node.shape or (found.dtype.kind == "c" and node.dtype.kind != "c"):
        raise TypeError(f"{label} must be of shape {node.shape} and dtype {node.dtype}, got {found.shape}, {found.dtype}")
    return ew.as_node(found, node.dtype)


def seeds(label: str, given: Any, nodes: Sequence[Node], structure: Any, like: str) -> list[Node | None]:
    """One seed per node from a pytree, which must be of the given structure. Raises TypeError."""
    leaves, tree = trees.flatten(given)
    if tree != structure:
        raise TypeError(f"{label} must be a tree like {like}, {structure}, got {tree}")
    return [seed(label, leaf, node) for leaf, node in zip(leaves, nodes, strict=True)]
