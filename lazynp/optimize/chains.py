"""Loops whose turn looks a carried integer up in a table and joins what it finds, by exclusive or, with what was there before.

`crc = table[(crc ^ byte) & 255] ^ (crc >> 8)`: a turn waits for the number that the turn before has found. Carried as the two numbers
a ^ b, found and known before, it is joined last: `table[(a & 255) ^ ((b ^ byte) & 255)]`, of which the second half is there in time. Two of
the eight cycles of a turn: 40,000 bytes 73 -> 56 us.
"""

from __future__ import annotations

from lazynp.ir.body import canonical_bodies
from lazynp.ir.node import Graph, Node, constant, input_, new_input, toposort, transform
from lazynp.ir.rewrite import Listener
from lazynp.ops.elementwise import bitwise_and, bitwise_xor, cast, constant_value, early
from lazynp.ops.indexing import gather
from lazynp.ops.movement import reshape
from lazynp.ops.sizes import simplify_size
from lazynp.ops.structured import item, loop

_MOST = 64
"""Operations of a turn: longer ones have enough to do while they wait."""


def chains(graph: Graph, level: str = "", listener: Listener | None = None) -> Graph:
    """The graph with such numbers carried in two."""
    if not any(node.op is loop for node in toposort(graph.outputs)):
        return graph
    made: dict[Node, dict[int, Node]] = {}

    def visit(node: Node, args: tuple[Node, ...]) -> Node:
        if node.op is item and args[0] in made:
            return made[args[0]][node.index]
        fresh = node.with_args(args)
        if fresh.op is loop and fresh not in made and (results := _in_two(fresh)) is not None:
            made[fresh] = results
        return fresh

    return graph._replace(outputs=tuple(transform(graph.outputs, visit)))


def _in_two(node: Node) -> dict[int, Node] | None:
    """What stands for each result of a loop, or None where it stays as it is."""
    count, body = len(node.type), node.body
    order = toposort(body.outputs)
    if len(order) > _MOST:
        return None
    for place, (leaf, output) in enumerate(zip(body.inputs[1 : 1 + count], body.outputs, strict=True)):
        parts = _found_and_known(leaf, output, order)
        if parts is not None:
            return _split(node, place, leaf, parts)
    return None


def _found_and_known(leaf: Node, output: Node, order: list[Node]) -> tuple[Node, Node] | None:
    """(what a turn finds in a table, what it joins with that), of an integer that is both."""
    if leaf.op is not input_ or leaf.shape or leaf.dtype.kind not in "iu" or output.op is not bitwise_xor:
        return None
    joins = _joins(leaf, order)
    looked_up = _depending({n for n in order if n.op is gather and _index(n) in joins}, order)
    found, known = sorted(output.args, key=lambda n: n not in looked_up)
    return (found, known) if found.op is gather and found in looked_up and known not in looked_up else None


def _index(node: Node) -> Node:
    """What a table is read at."""
    index = node.args[1]
    while index.op in (cast, reshape):
        index = index.args[0]
    return index


def _depending(roots: set[Node], order: list[Node]) -> set[Node]:
    found = set(roots)
    for node in order:
        if not found.isdisjoint(node.args):
            found.add(node)
    return found


def _joins(leaf: Node, order: list[Node]) -> set[Node]:
    """What is made of the leaf by exclusive or and masks alone: of a ^ b it is the same of a, joined with the same of b."""
    found = {leaf}
    for node in order:
        mine = [a for a in node.args if a in found]
        masked = node.op is bitwise_and and any(constant_value(a) is not None for a in node.args)
        if len(mine) == 1 and (node.op is bitwise_xor or masked):
            found.add(node)
    return found


def _split(node: Node, place: int, leaf: Node, parts: tuple[Node, Node]) -> dict[int, Node]:
    """parts: what the integer at a place becomes."""
    count, body = len(node.type), node.body
    late, known = new_input(leaf.type), new_input(leaf.type)
    joins = _joins(leaf, toposort(body.outputs))
    halves: dict[Node, tuple[Node, Node]] = {leaf: (late, known)}

    def visit(old: Node, args: tuple[Node, ...]) -> Node:
        if old is leaf:
            return bitwise_xor(late, known)
        if old not in joins:
            return old.with_args(args) if args else old
        (mine,) = [a for a in old.args if a in joins]
        (other,) = [arg for a, arg in zip(old.args, args, strict=True) if a is not mine]
        first, second = halves[mine]
        if old.op is bitwise_and:
            halves[old] = bitwise_and(first, other), bitwise_and(second, other)
        else:
            halves[old] = first, bitwise_xor(second, other)
        return bitwise_xor(halves[old][0], early(halves[old][1]))

    outputs = list(body.outputs)
    outputs[place], further = parts
    outputs = transform((*outputs, further), visit)
    inputs = [late if one is leaf else one for one in body.inputs]
    inputs.insert(1 + count, known)
    (fresh,) = canonical_bodies([Graph(tuple(inputs), tuple(outputs))], simplify_size)
    args = [*node.args[: 3 + count], constant(leaf.dtype.type(0)), *node.args[3 + count :]]
    split = loop(*args, body=fresh, again=node.again)
    split.where = split.where or node.where
    results = {k: item(split, index=k) for k in range(count)}
    return results | {place: bitwise_xor(results[place], item(split, index=count))}
