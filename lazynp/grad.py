"""Derivatives for users: `grad`, `value_and_grad`, `vjp`, `jvp`, over pytrees, of any order, through jit, views and in-place writes.

The function runs once on arrays without values; `transform.derive` differentiates the graph it leaves behind. Where Python asks for a
value on the way (`if`, `while`, float(), a NumPy call), everything recorded so far is computed and stays differentiable: the
derivative is that of the branch taken. Inside jit there are no values to ask for; jit then says so.

The gradient of a real loss by a complex argument is dL/dx + i dL/dy: `p - rate * g` descends. The function sees copies of its
array arguments; what it writes to them is differentiated but does not reach the caller. Conventions at points without a
derivative: see `lazynp.transform.derive`.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from lazynp import array as arrays
from lazynp.array import ndarray
from lazynp.errors import CaptureError
from lazynp.ir.node import Node, constant, new_input, substitute, toposort
from lazynp.ir.types import LAZY_DTYPES
from lazynp.ops import elementwise as ew
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
from lazynp.trace.capture import is_array
from lazynp.transform import derive

Function = Callable[..., Any]


def grad(f: Function, argnums: int | tuple[int, ...] = 0, has_aux: bool = False) -> Function:
    """The function that returns the gradient of f's scalar result by its argument(s) `argnums`: pytrees like those arguments.

    has_aux: f returns (scalar, aux), grad's function (gradient, aux). NumPy arguments give NumPy gradients of their dtype.
    Raises TypeError for an argument that is not floating point, a result that is not a real scalar, argnums out of range."""

    @functools.wraps(f, updated=())
    def gradient(*args: Any, **kwargs: Any) -> Any:
        _, aux, gradients = _value_and_gradients("lazynp.grad", f, argnums, has_aux, args, kwargs)
        return (gradients, aux) if has_aux else gradients

    return gradient


def value_and_grad(f: Function, argnums: int | tuple[int, ...] = 0, has_aux: bool = False) -> Function:
    """Like `grad`, but returns (value, gradient), or ((value, aux), gradient) with has_aux: f runs once for both."""

    @functools.wraps(f, updated=())
    def both(*args: Any, **kwargs: Any) -> Any:
        value, aux, gradients = _value_and_gradients("lazynp.value_and_grad", f, argnums, has_aux, args, kwargs)
        return ((value, aux) if has_aux else value), gradients

    return both


def vjp(f: Function, *primals: Any) -> tuple[Any, Function]:
    """(f(*primals), pullback): pullback takes a pytree like f's result and returns the tuple of cotangents of the primals."""
    run = _Run("lazynp.vjp", f, tuple(range(len(primals))), primals, {}, keep=True)
    nodes, structure = run.output_nodes()

    def pullback(cotangent: Any) -> tuple[Any, ...]:
        given, tree = trees.flatten(cotangent)
        if tree != structure:
            raise TypeError(f"lazynp.vjp: the cotangent must be a tree like the result, {structure}, got {tree}")
        seeds = [_seed("lazynp.vjp: the cotangent", ct, node) for ct, node in zip(given, nodes, strict=True)]
        return tuple(run.finish(run.like_arguments(run.cotangents(nodes, seeds))))

    return run.finish(run.result), pullback


def jvp(f: Function, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    """(f(*primals), its directional derivative along the tangents): a pytree like the result. Tangents: a pytree like the primals."""
    run = _Run("lazynp.jvp", f, tuple(range(len(primals))), tuple(primals), {})
    given, tree = trees.flatten(tuple(tangents))
    wanted = trees.flatten(tuple(primals))[1]
    if tree != wanted:
        raise TypeError(f"lazynp.jvp: the tangents must be a tree like the primals, {wanted}, got {tree}")
    seeds = [_seed("lazynp.jvp: a tangent", t, leaf) for t, leaf in zip(given, run.variables, strict=True)]
    nodes, structure = run.output_nodes()
    found = derive.pushforward(stabilized(nodes), run.variables, seeds)
    changes = [_Held(_zeros(node) if t is None else t) for t, node in zip(found, nodes, strict=True)]
    value, change = run.finish((run.result, trees.unflatten(structure, changes)))
    return value, change


def _value_and_gradients(name: str, f: Function, argnums: Any, has_aux: bool, args: Any, kwargs: Any) -> tuple[Any, Any, Any]:
    """(value, aux, gradients in the form argnums asks for)."""
    run = _Run(name, f, _positions(name, argnums, len(args)), args, kwargs)
    result, aux = run.result, None
    if has_aux:
        if not (isinstance(result, tuple) and len(result) == 2):
            raise TypeError(f"{name}(has_aux=True): the function must return (scalar, aux), got {type(result).__name__}")
        result, aux = result
    loss = _loss(name, result)
    gradients = run.like_arguments(run.cotangents([loss], [constant(1, loss.dtype)]))
    return run.finish((_Held(loss), aux, gradients[0] if isinstance(argnums, int) else tuple(gradients)))


# --- one run of the function -----------------------------------------------------------------------------------------


class _Held:
    """A node in the place of an array in a pytree."""

    __slots__ = ("node",)

    def __init__(self, node: Node) -> None:
        self.node = node


class _Scope(TraceQueue):
    """What one run records. Unlike a jit's trace it can compute values on demand, and then keeps the graph that led to them.

    stands_for: the private leaf of each variable -> what it is to the surroundings. Private, because an expression of the caller that
    happens to equal one inside the function is not a function of the variable. known: values already computed.
    """

    def __init__(self, parent: Queue) -> None:
        super().__init__()
        self.parent = parent
        self.stands_for: dict[Node, Node] = {}
        self.known: dict[Node, Node] = {}
        self.before: dict[Storage, Node | None] = {}
        self.read: dict[Storage, Node] = {}

    def add(self, storage: Storage) -> None:
        Queue.add(self, storage)

    def differentiates(self, node: Node) -> bool:
        return any(n in self.stands_for for n in toposort([node])) or self.parent.differentiates(node)

    def run(self, wanted: Storage | None) -> None:
        """Compute what is alive; every storage keeps its node, so that it stays differentiable."""
        if wanted is None:
            return
        if wanted in self.before:  # its memory still holds what other nodes read
            raise CaptureError("a differentiated function needs the value of an array from outside that it has written to; copy it first")
        alive = [s for s in self.pending.values() if s.node is not None and s is not wanted]
        values = self.values([s.node for s in (wanted, *alive)])  # type: ignore[misc]
        wanted.memory()[...] = values[0]  # views of the memory stay views of it

    def values(self, nodes: Sequence[Node]) -> list[np.ndarray]:
        """What the nodes are worth. Raises CaptureError inside a jit."""
        outer = self.seen_from_outside(nodes)
        if isinstance(self.parent, _Scope):
            return self.parent.values(outer)
        if any(depends_on_arguments(node) for node in outer):
            raise CaptureError("the value of a traced array is needed here, but inside jit it is not known yet")
        rest = substitute(outer, self.known)
        results = execute(tuple(rest), _Memory())  # type: ignore[arg-type]
        self.known.update({node: borrowed(value) for node, value in zip(outer, results, strict=True)})
        return [value.copy() for value in results]

    def seen_from_outside(self, nodes: Sequence[Node]) -> list[Node]:
        return substitute(nodes, self.stands_for)

    # --- storages and arrays of the surrounding program

    def reads_from_outside(self, storage: Storage) -> bool:
        if storage in self.before:
            return False
        return self.parent.reads_from_outside(storage) if isinstance(self.parent, TraceQueue) else True

    def outside(self, storage: Storage) -> Node:
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


class _Run:
    """f(*args, **kwargs) on arrays without values. variables: the leaves of the arguments at `positions`, in order; result: what f
    returned, with _Held nodes for arrays. keep: the graph is evaluated after the call returns, so arguments are copied."""

    def __init__(self, name: str, f: Function, positions: Sequence[int], args: Any, kwargs: Any, keep: bool = False) -> None:
        if not callable(f):
            raise TypeError(f"{name} expects a function, got {f!r}")
        self.name = name
        self.positions = positions
        self.lazy = any(type(leaf) is ndarray for leaf in trees.flatten((args, kwargs))[0])
        self.evaluated_later = keep
        self.keep = keep or self.lazy  # what is pending when the caller goes on must not see its later writes
        self.variables: list[Node] = []
        self.structures: list[tuple[Any, int]] = []
        self.scope = _Scope(queue())
        own = {position: self._argument(f, position, args[position]) for position in positions}
        rest = trees.map_leaves(self._other, [None if i in own else a for i, a in enumerate(args)])
        keywords = trees.map_leaves(self._other, kwargs)
        with trace_scope(self.scope):
            opened = [self._opened(own.get(i, a)) for i, a in enumerate(rest)]
            try:
                result = f(*opened, **self._opened(keywords))
                self.result = trees.map_leaves(lambda leaf: _Held(arrays.node_of(leaf)) if type(leaf) is ndarray else leaf, result)
            finally:
                self.writes = self.scope.take_back()

    def _argument(self, f: Function, position: int, argument: Any) -> Any:
        """The argument with a variable for each leaf: a private input that stands for the leaf's value."""
        leaves, structure = trees.flatten(argument)
        held = []
        for number, leaf in enumerate(leaves):
            _check_differentiable(self.name, f, position, argument, number, leaf)
            node = self._node(leaf)
            variable = new_input(node.type)
            self.scope.stands_for[variable] = node
            self.variables.append(variable)
            held.append(_Held(variable))
        self.structures.append((structure, len(leaves)))
        return trees.unflatten(structure, held)

    def _other(self, leaf: Any) -> Any:
        return _Held(self._node(leaf)) if is_array(leaf) else leaf

    def _node(self, leaf: Any) -> Node:
        """The value of an argument's leaf as the surroundings know it."""
        if tracing():
            return arrays.node_of(leaf)
        if type(leaf) is not ndarray:
            array = np.asarray(leaf, order="C")
            return captured(array) if self.keep else borrowed(array)
        return captured(arrays.to_numpy(leaf)) if self.evaluated_later else arrays.node_of(leaf)

    def _opened(self, tree: Any) -> Any:
        """The tree with an array of the trace for each held node."""
        return trees.map_leaves(lambda leaf: arrays.wrap(leaf.node) if type(leaf) is _Held else leaf, tree)

    def output_nodes(self) -> tuple[list[Node], Any]:
        """The nodes of the result's leaves, and its tree. Raises TypeError for a leaf that is no number."""
        leaves, structure = trees.flatten(self.result)
        return [_output_node(self.name, leaf) for leaf in leaves], structure

    def cotangents(self, outputs: Sequence[Node], seeds: Sequence[Node | None]) -> list[_Held]:
        """What each variable receives."""
        found = derive.pullback(stabilized(outputs), seeds, self.variables)
        return [_Held(_zeros(leaf) if g is None else g) for g, leaf in zip(found, self.variables, strict=True)]

    def like_arguments(self, leaves: list[Any]) -> list[Any]:
        """One tree per differentiated argument, made of the flat list for all variables."""
        out = []
        for structure, count in self.structures:
            out.append(trees.unflatten(structure, leaves[:count]))
            leaves = leaves[count:]
        return out

    def finish(self, result: Any) -> Any:
        """The tree with arrays for its held nodes: NumPy's own if all arguments were. All are computed by one program."""
        leaves, structure = trees.flatten(result)
        nodes = [leaf.node for leaf in leaves if type(leaf) is _Held]
        if self.lazy or tracing():
            values = iter([arrays.wrap(node) for node in self.scope.seen_from_outside(nodes)])
        else:
            values = iter([value[()] if value.ndim == 0 else value for value in self.scope.values(nodes)])
        finished = [next(values) if type(leaf) is _Held else leaf for leaf in leaves]
        self._leave_behind()
        return trees.unflatten(structure, finished)

    def _leave_behind(self) -> None:
        """What the function wrote to arrays of the surroundings reaches them; arrays that it stored somewhere become theirs."""
        touched = []
        for storage, node in self.writes:
            storage.write(self.scope.seen_from_outside([node])[0])
            touched.append(storage)
        for storage in [s for s in self.scope.pending.values() if s.home is self.scope and s.node is not None]:
            storage.node = self.scope.seen_from_outside([storage.node])[0]
            storage.home = queue()
            storage.home.add(storage)
            touched.append(storage)
        self.writes = []
        if not (self.lazy or tracing()):  # these nodes read the caller's own NumPy arrays: not a moment later
            for storage in touched:
                storage.force()


# --- checks ----------------------------------------------------------------------------------------------------------


def _positions(name: str, argnums: Any, count: int) -> tuple[int, ...]:
    """argnums as non-negative positions."""
    given = (argnums,) if isinstance(argnums, int) else tuple(argnums)
    for position in given:
        if not isinstance(position, int) or not -count <= position < count:
            raise TypeError(f"{name}: argnums={argnums!r}, but the function was called with {count} positional argument(s)")
    positions = tuple([position % count for position in given])
    if len(set(positions)) != len(positions):
        raise TypeError(f"{name}: argnums={argnums!r} names an argument twice")
    return positions


def _check_differentiable(name: str, f: Function, position: int, argument: Any, number: int, leaf: Any) -> None:
    """Raises TypeError that names the argument and says what to pass instead."""
    dtype = getattr(leaf, "dtype", None) or np.asarray(leaf).dtype
    if dtype.kind in "fc" and dtype in LAZY_DTYPES:
        return
    code = getattr(f, "__code__", None)
    parameter = code.co_varnames[position] if code is not None and position < code.co_argcount else "x"
    place = parameter + trees.paths(argument)[number]
    label = f"argument {position} ({place})"
    if dtype.kind in "biu":
        advice = f"float({place})" if isinstance(leaf, (bool, int)) else f"{place}.astype(float)"
        raise TypeError(f"{name}: {label} has dtype {dtype}; derivatives need floating point: pass {advice}")
    raise TypeError(f"{name}: {label} is {type(leaf).__name__} of dtype {dtype}, which has no derivative; leave it out of argnums")


def _loss(name: str, result: Any) -> Node:
    """The node of a real scalar result."""
    if isinstance(result, (tuple, list, dict)) or result is None:
        raise TypeError(f"{name}: the function must return a scalar, got {type(result).__name__}; has_aux=True allows (scalar, aux)")
    node = _output_node(name, result)
    if node.shape != ():
        raise TypeError(f"{name}: the function must return a scalar, got shape {node.shape}; sum it, or use lazynp.vjp")
    if node.dtype.kind != "f":
        advice = "take its real part or its absolute value" if node.dtype.kind == "c" else "derivatives need floating point"
        raise TypeError(f"{name}: the function must return a real floating scalar, got {node.dtype}; {advice}")
    return node


def _output_node(name: str, leaf: Any) -> Node:
    if type(leaf) is _Held:
        return leaf.node
    if np.asarray(leaf).dtype not in LAZY_DTYPES:
        raise TypeError(f"{name}: the function returned {type(leaf).__name__}, which is no numeric array")
    return arrays.node_of(leaf)


def _seed(label: str, given: Any, node: Node) -> Node | None:
    """A tangent or cotangent from outside in the type of the value it belongs to; None for integers, which have none."""
    if not derive.differentiable(node.type):
        return None
    seed = arrays.node_of(given)
    if seed.shape != node.shape or (seed.dtype.kind == "c" and node.dtype.kind != "c"):
        raise TypeError(f"{label} must be of shape {node.shape} and dtype {node.dtype}, got {seed.shape}, {seed.dtype}")
    return ew.as_node(seed, node.dtype)


def _zeros(node: Node) -> Node:
    return ew.filled(node.shape, 0, node.dtype)
