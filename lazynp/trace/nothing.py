"""What a compiled function returns that returns a value on one way and None on another."""

from typing import Any, NamedTuple


class OrNothing:
    """`value` (a tree) where `there`, a truth value of the trace, is true, else None."""

    __slots__ = ("there", "value")

    def __init__(self, value: Any, there: Any) -> None:
        self.value, self.there = value, there


class Sometimes(NamedTuple):
    """The structure of such a result: of the pair (value, whether it is returned)."""

    pair: Any
