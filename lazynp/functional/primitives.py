"""`primitive`, `defvjp`, `defjvp`: functions that lazynp does not look into, with derivatives by argument, in HIPS/autograd's form."""

import functools
from collections.abc import Callable, Iterable
from typing import Any

from lazynp.array import wrap
from lazynp.functional.custom import Call, Custom, fitted
from lazynp.functional.run import zeros
from lazynp.ir.node import Node
from lazynp.ops.structured import item
from lazynp.runtime.storage import queue
from lazynp.trace import trees
from lazynp.trace.markers import stop_gradient

Function = Callable[..., Any]


class primitive(Custom):  # noqa: N801  (used as a decorator)
    """A function with derivatives of its own by each argument: `defvjp(f, ...)` backwards, `defjvp(f, ...)` forward.

    It sees arrays whose values can be had, and may call anything. Keyword arguments have no derivative. Raises NotImplementedError where
    a derivative is needed that is not given in either form."""

    def __init__(self, f: Function) -> None:
        super().__init__(f)
        self.vjps: dict[int, Function | None] = {}
        self.jvps: dict[int, Function | str | None] = {}
        self.keywords: dict[str, Any] = {}

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if not queue().derives:
            return self.function(*args, **kwargs)
        call = Call(self, args)
        call.owner = self._with(kwargs)
        return call.record()

    def _with(self, kwargs: dict[str, Any]) -> "primitive":
        """The same function and rules, for a call with these keyword arguments."""
        bound = type(self)(self.function)
        bound.function = functools.partial(self.function, **kwargs)
        bound.vjps, bound.jvps, bound.keywords = self.vjps, self.jvps, kwargs
        return bound

    def pull_one(self, call: Call, cts: tuple[Node | None, ...], node: Node, index: int) -> Node | None:
        """The cotangent of one array among the arguments."""
        argnum = call.argument_of(index)
        if argnum not in self.vjps and self.jvps.get(argnum) is not None:
            return self.transposed_push(call, cts, node)[index]
        rule = self._rule(self.vjps, "vjp", argnum)
        if rule is None:
            return None
        args = call.rebuilt([wrap(a) for a in node.args])
        ct = trees.unflatten(call.results, [wrap(zeros(o) if c is None else c) for c, o in zip(cts, _outputs(node), strict=True)])
        found = rule(_answer(call, node), *args, **self.keywords)(ct)
        leaf = trees.flatten(found)[0][call.number_within(index)]
        return fitted(leaf, node.args[index], f"the vjp of {self.__name__} by argument {argnum}")

    def push(self, call: Call, tangents: tuple[Node | None, ...], node: Node) -> tuple[Node | None, ...]:
        total: list[Node] | None = None
        for index, tangent in enumerate(tangents):
            argnum = call.argument_of(index)
            if tangent is None:
                continue
            if argnum not in self.jvps and self.vjps.get(argnum) is not None:
                return self.transposed_pull(call, tangents, node)
            rule = self._rule(self.jvps, "jvp", argnum)
            if rule is None:
                continue
            args = call.rebuilt([wrap(a) for a in node.args])
            if rule == "same":
                found = self.function(*args[:argnum], wrap(tangent), *args[argnum + 1 :])
            else:
                found = rule(wrap(tangent), _answer(call, node), *args, **self.keywords)
            leaves = [
                fitted(leaf, o, f"the jvp of {self.__name__}") for leaf, o in zip(trees.flatten(found)[0], _outputs(node), strict=True)
            ]
            parts = [zeros(o) if leaf is None else leaf for leaf, o in zip(leaves, _outputs(node), strict=True)]
            total = parts if total is None else [a + b for a, b in zip(total, parts, strict=True)]
        return (None,) * len(node.type) if total is None else tuple(total)

    def _rule(self, rules: dict[int, Any], kind: str, argnum: int) -> Any:
        if argnum not in rules:
            raise NotImplementedError(f"lazynp: the {kind} of {self.__name__} by argument {argnum} is not defined: def{kind}")
        return rules[argnum]


def _outputs(node: Node) -> list[Node]:
    return [item(node, k) for k in range(len(node.type))]


def _answer(call: Call, node: Node) -> Any:
    return trees.unflatten(call.results, [wrap(o) for o in _outputs(node)])


def defvjp(f: primitive, *makers: Function | None, argnums: Iterable[int] | None = None) -> None:
    """For each argument (of `argnums`, or from the first) a function (answer, *args) -> (cotangent of the answer -> of the argument).

    None: the derivative is zero."""
    f.vjps.update(zip(range(len(makers)) if argnums is None else argnums, makers, strict=False))


def defjvp(f: primitive, *rules: Function | str | None, argnums: Iterable[int] | None = None) -> None:
    """For each argument a function (tangent, answer, *args) -> tangent of the answer; "same": f itself, linear there; None: zero."""
    f.jvps.update(zip(range(len(rules)) if argnums is None else argnums, rules, strict=False))


def notrace_primitive(f: Function) -> Function:
    """f, whose results are constants for every derivative."""

    @functools.wraps(f)
    def constant(*args: Any, **kwargs: Any) -> Any:
        return stop_gradient(f(*stop_gradient(args), **kwargs))

    return constant
