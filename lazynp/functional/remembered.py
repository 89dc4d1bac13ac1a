"""Derivatives taken before: the program of a derivative is found again by what its function has recorded.

Outside of jit the function runs at every call, for it may branch on values. Where it leaves the graph that an earlier call has left (same
operations, sizes, constants), the derivative is that call's program on this call's arrays: nothing is derived or rewritten again.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from lazynp.backends import base
from lazynp.config import settings
from lazynp.functional.run import Held, Run
from lazynp.ir import canonical
from lazynp.ir.node import Node
from lazynp.ops.custom import custom
from lazynp.runtime.evaluate import Ready, lock, prepare
from lazynp.runtime.flags import dropped
from lazynp.runtime.storage import bound, tracing
from lazynp.trace import trees


class _Known(NamedTuple):
    """places: for each input of the program the leaf of the function's graph; structure: the tree of the derivative."""

    ready: Ready
    places: tuple[int, ...]
    structure: Any


_known: OrderedDict[Any, _Known] = OrderedDict()


def finish(run: Run, kind: Any, result: Any, roots: Sequence[Node], derived: Callable[[], Any]) -> tuple[Any, Any]:
    """`run.finish((result, derived()))`. result: what the function has returned; roots: the nodes that derived() differentiates; kind:
    hashable, everything else that decides what derived() returns: a tree of Held nodes."""
    recorded = _recorded(run, kind, result, roots)
    if recorded is None:
        return run.finish((result, derived()))  # type: ignore[no-any-return]
    key, form, held = recorded
    known = _known.get(key)
    values = _again(known, run, form) if known is not None else None
    if values is None:
        tree = derived()
        known, values = _first(key, run, form, held, tree)
    assert known is not None
    found = iter([value if value.ndim else value[()] for value in values])
    filled = trees.map_leaves(lambda leaf: next(found) if type(leaf) is Held else leaf, result)
    return filled, trees.unflatten(known.structure, found)


def _recorded(run: Run, kind: Any, result: Any, roots: Sequence[Node]) -> tuple[Any, canonical.Form, list[Node]] | None:
    """The key of a call, the graph of the function, and the nodes in its result. None where a value was asked for on the way, something
    was written or left behind, or the graph is not to be computed now."""
    scope = run.scope
    if run.lazy or tracing() or scope.known or run.writes or run.arguments_written or scope.alive() or settings.debug_nans:
        return None
    held = [leaf.node for leaf in trees.flatten(result)[0] if type(leaf) is Held]
    form = canonical.take_apart((*held, *roots, *run.variables), {})
    if any(node.op is custom for node in form.order):
        return None
    places = {leaf: k for k, leaf in enumerate(form.leaves)}
    how = (settings.level, settings.backend, settings.cc)
    return (kind, form.skeleton, form.facts, tuple([places[v] for v in run.variables]), how), form, held


def _again(known: _Known, run: Run, form: canonical.Form) -> list[np.ndarray] | None:
    """The values by the known program; None where it raised anything: then the first way says what and where."""
    arrays = _arrays(run, form)
    if arrays is None:
        return None
    try:
        values = known.ready.run([arrays[place] for place in known.places])
    except Exception:  # the first way raises it again, with the user's line
        return None
    return None if base.raised and dropped() else values


def _first(key: Any, run: Run, form: canonical.Form, held: list[Node], tree: Any) -> tuple[Any, Any]:
    leaves, structure = trees.flatten(tree)
    nodes = [*held, *[leaf.node for leaf in leaves]]
    values = run.scope.values(nodes, remember=False)
    own = canonical.take_apart(tuple(run.scope.seen_from_outside(nodes)), {})
    place_of = {run.scope.stands_for.get(leaf, leaf): k for k, leaf in enumerate(form.leaves)}
    places = tuple([place_of.get(leaf, -1) for leaf in own.leaves])
    known = _Known(prepare(own), places, structure)
    if -1 not in places:
        with lock:
            _known[key] = known
            while len(_known) > settings.memory_cache:
                _known.popitem(last=False)
    return known, values


def _arrays(run: Run, form: canonical.Form) -> list[np.ndarray] | None:
    """The memory of the leaves."""
    found = [bound(run.scope.stands_for.get(leaf, leaf)) for leaf in form.leaves]
    return None if any(array is None for array in found) else found  # type: ignore[return-value]
