"""What lazynp makes of a function: `explain(f)(*args)` tells which rules fired where, which kernels run and what they move through memory;
`show(f, *args)` prints a stage."""

from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

from lazynp.debug.kernels import Traffic, quantity, traffic
from lazynp.errors import CaptureError
from lazynp.ir.canonical import Form, specific
from lazynp.ir.node import Node
from lazynp.ir.rewrite import Rule, listening
from lazynp.ir.show import show_graph, show_node, where_text
from lazynp.optimize.passes import optimize
from lazynp.runtime.evaluate import build
from lazynp.runtime.stats import counters
from lazynp.trace import trees
from lazynp.trace.compiled import form_of
from lazynp.trace.jit import jit

STAGES = ("graph", "optimized", "loops", "c")


class Rewrite(NamedTuple):
    """A rule that fired: its name and reason, the user's `file:line`, the formula before and after, how often."""

    rule: str
    reason: str
    where: str
    before: str
    after: str
    count: int


class Explanation(NamedTuple):
    """rewrites: in order of first firing; kernels: loop nests and library calls of the program; library_steps: nodes that run through
    NumPy inside it; fallbacks: {(filename, line, numpy name): count}; uncaptured: why the function is not one program, or ""; traffic: the
    kernels with the bytes that they move, and why neighbours are not one (None where there is no program)."""

    rewrites: tuple[Rewrite, ...]
    kernels: int
    library_steps: int
    fallbacks: dict[tuple[str, int, str], int]
    uncaptured: str
    traffic: Traffic | None = None

    def __str__(self) -> str:
        lines = [f"not one program, runs in lazy mode: {self.uncaptured}"] if self.uncaptured else []
        lines.append(f"{sum(r.count for r in self.rewrites)} rewrites by {len({r.rule for r in self.rewrites})} rules")
        for r in self.rewrites:
            times = f"  ({r.count} times)" if r.count > 1 else ""
            lines += [f"  {r.rule}  {r.where}{times}", f"      {r.before}  ->  {r.after}", f"      {r.reason.splitlines()[0]}"]
        if not self.uncaptured:
            lines.append(f"{self.kernels} kernels, {self.library_steps} steps through NumPy")
        if self.traffic is not None:
            lines.append(f"{quantity(self.traffic.moved)} moved, {quantity(self.traffic.least)} at least (arguments and results)")
            for kernel in self.traffic.kernels:
                lines += [f"  {kernel}", *([f"      not one with the next: {kernel.apart}"] if kernel.apart else [])]
        lines += [f"numpy.{name} ran through NumPy: {file}:{line}  ({n} times)" for (file, line, name), n in self.fallbacks.items()]
        return "\n".join(lines)


class _Record:
    """Hears of rewrites; origins: the nodes that positions of a canonical graph refer to, once there is one."""

    def __init__(self) -> None:
        self.origins: list[Node] = []
        self.fired: Counter[tuple[str, str, str, str, str]] = Counter()

    def hear(self, rule: Rule, before: Node, after: Node) -> None:
        where = where_text(before, self.origins)
        self.fired[(repr(rule), rule.reason, where, show_node(before), show_node(after))] += 1

    def rewrites(self) -> tuple[Rewrite, ...]:
        return tuple([Rewrite(*what, count) for what, count in self.fired.items()])


def explain(f: Callable[..., Any]) -> Callable[..., Explanation]:
    """explain(f)(*args, **kwargs): what lazynp does for these arguments. f is traced, not run on their values; a function that
    cannot be captured is run."""

    def explained(*args: Any, **kwargs: Any) -> Explanation:
        record = _Record()
        before = Counter(counters.fallbacks)
        reason, kernels, steps, moved = "", 0, 0, None
        with listening(record.hear):
            try:
                form = _form(f, args, kwargs)
            except CaptureError as error:
                reason = str(error)
                f(*args, **kwargs)
            else:
                record.origins = form.order
                graph = optimize(specific(form).graph)
        rewrites = record.rewrites()
        if not reason:
            program = build(specific(form).graph)
            kernels, steps = program.kernels, program.library_steps
            moved = traffic(graph, form.order)
        return Explanation(rewrites, kernels, steps, dict(counters.fallbacks - before), reason, moved)

    return explained


def show(f: Callable[..., Any], *args: Any, stage: str = "optimized", **kwargs: Any) -> str:
    """One stage of what f becomes for these arguments: the traced "graph", the "optimized" one, the "loops", the "c" text.

    Raises CaptureError for a function that is not one program, ValueError for another stage."""
    if stage not in STAGES:
        raise ValueError(f"lazynp.show: stage must be one of {STAGES}, got {stage!r}")
    form = _form(f, args, kwargs)
    graph = specific(form).graph
    if stage == "graph":
        return show_graph(graph, form.order)
    if stage == "optimized":
        return show_graph(optimize(graph), form.order)
    program = build(graph)
    return program.loops if stage == "loops" else program.source


def _form(f: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Form:
    """The graph of a call, as jit records it. Raises CaptureError."""
    function = f if isinstance(f, jit) else jit(f)
    leaves, structure = trees.flatten((args, kwargs))
    return form_of(function._trace(leaves, lambda new: trees.unflatten(structure, new), {}))
