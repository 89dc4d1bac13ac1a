"""Where derived and batched nodes come from: the user's line of the operation that they were made of."""

from collections.abc import Iterable

from lazynp.errors import Where
from lazynp.ir.node import Node


class Origins:
    """Gives new nodes the line of the node that they replace or differentiate; each node is visited once."""

    def __init__(self, known: Iterable[Node]) -> None:
        self.known = set(known)

    def mark(self, node: Node, where: Where | None) -> Node:
        stack = [node]
        while stack:
            one = stack.pop()
            if one not in self.known:
                self.known.add(one)
                if one.where is None:
                    one.where = where
                stack.extend(one.args)
        return node
