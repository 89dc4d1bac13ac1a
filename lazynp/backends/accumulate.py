"""Products that are multiplied by a number or added to something: one call of gemm.

`C = beta * C + alpha * A @ B.T` is a product into a temporary and a nest that adds the two. Where nobody else reads the temporary, the
product brings its tiles into C itself. What is added may lie where the result goes, or be an array that is repeated along rows or columns.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from lazynp.backends import products
from lazynp.backends.fuse import Touched
from lazynp.backends.lower import Axis, Memory, load
from lazynp.backends.nests import Factor, Gemm, Nest, Onto, scalars
from lazynp.backends.polynomial import ONE, ZERO, Poly, product
from lazynp.backends.prelude import suffix
from lazynp.ir.node import Node, const, constant, transform
from lazynp.ops import elementwise as ew


class _Term(NamedTuple):
    factor: Factor
    item: Node


def accumulated(nests: list[Nest], outlives: Callable[[Memory], bool]) -> list[Nest]:
    """The nests, in which such products end in their sums, and multiply what they read. outlives: whether a memory is read elsewhere."""
    places = [k for k, nest in enumerate(nests) if isinstance(nest.call, Gemm)]
    if not places:
        return nests
    changed: list[Nest | None] = list(nests)
    touched = [Touched(nest) for nest in nests]
    users: dict[Memory, list[int]] = {}
    for number, one in enumerate(touched):
        for memory in one.memories() | one.inside:
            users.setdefault(memory, []).append(number)
    for place in places:
        gemm = nests[place].call
        assert isinstance(gemm, Gemm)
        for memory in (gemm.x.memory, gemm.out.memory):
            near = users[memory]
            if memory.kind != "temp" or outlives(memory) or len(near) != 2 or place not in near:
                continue
            if memory is gemm.x.memory and memory is not gemm.y.memory and near[1] == place:
                maker = changed[near[0]]
                gemm = gemm if maker is None else _scaled(gemm, maker, touched[near[0] : place])
                changed[place] = replace(nests[place], call=gemm)
            elif memory is gemm.out.memory and near[0] == place:
                last, sum_ = near[1], changed[near[1]]
                found = None if sum_ is None else _into(gemm, sum_)
                if found is not None and not any(buffer.memory in one.writes for buffer in gemm.reads for one in touched[place:last]):
                    changed[place], changed[last] = None, Nest("gemm", (), call=found, events=nests[place].events | nests[last].events)
                elif found is None and sum_ is not None and (multiplied := _multiplied(gemm, sum_)) is not None:
                    gemm, changed[last] = multiplied
                    changed[place] = replace(nests[place], call=gemm)
    return [nest for nest in changed if nest is not None]


def _scaled(gemm: Gemm, nest: Nest, before: list[Touched]) -> Gemm:
    """The product that multiplies its left operand by a number while it packs it, where that is all the nest does for it."""
    stores = [s for s in nest.stores if s.buffer.memory is gemm.x.memory]
    m, n, k = [size.constant for size in gemm.sizes]
    name = suffix(gemm.dtype)
    if nest.kind != "loops" or nest.folds or len(stores) != 1 or name not in products.SUFFIXES or not products.packs(m, n, k, name):
        return gemm
    (store,) = stores
    term = _term(store.value)
    if term is None or term.item.address != store.address or term.item.dtype != gemm.dtype:
        return gemm
    source = term.item.buffer
    whole = gemm.batch * gemm.sizes[0] * gemm.sizes[2]
    if product([a.size for a in nest.axes]) != whole or source.memory.dtype != gemm.dtype or source.memory is gemm.y.memory:
        return gemm
    scaled = gemm._replace(x=source, onto=(gemm.onto or Onto())._replace(scale=term.factor))
    written = any(buffer.memory in one.writes for buffer in scaled.reads for one in before)
    return gemm if written or gemm.out.memory is source.memory else scaled


def _into(gemm: Gemm, nest: Nest) -> Gemm | None:
    """The product that stores what the nest makes of it, if it can."""
    if nest.kind != "loops" or nest.folds or nest.moves or len(nest.stores) != 1 or suffix(gemm.dtype) not in products.SUFFIXES:
        return None
    (store,) = nest.stores
    whole = product([gemm.batch, *gemm.sizes[:2]])
    target = store.buffer.memory
    if product([a.size for a in nest.axes]) != whole or target.size != whole or target.dtype != gemm.dtype:
        return None
    terms = _terms(store.value)
    own = [t for t in terms if t.item.buffer.memory is gemm.out.memory and t.item.address == store.address]
    others = [t for t in terms if t not in own]
    if len(own) != 1 or len(others) > 1 or target in (gemm.x.memory, gemm.y.memory) or not _possible(own[0].factor, gemm):
        return None
    onto = _onto(gemm, nest.axes, own[0].factor, others[0], target, store.address) if others else Onto(alpha=own[0].factor)
    if onto is None:
        return None
    return gemm._replace(out=store.buffer, onto=onto if gemm.onto is None else onto._replace(scale=gemm.onto.scale))


def _multiplied(gemm: Gemm, nest: Nest) -> tuple[Gemm, Nest] | None:
    """The product times the number by which the nest multiplies or divides all that it reads of it, and the nest without that (the scores
    of attention: the division takes longer than all else that finds the greatest of a row)."""
    result = gemm.out.memory
    if nest.call is not None or nest.moves or gemm.onto not in (None, Onto()) or suffix(gemm.dtype) not in products.SUFFIXES:
        return None
    roots = nest.roots()
    nodes = scalars(roots)
    reads = {n for n in nodes if n.op is load and n.buffer.memory is result}
    users = {n for n in nodes if not reads.isdisjoint(n.args)}
    numbers = {_multiple(n, reads) for n in users}
    if len(numbers) != 1 or None in numbers or not reads.isdisjoint(roots) or any(s.buffer.memory is result for s in nest.stores):
        return None
    if any(n.guards or n.dtype != gemm.dtype for n in reads) or any(n.dtype != gemm.dtype for n in users):
        return None

    def visit(node: Node, args: tuple[Node, ...]) -> Node:
        if node in users:
            return next(a for old, a in zip(node.args, args, strict=True) if old in reads)
        return node.op.make(args, **node.attributes) if node.args else node

    values = iter(transform([part.value for part in (*nest.stores, *nest.folds)], visit))
    stores, folds = [[part._replace(value=next(values)) for part in parts] for parts in (nest.stores, nest.folds)]
    (number,) = numbers
    onto = (gemm.onto or Onto())._replace(alpha=Factor(constant(number, gemm.dtype)))
    return gemm._replace(onto=onto), replace(nest, stores=stores, folds=folds)


def _multiple(user: Node, reads: set[Node]) -> float | None:
    """By which number a node multiplies its other operand, if it does; its reciprocal, of a divisor."""
    if user.op not in (ew.multiply, ew.divide):
        return None
    item, number = user.args if user.op is ew.divide or user.args[0] in reads else user.args[::-1]
    if item not in reads or number.op is not const or number.dtype.kind != "f":
        return None
    value = float(number.value.array)
    tiny = float(np.finfo(number.dtype).tiny)
    if not tiny <= abs(value) <= 1 / tiny:
        return None
    return 1 / value if user.op is ew.divide else value


def _possible(alpha: Factor, gemm: Gemm) -> bool:
    """A library does not read what is multiplied by zero; products of our own do."""
    node = alpha.value
    if node is None or products.wanted():
        return True
    return bool(node.op is const and np.isfinite(node.value.array) and node.value.array != 0)


def _terms(value: Node) -> list[_Term]:
    """Loads with factors that are the terms of a value; none where it is something else."""
    if value.op is ew.add:
        found = [_term(a) for a in value.args]
    elif value.op is ew.subtract:
        first, second = map(_term, value.args)
        found = [first, second and second._replace(factor=_negated(second.factor))]
    else:
        found = [_term(value)]
    return [term for term in found if term is not None] if all(found) else []


def _negated(factor: Factor) -> Factor:
    return factor._replace(negated=not factor.negated)


def _term(value: Node) -> _Term | None:
    """One load, perhaps negated or times one number."""
    if value.op is ew.negative:
        inner = _term(value.args[0])
        return None if inner is None else inner._replace(factor=_negated(inner.factor))
    if value.op is ew.multiply:
        for number, item in (value.args, value.args[::-1]):
            if _is_number(number) and item.op is load and not item.guards:
                return _Term(Factor(number), item)
    return _Term(Factor(None), value) if value.op is load and not value.guards else None


def _is_number(node: Node) -> bool:
    return node.op is const or (node.op is load and not node.guards and not node.address.variables and not node.address.atoms())


def _onto(gemm: Gemm, axes: tuple[Axis, ...], alpha: Factor, other: _Term, target: Memory, address: Poly) -> Onto | None:
    """What is added, if it lies where strides can tell; a symmetric product has only one triangle to add something to."""
    item = other.item
    if gemm.alike or item.buffer.node.dtype != gemm.dtype or item.dtype != gemm.dtype or item.buffer.memory.dtype != gemm.dtype:
        return None
    rows, columns = gemm.sizes[:2]
    if item.address == address:
        return Onto(Factor(None), alpha, other.factor, item.buffer, ZERO, (rows * columns, columns, ONE))
    sizes = (gemm.batch, rows, columns) if len(axes) == 3 else (rows, columns)
    if item.buffer.memory is target or tuple([a.size for a in axes]) != sizes or any(a.begin != ZERO for a in axes):
        return None
    strides, offset = [ZERO] * (3 - len(axes)), item.address
    for axis in axes:
        step = item.address.coefficient(axis.variable)
        if step is None or step.variables:
            return None
        strides.append(step)
        offset = offset - step * Poly({(axis.variable,): 1})
    return None if offset.variables else Onto(Factor(None), alpha, other.factor, item.buffer, offset, (strides[0], strides[1], strides[2]))
