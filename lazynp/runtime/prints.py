"""Where a program prints, what may raise an error waits for the prints before it, and the prints after it wait for it.

What has been printed so far is a hidden storage of the trace (`TraceQueue.printed`). An operation that may raise reads one of its
arguments `after` it, and from then on it is what it was `after` that operation. Programs that print nothing have none of this.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from lazynp.ir.node import Node, const, transform
from lazynp.ir.types import ArrayType
from lazynp.ops.movement import after
from lazynp.ops.structured import cond, is_immediate, item, loop
from lazynp.optimize.invariants import may_raise, prints
from lazynp.runtime.storage import Storage, queue


def printed_here() -> Storage | None:
    """What stands for the prints of the program that is being traced; None for one without."""
    return getattr(_scopes()[-1], "printed", None)


def _scopes() -> list[Any]:
    """The traces under way, from the inside."""
    found: list[Any] = [queue()]
    while getattr(found[-1], "parent", None) is not None:
        found.append(found[-1].parent)
    return found


def keep_order(storages: Iterable[Storage]) -> None:
    """Let what an operation has just given to some storages come in its place among the prints."""
    printed = printed_here()
    if printed is None:
        return
    known: dict[Node, Node] = {}
    for storage in storages:
        if storage is not printed and storage.node is not None:
            new = _in_order(storage.node, printed, known)
            if new is not storage.node:
                storage.node = new


def _in_order(node: Node, printed: Storage, known: dict[Node, Node]) -> Node:
    """The same value, of new operations (they are those without a position yet) that take their turn."""
    for old in _below_new(node):
        known.setdefault(old, old)
    return transform([node], lambda n, args: taking_turns(n.with_args(args), printed), known)[0]


def _below_new(node: Node) -> list[Node]:
    """The first nodes on each way down that are not new."""
    found, stack, seen = [], [node], {node}
    while stack:
        node = stack.pop()
        if node.where is not None or not node.args:
            found.append(node)
            continue
        fresh = [a for a in node.args if a not in seen]
        seen.update(fresh)
        stack += fresh
    return found


def taking_turns(node: Node, printed: Storage) -> Node:
    """The node, after what was printed before it, and from now on before what is printed."""
    if node.op is item or not may_raise(node) or prints(node):
        return node
    place = _waits(node)
    if place is not None:
        event = printed.value()
        node = node.with_args((*node.args[:place], after(node.args[place], event), *node.args[place + 1 :]))
    if not any(getattr(scope, "is_test", False) for scope in _scopes()):  # a condition comes before its turn anyway
        printed.write(after(printed.value(), _result(node)))
    return node


def _waits(node: Node) -> int | None:
    """The number of an argument that can wait."""
    first = 3 if node.op is loop else 1 if node.op is cond else 0
    places: Sequence[int] = [k for k in range(first, len(node.args)) if not is_immediate(node.args[k])]
    return next((k for k in places if node.args[k].op is not const), places[0] if places else None)


def _result(node: Node) -> Node:
    return node if isinstance(node.type, ArrayType) else item(node, index=0)
