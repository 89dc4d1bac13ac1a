"""`trace` and `Node` under the names of `autograd.tracer`."""

from lazynp.functional.tracing import Node, trace

__all__ = ["Node", "trace"]
