"""The form of a graph: what programs are cached by, and how one program comes to serve every size.

`take_apart` splits a graph into a *skeleton* (ops, edges, dtypes, ranks, static attributes, which sizes are 0 or 1) and *facts*
(sizes, offsets,
scalar constants). `specific` rebuilds the graph of given facts over numbered inputs; `general` rebuilds it with sizes that are parameters.

Which sizes are one size is found by running every op's own `infer` over unknowns whose equality test unifies them: whatever an
op insists on being equal, is. What a slice takes whole, and a reshape neither joins nor cuts, is taken for one size where it always has
been; such a program serves sizes of which that is true. With two sizes for the columns of x, x - x[0] divided for every element.
"""

import hashlib
from collections.abc import Callable
from typing import Any, NamedTuple

from lazynp.ir.node import Graph, Literal, Node, const, constant, dim, input_, make_node, numbered_dim, numbered_input, toposort
from lazynp.ir.op import Kind, Op
from lazynp.ir.types import ArrayType

_STRUCTURAL = (-1, -0.5, 0.5, 2)
"""Scalar constants that stay part of the skeleton beside 0 and 1: rules and exponents depend on them."""


class Form(NamedTuple):
    """skeleton: hashable; facts: ints and Literals; leaves: the graph's inputs in order of appearance; order: its nodes."""

    skeleton: tuple[Any, ...]
    facts: tuple[Any, ...]
    leaves: tuple[Node, ...]
    order: list[Node]
    outputs: tuple[Node, ...]
    aliases: tuple[tuple[int, int], ...]


class _Fact:
    """The place of a fact in a skeleton's attributes."""

    def __repr__(self) -> str:
        return "*"


_FACT = _Fact()


def _split_sizes(value: Any, facts: list[Any]) -> Any:
    """An attribute that may hold sizes, with the sizes moved to `facts`. Sizes 0 and 1 stay: broadcasting depends on them."""
    kind = type(value)
    if kind is int:
        if value == 0 or value == 1:
            return value
        facts.append(value)
        return _FACT
    if kind is tuple:
        return tuple([_split_sizes(v, facts) for v in value])
    if kind is Node:
        return _split_formula(value, facts)
    if hasattr(value, "op"):  # a path step: (op, attrs), of which some are sizes
        op: Op = value.op
        return op, *[_split_sizes(v, facts) if n in op.dims else v for n, v in zip(op.attrs, value.attrs, strict=True)]
    return value


_KEPT = frozenset((-2, -1, 0, 1, 2))
"""Numbers in the formula of a size that stay as they are: factors and neighbours rather than sizes."""


def _split_formula(node: Node, facts: list[Any]) -> Any:
    """A size made of loop variables: its numbers are facts too."""
    if node.op is const:
        value = int(node.value.array)
        if value in _KEPT:
            return value
        facts.append(value)
        return _FACT
    if not node.args:
        return node
    return (node.op, node.attrs, *[_split_formula(a, facts) for a in node.args])


def _split_body(graph: Graph, facts: list[Any]) -> tuple[Any, ...]:
    """The skeleton of a body. Its constants stay in it; its sizes are facts of the whole graph."""
    number: dict[Node, int] = {}
    skeleton: list[Any] = []
    for node in toposort((*graph.inputs, *graph.outputs)):
        number[node] = len(number)
        skeleton.append((const, node.value) if node.op is const else node if node.op is dim else _split_node(node, facts))
        skeleton.append(tuple([number[a] for a in node.args]))
    return (*skeleton, tuple([number[i] for i in graph.inputs]), tuple([number[o] for o in graph.outputs]))


def _split_node(node: Node, facts: list[Any]) -> tuple[Any, ...]:
    op = node.op
    if op.kind is Kind.STRUCTURED:
        return (op, *[_split_body(v, facts) if isinstance(v, Graph) else v for v in node.attrs])
    if op is const:
        literal: Literal = node.value
        if literal.array.ndim == 0 and not _structural(literal):
            facts.append(literal)
            return (op, literal.array.dtype)
        return (op, literal)
    if op is input_:
        return (op, node.type.dtype, _split_sizes(node.type.shape, facts))
    if op.dims:
        return (op, *[_split_sizes(v, facts) if n in op.dims else v for n, v in zip(op.attrs, node.attrs, strict=True)])
    return (op, *node.attrs)


def _structural(literal: Literal) -> bool:
    value = literal.array[()]
    return literal.array.dtype.kind == "b" or bool(value == 0) or bool(value == 1) or value in _STRUCTURAL or bool(value != value)


def take_apart(outputs: tuple[Node, ...], aliases: dict[int, Node]) -> Form:
    """outputs: what to compute; aliases: for some outputs, the input leaf whose memory receives it. Linear in the graph."""
    order = toposort((*outputs, *aliases.values()))
    number: dict[Node, int] = {}
    skeleton: list[Any] = []
    facts: list[Any] = []
    leaves: list[Node] = []
    for position, node in enumerate(order):
        number[node] = position
        if node.op is input_:
            leaves.append(node)
        skeleton.append(_split_node(node, facts))
        skeleton.append(tuple([number[a] for a in node.args]))
    places = {leaf: i for i, leaf in enumerate(leaves)}
    pairs = tuple([(output, places[leaf]) for output, leaf in aliases.items()])
    skeleton.append(tuple([number[o] for o in outputs]))
    skeleton.append(pairs)
    return Form(tuple(skeleton), tuple(facts), tuple(leaves), order, tuple(outputs), pairs)


class Variant(NamedTuple):
    """One graph of a skeleton. fixed: the facts it holds for, by position; parameters: positions of the facts that are its dims;
    scalars: positions of the constants that are passed as further inputs; alike: positions of facts that it takes for one."""

    graph: Graph
    fixed: tuple[tuple[int, Any], ...]
    parameters: tuple[int, ...]
    scalars: tuple[int, ...]
    alike: tuple[tuple[int, int], ...] = ()

    def fits(self, facts: tuple[Any, ...]) -> bool:
        for p, q in self.alike:
            if facts[p] != facts[q]:
                return False
        return all(facts[position] == value for position, value in self.fixed)


def specific(form: Form) -> Variant:
    """The graph of exactly these facts."""
    return _rebuild(form, list(form.facts), tuple(enumerate(form.facts)), (), ())


def general(form: Form, known: list[tuple[Any, ...]]) -> Variant:
    """The graph of all sizes that have differed so far: sizes become dims, one per class of sizes that must agree; constants that differ
    from `known` become inputs. What has always been the same stays: a number of columns says which loops are short."""
    unknowns = [None if isinstance(f, Literal) else _Unknown(position, f) for position, f in enumerate(form.facts)]
    alike = _unify(form, unknowns, known)
    agreed = [all(facts[position] == fact for facts in known) for position, fact in enumerate(form.facts)]
    moved = {u.root().position for u, same in zip(unknowns, agreed, strict=True) if u is not None and not (known and same)}
    values: list[Any] = list(form.facts)
    fixed: list[tuple[int, Any]] = []
    parameters: list[int] = []
    scalars: list[int] = []
    dims: dict[int, Node] = {}
    for position, fact in enumerate(form.facts):
        unknown = unknowns[position]
        if unknown is None:
            if agreed[position]:
                fixed.append((position, fact))
            else:
                scalars.append(position)
                values[position] = numbered_input(len(form.leaves) + len(scalars) - 1, ArrayType((), fact.array.dtype))
        else:
            root = unknown.root()
            if root.pinned or root.position not in moved:
                fixed.append((position, fact))
                continue
            if root.position not in dims:
                dims[root.position] = numbered_dim(len(parameters))
                parameters.append(position)
            values[position] = dims[root.position]
    return _rebuild(form, values, tuple(fixed), tuple(parameters), tuple(scalars))._replace(alike=tuple(alike))


class _Unknown:
    """A size whose comparison with another asserts that they are one. Arithmetic on it pins it to its value."""

    __slots__ = ("parent", "pinned", "position", "value")

    def __init__(self, position: int, value: int) -> None:
        self.position = position
        self.value = value
        self.parent: _Unknown | None = None
        self.pinned = False

    def root(self) -> "_Unknown":
        node = self
        while node.parent is not None:
            if node.parent.parent is not None:
                node.parent = node.parent.parent
            node = node.parent
        return node

    def __eq__(self, other: object) -> bool:
        mine = self.root()
        if isinstance(other, _Unknown):
            theirs = other.root()
            if theirs is not mine:
                if theirs.position < mine.position:
                    mine, theirs = theirs, mine
                theirs.parent = mine
                mine.pinned = mine.pinned or theirs.pinned
            return True
        mine.pinned = True
        return bool(self.value == other)

    __hash__ = None  # type: ignore[assignment]

    def __int__(self) -> int:
        self.root().pinned = True
        return self.value

    __index__ = __int__

    def __lt__(self, other: Any) -> bool:
        return int(self) < int(other)

    def __gt__(self, other: Any) -> bool:
        return int(self) > int(other)


class _Formula:
    """A size made of loop variables and unknowns: equal to one of the same form whose parts are equal."""

    __slots__ = ("op", "parts")

    def __init__(self, op: Op, parts: list[Any]) -> None:
        self.op = op
        self.parts = parts

    def __eq__(self, other: object) -> bool:
        if isinstance(other, _Formula) and other.op is self.op and len(other.parts) == len(self.parts):
            equal = [a is b or a == b for a, b in zip(self.parts, other.parts, strict=True)]  # each comparison unifies: no short cut
            return all(equal)
        raise ValueError("sizes of different form")

    __hash__ = None  # type: ignore[assignment]


def _merge_formula(node: Node, source: Any) -> Any:
    """A formula with the next unknowns in the places of its facts."""
    if node.op is const:
        value = int(node.value.array)
        return value if value in _KEPT else next(source)
    return _Formula(node.op, [_merge_formula(a, source) for a in node.args]) if node.args else node


def _rebuilt_formula(node: Node, source: Any) -> Any:
    """The same with values: a node."""
    if node.op is const:
        value = int(node.value.array)
        value = value if value in _KEPT else next(source)
        return value if isinstance(value, Node) else constant(value)
    return make_node(node.op, tuple([_rebuilt_formula(a, source) for a in node.args]), node.attrs) if node.args else node


class _Typed(NamedTuple):
    """A leaf or an output of a body, of which only the type is known."""

    type: Any


class _TypedBody(NamedTuple):
    """What `infer` of a loop or branch sees of a body."""

    inputs: tuple[_Typed, ...]
    outputs: tuple[_Typed, ...]


Presume = Callable[[Any, Any], None]
"""Takes two sizes for one that are equal in the form at hand."""


def _unify_body(graph: Graph, source: Any, presume: Presume) -> _TypedBody:
    types: dict[Node, Any] = {}
    for node in toposort((*graph.inputs, *graph.outputs)):
        types[node] = _unified_type(node, types, source, True, presume)
    return _TypedBody(tuple([_Typed(types[i]) for i in graph.inputs]), tuple([_Typed(types[o]) for o in graph.outputs]))


def _unified_type(node: Node, types: dict[Node, Any], source: Any, inside: bool, presume: Presume) -> Any:
    op = node.op
    if op is dim:
        return node.type
    if op is const:
        if not inside and node.value.array.ndim == 0 and not _structural(node.value):
            next(source)
        return node.type
    if op is input_:
        return ArrayType(_merge_sizes(node.type.shape, source), node.type.dtype)
    if op.kind is Kind.STRUCTURED:
        attrs = [_unify_body(v, source, presume) if isinstance(v, Graph) else v for v in node.attrs]
    else:
        attrs = [_merge_sizes(v, source) if n in op.dims else v for n, v in zip(op.attrs, node.attrs, strict=True)]
        for value, merged in zip(node.attrs, attrs, strict=True):
            if type(value) is tuple and value and type(value[0]) is not Node and hasattr(value[0], "op"):
                _presume_path(value, merged, node.args[0].type, types[node.args[0]], presume)
    if op.keeps is not None:
        _presume_path((node,), (_Merged(op, attrs),), node.args[0].type, types[node.args[0]], presume)
    return op.infer_type_of([types[a] for a in node.args], attrs)


class _Merged(NamedTuple):
    """A step with unknowns."""

    op: Op
    attrs: list[Any]


def _presume_path(path: Any, merged: Any, plain: Any, unknown: Any, presume: Presume) -> None:
    """Take for one the sizes that the steps of a path keep. merged: the path over unknowns; plain, unknown: the types of what it is of."""
    for step, other in zip(path, merged, strict=True):
        keeps, before, given = step.op.keeps, plain.shape, unknown.shape
        plain, unknown = step.op.infer_type_of([plain], step.attrs), step.op.infer_type_of([unknown], other.attrs)
        for ours, theirs in keeps(before, *step.attrs) if keeps is not None else ():
            presume(given[ours], unknown.shape[theirs])


def _unify(form: Form, unknowns: list[Any], known: list[tuple[Any, ...]]) -> list[tuple[int, int]]:
    """Run type inference over the unknowns. Returns the positions of facts that are taken for one."""
    source = iter(unknowns)
    types: dict[Node, Any] = {}
    alike: list[tuple[int, int]] = []

    def presume(a: Any, b: Any) -> None:
        if type(a) is not _Unknown or type(b) is not _Unknown or a.root() is b.root():
            return
        if all(facts[a.position] == facts[b.position] for facts in known):
            alike.append((a.position, b.position))
            a == b  # noqa: B015  this unifies

    for node in form.order:
        types[node] = _unified_type(node, types, source, False, presume)
    for output, leaf in form.aliases:
        if types[form.outputs[output]].shape != types[form.leaves[leaf]].shape:
            raise ValueError("an output and the memory that receives it have different shapes")
    return alike


def _merge_sizes(value: Any, source: Any, formula: Callable[[Node, Any], Any] = _merge_formula) -> Any:
    """The inverse of `_split_sizes`: takes the next facts from `source` where sizes stood."""
    kind = type(value)
    if kind is int:
        return value if value == 0 or value == 1 else next(source)
    if kind is tuple:
        return tuple([_merge_sizes(v, source, formula) for v in value])
    if kind is Node:
        return formula(value, source)
    if hasattr(value, "op"):
        op: Op = value.op
        attrs = tuple([_merge_sizes(v, source, formula) if n in op.dims else v for n, v in zip(op.attrs, value.attrs, strict=True)])
        return type(value)(op, attrs)
    return value


def _rebuild(form: Form, values: list[Any], fixed: Any, parameters: Any, scalars: Any) -> Variant:
    """The graph over numbered inputs with `values` in the places of the facts; each node's `where` is its place in form.order."""
    source = iter(values)
    done: dict[Node, Node] = {}
    inputs: list[Node] = []
    for position, node in enumerate(form.order):
        op = node.op
        if op is const:
            fresh = node
            if node.value.array.ndim == 0 and not _structural(node.value):
                value = next(source)
                fresh = value if isinstance(value, Node) else constant(value.array)
        elif op is input_:
            fresh = numbered_input(len(inputs), ArrayType(_filled_in(node.type.shape, source), node.type.dtype))
            inputs.append(fresh)
        else:
            attrs = _rebuilt_attrs(node, source)
            fresh = make_node(op, tuple([done[a] for a in node.args]), attrs)
        if op is not const:
            fresh.where = position  # type: ignore[assignment]
        done[node] = fresh
    inputs.extend([values[position] for position in scalars])
    graph = Graph(tuple(inputs), tuple([done[o] for o in form.outputs]), form.aliases)
    return Variant(graph, fixed, parameters, scalars)


class _Sizes:
    """normal(size): the normal form of a size that is a formula; set by ops/sizes.py."""

    normal: Callable[[Node], Any]


sizes = _Sizes()


def _filled_in(value: Any, source: Any) -> Any:
    """Sizes with values in the places of facts; formulas in normal form."""
    return _merge_sizes(value, source, lambda node, facts: sizes.normal(_rebuilt_formula(node, facts)))


def _rebuilt_attrs(node: Node, source: Any) -> tuple[Any, ...]:
    if node.op.kind is Kind.STRUCTURED:
        return tuple([_rebuilt_body(v, source) if isinstance(v, Graph) else v for v in node.attrs])
    return tuple([_filled_in(v, source) if n in node.op.dims else v for n, v in zip(node.op.attrs, node.attrs, strict=True)])


def _rebuilt_body(graph: Graph, source: Any) -> Graph:
    """A body with values in the places of facts."""
    done: dict[Node, Node] = {}
    for node in toposort((*graph.inputs, *graph.outputs)):
        if node.op is const or node.op is dim:
            fresh = node
        elif node.op is input_:
            fresh = make_node(input_, (), (node.key, ArrayType(_filled_in(node.type.shape, source), node.type.dtype)))
        else:
            fresh = make_node(node.op, tuple([done[a] for a in node.args]), _rebuilt_attrs(node, source))
            fresh.where = fresh.where or node.where
        done[node] = fresh
    return Graph(tuple([done[i] for i in graph.inputs]), tuple([done[o] for o in graph.outputs]), graph.aliases)


# --- a name for a graph, the same in every process --------------------------------------------------------------------


def digest(graph: Graph, *facts: Any) -> str:
    """A hexadecimal key: equal for equal canonical graphs and facts (settings, versions), in any process."""
    hasher = hashlib.sha256()
    number: dict[Node, int] = {}
    for node in toposort((*graph.inputs, *graph.outputs)):
        number[node] = len(number)
        hasher.update(f"{node.op.name}{[number[a] for a in node.args]}{[_text(v, number) for v in node.attrs]}\n".encode())
    hasher.update(f"{[number[o] for o in graph.outputs]}{[number[i] for i in graph.inputs]}{graph.aliases}{facts}".encode())
    return hasher.hexdigest()


def _text(value: Any, number: dict[Node, int]) -> str:
    """A canonical text of an attribute."""
    if isinstance(value, Node):
        inner = [number.get(a, _text(a, number)) for a in value.args]
        return f"<{value.op.name}{inner}{[_text(v, number) for v in value.attrs]}>"
    if isinstance(value, Literal):
        return f"{value.key[0]}{value.key[1]}{value.key[2].hex()}"
    if isinstance(value, Graph):
        return digest(value)
    if isinstance(value, tuple):
        return f"({','.join([_text(v, number) for v in value])})"
    if isinstance(value, Op):
        return value.name
    return repr(value)
