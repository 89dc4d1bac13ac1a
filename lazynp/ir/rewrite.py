"""Rewriting: rules are formulas, and one linear bottom-up walk applies them.

    stabilize = Rules("stabilize", level="stable")
    x = Var("x", real_float)

    @stabilize(log(1 + x))
    def log1p_of(x):
        \"\"\"log(1+x) loses every digit of x below 2**-53; log1p does not (C99 7.12.6.9).\"\"\"
        return log1p(x)

The pattern is the formula, the function's name is the rule's name, its docstring the reason.
"""

import inspect
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from lazynp.errors import PerformanceWarning, VerifyError
from lazynp.ir.node import Node, const, toposort
from lazynp.ir.op import Kind, Op, Pattern

LEVELS = ("exact", "stable", "fast")
"""exact: never changes a value beyond libm's last digits; stable: only more accurate; fast: reassociates."""

Bound = dict[str, Any]
Listener = Callable[["Rule", Node, Node], None]

_REPEATS = ("broadcast", "reshape")
"""Ops (of the floor above) through which a scalar constant is seen: each element of their result is that scalar."""


# --- patterns --------------------------------------------------------------------------------------------------------


class Var(Pattern):
    """A pattern variable: any node, or any attribute, for which `accepts` is true. Bound twice, it must be the same both times."""

    __slots__ = ("accepts", "name")

    def __init__(self, name: str, accepts: Callable[[Any], bool] | None = None) -> None:
        super().__init__(None)
        self.name = name
        self.accepts = accepts

    def __repr__(self) -> str:
        return self.name


class Moved(Pattern):
    """`inner` seen through broadcasts and reshapes; `name` is bound to those steps, innermost first, as a path."""

    __slots__ = ("name",)

    def __init__(self, name: str, inner: Pattern) -> None:
        super().__init__(None, (inner,))
        self.name = name

    def __repr__(self) -> str:
        return f"{self.name}({self.args[0]!r})"


def scalar_value(node: Node) -> Any:
    """The NumPy scalar that every element of the node is, or None."""
    while node.op.name in _REPEATS:
        node = node.args[0]
    if node.op is const and not node.type.shape:
        return node.value.array[()]
    return None


def is_constant(node: Node) -> bool:
    """Whether one scalar constant fills the node."""
    return scalar_value(node) is not None


def real_float(node: Node) -> bool:
    return node.type.dtype.kind == "f"


def real(node: Node) -> bool:
    """Real numbers that have a sign or are unsigned; no booleans, no complex numbers."""
    return node.type.dtype.kind in "fiu"


def integer(node: Node) -> bool:
    return node.type.dtype.kind in "iu"


def boolean(node: Node) -> bool:
    return node.type.dtype.kind == "b"


def _same_number(node: Node, number: Any) -> bool:
    """A number in a pattern matches a constant of any dtype and the same value; zeros of different sign differ."""
    value = scalar_value(node)
    if value is None or value.dtype.kind not in ("b" if isinstance(number, bool) else "fiu") or value != number:
        return False
    return isinstance(number, bool) or value != 0 or np.signbit(value) == np.signbit(number)


def matches(pattern: Any, node: Any, bound: Bound) -> Iterator[Bound]:
    """Every way in which the pattern fits the node, as extensions of `bound`."""
    if isinstance(pattern, Var):
        yield from _match_variable(pattern, node, bound)
    elif isinstance(pattern, Moved):
        yield from _match_moved(pattern, node, bound)
    elif isinstance(pattern, Pattern):
        if node.op is pattern.op:
            yield from _match_operation(pattern, node, bound)
    elif _same_number(node, pattern):
        yield bound


def _match_variable(pattern: Var, node: Any, bound: Bound) -> Iterator[Bound]:
    known = bound.get(pattern.name)
    if known is not None:
        if known is node or (not isinstance(node, Node) and known == node):
            yield bound
    elif pattern.accepts is None or pattern.accepts(node):
        yield {**bound, pattern.name: node}


def _match_moved(pattern: Moved, node: Node, bound: Bound) -> Iterator[Bound]:
    steps: tuple[Any, ...] = ()
    while True:
        yield from matches(pattern.args[0], node, {**bound, pattern.name: steps})
        if node.op.name not in _REPEATS:
            return
        steps = ((node.op, node.attrs), *steps)
        node = node.args[0]


def _match_operation(pattern: Pattern, node: Node, bound: Bound) -> Iterator[Bound]:
    for name, wanted in pattern.attrs.items():
        value = getattr(node, name)
        if isinstance(wanted, Var):
            found = next(_match_variable(wanted, value, bound), None)
            if found is None:
                return
            bound = found
        elif value != wanted:
            return
    yield from _match_sequence(pattern.args, node.args, bound)
    if pattern.op is not None and pattern.op.commutative and node.args[0] is not node.args[1]:
        yield from _match_sequence(pattern.args, node.args[::-1], bound)


def _match_sequence(patterns: tuple[Any, ...], nodes: tuple[Node, ...], bound: Bound) -> Iterator[Bound]:
    if len(patterns) != len(nodes):
        return
    if not patterns:
        yield bound
        return
    for found in matches(patterns[0], nodes[0], bound):
        yield from _match_sequence(patterns[1:], nodes[1:], found)


# --- rules -----------------------------------------------------------------------------------------------------------


class Rule:
    """One rewrite. pattern: the formula it replaces, or None when `build` looks at the node itself (for families of ops)."""

    __slots__ = ("build", "filename", "heads", "level", "line", "name", "names", "pattern", "reason", "set", "when", "whens")

    def __init__(self, set_: str, level: str, pattern: Pattern | None, build: Callable[..., Any], when: Callable[..., bool] | None) -> None:
        self.set = set_
        self.level = level
        self.pattern = pattern
        self.build = build
        self.when = when
        self.name = build.__name__
        self.reason = inspect.getdoc(build) or ""
        self.filename = build.__code__.co_filename
        self.line = build.__code__.co_firstlineno
        self.names = build.__code__.co_varnames[: build.__code__.co_argcount]
        self.whens = when.__code__.co_varnames[: when.__code__.co_argcount] if when else ()
        self.heads = None if pattern is None else tuple([_head(a) for a in pattern.args])

    def apply(self, node: Node) -> Node | None:
        """What the node becomes, or None where the rule does not fit."""
        if self.pattern is None:
            return self.build(node)
        if not self._may_fit(node):
            return None
        for bound in matches(self.pattern, node, {}):
            if self.when is None or self.when(**{name: bound[name] for name in self.whens}):
                return self.build(**{name: bound[name] for name in self.names})
        return None

    def _may_fit(self, node: Node) -> bool:
        """The heads of the arguments agree: rejects most nodes before any matching."""
        heads, args = self.heads, node.args
        assert heads is not None
        if len(heads) != len(args):
            return False
        if all(head is None or a.op is head for head, a in zip(heads, args, strict=True)):
            return True
        return node.op.commutative and all(head is None or a.op is head for head, a in zip(heads, args[::-1], strict=True))

    def __repr__(self) -> str:
        return f"{self.set}.{self.name}"


def _head(pattern: Any) -> Op | None:
    """The op that an argument must have, or None for any."""
    return pattern.op if isinstance(pattern, Pattern) else None


class Rules:
    """A set of rules under one name. Called with a pattern, or through `on`, it is a decorator that adds one; `+` joins sets."""

    def __init__(self, name: str, level: str = "exact") -> None:
        if level not in LEVELS:
            raise ValueError(f"level {level!r} is none of {LEVELS}")
        self.name = name
        self.level = level
        self.all: list[Rule] = []
        self._by_op: dict[Op, list[Rule]] = {}
        self._targets: dict[Rule, tuple[Op | Kind, ...]] = {}
        self._levels: dict[str, Rules] = {}

    def __call__(
        self, pattern: Pattern, when: Callable[..., bool] | None = None, level: str = ""
    ) -> Callable[[Callable[..., Node | None]], Rule]:
        """@rules(formula): the decorated function takes the formula's variables by name and returns the replacement, or None.
        when: a further condition on some of the variables."""
        if pattern.op is None:
            raise ValueError("the root of a pattern is an op")
        root = pattern.op
        return lambda build: self._add(Rule(self.name, level or self.level, pattern, build, when), (root,))

    def on(self, *targets: Op | Kind, level: str = "") -> Callable[[Callable[[Node], Node | None]], Rule]:
        """@rules.on(ops or kinds): the decorated function takes the node itself; for what no formula can say."""
        return lambda build: self._add(Rule(self.name, level or self.level, None, build, None), targets)

    def _add(self, rule: Rule, targets: tuple[Op | Kind, ...]) -> Rule:
        self.all.append(rule)
        self._targets[rule] = targets
        self._by_op.clear()
        self._levels.clear()
        return rule

    def __add__(self, other: "Rules") -> "Rules":
        return self._selected(f"{self.name}+{other.name}", (self, other), LEVELS)

    def upto(self, level: str) -> "Rules":
        """The rules of this level and of those below it."""
        found = self._levels.get(level)
        if found is None:
            found = self._levels[level] = self._selected(self.name, (self,), LEVELS[: LEVELS.index(level) + 1])
        return found

    def only(self, rule: Rule) -> "Rules":
        """That rule alone."""
        alone = Rules(rule.name)
        alone._add(rule, self._targets[rule])
        return alone

    @staticmethod
    def _selected(name: str, sets: "tuple[Rules, ...]", levels: tuple[str, ...]) -> "Rules":
        joined = Rules(name)
        for rules in sets:
            for rule in rules.all:
                if rule.level in levels:
                    joined._add(rule, rules._targets[rule])
        return joined

    def for_op(self, op: Op) -> list[Rule]:
        """The rules that may fit a node of this op, in order of definition."""
        found = self._by_op.get(op)
        if found is None:
            found = [rule for rule in self.all if op in self._targets[rule] or op.kind in self._targets[rule]]
            self._by_op[op] = found
        return found

    def __iter__(self) -> Iterator[Rule]:
        return iter(self.all)

    def __len__(self) -> int:
        return len(self.all)


# --- who hears of rewrites --------------------------------------------------------------------------------------------

_listeners: list[Listener] = []


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """with listening(f): f(rule, before, after) hears of every rewrite in the block, also of those before differentiation."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


# --- the walk --------------------------------------------------------------------------------------------------------


def rewrite(outputs: Iterable[Node], rules: Rules, listener: Listener | None = None, fuel: int | None = None) -> list[Node]:
    """The outputs with every rule applied until none fits. Bottom-up, each node once: linear in the graph when rules shrink it.

    fuel: the most rewrites before the walk gives up with a warning (rules that undo each other); None: 40 per node.
    Raises VerifyError when a rule changes a type.
    """
    outputs = list(outputs)
    walk = _Walk(rules, listener, 1000 + 40 * len(toposort(outputs)) if fuel is None else fuel)
    for output in outputs:
        walk.normalise(output)
    if walk.fuel <= 0:
        names = ", ".join(sorted({rule.name for rule in walk.last}))
        warnings.warn(f"lazynp: rewriting was stopped; rules that may undo each other: {names}", PerformanceWarning, stacklevel=2)
    return [walk.done[o] for o in outputs]


class _Walk:
    """done: for each node its normal form. waiting: a node -> what it was rewritten to, while that is being normalised."""

    def __init__(self, rules: Rules, listener: Listener | None, fuel: int) -> None:
        self.rules = rules
        self.listener = listener
        self.fuel = fuel
        self.done: dict[Node, Node] = {}
        self.waiting: dict[Node, Node] = {}
        self.last: deque[Rule] = deque(maxlen=16)

    def normalise(self, output: Node) -> None:
        done = self.done
        stack = [output]
        while stack:
            node = stack[-1]
            if node in done:
                stack.pop()
                continue
            target = self.waiting.get(node)
            if target is None:
                missing = [a for a in node.args if a not in done]
                if missing:
                    missing.reverse()
                    stack.extend(missing)
                    continue
                target = self._step(node)
            elif target not in done:
                self.fuel -= 1  # met again below itself: a rule whose result contains what it replaced
            if target in done:
                done[node] = done[target]
            elif self.fuel <= 0:
                done[node] = node
            else:
                self.waiting[node] = target
                stack.append(target)

    def _step(self, node: Node) -> Node:
        """The node over normal arguments, rewritten by the first rule that fits; enters it as normal where none does."""
        done = self.done
        current = node.with_args(tuple([done[a] for a in node.args]))
        if current in done:
            return current
        if self.fuel > 0:
            for rule in self.rules.for_op(current.op):
                after = rule.apply(current)
                if after is not None and after is not current:
                    self._fired(rule, current, after)
                    return after
        done[current] = current
        return current

    def _fired(self, rule: Rule, before: Node, after: Node) -> None:
        if after.type != before.type:
            raise VerifyError(f"rule {rule} changed {before} of type {before.type} into {after} of type {after.type}")
        self.fuel -= 1
        self.last.append(rule)
        self._inherit(before, after)
        if self.listener is not None:
            self.listener(rule, before, after)
        for hear in _listeners:
            hear(rule, before, after)

    def _inherit(self, before: Node, after: Node) -> None:
        """New nodes belong to the user's line of the node that they replace."""
        stack = [after]
        while stack:
            node = stack.pop()
            if node.where is None and node.args and node not in self.done:
                node.where = before.where
                stack.extend(node.args)
