"""The ordered list of passes. Nothing else: each pass is a rule set or a function of another file."""

from lazynp.config import settings
from lazynp.ir.node import Graph
from lazynp.ir.rewrite import Listener, Rules, rewrite
from lazynp.ir.verify import verify
from lazynp.optimize.simplify import simplify

PASSES = [simplify]


def optimize(graph: Graph, level: str | None = None, listener: Listener | None = None) -> Graph:
    """The graph rewritten up to a level (None: config.level). Inputs, aliases and the types of outputs stay as they are.

    listener(rule, before, after) hears of every rewrite."""
    level = level or settings.level
    for rules in PASSES:
        graph = graph._replace(outputs=tuple(rewrite(graph.outputs, rules.upto(level), listener)))
        if settings.verify:
            verify(graph)
    return graph
