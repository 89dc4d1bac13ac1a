"""Which choices of a loop's single point are C branches: those that keep a calculation off the way from one turn to the next.

A choice between floating-point numbers as a select waits for the comparison and for both numbers. A branch that is guessed right waits for
neither. So a number that one side alone computes, as in `if x > wall: x = 2 * wall - x`, is computed in a branch: 200,000 steps between two
walls 402 -> 172 us where they are seldom met, 476 -> 415 us where often. A choice between numbers that are there anyway is a select.

A test that does not wait for the turn before costs nothing on that way, a select of what the turn before has left one cycle: such
choices are never left to compilers, which make branches of them (100,000 sums that begin anew at random places: 378 -> 96 us). Where their
test compares integers, its flags decide (longest runs: 65 -> 57 us).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from lazynp.backends import prelude
from lazynp.backends.lower import Memory, load, position
from lazynp.backends.polynomial import Poly, all_atoms
from lazynp.backends.texts import literal, unwrapped
from lazynp.ir.node import Node, const
from lazynp.ir.op import Op
from lazynp.ops import elementwise as ew

BRANCH = '__asm__ volatile ("");'
"""In a side of a branch keeps compilers from making a select of it. Loops with such branches are unrolled: each copy is guessed apart."""
_THERE = (load, position, const)
_COMPARED = (ew.less, ew.less_equal, ew.greater, ew.greater_equal)


class Choices(NamedTuple):
    """branches: choices that are branches; nested: those among them that are made within one side of another one; selects: choices
    between integers, of which compilers make branches if one lets them (Collatz: 425 -> 305 us); early: choices that are known before
    what they choose between, and late: everything that depends on the turn before."""

    branches: set[Node]
    nested: set[Node]
    selects: set[Node]
    early: set[Node]
    late: set[Node]


NO_CHOICES = Choices(set(), set(), set(), set(), set())


def choices(order: Sequence[Node], uses: Mapping[Node, int], overwritten: Mapping[Memory, set[Poly]], integers: set[str]) -> Choices:
    """Among values in topological order. overwritten: what the turn stores to, and where; its single numbers are what the last turn has
    left, and so are other elements than those that it stores to. integers: the names of integers that it has left."""
    late: set[Node] = set()
    branches: set[Node] = set()
    selects: set[Node] = set()
    for node in order:
        left = node.op is position and not integers.isdisjoint([a.name for a in all_atoms(node.expression)])
        if left or (node.op is load and _is_left(node, overwritten)) or not late.isdisjoint(node.args):
            late.add(node)
        if node.op is ew.where and node.dtype.kind == "f" and node.args[0] in late and _computes(node, uses):
            branches.add(node)
        elif node.op is ew.where and node.dtype.kind in "iu" and node.args[0] in late and _computes(node, uses):
            selects.add(node)
    early = {n for n in order if n.op is ew.where and n.dtype in _CHOSEN and _is_early(n, late)} if _is_chain(late) else set()
    nested = {side for node in branches for side in node.args[1:] if side in branches and uses[side] == 1}
    return Choices(branches, nested, selects, early, late)


_CHOSEN = tuple(map(np.dtype, ("f8", "f4", "i8", "i4", "u8", "u4")))
"""What processors choose without a branch."""


def _is_early(node: Node, late: set[Node]) -> bool:
    """Whether a choice that no compiler should make a branch of. An extreme of a number that the turn computes anew is one instruction;
    one of all turns so far hardly ever changes, and as a branch waits for nothing."""
    running = any(side in late and side.op in (load, position) for side in node.args[1:])
    return node.args[0] not in late or (node.dtype.kind == "f" and _is_extreme(node) and not running)


def _is_left(node: Node, overwritten: Mapping[Memory, set[Poly]]) -> bool:
    """Whether a load reads what the turn before has stored."""
    stored = overwritten.get(node.buffer.memory, set())
    return bool(stored) and (node.buffer.memory.size.constant == 1 or stored != {node.address})


def _is_chain(late: set[Node]) -> bool:
    """Whether a turn waits for the one before, so that no compiler makes vectors of the loop. Sums of integers and whether all
    turns agree do not wait."""
    return any(_waits(node, late) for node in late if node.args)


def _waits(node: Node, late: set[Node]) -> bool:
    if node.op is ew.where:
        return all(side.op not in (load, position) or side not in late for side in node.args[1:])
    if node.op is ew.logical_and:
        return all(side.op is not load for side in node.args)
    return node.dtype.kind == "f" or node.dtype == bool


def _is_extreme(node: Node) -> bool:
    """Whether the greater or the lesser one of two numbers is chosen."""
    test, *sides = node.args
    return test.op in _COMPARED and set(test.args) == set(sides)


def _computes(node: Node, uses: Mapping[Node, int]) -> bool:
    """Whether a side has a calculation of its own. A maximum is no choice."""
    sides = node.args[1:]
    return not _is_extreme(node) and any(side.op not in _THERE and uses[side] == 1 for side in sides)


def branch(name: str, node: Node, text: Callable[[Node], str], nested: set[Node]) -> list[str]:
    """Statements that set the variable `name` to what the choice gives."""
    test, yes, no = node.args
    return [
        f"if ({text(test)}) {{", BRANCH, *_side(name, yes, text, nested), "} else {", *_side(name, no, text, nested), "}"
    ]  # fmt: skip


def _side(name: str, node: Node, text: Callable[[Node], str], nested: set[Node]) -> list[str]:
    return branch(name, node, text, nested) if node in nested else [f"{name} = {text(node)};"]


_MASKS = {ew.less: "less", ew.less_equal: "less_equal", ew.greater: "less", ew.greater_equal: "less_equal", ew.equal: "equal",
          ew.not_equal: "not_equal"}  # fmt: skip


def one_of(node: Node, text: Callable[[Node], str], yes: str, no: str) -> str:
    """A choice that is no branch. Comparisons of numbers of its own dtype decide it themselves, all others as truth values."""
    test = node.args[0]
    if node.dtype.kind == "f" and test.op in (ew.less, ew.greater) and _is_extreme(node):
        takes_first = node.args[1] is test.args[0]
        name = "greater" if (test.op is ew.greater) == takes_first else "lesser"
        return f"{prelude.helper(f'{name}_one', node.dtype)}({yes}, {no})"
    if node.dtype.kind in "fiu" and test.op in _MASKS and all(a.dtype == node.dtype for a in test.args):
        compared = test.args[::-1] if test.op in (ew.greater, ew.greater_equal) else test.args
        arguments = [*[unwrapped(text(a)) for a in compared], yes, no]
        return f"{prelude.helper(f'one_of_{_MASKS[test.op]}', node.dtype)}({', '.join(arguments)})"
    mask, zero = f"({prelude.ctype(node.dtype)})({unwrapped(text(test))} != 0)", unwrapped(literal(node.dtype.type(0), node.dtype))
    if node.dtype.kind != "f" and zero in (yes, no):
        return f"(({yes}) & -{mask})" if no == zero else f"(({no}) & ({mask} - 1))"
    return f"{prelude.helper('one_of', node.dtype)}({unwrapped(text(test))}, {yes}, {no})"


# --- selects of terms ------------------------------------------------------------------------------------------------

_NEUTRAL = {ew.add: -0.0, ew.multiply: 1.0}
"""What an operation leaves every number as it is with, -0.0 and NaN too."""


def common_term(node: Node, late: set[Node], chosen: set[Node], uses: Mapping[Node, int]) -> tuple[Op, Node] | None:
    """(add or multiply, x), x late, where both sides of a choice are x or x with another number, which is all there is to choose then:
    `s + v if c else s` is `s + (v if c else -0.0)`."""
    for op in _NEUTRAL:
        for side in _leaves(node, chosen, uses):
            for common in (*[a for a in side.args if side.op in (op, *_SIGNED.get(op, ()))], side):
                if common in late and term(node, op, common, chosen, uses, str) is not None:
                    return (op, common) if common is not node else None
    return None


_SIGNED = {ew.add: (ew.subtract,)}


def _leaves(node: Node, chosen: set[Node], uses: Mapping[Node, int]) -> list[Node]:
    """What nested choices choose between."""
    found, waiting = [], [node]
    while waiting:
        side = waiting.pop()
        if side is node or (side in chosen and uses[side] == 1):
            waiting += side.args[1:]
        else:
            found.append(side)
    return found


def term(node: Node, op: Op, common: Node, chosen: set[Node], uses: Mapping[Node, int], text: Callable[[Node], str]) -> str | None:
    """What stands beside `common` in a value, as C; None if the value is no `op` of it."""
    if node is common:
        return literal(node.dtype.type(_NEUTRAL[op]), node.dtype)
    if node in chosen:
        sides = [term(side, op, common, chosen, uses, text) for side in node.args[1:]]
        if None in sides or any(side in chosen and uses[side] > 1 for side in node.args[1:]):
            return None
        return one_of(node, text, *[unwrapped(str(side)) for side in sides])
    if node.dtype != common.dtype or uses[node] > 1:
        return None
    if node.op is op and common in node.args:
        return text(node.args[1] if node.args[0] is common else node.args[0])
    if node.op in _SIGNED.get(op, ()) and node.args[0] is common:
        return f"(- {text(node.args[1])})"
    return None
