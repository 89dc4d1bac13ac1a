"""The ordered list of passes, and nothing else: each pass is a rule set or a function of another file."""

from collections.abc import Callable, Iterable

from lazynp.config import settings
from lazynp.ir.node import Graph, Node
from lazynp.ir.rewrite import Listener, Rules, rewrite
from lazynp.ir.verify import verify
from lazynp.ops.pruning import prune
from lazynp.optimize.chains import chains
from lazynp.optimize.contract import contraction
from lazynp.optimize.diagonals import diagonals
from lazynp.optimize.dims import simplify_sizes
from lazynp.optimize.fast import fast
from lazynp.optimize.fold import fold
from lazynp.optimize.inverses import solve_instead, without_inverses
from lazynp.optimize.loops import map_bodies, simplify_loops
from lazynp.optimize.moves import moves
from lazynp.optimize.scans import collecting
from lazynp.optimize.siblings import siblings
from lazynp.optimize.simplify import simplify, undetach
from lazynp.optimize.stabilize import logsumexp, softmax, stabilize
from lazynp.optimize.strips import strips
from lazynp.optimize.triangular import substitute_instead

Pass = Rules | Callable[[Graph, str, Listener | None], Graph]

algebra = undetach + simplify + moves + fold + stabilize + diagonals + contraction + fast


def bodies(graph: Graph, level: str, listener: Listener | None) -> Graph:
    """The bodies of loops and branches, first without what nobody reads."""
    return map_bodies(prune(graph), lambda body: optimize(body, level, listener))


def collecting_loops(graph: Graph, level: str, listener: Listener | None) -> Graph:
    """Neighbours become one loop; of what is read at its end alone one row is kept."""
    return collecting(graph)


PASSES: tuple[Pass, ...] = (
    bodies,
    simplify_loops,
    collecting_loops,
    siblings,
    simplify_sizes,
    algebra,
    solve_instead,  # after transposes are part of products
    substitute_instead,
    softmax,  # before log-sum-exp, whose results it reads
    logsumexp,
    strips,  # of bodies that nothing changes any more
    chains,
)


def optimize(graph: Graph, level: str | None = None, listener: Listener | None = None) -> Graph:
    """The graph rewritten up to a level (None: config.level). Inputs, aliases and the types of outputs stay as they are.

    listener(rule, before, after) hears of every rewrite. Raises VerifyError (with config.verify, also between passes)."""
    level = level or settings.level
    for step in PASSES:
        graph = _applied(step, graph, level, listener)
        if settings.verify:
            verify(graph)
    return graph


def _applied(step: Pass, graph: Graph, level: str, listener: Listener | None) -> Graph:
    if not isinstance(step, Rules):
        return step(graph, level, listener)
    return graph._replace(outputs=tuple(rewrite(graph.outputs, step.upto(level), listener)))


def stabilize_graph(outputs: Iterable[Node], listener: Listener | None = None) -> list[Node]:
    """The outputs in stable form, to be differentiated: then derivatives of log(1-p), softmax and the like are finite by construction.
    At level "exact" they come back as they are."""
    if settings.level == "exact":
        return list(outputs)
    graph = map_bodies(Graph((), tuple(outputs)), lambda body: body._replace(outputs=tuple(stabilize_graph(body.outputs, listener))))
    return without_inverses(rewrite(graph.outputs, _before_derivatives, listener), listener)


_before_derivatives = (simplify + moves + fold + stabilize).upto("stable")
