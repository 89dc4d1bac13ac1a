"""Which choices of a loop's single point are C branches: those that keep a calculation off the way from one turn to the next.

A choice between floating-point numbers as a select waits for the comparison and for both numbers. A branch that is guessed right waits for
neither. So a number that one side alone computes, as in `if x > wall: x = 2 * wall - x`, is computed in a branch: 200,000 steps between two
walls 402 -> 172 us where they are seldom met, 476 -> 415 us where often. A choice between numbers that are there anyway is a select.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from lazynp.backends.lower import Memory, load, position
from lazynp.backends.polynomial import all_atoms
from lazynp.ir.node import Node, const
from lazynp.ops import elementwise as ew

BRANCH = '__asm__ volatile ("");'
"""In a side of a branch keeps compilers from making a select of it. Loops with such branches are unrolled: each copy is guessed apart."""
_THERE = (load, position, const)
_COMPARED = (ew.less, ew.less_equal, ew.greater, ew.greater_equal)


class Choices(NamedTuple):
    """branches: choices that are branches; nested: those among them that are made within one side of another one; selects: choices
    between integers, of which compilers make branches if one lets them (Collatz: 425 -> 305 us)."""

    branches: set[Node]
    nested: set[Node]
    selects: set[Node]


NO_CHOICES = Choices(set(), set(), set())


def choices(order: Sequence[Node], uses: Mapping[Node, int], overwritten: set[Memory], integers: set[str]) -> Choices:
    """Among values in topological order. overwritten: what the turn stores to; its single numbers are what the last turn has left.
    integers: the names of integers that it has left."""
    carried = {m for m in overwritten if m.size.constant == 1}
    late: set[Node] = set()
    """What depends on the turn before."""
    branches: set[Node] = set()
    selects: set[Node] = set()
    for node in order:
        left = node.op is position and not integers.isdisjoint([a.name for a in all_atoms(node.expression)])
        if left or (node.op is load and node.buffer.memory in carried) or not late.isdisjoint(node.args):
            late.add(node)
        if node.op is ew.where and node.dtype.kind == "f" and node.args[0] in late and _computes(node, uses):
            branches.add(node)
        elif node.op is ew.where and node.dtype.kind in "iu" and node.args[0] in late and _computes(node, uses):
            selects.add(node)
    return Choices(branches, {side for node in branches for side in node.args[1:] if side in branches and uses[side] == 1}, selects)


def _computes(node: Node, uses: Mapping[Node, int]) -> bool:
    """Whether a side has a calculation of its own. A maximum is no choice."""
    test, *sides = node.args
    if test.op in _COMPARED and set(test.args) == set(sides):
        return False
    return any(side.op not in _THERE and uses[side] == 1 for side in sides)


def branch(name: str, node: Node, text: Callable[[Node], str], nested: set[Node]) -> list[str]:
    """Statements that set the variable `name` to what the choice gives."""
    test, yes, no = node.args
    return [
        f"if ({text(test)}) {{", BRANCH, *_side(name, yes, text, nested), "} else {", *_side(name, no, text, nested), "}"
    ]  # fmt: skip


def _side(name: str, node: Node, text: Callable[[Node], str], nested: set[Node]) -> list[str]:
    return branch(name, node, text, nested) if node in nested else [f"{name} = {text(node)};"]
