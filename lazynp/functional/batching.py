"""`vmap`: a function of one example becomes a function of many, as one program, without a loop.

The function runs once on one example without values; `transform.batch` gives the graph it leaves one more axis. What a single example
would have to be looked at for (a branch on its values, a random draw, a NumPy call) cannot be batched: then the examples run one
after the other, with one PerformanceWarning that names the reason.
"""

import functools
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from lazynp.api import shaping
from lazynp.array import ndarray
from lazynp.errors import CaptureError, PerformanceWarning
from lazynp.functional.arguments import Selection
from lazynp.functional.run import Held, Run, Scope, output_node
from lazynp.ir.node import Node, new_input, toposort
from lazynp.ir.types import LAZY_DTYPES, ArrayType
from lazynp.native import ARRAYS
from lazynp.ops.batching import moved_first, moved_from_first, spread
from lazynp.ops.reduction import reduce_logical_or
from lazynp.runtime.storage import queue, tracing
from lazynp.trace import queues, trees
from lazynp.trace.capture import is_array
from lazynp.trace.control import captured_under_jit
from lazynp.transform.batch import batch

Function = Callable[..., Any]


def vmap(f: Function, in_axes: Any = 0, out_axes: Any = 0, axis_size: int | None = None) -> Function:
    """The function that applies f to every example along an axis of its arguments and stacks the results.

    in_axes: for each positional argument the axis that counts the examples, or None for an argument that all share: an int, or a
    tuple of ints and pytrees that are prefixes of the arguments; keyword arguments are mapped over axis 0. out_axes: where the results
    have that axis (a prefix of the result's tree); None for a result that is the same for all. axis_size: the number of examples, for
    a call without mapped arguments. Raises ValueError where axes and arguments do not fit.

    Nests, and composes with grad, jvp and jit in any order. A write to an argument stays inside; a write of an example's value to an
    array from outside raises TypeError."""
    if not callable(f):
        raise TypeError(f"lazynp.vmap expects a function, got {f!r}")
    warned: list[str] = []

    @functools.wraps(f, updated=())
    def mapped(*args: Any, **kwargs: Any) -> Any:
        axes = _Axes(in_axes, args, kwargs, axis_size)
        try:
            return _BatchedRun(f, axes, args, kwargs).outputs(out_axes)
        except Exception as error:
            missing = _missing_value(error)
            if missing is None:
                raise
            reason = str(missing)
        if not warned:
            warned.append(reason)
            warnings.warn(f"lazynp.vmap: the examples of {_name(f)} run one after the other: {reason}", PerformanceWarning, stacklevel=2)
        return _looped(f, axes, out_axes)

    return mapped


def _missing_value(error: BaseException) -> CaptureError | None:
    """That the value of one example was needed, also where NumPy asked for it and raised an error of its own (`a[i, j] = x[0]`)."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, CaptureError):
        cause = cause.__cause__
    return cause


def _name(f: Function) -> str:
    return getattr(f, "__name__", repr(f))


class _Axes:
    """The leaves of a call and the axis of each that counts the examples (None: shared). size: the number of examples."""

    def __init__(self, in_axes: Any, args: tuple[Any, ...], kwargs: dict[str, Any], axis_size: int | None) -> None:
        self.leaves, self.structure = trees.flatten_with_none((args, kwargs))
        self.axes = [*self._positional(in_axes, args), *[0] * (len(self.leaves) - len(trees.flatten_with_none(args)[0]))]
        self.axes = [
            None if leaf is None else self._normal(k, axis) for k, (leaf, axis) in enumerate(zip(self.leaves, self.axes, strict=True))
        ]
        sizes = {np.shape(leaf)[axis]: k for k, (leaf, axis) in enumerate(zip(self.leaves, self.axes, strict=True)) if axis is not None}
        if axis_size is not None:
            sizes.setdefault(int(axis_size), -1)
        if len(sizes) != 1:
            listed = ", ".join([f"{self._place(k)}: {n}" for n, k in sizes.items()])
            problem = f"the mapped axes have different sizes ({listed})" if sizes else "no argument is mapped, and axis_size is not given"
            raise ValueError(f"lazynp.vmap: {problem}")
        (self.size,) = sizes

    @staticmethod
    def _positional(in_axes: Any, args: tuple[Any, ...]) -> list[Any]:
        if isinstance(in_axes, list):
            in_axes = tuple(in_axes)
        if isinstance(in_axes, tuple) and len(in_axes) != len(args):
            raise ValueError(f"lazynp.vmap: in_axes has {len(in_axes)} entries for {len(args)} positional argument(s)")
        try:
            return trees.spread_prefix(in_axes, args)
        except ValueError as error:
            raise ValueError(f"lazynp.vmap: in_axes={in_axes!r} is no prefix of the arguments: {error}") from None

    def _normal(self, number: int, axis: Any) -> int | None:
        """The axis counted from the front. Raises for an argument that has no such axis."""
        if axis is None:
            return None
        if isinstance(axis, bool) or not isinstance(axis, (int, np.integer)):
            raise TypeError(f"lazynp.vmap: an entry of in_axes is an int or None, got {axis!r}")
        leaf = self.leaves[number]
        shape = np.shape(leaf) if not isinstance(leaf, (str, bytes)) else ()
        if not -len(shape) <= axis < len(shape):
            advice = "; give None in in_axes for an argument that all examples share" if not shape else ""
            raise ValueError(f"lazynp.vmap: {self._place(number)} of shape {shape} has no axis {axis}{advice}")
        return int(axis) % len(shape)

    def _place(self, number: int) -> str:
        if number < 0:
            return "axis_size"
        return f"leaf {number} of the arguments" if len(self.leaves) > 1 else "the argument"

    def rebuild(self, leaves: Sequence[Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        return trees.unflatten(self.structure, leaves)


class _BatchScope(Scope):
    """What one example records. variables: its leaf for each mapped argument -> the values of all examples."""

    def __init__(self, parent: Any) -> None:
        super().__init__(parent)
        self.concrete = False
        self.derives = parent.derives
        self.variables: dict[Node, Node] = {}

    def depends(self, nodes: Sequence[Node]) -> bool:
        """Whether a value differs between the examples."""
        return any(node in self.variables for node in toposort(nodes))

    def values(self, nodes: Sequence[Node], remember: bool = True) -> list[np.ndarray]:
        if self.depends(nodes):
            raise CaptureError("the value of a single example is needed (float(), bool(), item(), a data-dependent size or a NumPy call)")
        return super().values(nodes, remember)

    def differentiates(self, node: Node) -> bool:
        seen = toposort([node])
        return any(self.parent.differentiates(self.variables[n]) for n in seen if n in self.variables) or self.parent.differentiates(node)


class _BatchedRun(Run):
    """f on one example without values."""

    def __init__(self, f: Function, axes: _Axes, args: Any, kwargs: Any) -> None:
        self.axes = axes
        super().__init__("lazynp.vmap", f, Selection((), False), args, kwargs)

    def new_scope(self) -> Scope:
        return _BatchScope(queue())

    def _held_arguments(self, f: Function, args: Any, kwargs: Any) -> tuple[Any, Any]:
        return self.axes.rebuild([self._leaf(leaf, axis) for leaf, axis in zip(self.axes.leaves, self.axes.axes, strict=True)])

    def _other(self, leaf: Any) -> Any:
        return Held(self._node(leaf)) if is_array(leaf) else leaf  # no one example's writes reach the caller

    def _leaf(self, leaf: Any, axis: int | None) -> Any:
        if axis is None:
            return self._other(leaf)
        if not is_array(leaf):
            leaf = np.asarray(leaf)
            if leaf.dtype not in LAZY_DTYPES:
                raise CaptureError(f"an argument is of dtype {leaf.dtype}")
        every = moved_first(self._node(leaf), axis)
        variable = new_input(ArrayType(every.shape[1:], every.dtype))
        self.scope.variables[variable] = every  # type: ignore[attr-defined]
        return Held(variable)

    def outputs(self, out_axes: Any) -> Any:
        """The result for all examples."""
        leaves, structure = trees.flatten_with_none(self.result)
        axes = _out_axes(out_axes, self.result)
        nodes = [None if leaf is None else output_node(self.name, leaf) for leaf in leaves]
        found = iter(self._batched([node for node in nodes if node is not None]))
        placed = []
        for node, axis in zip(nodes, axes, strict=True):
            placed.append(None if node is None else Held(self._placed(node, next(found), axis)))
        return self.finish(trees.unflatten(structure, placed))

    def _batched(self, nodes: Sequence[Node]) -> list[Node | None]:
        return batch(nodes, self.scope.variables, self.axes.size)  # type: ignore[attr-defined]

    def _placed(self, shared: Node, every: Node | None, axis: int | None) -> Node:
        if axis is None:
            if every is not None:
                raise ValueError("lazynp.vmap: out_axes is None for a result that differs between the examples; give it an axis")
            return shared
        rank = shared.ndim + 1
        if not -rank <= axis < rank:
            raise ValueError(f"lazynp.vmap: out_axes={axis} for a result of {shared.ndim} axes")
        return moved_from_first(spread(shared, every, self.axes.size), axis % rank)

    def _of_any_example(self, doubt: Node) -> Node:
        (every,) = self._batched([doubt])
        return doubt if every is None else reduce_logical_or(every, (0,))

    def _leave_behind(self) -> None:
        scope = self.scope
        self.writes = [(storage, self._of_any_example(node) if queues.is_doubt(storage) else node) for storage, node in self.writes]
        for storage, node in self.writes:
            if scope.depends([node]):  # type: ignore[attr-defined]
                raise TypeError(
                    f"lazynp.vmap: the function writes the value of one example to an array of shape {storage.shape} from outside; "
                    "return it instead"
                )
        for storage in scope.alive():
            if storage.home is scope and storage.node is not None and scope.depends([storage.node]):  # type: ignore[attr-defined]
                storage.failure = CaptureError("an array of a single example of lazynp.vmap has no value outside of it; return it instead")
                storage.home = queue()
        super()._leave_behind()


def _out_axes(out_axes: Any, result: Any) -> list[Any]:
    try:
        return trees.spread_prefix(out_axes, result)
    except ValueError as error:
        raise ValueError(f"lazynp.vmap: out_axes={out_axes!r} is no prefix of the result: {error}") from None


# --- one after the other ---------------------------------------------------------------------------------------------


def _looped(f: Function, axes: _Axes, out_axes: Any) -> Any:
    """The stacked results of f on each example."""
    if axes.size == 0:
        raise CaptureError("lazynp.vmap: there are no examples, and the function cannot be batched")
    results = []
    for number in range(axes.size):
        example = [leaf if axis is None else _taken(leaf, number, axis) for leaf, axis in zip(axes.leaves, axes.axes, strict=True)]
        args, kwargs = axes.rebuild(example)
        results.append(captured_under_jit(f)(*args, **kwargs))
    columns = zip(*[trees.flatten_with_none(result)[0] for result in results], strict=True)
    structure = trees.flatten_with_none(results[0])[1]
    placed = [_stacked(parts, axis) for parts, axis in zip(columns, _out_axes(out_axes, results[0]), strict=True)]
    return trees.unflatten(structure, placed)


def _taken(leaf: Any, number: int, axis: int) -> Any:
    array = leaf if type(leaf) in (ndarray, *ARRAYS) else np.asarray(leaf)
    return array[(slice(None),) * axis + (number,)]


def _stacked(parts: Sequence[Any], axis: int | None) -> Any:
    if parts[0] is None or axis is None:
        return parts[0]
    return shaping.stack(parts, axis) if any(type(p) is ndarray for p in parts) or tracing() else np.stack(parts, axis)
