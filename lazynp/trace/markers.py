"""What a function says about its own derivative: `stop_gradient`."""

from typing import Any

from lazynp.array import ndarray, wrap
from lazynp.operands import node_of, recorded
from lazynp.ops import elementwise as ew
from lazynp.runtime.storage import tracing
from lazynp.trace import trees
from lazynp.transform.derive import differentiable


def stop_gradient(tree: Any) -> Any:
    """The same values as constants for every derivative: of arrays, or of the leaves of a pytree. Other leaves stay what they are."""
    return trees.map_leaves(_stopped, tree) if tracing() else tree


def _stopped(leaf: Any) -> Any:
    if type(leaf) is not ndarray or not differentiable(node_of(leaf).type):
        return leaf
    constant = recorded(lambda x: wrap(ew.stop_gradient(node_of(x))), leaf)
    constant._scalar = leaf._scalar
    return constant
