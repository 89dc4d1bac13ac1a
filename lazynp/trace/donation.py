"""Donated arguments of jitted functions: memory that a call may use for its results, because the caller is done with it."""

import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from lazynp.array import ndarray
from lazynp.ir.node import Node, new_input
from lazynp.ir.op import Kind
from lazynp.ir.types import ArrayType
from lazynp.native import ARRAYS
from lazynp.runtime.storage import Storage, owns_memory, shared_outside
from lazynp.trace import trees
from lazynp.trace.capture import Traced

Names = frozenset[int | str]
Donated = int | str | Iterable[int | str]


def donated_parameters(function: Callable[..., Any], *given: Donated) -> Names:
    """Positions and names of the donated parameters: each by both, as arguments come either way.

    Raises ValueError, as JAX does, for a position or a name that the function does not have."""
    wanted = {name for part in given for name in ((part,) if isinstance(part, (int, str)) else part)}
    if not wanted:
        return frozenset()
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except ValueError:  # a function without a signature, such as a ufunc
        return frozenset(wanted)
    named = [p.name for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    positional = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    found: set[int | str] = set()
    for name in wanted:
        if isinstance(name, str):
            if name not in named and not any(p.kind is p.VAR_KEYWORD for p in parameters):
                raise ValueError(f"lazynp.jit: the function has no argument {name!r} to donate; it has {', '.join(named)}")
            found |= {name, positional.index(name)} if name in positional else {name}
        else:
            number = name + len(positional) if name < 0 else name
            if (number >= len(positional) and not any(p.kind is p.VAR_POSITIONAL for p in parameters)) or number < 0:
                raise ValueError(
                    f"lazynp.jit: argument {name} is to be donated, but the function has {len(positional)} positional arguments"
                )
            found |= {number, positional[number]} if number < len(positional) else {number}
    return frozenset(found)


def donated_leaves(names: Names, numbers: tuple[Sequence[Any], dict[str, Any]]) -> frozenset[int]:
    """The numbers of the leaves in donated arguments. numbers: (args, kwargs) of a call with the leaves' numbers in their places."""
    args, kwargs = numbers
    given = [a for i, a in enumerate(args) if i in names] + [a for name, a in kwargs.items() if name in names]
    return frozenset(trees.flatten(given)[0])


class Donation:
    """What a signature does with its donated arguments. reused: {number of a value: number of the leaf whose memory receives it};
    deleted: the leaves that nobody may use after a call."""

    __slots__ = ("deleted", "reused")

    def __init__(self, traced: Traced, leaves: frozenset[int]) -> None:
        returned = {result.index for result in traced.results if result.kind == "argument"}
        arrays = sorted(number for number in leaves if traced.inputs[number] is not None)
        self.deleted = [number for number in arrays if number not in returned]
        self.reused: dict[int, int] = {}
        if traced.doubted:  # the call may have to be repeated, with what it was given
            return
        for number in self.deleted:
            value = None if number in traced.written else self._receiver(traced, traced.inputs[number])  # type: ignore[arg-type]
            if value is not None:
                self.reused[value] = number

    def _receiver(self, traced: Traced, leaf: Node) -> int | None:
        """The first free value of the leaf's type that needs no copy to be written over it."""
        for number, value in enumerate(traced.values):
            if number not in self.reused and value.type == leaf.type and value is not leaf and _may_overwrite(value, leaf):
                return number
        return None


def _may_overwrite(value: Node, leaf: Node) -> bool:
    """Whether the value can be computed over its own input element by element: where its elements need others of the leaf directly, the
    program would write to a temporary first, and copy. What is read by a reduction or a routine inside has been read before."""
    seen: set[tuple[Node, bool]] = set()
    stack = [(value, False)]
    while stack:
        node, moved = stack.pop()
        if (node, moved) in seen:
            continue
        seen.add((node, moved))
        if node is leaf and moved:
            return False
        if node.op.kind is Kind.ELEMENTWISE:
            stack += [(argument, moved) for argument in node.args]
        elif node.op.kind is Kind.UPDATE:
            stack += [(argument, moved or place > 0) for place, argument in enumerate(node.args)]
        elif node.op.kind in (Kind.MOVE, Kind.GATHER) or (node is value and node.op.kind in (Kind.CONTRACT, Kind.LIBRARY, Kind.ACCUMULATE)):
            stack += [(argument, True) for argument in node.args]
    return True


def is_given(leaf: Any) -> bool:
    """Whether a donated array's memory is its own to give: writeable, no view, and if it is lazy, seen by nobody else."""
    if type(leaf) is ndarray and leaf._storage is not None:
        return not leaf._path and not leaf._readonly and not shared_outside(leaf._storage)
    array = leaf._np if type(leaf) is ndarray else leaf
    if type(array) not in ARRAYS:
        return False  # NumPy's scalars
    return bool(array.flags.carray) and owns_memory(array)


def delete(leaf: Any, function: str) -> None:
    """Make a donated lazy array one that raises RuntimeError where its values are asked for. NumPy's own arrays stay: they show the
    memory of the result."""
    if type(leaf) is not ndarray or leaf._path:
        return
    if leaf._storage is None:
        shape, dtype = leaf._np.shape, leaf._np.dtype  # type: ignore[union-attr]
        leaf._type, leaf._storage, leaf._np = ArrayType(shape, dtype), Storage(shape, dtype, None, None), None
    storage = leaf._storage
    text = f"Array has been deleted with shape={storage.dtype}{list(storage.shape)}: it was donated to {function}, a lazynp.jit function"
    storage.failure = RuntimeError(text)
    storage.node, storage.buffer, storage._leaf = new_input(ArrayType(storage.shape, storage.dtype)), None, None
