"""Loop nests: every step of a plan becomes nests of loops over scalar nodes; neighbours with the same loops become one nest."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from lazynp.backends import lapack, polynomial, sorting
from lazynp.backends.lower import (
    Axis,
    Box,
    Buffer,
    Condition,
    Lowering,
    Memory,
    Split,
    as_bool,
    follow_index,
    linear,
    load,
    loops,
    position,
)
from lazynp.backends.partition import Plan, Step, events, strip
from lazynp.backends.polynomial import Atom, Poly
from lazynp.ir.node import Node, transform
from lazynp.ir.op import Op
from lazynp.ops import elementwise as ew
from lazynp.ops import indexing, movement, reduction
from lazynp.ops.structured import item

_CUTS, _BOXES = 16, 24
"""How often the range of one step may be cut into regions before conditions are tested inside the loops."""


class Store(NamedTuple):
    """memory[address] = value, at every point of the nest."""

    buffer: Buffer
    address: Poly
    value: Node


class Fold(NamedTuple):
    """memory[address] = the fold of value over the variables that are reduced. position: the index that argmax and argmin return."""

    buffer: Buffer
    address: Poly
    op: Op
    value: Node
    position: Poly | None = None


class Moves(NamedTuple):
    """What follows the rows of a nest: stores that copy its results to memory whose old contents it reads. A row's results wait until
    `behind` more rows are computed; the first `ahead` and the last `behind` rows of a chunk wait until every chunk is done."""

    stores: tuple[Store, ...]
    behind: int
    ahead: int


@dataclass
class Nest:
    """kind: "loops" (stores, and folds over `reduced`), "scan", "scatter", "gemm" or "lapack"."""

    kind: str
    axes: tuple[Axis, ...]
    stores: list[Store] = field(default_factory=list)
    folds: list[Fold] = field(default_factory=list)
    reduced: frozenset[Atom] = frozenset()
    op: Op | None = None
    """scan: what accumulates along `reduced`."""
    scattered: dict[Buffer, Op | None] = field(default_factory=dict)
    """scatter: results of which several points may store the same element, one after the other, and how a new value is combined with the
    old one (None: it replaces it)."""
    call: Gemm | Lapack | None = None
    """gemm, lapack: the routine that does the work."""
    events: frozenset[Memory] = frozenset()
    """Memories that must be written before the nest begins, though it does not read them."""
    moves: Moves | None = None

    def targets(self) -> list[tuple[Buffer, Poly]]:
        """Where the nest writes."""
        stores = [*self.stores, *self.moves.stores] if self.moves else self.stores
        return [(s.buffer, s.address) for s in stores] + [(f.buffer, f.address) for f in self.folds]

    def roots(self) -> list[Node]:
        """The scalar nodes that the nest reads and computes: values, and what its addresses are made of."""
        return [*self.computed(), *[s.value for s in self.moves.stores]] if self.moves else self.computed()

    def computed(self) -> list[Node]:
        """The same without what it only moves."""
        values = [s.value for s in self.stores] + [f.value for f in self.folds]
        return values + [n for s in self.stores for n in values_in(s.address)]


class Factor(NamedTuple):
    """A number that a product is multiplied with: a constant or a load of one element; None: one."""

    value: Node | None
    negated: bool = False


class Onto(NamedTuple):
    """alpha times the product of `scale` times x with y, plus beta times `added`, whose strides along batch, rows and columns are given in
    elements."""

    scale: Factor = Factor(None)
    alpha: Factor = Factor(None)
    beta: Factor = Factor(None)
    added: Buffer | None = None
    offset: Poly = polynomial.ZERO
    strides: tuple[Poly, Poly, Poly] = (polynomial.ZERO,) * 3

    @property
    def factors(self) -> tuple[Factor, Factor, Factor]:
        return self.scale, self.alpha, self.beta

    @property
    def reads(self) -> tuple[Buffer, ...]:
        factors = [factor.value.buffer for factor in self.factors if factor.value is not None and factor.value.op is load]
        return (*factors, *([self.added] if self.added is not None else []))


class Gemm(NamedTuple):
    """out (batch, m, n) = op(x) (m, k) op(y) (k, n), or what `onto` says of that product."""

    x: Buffer
    y: Buffer
    out: Buffer
    turned: tuple[bool, bool]
    batch: Poly
    sizes: tuple[Poly, Poly, Poly]
    dtype: np.dtype
    onto: Onto | None = None

    @property
    def alike(self) -> bool:
        """Whether it is a matrix by its own transpose."""
        return self.x.memory is self.y.memory and self.turned[0] != self.turned[1]

    @property
    def reads(self) -> tuple[Buffer, ...]:
        return self.x, self.y, *(self.onto.reads if self.onto is not None else ())

    @property
    def writes(self) -> tuple[Buffer, ...]:
        return (self.out,)


class Lapack(NamedTuple):
    """Results (None: nobody reads it) of a linear algebra op (ops/library.py) on `count` matrices of some sizes. where: its origin."""

    node: Node
    reads: tuple[Buffer, ...]
    results: tuple[Buffer | None, ...]
    count: Poly
    sizes: tuple[Poly, ...]
    where: Any

    @property
    def writes(self) -> tuple[Buffer, ...]:
        return tuple([buffer for buffer in self.results if buffer is not None])


def nests_of(plan: Plan, step: Step) -> list[Nest]:
    """The loops of one step."""
    if step.kind in ("map", "copy") and strip(step.node).op is indexing.unset:
        return []
    nests = _MAKERS[step.kind](plan, step)
    awaited = events(plan, step)
    for nest in nests:
        nest.events = awaited
    return nests


def _boxes(plan: Plan, step: Step, axes: tuple[Axis, ...], cuts: int, build: Callable[[Lowering], Nest]) -> list[Nest]:
    """build(lowering) for the whole range, or for the regions into which conditions cut it."""
    places = ChainMap(step.redirect, plan.places) if step.redirect else plan.places
    found: list[Nest] = []
    waiting = [Box(axes, (), cuts)]
    while waiting:
        box = waiting.pop()
        try:
            lowering = Lowering(places, plan.sizes, box)
            lowering.origin = plan.origin
            found.append(build(lowering))
        except Split as split:
            low, high = box.cut(split)
            if len(found) + len(waiting) >= _BOXES:
                low.may_split = high.may_split = 0
            waiting += [high, low]
    return found


def _shape(plan: Plan, node: Node) -> tuple[Poly, ...]:
    return tuple([plan.sizes(n) for n in node.shape])


def _map(plan: Plan, step: Step) -> list[Nest]:
    """One store per element of the node."""
    if step.node.op is movement.join and step.kind == "map":
        return _join(plan, step)
    axes, index = loops(_shape(plan, step.node))
    address = linear(index, _shape(plan, step.node))

    def build(lowering: Lowering) -> Nest:
        value = lowering.compute(step.node, index) if step.kind == "map" else lowering.at(step.node, index)
        return Nest("loops", lowering.box.axes, [Store(step.target, address, value)])

    return _safely(plan, step, axes, index, _boxes(plan, step, axes, _CUTS, build))


def _join(plan: Plan, step: Step) -> list[Nest]:
    """A nest per part, each into its region."""
    node, found, offset = step.node, [], polynomial.ZERO
    whole = _shape(plan, node)
    for part in node.args:
        axes, index = loops(_shape(plan, part))
        placed = (*index[: node.axis], index[node.axis] + offset, *index[node.axis + 1 :])
        address = linear(placed, whole)

        def build(lowering: Lowering, part: Node = part, index: Any = index, address: Poly = address) -> Nest:
            return Nest("loops", lowering.box.axes, [Store(step.target, address, lowering.at(part, index))])

        found += _boxes(plan, step, axes, _CUTS, build)
        offset = offset + plan.sizes(part.shape[node.axis])
    return found if not _reads_memory(found, step.target.memory) else _through_temporary(plan, step, found)


def _update(plan: Plan, step: Step) -> list[Nest]:
    """Stores into the region only."""
    node = step.node
    new = node.args[1]
    axes, index = loops(_shape(plan, new))

    def build(lowering: Lowering) -> Nest:
        place = follow_index(node.path, node.shape, index, lowering)
        address = linear(place, _shape(plan, node))
        return Nest("loops", lowering.box.axes, [Store(step.target, address, lowering.at(new, index))])

    return _safely(plan, step, axes, index, _boxes(plan, step, axes, _CUTS, build))


def _safely(plan: Plan, step: Step, axes: tuple[Axis, ...], index: Any, nests: list[Nest]) -> list[Nest]:
    """The nests; with a detour through a temporary if they read, at another index, what they overwrite."""
    memory = step.target.memory
    if not any(_reads_elsewhere(nest, memory) for nest in nests):
        return nests
    return _detour(plan, step, axes, index, nests)


def _detour(plan: Plan, step: Step, axes: tuple[Axis, ...], index: Any, nests: list[Nest]) -> list[Nest]:
    """All new values first into a temporary of the region's size, then from there to their places."""
    shape = tuple([a.size for a in axes])
    values = plan.buffer(step.node, plan.temporary(shape, step.node.dtype))
    number = linear(tuple([Poly({(a.variable,): 1}) for a in axes]), shape)
    before = [Nest("loops", n.axes, [Store(values, number, s.value) for s in n.stores]) for n in nests]
    back = load.make((), buffer=values, address=number, guards=(), to=step.node.dtype)
    after = Nest("loops", axes, [nests[0].stores[0]._replace(value=back)])
    return [*before, after]


def _through_temporary(plan: Plan, step: Step, nests: list[Nest]) -> list[Nest]:
    """The whole result into a temporary, then a copy: for steps that read the memory they write."""
    target = step.target
    values = plan.buffer(step.node)
    before = []
    for nest in nests:
        stores = [s._replace(buffer=values) for s in nest.stores]
        folds = [f._replace(buffer=values) for f in nest.folds]
        scattered = {values if buffer == target else buffer: combine for buffer, combine in nest.scattered.items()}
        call = nest.call and nest.call._replace(out=values)
        before.append(replace(nest, stores=stores, folds=folds, scattered=scattered, call=call))
    return [*before, _copied(values, target)]


def _reads_memory(nests: Iterable[Nest], memory: Memory) -> bool:
    return any(item.buffer.memory is memory for nest in nests for item in loads(nest.roots()))


def _reads_elsewhere(nest: Nest, memory: Memory) -> bool:
    own = {s.address for s in nest.stores if s.buffer.memory is memory}
    return any(item.buffer.memory is memory and item.address not in own for item in loads(nest.roots()))


# --- reductions ------------------------------------------------------------------------------------------------------


def _reduce(plan: Plan, step: Step) -> list[Nest]:
    node = step.node
    x = node.args[0]
    is_arg = node.op in (reduction.argmax, reduction.argmin)
    dropped = (node.axis,) if is_arg else node.axes
    axes, index = loops(_shape(plan, x))
    kept = tuple([i for axis, i in enumerate(index) if axis not in dropped])
    address = linear(kept, _shape(plan, node))
    reduced = frozenset([a for axis in dropped for a in index[axis].variables])
    scalar = node.op.scalar
    assert scalar is not None

    def build(lowering: Lowering) -> Nest:
        value = folded(lowering.at(x, index), node)
        fold = Fold(step.target, address, scalar, value, index[node.axis] if is_arg else None)
        return Nest("loops", lowering.box.axes, [], [fold], reduced)

    return _apart(plan, step, _boxes(plan, step, axes, 0, build))


def _apart(plan: Plan, step: Step, nests: list[Nest]) -> list[Nest]:
    return _through_temporary(plan, step, nests) if _reads_memory(nests, step.target.memory) else nests


def folded(value: Node, node: Node) -> Node:
    """A value in the dtype in which it is folded: bool for logical ops, float32 for float16."""
    assert node.op.scalar is not None
    if node.op.scalar.name.startswith("logical"):
        return as_bool(value)
    return ew.cast(value, to=np.float32) if value.dtype == np.float16 else value


def _scan(plan: Plan, step: Step) -> list[Nest]:
    node = step.node
    axes, index = loops(_shape(plan, node))
    address = linear(index, _shape(plan, node))

    def build(lowering: Lowering) -> Nest:
        value = lowering.at(node.args[0], index)
        value = as_bool(value) if node.op.scalar.name.startswith("logical") else value  # type: ignore[union-attr]
        stores = [Store(step.target, address, value)]
        along = index[node.axis].variables
        return Nest("scan", lowering.box.axes, stores, [], along, node.op.scalar) if along else Nest("loops", lowering.box.axes, stores)

    return _apart(plan, step, _boxes(plan, step, axes, 0, build))


def _scatter(plan: Plan, step: Step) -> list[Nest]:
    """One element of `new` after the other, in C order."""
    node = step.node
    base, new, *indices = node.args
    axes, index = loops(_shape(plan, new))
    rank = indices[0].ndim
    inner, outer = index[node.position : node.position + rank], index[: node.position] + index[node.position + rank :]
    shape = _shape(plan, base)

    def build(lowering: Lowering) -> Nest:
        rest = iter(outer)
        places = []
        for axis in range(base.ndim):
            if axis in node.axes:
                raw = lowering.at(indices[node.axes.index(axis)], inner)
                places.append(lowering.checked(raw, shape[axis], axis, lowering.where(node), ()))
            else:
                places.append(next(rest))
        store = Store(step.target, linear(tuple(places), shape), lowering.at(new, index))
        return Nest("scatter", lowering.box.axes, [store], scattered={step.target: node.combine})

    nests = _boxes(plan, step, axes, 0, build)
    return _stage(plan, step, nests, axes) if _reads_memory(nests, step.target.memory) else nests


def _stage(plan: Plan, step: Step, nests: list[Nest], axes: tuple[Axis, ...]) -> list[Nest]:
    """Scatter whose new values or indices are read from the memory that it changes: values and target addresses are computed first."""
    (nest,) = nests
    (store,) = nest.stores
    shape = tuple([a.size for a in axes])
    number = linear(tuple([Poly({(a.variable,): 1}) for a in axes]), shape)
    values = plan.buffer(step.node, plan.temporary(shape, store.value.dtype))
    where = plan.buffer(step.node, plan.temporary(shape, np.dtype(np.int64)))
    address = position.make((), expression=store.address)
    before = Nest("loops", axes, [Store(values, number, store.value), Store(where, number, address)])
    back = load.make((), buffer=values, address=number, guards=(), to=store.value.dtype)
    place = load.make((), buffer=where, address=number, guards=(), to=np.dtype(np.int64))
    target = polynomial.value_atom(place, frozenset([a.variable for a in axes]))
    return [before, Nest("scatter", axes, [Store(store.buffer, target, back)], scattered=nest.scattered)]


def _gemm(plan: Plan, step: Step) -> list[Nest]:
    node = step.node
    x, y = [step.redirect.get(strip(a)) or plan.places[strip(a)] for a in node.args]
    batch = plan.sizes(node.args[0].shape[0]) if 3 in node.out else polynomial.ONE
    sizes = dict(zip((*node.xs, *node.ys), (*_shape(plan, node.args[0]), *_shape(plan, node.args[1])), strict=True))
    turned = (node.xs[-2:] == (1, 0), node.ys[-2:] == (2, 1))
    gemm = Gemm(x, y, step.target, turned, batch, (sizes[0], sizes[2], sizes[1]), node.dtype)
    nest = Nest("gemm", (), call=gemm)
    if step.target.memory in (x.memory, y.memory):
        return _through_temporary(plan, step, [nest])
    return [nest]


def _lapack(plan: Plan, step: Step) -> list[Nest]:
    node = step.node
    reads = tuple([step.redirect.get(strip(a)) or plan.places[strip(a)] for a in node.args])
    count, *sizes = _routine_sizes(node, [_shape(plan, a) for a in node.args])
    results: list[Buffer | None] = [None] * (len(node.type) if type(node.type) is tuple else 1)
    after: list[Nest] = []
    for target in step.targets:
        own = target
        if target.memory in [buffer.memory for buffer in reads]:
            own = plan.buffer(target.node, plan.temporary(target.shape, target.node.dtype))
            after.append(_copied(own, target))
        results[target.node.index if target.node.op is item else 0] = own
    where = node.where if plan.origin is None else plan.origin
    return [Nest("lapack", (), call=Lapack(node, reads, tuple(results), count, tuple(sizes), where)), *after]


def _routine_sizes(node: Node, shapes: list[tuple[Poly, ...]]) -> tuple[Poly, ...]:
    """How many problems there are, and the sizes of one."""
    if sorting.has(node):
        return sorting.sizes(node, shapes)
    given = {"m": shapes[0][-2], "n": shapes[0][-1], "k": shapes[-1][-1]}
    return polynomial.product(shapes[0][:-2]), *[given[letter] for letter in lapack.ROUTINES[node.op.name].sizes]


def _copied(source: Buffer, target: Buffer) -> Nest:
    axes, index = loops(target.shape)
    number = linear(index, target.shape)
    value = load.make((), buffer=source, address=number, guards=(), to=source.node.dtype)
    return Nest("loops", axes, [Store(target, number, value)])


_MAKERS: dict[str, Callable[[Plan, Step], list[Nest]]] = {
    "gemm": _gemm, "lapack": _lapack, "map": _map, "copy": _map, "update": _update, "reduce": _reduce, "scan": _scan, "scatter": _scatter,
}  # fmt: skip


# --- what a nest touches ---------------------------------------------------------------------------------------------


def scalars(roots: Iterable[Node]) -> list[Node]:
    """Every scalar node below the roots, also those inside indices; arguments before users."""
    order: list[Node] = []
    seen: set[Node] = set()
    stack = [(r, False) for r in reversed(list(roots))]
    while stack:
        node, ready = stack.pop()
        if ready:
            order.append(node)
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            below = (*node.args, *index_values(node)) if node.attrs else node.args
            stack.extend([(n, False) for n in below if n not in seen])
    return order


def index_values(node: Node) -> list[Node]:
    """The scalar nodes inside the polynomials of a node's attributes."""
    return [n for p in polynomials(node) for n in values_in(p)] if node.attrs else []


def values_in(p: Poly) -> Iterator[Node]:
    """The scalar nodes that stand in a polynomial as atoms, also inside quotients."""
    for atom in p.atoms():
        if atom.kind == "value":
            yield atom.args[0]
        elif atom.kind in ("div", "mod"):
            yield from values_in(atom.args[0])
            yield from values_in(atom.args[1])


def polynomials(node: Node) -> list[Poly]:
    """The polynomials in the attributes of a scalar node."""
    found: list[Poly] = []
    for name, value in node.attributes.items():
        if isinstance(value, Poly):
            found.append(value)
        elif name in ("guards", "conditions"):
            found += [c.expression for c in value]
    return found


def loads(roots: Iterable[Node]) -> list[Node]:
    return [n for n in scalars(roots) if n.op is load]


def rebuild(roots: list[Node], change: Callable[[Poly], Poly]) -> list[Node]:
    """The scalar nodes with every polynomial changed."""

    def visit(node: Node, args: tuple[Node, ...]) -> Node:
        attrs = {name: changed(value, change) for name, value in node.attributes.items()}
        return node.op.make(args, **attrs) if node.args or attrs else node

    return transform(roots, visit)


def changed(value: Any, change: Callable[[Poly], Poly]) -> Any:
    """An attribute of a scalar node with every polynomial changed."""
    if isinstance(value, Poly):
        return change(value)
    if isinstance(value, Condition):
        return value._replace(expression=change(value.expression))
    if isinstance(value, tuple):
        return tuple([changed(v, change) for v in value])
    return value
