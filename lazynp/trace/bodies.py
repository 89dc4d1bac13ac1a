"""Traced loops and branches: a Python function of the carried values becomes a graph inside a `loop`, `while_` or `cond` node.

A body is traced in a queue of its own. What it reads of the surroundings becomes an input of the graph; what it writes in place
(`x[i] = v`) becomes a carried value, and the write is done for the surroundings by the loop as a whole. Values that the body returns and
that are not what it was given are carried too. Their types are found by tracing again until a turn returns what it was given.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import lcm
from typing import Any

from lazynp import array as arrays
from lazynp.array import ndarray
from lazynp.config import settings
from lazynp.errors import CaptureError
from lazynp.ir.node import Node, constant, substitute
from lazynp.ir.types import Dim, Symbolic, Undecided
from lazynp.operands import node_of
from lazynp.ops import elementwise as ew
from lazynp.ops import structured, turning
from lazynp.ops.sizes import SymInt, hint_of, is_size, new_size, simplify_size, size_, size_of
from lazynp.runtime.storage import Snapshot, Storage, Unordered, queue, trace_scope, traced_count
from lazynp.trace import either, kinds, queues, regions, trees
from lazynp.trace.closing import closed_graphs, with_data_sizes

_TRIALS = 8


class Escape(BaseException):
    """A CaptureError on its way out of a user's `try`: no Exception, so that `except Exception` does not take it for the program's own."""

    def __init__(self, error: CaptureError) -> None:
        self.error = error

    def as_raised(self) -> CaptureError:
        """The error with the traceback that leads to the user's line."""
        return self.error.with_traceback(self.__traceback__)


class _Unstable(CaptureError):
    """A turn returns another shape or dtype than it was given."""


class _Values:
    """The values that go through a body: a tree, whose undecided numbers are three leaves each (see either). splits: whether a number of
    which a turn makes one of another kind becomes such."""

    def __init__(self, tree: Any, splits: bool) -> None:
        self.whole, self.structure = trees.flatten(tree)
        self.splits = splits and queues.compiles()
        self.forms: dict[int, either.Form] = {}

    @property
    def leaves(self) -> list[Any]:
        return either.taken_apart(self.whole)

    def tree(self, leaves: Sequence[Any]) -> Any:
        return trees.unflatten(self.structure, either.put_together(leaves, self.whole))

    def result(self, leaves: Sequence[Any]) -> Any:
        """The tree without numbers of which it is known what they are."""
        return trees.unflatten(self.structure, [either.decided(v) for v in either.put_together(leaves, self.whole)])

    def returned(self, result: Any, given: Sequence[Any]) -> list[Any] | None:
        """The leaves of what a turn returns that was given these; None where a number has come to be undecided: then another turn is to be
        traced. Raises CaptureError for a tree of another form."""
        leaves, structure = trees.flatten(result)
        if structure != self.structure:
            raise CaptureError(f"a turn of a loop must return a tree like the one it is given, {self.structure}, got {structure}")
        before = either.put_together(given, self.whole)
        for k, (initial, leaf) in enumerate(zip(self.whole, leaves, strict=True)):
            form = either.form_of(initial, leaf) if self.splits or type(initial) is either.Either else None
            if form is not None and type(initial) is either.Either and either.form_of(initial) == form:
                leaves[k] = either.in_form(leaf, form, before[k])
            elif form is not None:
                self.forms[k] = form
        return None if self.forms else either.taken_apart(leaves)

    def split(self) -> None:
        """Numbers become undecided that the last turn has found to be. In the surroundings, not in the body."""
        for k, form in self.forms.items():
            self.whole[k] = either.in_form(self.whole[k], form)
        self.forms = {}


class _Body:
    """One trace of a body. given: the leaves it was called with; leaves: for each carried value the leaf of the graph."""

    def __init__(self, initial: Sequence[Any], plan: Sequence[kinds.Carried | None], sharing: kinds.Sharing) -> None:
        self.scope = queues.BodyQueue(queue(), turns=True)
        self.given: list[Any] = []
        self.leaves: list[Node | None] = []
        self.initial = initial
        self.plan = plan
        self.sharing = sharing
        with trace_scope(self.scope):
            for leaf, carried in zip(initial, plan, strict=True):
                value, node = (leaf, None) if carried is None else kinds.stand_in(carried, leaf)
                self.given.append(value)
                self.leaves.append(node)
            arrays_carried = [k for k, node in enumerate(self.leaves) if node is not None and kinds.storage_of(self.given[k]) is not None]
            shared = {k: sharing.around(k, self.given, True) for k in arrays_carried}
            places = {k: sources is not None for k, sources in shared.items() if sources is not None or self._is_unordered(k)}
            self.followed = regions.Followed(self.scope, initial, places)
            for k, sources in shared.items():
                if sources is None and self._is_unordered(k):
                    self.followed.named(k, self.given[k]._storage)
                elif sources is not None:
                    self.given[k]._storage = self.followed.named(k, kinds.merged(self.given[k], sources))

    def _is_unordered(self, k: int) -> bool:
        return type(self.given[k]._storage) is Unordered

    def call(self, function: Callable[..., Any], values: _Values, *more: Any) -> list[Any] | None:
        """The leaves that function(*more, tree) returns; None where they are to be traced again. Raises CaptureError where it does not fit,
        whatever the function raised: in lazy mode the same error comes again, if it is the user's."""
        with trace_scope(self.scope):
            try:
                return values.returned(function(*more, values.tree(self.given)), self.given)
            except CaptureError:
                raise
            except Escape as escape:
                raise escape.as_raised() from None
            except Exception as error:
                raise CaptureError(f"the body of a loop or branch cannot be traced: {type(error).__name__}: {error}") from error

    def grown(self, returned: Sequence[Any]) -> list[kinds.Carried | None]:
        """The plan with what this turn has changed."""
        found: list[kinds.Carried | None] = []
        for carried, given, initial, leaf in zip(self.plan, self.given, self.initial, returned, strict=True):
            if carried is None and kinds.same(given, leaf):
                found.append(None)
                continue
            old, new = carried or kinds.described(initial), kinds.described(leaf)
            joined = None if old is None or new is None else kinds.joined(old, new, self.sharing.asked and queues.compiles())
            if joined is None or (joined != new and _differ(joined, new)):
                raise _Unstable(f"a carried value changes from {_name(old, initial)} to {_name(new, leaf)} in a turn")
            found.append(joined)
        return found

    def widens(self) -> bool:
        """Whether an array has another dtype after a turn than before the first one."""
        before = [kinds.described(leaf) for leaf in self.initial]
        return any(c is not None and b is not None and _differ(c, b) for c, b in zip(self.plan, before, strict=True))

    def outputs(self, returned: Sequence[Any]) -> list[Node]:
        """The nodes of the carried values, then of the storages written to."""
        self.followed.pass_on(self.given, returned)
        with trace_scope(self.scope):
            nodes = [kinds.value_of(leaf, c) for leaf, c in zip(returned, self.plan, strict=True) if c is not None]
            return with_data_sizes(self.scope, nodes + [storage.node for storage in self.scope.written])  # type: ignore[misc]

    def inputs(self) -> list[Node]:
        """The leaves of the carried values, then of the storages written to."""
        return [leaf for leaf in self.leaves if leaf is not None] + list(self.scope.written.values())

    def arguments(self) -> list[Node]:
        """What the carried leaves stand for before the first turn, in the surroundings."""
        nodes = [kinds.value_of(leaf, c) for leaf, c in zip(self.initial, self.plan, strict=True) if c is not None]
        return nodes + [self.scope.sources[leaf] for leaf in self.scope.written.values()]

    def others(self) -> dict[Node, Node]:
        """The leaves of what is only read -> what they stand for."""
        carried = set(self.scope.written.values())
        return {leaf: node for leaf, node in self.scope.sources.items() if leaf not in carried}

    def hand_back(self, node: Node, returned: Sequence[Any], any_turn: bool) -> list[Any]:
        """The results of the loop as the caller's leaves; storages written to get their new values. returned: by each turn; any_turn:
        whether there is one."""
        carried = [c for c in self.plan if c is not None]
        for position, storage in enumerate(self.scope.written, len(carried)):
            storage.write(structured.item(node, index=position))
        out = list(self.initial)
        places = [k for k, c in enumerate(self.plan) if c is not None]
        for position, k in enumerate(places):
            known = any_turn and type(returned[k]) is bool
            out[k] = returned[k] if known else kinds.handed_out(structured.item(node, index=position), carried[position])
        shared = {k: self.sharing.around(k, out, not any_turn) for k in places if kinds.storage_of(out[k]) is not None}
        for k, sources in shared.items():
            if sources is None and type(out[k]._storage) is Unordered:
                self.followed.named(k, out[k]._storage)
            elif sources is not None:
                out[k]._storage = self.followed.named(k, kinds.merged(out[k], sources))
        return out


def _differ(a: kinds.Carried, b: kinds.Carried | None) -> bool:
    """Whether two arrays have different dtypes."""
    return b is not None and a.kind is None and b.kind is None and a.type.dtype != b.type.dtype


def _name(carried: kinds.Carried | None, leaf: Any) -> str:
    if carried is None:
        return type(leaf).__name__
    return carried.kind.__name__ if carried.kind is not None else str(carried.type)


# --- for -------------------------------------------------------------------------------------------------------------


def traced_for(
    lower: Any,
    upper: Any,
    step: Any,
    body: Callable[..., Any],
    init: Any,
    again: bool = False,
    peel: bool = True,
    own: frozenset[int] | None = None,
    cut: Callable[[Sequence[Node | int], int], None] | None = None,
) -> Any:
    """for i in range(lower, upper, step): value = body(i, value), as one node. Raises CaptureError.

    again: the derivative backwards computes the turns again rather than to keep what they leave behind. peel: where the first turn changes
    the types of the carried values, it is done on its own, and a few turns are written out. own: the ids of arrays in `init` whose memory
    nobody else knows, so that writing to what is carried is right; None: carried arrays are values, and whose memory they are is not asked.
    cut: told the places where answers to questions about the loop variable change, and how many values a turn records, before there is a
    node; it may raise."""
    values = _Values(init, own is not None)
    if all(type(n) is int for n in (lower, upper, step)):
        count = len(range(lower, upper, step))
        if peel and count <= settings.unroll:
            return _unrolled(range(lower, upper, step), body, init)
    else:
        count = -1
    if type(step) is not int or step == 0:
        raise CaptureError("the step of a loop must be a number that is known while tracing, and not 0")
    plan, sharing = _no_plan(values, own)
    for _ in range(_TRIALS):
        traced = _Body(values.leaves, plan, sharing)
        with trace_scope(traced.scope):
            index = _loop_variable(lower, upper, step)
        recorded = traced_count.values
        try:
            with turning.watched(index) as points:
                returned = traced.call(body, values, SymInt(index))
            recorded = traced_count.values - recorded
            if returned is None:
                plan, sharing = _no_plan(values, own)
                continue
            swaps = _permutation(traced, returned)
            if swaps is None:
                plan = traced.grown(returned)
                if sharing.learn(traced, returned) or plan != list(traced.plan):
                    continue
                outputs = traced.outputs(returned)
        except _Unstable:
            if count < 1 or not peel:
                raise
            return traced_for(lower + step, upper, step, body, _after(traced, body, lower, init), again)
        finally:
            traced.scope.restore()
        if swaps is not None:
            return _by_periods(lower, upper, step, count, swaps, body, init)
        if cut is not None and points:
            cut([size_of(point) for point in points], recorded)
        if count < 1 and traced.widens():
            ends = (_limit(upper), _limit(lower)) if step > 0 else (_limit(lower), _limit(upper))
            queues.doubt(ew.less_equal(*ends))
        (graph,), others = closed_graphs([index, *traced.inputs()], [outputs], traced.others())
        limits = [_limit(lower), _limit(upper), constant(step)]
        node = queues.made(structured.loop, *limits, *traced.arguments(), *others, body=graph, again=again)
        return values.result(traced.hand_back(node, returned, count > 0))
    raise CaptureError("the types of the values that a loop carries do not settle")


def _no_plan(values: _Values, own: frozenset[int] | None) -> tuple[list[kinds.Carried | None], kinds.Sharing]:
    """What is carried before a turn has been traced."""
    values.split()
    leaves = values.leaves
    return [None] * len(leaves), kinds.Sharing(leaves, own)


def _after(traced: _Body, body: Callable[..., Any], index: int, init: Any) -> Any:
    """The first turn on its own, after which the types are those of all others."""
    traced.scope.restore()
    return body(index, init)


def _unrolled(turns: Any, body: Callable[..., Any], value: Any) -> Any:
    for i in turns:
        value = body(i, value)
    return value


def _limit(n: Any) -> Node:
    return size_(n) if type(n) is int else ew.as_node(node_of(n), kinds.INT64)


def _bound(n: Any) -> Dim | None:
    """A limit of a loop as a size; None for one that is computed from data."""
    if type(n) is int:
        return n
    return n.node if type(n) is SymInt and is_size(n.node) else None


def _loop_variable(lower: Any, upper: Any, step: int) -> Node:
    first, last = _bound(lower), _bound(upper)
    ends = (first, last if last is None else simplify_size(_node(last) - 1))
    if step < 0:
        ends = (last if last is None else simplify_size(_node(last) + 1), first)
    hint = 2
    if first is not None and last is not None:
        turns = range(hint_of(first), hint_of(last), step)
        hint = turns[len(turns) // 2] if len(turns) else hint_of(first)
    return new_size(hint, *ends)


def _node(size: Dim) -> Node:
    return size if isinstance(size, Node) else constant(size)


def _permutation(traced: _Body, returned: Sequence[Any]) -> list[int] | None:
    """u, v = v, u: for each leaf the position of the one it was, if a turn does nothing but exchange what it was given."""
    places: list[int] = []
    for k, leaf in enumerate(returned):
        candidates = [k, *range(len(returned))]
        place = next((j for j in candidates if traced.plan[j] is None and kinds.same(traced.given[j], leaf)), -1)
        places.append(place if traced.plan[k] is None else k)
    moved = [k for k, place in enumerate(places) if place != k]
    arrays_only = all(type(traced.given[k]) is ndarray for k in moved)
    if not moved or not arrays_only or sorted(places) != list(range(len(places))):
        return None
    return places if any(traced.given[k]._storage in traced.scope.written for k in moved) else None


def _by_periods(lower: Any, upper: Any, step: int, count: int, swaps: list[int], body: Callable[..., Any], init: Any) -> Any:
    """Buffers that change places every turn are at home again after one period: that many turns become one."""
    if count < 0:
        raise CaptureError("arrays that change places in a loop need a number of turns that is known while tracing")
    period = lcm(*_cycles(swaps))
    if period > 4:
        raise CaptureError(f"arrays come back to their places only after {period} turns")

    def turns(t: Any, value: Any) -> Any:
        for r in range(period):
            value = body(lower + step * (period * t + r), value)
        return value

    value = traced_for(0, count // period, 1, turns, init)
    return _unrolled(range(lower + step * (count - count % period), upper, step), body, value)


def _cycles(places: list[int]) -> list[int]:
    lengths = []
    for k in range(len(places)):
        length, at = 1, places[k]
        while at != k:
            length, at = length + 1, places[at]
        lengths.append(length)
    return lengths


# --- while -----------------------------------------------------------------------------------------------------------


def traced_while(
    condition: Callable[[Any], Any], body: Callable[[Any], Any], init: Any, limit: int | None = None, own: frozenset[int] | None = None
) -> Any:
    """while condition(value): value = body(value), at most `limit` times, as one node. own as in traced_for. Raises CaptureError."""
    values = _Values(init, own is not None)
    plan, sharing = _no_plan(values, own)
    for _ in range(_TRIALS):
        traced = _Body(values.leaves, plan, sharing)
        try:
            with trace_scope(traced.scope):
                traced.scope.is_test = True
                test = condition(values.tree(traced.given))
                traced.scope.is_test = False
                written = bool(traced.scope.written)
                if not isinstance(test, (ndarray, Symbolic, Undecided)) and not test:
                    return init
                predicate = truth(test)
            returned = traced.call(body, values)
            if returned is None:
                plan, sharing = _no_plan(values, own)
                continue
            plan = traced.grown(returned)
            if sharing.learn(traced, returned) or plan != list(traced.plan):
                continue
            if written:
                raise CaptureError("the condition of a while loop writes to an array")
            if traced.scope.doubted:  # of the next turn's condition, recorded by this turn
                with trace_scope(traced.scope):
                    condition(values.tree(returned))
            predicate = _without_doubt(predicate, traced.scope)
            outputs = traced.outputs(returned)
        finally:
            traced.scope.restore()
        if traced.scope.doubted or traced.widens():
            first = condition(values.tree(values.leaves))
            if traced.widens():
                queues.doubt(ew.logical_not(truth(first)))
        (test_graph, graph), others = closed_graphs(traced.inputs(), [[predicate], outputs], traced.others())
        node = queues.made(structured.while_, *traced.arguments(), *others, condition=test_graph, body=graph, limit=limit)
        return values.result(traced.hand_back(node, returned, False))
    raise CaptureError("the types of the values that a loop carries do not settle")


def _without_doubt(predicate: Node, scope: queues.BodyQueue) -> Node:
    """A loop that doubts its results ends: integers that have outgrown 64 bits may never reach what it waits for."""
    outermost = list(queues.traces_around())[-1]
    leaf = scope.written.get(getattr(outermost, "doubt", None))  # type: ignore[arg-type]
    return predicate if leaf is None else ew.logical_and(predicate, ew.logical_not(leaf))


def truth(value: Any) -> Node:
    """A 0-d value as a boolean node."""
    if type(value) is either.Either:
        return value.truth(truth)
    node = node_of(value)
    if any(type(n) is not int or n != 1 for n in node.shape):
        raise CaptureError("the truth value of an array with more than one element is ambiguous: use a.any() or a.all()")
    if node.shape:
        node = node_of(arrays.wrap(node).reshape(()))
    return node if node.dtype == bool else ew.not_equal(node, constant(0, node.dtype))


# --- if --------------------------------------------------------------------------------------------------------------


def traced_cond(
    predicate: Any,
    yes: Callable[..., Any],
    no: Callable[..., Any],
    operands: tuple[Any, ...],
    agree: Callable[..., Any] | None = None,
    values: bool = True,
) -> Any:
    """yes(*operands) if predicate else no(*operands), as one node of which one branch is evaluated. Raises CaptureError.

    agree(result of yes, result of no) -> the two results as they shall be joined. values: the results are values, and whose memory they
    are is not asked."""
    if not isinstance(predicate, (ndarray, Symbolic, Undecided)):
        return yes(*operands) if predicate else no(*operands)
    test = truth(predicate)
    branches = [_Branch(function, operands) for function in (yes, no)]
    if agree is not None:
        for branch, result in zip(branches, agree(branches[0].result, branches[1].result), strict=True):
            branch.leaves, branch.structure = trees.flatten(result)
    if branches[0].structure != branches[1].structure:
        raise CaptureError(f"the branches return trees of different form: {branches[0].structure} and {branches[1].structure}")
    whole = _undecided(*branches, values)
    ordered = not values and queues.compiles()
    plan = [_chosen(a, b, ordered) for a, b in zip(branches[0].leaves, branches[1].leaves, strict=True)]
    written = list(dict.fromkeys([s for branch in branches for s in branch.scope.written]))
    leaves: dict[Any, Node] = {}
    sources: dict[Node, Node] = {}
    outputs = []
    for branch in branches:
        nodes = branch.outputs(plan, written)
        shared: dict[Node, Node] = {}
        for leaf, source in branch.scope.sources.items():
            shared[leaf] = leaves.setdefault(branch.owner[leaf], leaf)
            sources[shared[leaf]] = source
        outputs.append(substitute(nodes, shared))
    graphs, others = closed_graphs([], outputs, sources)
    node = queues.made(structured.cond, test, *others, yes=graphs[0], no=graphs[1])
    positions = iter(range(len(plan) + len(written)))
    merged = [(k, carried, next(positions)) for k, carried in enumerate(plan) if carried is not None]
    for storage in written:
        storage.write(structured.item(node, index=next(positions)))
    out = list(branches[0].leaves)
    for k, carried, position in merged:
        out[k] = kinds.handed_out(structured.item(node, index=position), carried, None if values else _shared(branches, k))
        if not values and queues.compiles() and isinstance(kinds.storage_of(out[k]), (Snapshot, Unordered)):
            out[k]._storage.region = regions.chosen(test, *[branch.regions.get(id(branch.leaves[k])) for branch in branches])
    return trees.unflatten(branches[0].structure, either.put_together(out, whole))


def _undecided(yes: _Branch, no: _Branch, values: bool) -> list[Any]:
    """The results of the branches as leaves: numbers that are undecided in one of them, or of another kind in each, are so in both. Returns
    those of one branch before they are taken apart. values: numbers of two kinds become one that holds both."""
    splits = not values and queues.compiles()
    for k, (a, b) in enumerate(zip(yes.leaves, no.leaves, strict=True)):
        if a is not b and (splits or either.Either in (type(a), type(b))):
            form = either.form_of(a, b)
            if form is not None:
                yes.leaves[k] = yes.in_form(a, form, b)
                no.leaves[k] = no.in_form(b, form, yes.leaves[k])
    whole = yes.leaves
    for branch in (yes, no):
        branch.leaves = either.taken_apart(branch.leaves)
    return whole


def _shared(branches: Sequence[_Branch], k: int) -> set[Storage] | None:
    """The storages whose memory a result of two branches may be; None where each has made it anew, for this result only."""
    found: set[Storage] = set()
    anew = True
    for branch in branches:
        storage = kinds.storage_of(branch.leaves[k])
        if storage is None:
            continue
        known = {s for s in (storage, *(storage.seen if isinstance(storage, Snapshot) else ())) if s.home is not branch.scope}
        found |= known
        anew = anew and not known and sum(kinds.storage_of(leaf) is storage for leaf in branch.leaves) == 1
    return None if anew else found


class _Branch:
    """One traced branch: the leaves it returns, and its queue."""

    def __init__(self, function: Callable[..., Any], operands: tuple[Any, ...]) -> None:
        self.scope = queues.BodyQueue(queue())
        try:
            with trace_scope(self.scope):
                try:
                    result = function(*operands)
                except CaptureError:
                    raise
                except Escape as escape:
                    raise escape.as_raised() from None
                except Exception as error:
                    raise CaptureError(f"a branch cannot be traced: {type(error).__name__}: {error}") from error
                self.result = result
                self.leaves, self.structure = trees.flatten(result)
                followed = [leaf for leaf in self.leaves if queues.compiles() and regions.is_followed(leaf)]
                self.regions = {id(leaf): regions.of_branch(leaf, self.scope) for leaf in followed}
                self.values = {storage: storage.node for storage in self.scope.written}
                self.known = {id(leaf): node_of(leaf) for leaf in either.taken_apart(self.leaves) if kinds.described(leaf) is not None}
        finally:
            self.scope.restore()

    def in_form(self, leaf: Any, form: either.Form, filler: Any) -> either.Either:
        """A number, as it was at the end of the branch, in a form (see either.in_form)."""
        with trace_scope(self.scope):
            made = either.in_form(self._at_end(leaf), form, filler)
            self.known |= {id(part): node_of(part) for part in made.parts}
        return made

    def _at_end(self, leaf: Any) -> Any:
        if type(leaf) is either.Either:
            return either.Either(*map(self._at_end, leaf.parts))
        known = self.known.get(id(leaf)) if type(leaf) is ndarray else None
        if known is None:
            return leaf
        carried = kinds.described(leaf)
        return kinds.handed_out(kinds.laid(known, carried), carried)  # type: ignore[arg-type]

    @property
    def owner(self) -> dict[Node, int]:
        return {leaf: key for key, leaf in self.scope.leaves.items()}

    def outputs(self, plan: Sequence[kinds.Carried | None], written: Sequence[Storage]) -> list[Node]:
        nodes = []
        for k, carried in enumerate(plan):
            if carried is not None:
                leaf = self.leaves[k]
                nodes.append(kinds.laid(self.known[id(leaf)] if id(leaf) in self.known else node_of(leaf), carried))
        nodes += [self.values[s] if s in self.values else self.scope.outside(s) for s in written]  # type: ignore[misc]
        with trace_scope(self.scope):
            return with_data_sizes(self.scope, nodes)


def _chosen(a: Any, b: Any, ordered: bool) -> kinds.Carried | None:
    """What the branches' results are together; None where both are the same. ordered as in kinds.joined."""
    if kinds.same(a, b):
        return None
    first, second = kinds.described(a), kinds.described(b)
    joined = None if first is None or second is None else kinds.joined(first, second, ordered)
    arrays_differ = joined is not None and joined.kind is None and first.kind is None and second.kind is None  # type: ignore[union-attr]
    if joined is None or (arrays_differ and first.type != second.type):  # type: ignore[union-attr]
        raise CaptureError(f"the branches return different things: {_name(first, a)} and {_name(second, b)}")
    return joined
