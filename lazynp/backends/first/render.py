"""Loop nests as C text: one function per kernel over a range of its outermost loop, with its buffers as parameters.

Two kernels of the same text are one function, so a chain of 5000 similar region writes compiles as one loop called 5000 times; offsets that
are numbers become parameters (`q`) where a program has many kernels.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from lazynp.backends import prelude
from lazynp.backends.first.lower import NO_GUARD, Body, Index, Value, ravel, size_text, through, zero
from lazynp.ir.node import Node, const
from lazynp.ir.op import Kind, Op
from lazynp.ir.types import Dim, Shape
from lazynp.ops import elementwise as ew
from lazynp.ops import reduction as red
from lazynp.ops.indexing import gather
from lazynp.ops.movement import Path, broadcast, follow_type, reshape

CHUNK = 32768
"""Elements of work in one chunk of a parallel loop: about 10 us, small enough to be handed out evenly."""
BLOCK = 256
"""Elements summed in vector lanes before a compensated addition: rounding errors stay below those of NumPy's pairwise sum."""
TILE = 256
"""Columns whose partial results one pass down the rows keeps in the first cache."""


class Kernel(NamedTuple):
    """text: the C function without its name; buffers: slots in the order of its parameters; constants: its `q`; count: iterations of the
    outermost loop and chunk, as C; helpers: prelude names; loops: a readable line; checks: whether it can fail."""

    text: str
    buffers: list[int]
    constants: list[int]
    count: str
    chunk: str
    helpers: set[str]
    checks: bool
    hazard: bool = False


class Buffers:
    """The slots a kernel touches, in order of first use, and their names in its C."""

    def __init__(self, slot_of: Callable[[Node], "int | None"], roots: set[Node]) -> None:
        self.slot_of = slot_of
        self.roots = roots
        self.order: list[int] = []
        self.types: list[str] = []

    def name(self, slot: int, dtype: np.dtype) -> str:
        ctype = prelude.ctype(dtype)
        for k, (s, t) in enumerate(zip(self.order, self.types, strict=True)):
            if s == slot and t == ctype:
                return f"p{k}"
        self.order.append(slot)
        self.types.append(ctype)
        return f"p{len(self.order) - 1}"

    def read(self, node: Node) -> str | None:
        """The array that holds a node; None when it is fused, or computed by this very kernel."""
        if node in self.roots:
            return None
        slot = self.slot_of(node)
        return None if slot is None else self.name(slot, node.dtype)


def _var(axis: int, depth: int) -> Index:
    return Index(f"i{axis}", 0, depth)


def _flatten(shape: Shape) -> str:
    return " * ".join([size_text(n) for n in shape]) or "1"


def is_flat(root: Node, slot_of: Callable[[Node], "int | None"], roots: set[Node]) -> bool:
    """Whether every element of the root depends on elements at its own position in C order, or on single elements."""
    seen: set[Node] = set()
    stack = [root]
    while stack:
        node = stack.pop()
        if node in seen:
            continue
        seen.add(node)
        if node is not root and node not in roots and slot_of(node) is not None or node.op is const:
            continue
        if node.op is broadcast:
            if any(not (type(n) is int and n == 1) for n in node.args[0].shape):
                return False
            stack.append(node.args[0])
        elif node.op.kind is Kind.ELEMENTWISE or node.op is reshape:
            stack.extend(node.args)
        else:
            return False
    return True


# --- maps --------------------------------------------------------------------------------------------------------------


def render_map(
    values: list[Node], targets: list[int], path: Path | None, base: Node | None, slot_of: Callable[[Node], "int | None"], roots: set[Node]
) -> Kernel:
    """Store values of one shape: whole arrays, or (with a path into `base`) a region of one."""
    shape = values[0].shape
    buffers = Buffers(slot_of, roots)
    flat = path is None and all(is_flat(v, slot_of, roots) for v in values)
    body = Body(buffers.read, flat)
    if flat:
        index: tuple[Index, ...] = (_var(0, 1),) if shape else ()
    else:
        index = tuple([_var(axis, axis + 1) for axis in range(len(shape))])
    depth = len(index)
    stores = []
    writes = []
    for value, target in zip(values, targets, strict=True):
        computed = body.at(value, index)
        if path is None:
            position = index[0] if flat and index else ravel(index, shape) if not flat else Index("")
        else:
            assert base is not None
            shapes = [base.shape]
            for k in range(len(path)):
                shapes.append(follow_type(base.type, path[: k + 1]).shape)
            position = ravel(through(path, shapes, index), base.shape)
        name = buffers.name(target, value.dtype)
        stores.append(f"{name}[{position}] = {computed.text};")
        writes.append((name, str(position)))
    written = {name: position for name, position in writes}
    hazard = any(name in written and written[name] != position for name, position in body.loads)
    extents = [_flatten(shape)] if flat and shape else [size_text(n) for n in shape]
    lines = _nest(body, [f"i{k}" for k in range(depth)], extents, stores)
    inner = _flatten(shape[1:]) if not flat and len(shape) > 1 else "1"
    return _kernel(lines, buffers, body, extents[0] if extents else "1", f"lz_chunk({inner})", hazard)


def _nest(body: Body, names: list[str], extents: list[str], stores: list[str], first: int = 1) -> list[str]:
    """Nested loops, the outermost over [begin, end), each with the statements that belong to its depth; stores in the innermost."""
    lines = [*body.lines(0)]
    for depth, (name, extent) in enumerate(zip(names, extents, strict=True), 1):
        if depth == len(names):
            lines.append("#pragma omp simd" if not body.checks else "")
        low, high = ("begin", "end") if depth == first else ("0", extent)
        lines.append(f"for (int64_t {name} = {low}; {name} < {high}; {name}++) {{")
        lines += body.lines(depth)
    lines += stores
    lines += ["}"] * len(names)
    return lines


def _kernel(lines: list[str], buffers: Buffers, body: Body, count: str, chunk: str, hazard: bool = False) -> Kernel:
    declarations = []
    for k, ctype in enumerate(buffers.types):
        shared = buffers.order.count(buffers.order[k]) > 1
        declarations.append(f"{ctype} *{'' if shared else 'restrict '}p{k} = b[{k}];")
    text = "\n".join([*declarations, *[line for line in lines if line]])
    return Kernel(text, buffers.order, [], count, chunk, body.helpers, bool(body.checks), hazard)


_OFFSET = re.compile(r"(?<=[\w)]) ([+-]) (\d+)(?=\)*\])")


def lift_offsets(kernel: Kernel) -> Kernel:
    """The kernel with the numbers that end an index, `p[... + 17]`, as parameters q[k]."""
    constants: list[int] = []

    def replace(match: re.Match[str]) -> str:
        constants.append(int(match[2]) if match[1] == "+" else -int(match[2]))
        return f" + q[{len(constants) - 1}]"

    return kernel._replace(text=_OFFSET.sub(replace, kernel.text), constants=constants)


# --- reductions --------------------------------------------------------------------------------------------------------


def identity(scalar: Op, dtype: np.dtype) -> str:
    """The value that changes nothing, as C. Sums start at -0.0, so that a sum of -0.0 keeps its sign."""
    kind, ctype = dtype.kind, prelude.ctype(dtype)
    if scalar is ew.add:
        return "-0.0" if kind == "f" else zero(dtype)
    if kind == "c":
        return f"(({ctype}){{1, 0}})"
    if scalar in (ew.maximum, ew.minimum):
        if kind == "f":
            return "-LZ_INF" if scalar is ew.maximum else "LZ_INF"
        if kind == "b":
            return "0" if scalar is ew.maximum else "1"
        info = np.iinfo(dtype)
        value = int(info.min if scalar is ew.maximum else info.max)
        return "(-9223372036854775807LL - 1)" if value == -(2**63) else f"{value}{'ULL' if value > 0 else 'LL'}"
    if scalar in (ew.fmax, ew.fmin):
        return "LZ_NAN" if kind == "f" else identity(ew.maximum if scalar is ew.fmax else ew.minimum, dtype)
    if scalar in (ew.logaddexp, ew.logaddexp2):
        return "-LZ_INF"
    return {"bitwise_and": "-1" if kind != "b" else "1", "multiply": "1", "logical_and": "1", "lcm": "1"}.get(scalar.name, "0")


class _Fold(NamedTuple):
    """How values are combined: the dtype they are combined in, its C type, the start value, and the expression of (a, b)."""

    dtype: np.dtype
    ctype: str
    start: str
    combine: Callable[[str, str], str]
    compensated: bool


def _fold_of(node: Node, body: Body) -> _Fold:
    scalar = node.op.scalar
    assert scalar is not None
    source = node.args[0].dtype
    logical = scalar.name.startswith("logical")
    dtype = np.dtype(np.float32) if source == np.float16 else np.dtype(bool) if logical else source

    def combine(a: str, b: str) -> str:
        if scalar is ew.add and dtype.kind in "fiu":
            return f"{a} + {b}"
        if scalar is ew.multiply and dtype.kind in "fiu":
            return f"{a} * {b}"
        return body.call(prelude.helper(scalar.name, dtype), [a, b])

    return _Fold(dtype, prelude.ctype(dtype), identity(scalar, dtype), combine, scalar is ew.add and dtype.kind == "f")


def _element(node: Node, body: Body, index: tuple[Index, ...], fold: _Fold) -> Value:
    """The element to fold, in the dtype it is folded in."""
    value = body.at(node.args[0], index)
    source = node.args[0].dtype
    if source == fold.dtype:
        return value
    return body.define(body.call(prelude.cast(fold.dtype, source), [value.text]), fold.dtype, value.depth)


def _result(node: Node, body: Body, text: str, fold: _Fold) -> str:
    return text if node.dtype == fold.dtype else body.call(prelude.cast(node.dtype, fold.dtype), [text])


def render_reduce(node: Node, target: int, slot_of: Callable[[Node], "int | None"]) -> Kernel:
    """A reduction, its producers fused in."""
    x, axes = node.args[0], node.axes
    if x.ndim and (x.ndim - 1) in axes:
        if len(axes) == x.ndim:
            return _reduce_all(node, target, slot_of)
        return _reduce_rows(node, target, slot_of)
    return _reduce_columns(node, target, slot_of)


def _reduction_clause(node: Node, fold: _Fold, name: str) -> tuple[str, str]:
    """A declaration and a pragma that let gcc keep one partial result per vector lane."""
    if fold.dtype.kind == "c":
        return "", ""
    merged = fold.combine("omp_out", "omp_in")
    declare = f"#pragma omp declare reduction({name}: {fold.ctype}: omp_out = {merged}) initializer(omp_priv = {fold.start})"
    return declare, f"#pragma omp simd reduction({name}: acc)"


def _fold_loop(
    node: Node, body: Body, fold: _Fold, value: Value, names: list[str], extents: list[str], base: int, low: str, high: str
) -> list[str]:
    """Loops over the reduced axes, at depths from `base`; the innermost in blocks, each block's result added to `total`."""
    declare, pragma = _reduction_clause(node, fold, "lz_fold")
    lines = [declare] if declare else []
    lines.append(f"{fold.ctype} total = {fold.start};")
    if fold.compensated:
        lines.append(f"{fold.ctype} lost = 0;")
    opened = 0
    for k, (name, extent) in enumerate(zip(names[:-1], extents[:-1], strict=True)):
        start, stop = (low, high) if k == 0 else ("0", extent)
        lines.append(f"for (int64_t {name} = {start}; {name} < {stop}; {name}++) {{")
        lines += body.lines(base + k)
        opened += 1
    start, stop = (low, high) if len(names) == 1 else ("0", extents[-1])
    inner = names[-1]
    deep = base + len(names) - 1
    simd = pragma if not body.checks else ""
    lines += [
        f"for (int64_t block = {start}; block < {stop}; block += {BLOCK}) {{",
        f"const int64_t stop = block + {BLOCK} < {stop} ? block + {BLOCK} : {stop};",
        f"{fold.ctype} acc = {fold.start};",
        simd,
        f"for (int64_t {inner} = block; {inner} < stop; {inner}++) {{",
        *body.lines(deep),
        f"acc = {fold.combine('acc', value.text)};",
        "}",
    ]
    if fold.compensated:
        absolute = "__builtin_fabs" if fold.dtype == np.float64 else "__builtin_fabsf"
        lines += [
            f"const {fold.ctype} sum = total + acc;",
            f"lost += {absolute}(total) >= {absolute}(acc) ? (total - sum) + acc : (acc - sum) + total;",
            "total = sum;",
        ]
    else:
        lines.append(f"total = {fold.combine('total', 'acc')};")
    lines += ["}"] * (opened + 1)
    return lines


def _total(fold: _Fold) -> str:
    """Neumaier's compensated sum (Neumaier 1974), unless it has overflowed."""
    return "(__builtin_isfinite(lost) ? total + lost : total)" if fold.compensated else "total"


def _empty_is_zero(node: Node, fold: _Fold, text: str) -> str:
    """An empty sum is +0.0."""
    if not fold.compensated:
        return text
    sizes = [node.args[0].shape[a] for a in node.axes]
    if all(type(n) is int for n in sizes):
        return "0" if any(n == 0 for n in sizes) else text
    return f"({' || '.join([f'{size_text(n)} == 0' for n in sizes])} ? 0 : {text})"


def _reduce_rows(node: Node, target: int, slot_of: Callable[[Node], "int | None"]) -> Kernel:
    """The last axis is among the reduced ones: for each kept index one fold."""
    x, axes = node.args[0], node.axes
    kept = [a for a in range(x.ndim) if a not in axes]
    depth_of = {axis: k + 1 for k, axis in enumerate([*kept, *axes])}
    buffers = Buffers(slot_of, {node})
    body = Body(buffers.read)
    fold = _fold_of(node, body)
    value = _element(node, body, tuple([_var(a, depth_of[a]) for a in range(x.ndim)]), fold)
    out = ravel(tuple([_var(a, depth_of[a]) for a in kept]), node.shape)
    name = buffers.name(target, node.dtype)
    lines = [*body.lines(0)]
    for k, axis in enumerate(kept):
        low, high = ("begin", "end") if k == 0 else ("0", size_text(x.shape[axis]))
        lines += [f"for (int64_t i{axis} = {low}; i{axis} < {high}; i{axis}++) {{", *body.lines(k + 1)]
    extents = [size_text(x.shape[a]) for a in axes]
    lines += _fold_loop(node, body, fold, value, [f"i{a}" for a in axes], extents, len(kept) + 1, "0", extents[0])
    lines.append(f"{name}[{out}] = {_result(node, body, _empty_is_zero(node, fold, _total(fold)), fold)};")
    lines += ["}"] * len(kept)
    inner = " * ".join([size_text(x.shape[a]) for a in [*kept[1:], *axes]])
    return _kernel(lines, buffers, body, size_text(x.shape[kept[0]]), f"lz_chunk({inner})")


def _reduce_all(node: Node, target: int, slot_of: Callable[[Node], "int | None"]) -> Kernel:
    """Everything to one value: each chunk leaves a partial result in `partial`, which the program combines in order."""
    x = node.args[0]
    buffers = Buffers(slot_of, {node})
    flat = is_flat(x, slot_of, {node}) if slot_of(x) is None else True
    body = Body(buffers.read, flat)
    fold = _fold_of(node, body)
    if flat:
        value = _element(node, body, (_var(0, 1),), fold)
        names, extents = ["i0"], [_flatten(x.shape)]
        inner = "1"
    else:
        value = _element(node, body, tuple([_var(a, a + 1) for a in range(x.ndim)]), fold)
        names, extents = [f"i{a}" for a in range(x.ndim)], [size_text(n) for n in x.shape]
        inner = _flatten(x.shape[1:])
    name = buffers.name(target, node.dtype)
    lines = [*body.lines(0)]
    lines += _fold_loop(node, body, fold, value, names, extents, 1, "begin", "end")
    finished = _result(node, body, _empty_is_zero(node, fold, "all"), fold)
    merge = fold.combine("all", f"(({fold.ctype} *)partial)[k]")
    finish = [f"{fold.ctype} all = {fold.start};"]
    if fold.compensated:
        finish = [f"{fold.ctype} all = {fold.start}, lost = 0;"]
        absolute = "__builtin_fabs" if fold.dtype == np.float64 else "__builtin_fabsf"
        finish.append(
            f"for (int64_t k = 0; k < chunks; k++) {{ const {fold.ctype} one = (({fold.ctype} *)partial)[k], sum = all + one; "
            f"lost += {absolute}(all) >= {absolute}(one) ? (all - sum) + one : (one - sum) + all; all = sum; }}"
        )
        finish.append("if (__builtin_isfinite(lost)) all += lost;")
    else:
        finish.append(f"for (int64_t k = 0; k < chunks; k++) all = {merge};")
    finish.append(f"{name}[0] = {finished};")
    lines = [
        "if (end < 0) {",
        "const int64_t chunks = begin;",
        *finish,
        "return; }",
        *lines,
        f"(({fold.ctype} *)partial)[begin / chunk] = {_total(fold)};",
    ]
    return _kernel(lines, buffers, body, extents[0], f"lz_wide_chunk({extents[0]}, {inner})")


def _reduce_columns(node: Node, target: int, slot_of: Callable[[Node], "int | None"]) -> Kernel:
    """The last axis is kept: a tile of columns at a time, walked down the rows, so that memory is read along rows."""
    x, axes = node.args[0], node.axes
    last = x.ndim - 1
    kept = [a for a in range(x.ndim) if a not in axes and a != last]
    depth_of = {axis: k + 1 for k, axis in enumerate(kept)}
    depth_of |= {axis: len(kept) + 2 + k for k, axis in enumerate(axes)}
    depth_of[last] = len(kept) + len(axes) + 2
    buffers = Buffers(slot_of, {node})
    body = Body(buffers.read)
    fold = _fold_of(node, body)
    value = _element(node, body, tuple([_var(a, depth_of[a]) for a in range(x.ndim)]), fold)
    out = ravel(tuple([_var(a, depth_of[a]) for a in [*kept, last]]), node.shape)
    name = buffers.name(target, node.dtype)
    n = size_text(x.shape[last]) if x.ndim else "1"
    lines = [*body.lines(0)]
    for k, axis in enumerate(kept):
        low, high = ("begin", "end") if k == 0 else ("0", size_text(x.shape[axis]))
        lines += [f"for (int64_t i{axis} = {low}; i{axis} < {high}; i{axis}++) {{", *body.lines(k + 1)]
    first, stop = ("0", n) if kept else (f"begin * {TILE}", f"(end * {TILE} < {n} ? end * {TILE} : {n})")
    lines += [
        f"for (int64_t tile = {first}; tile < {stop}; tile += {TILE}) {{",
        f"const int64_t width = {stop} - tile < {TILE} ? {stop} - tile : {TILE};",
        f"{fold.ctype} acc[{TILE}];",
        f"for (int64_t j = 0; j < width; j++) acc[j] = {fold.start};",
    ]
    for k, axis in enumerate(axes):
        lines += [f"for (int64_t i{axis} = 0; i{axis} < {size_text(x.shape[axis])}; i{axis}++) {{", *body.lines(len(kept) + 2 + k)]
    simd = "#pragma omp simd" if not body.checks else ""
    lines += [
        simd,
        f"for (int64_t j = 0; j < width; j++) {{ const int64_t i{last} = tile + j;",
        *body.lines(depth_of[last]),
        f"acc[j] = {fold.combine('acc[j]', value.text)};",
        "}",
        *["}"] * len(axes),
        f"for (int64_t j = 0; j < width; j++) {{ const int64_t i{last} = tile + j;",
        f"{name}[{out}] = {_result(node, body, _empty_is_zero(node, fold, 'acc[j]'), fold)};",
        "}",
        "}",
    ]
    lines += ["}"] * len(kept)
    rows = " * ".join([size_text(x.shape[a]) for a in axes]) or "1"
    if kept:
        inner = " * ".join([size_text(x.shape[a]) for a in [*kept[1:], *axes, last]])
        return _kernel(lines, buffers, body, size_text(x.shape[kept[0]]), f"lz_chunk({inner})")
    return _kernel(lines, buffers, body, f"(({n} + {TILE - 1}) / {TILE})", f"lz_chunk({rows} * {TILE})")


def render_arg_reduce(node: Node, target: int, slot_of: Callable[[Node], "int | None"]) -> Kernel:
    """The first position of the extremum along an axis; a NaN is the extremum."""
    x, axis = node.args[0], node.axis
    kept = [a for a in range(x.ndim) if a != axis]
    depth_of = {a: k + 1 for k, a in enumerate([*kept, axis])}
    buffers = Buffers(slot_of, {node})
    body = Body(buffers.read)
    value = body.at(x, tuple([_var(a, depth_of[a]) for a in range(x.ndim)]))
    name = buffers.name(target, node.dtype)
    out = ravel(tuple([_var(a, depth_of[a]) for a in kept]), node.shape)
    ctype = prelude.ctype(x.dtype)
    sign = ">" if node.op is red.argmax else "<"
    current, best = value.text, "best"
    if x.dtype == np.float16:
        current, best = (body.call("lz_cast_f32_f16", [t]) for t in (value.text, "best"))
    better = f"{current} {sign} {best}"
    if x.dtype.kind == "f":
        better = f"({better} || ({current} != {current} && {best} == {best}))"
    lines = [*body.lines(0)]
    names = []
    for k, a in enumerate(kept):
        low, high = ("begin", "end") if k == 0 else ("0", size_text(x.shape[a]))
        lines += [f"for (int64_t i{a} = {low}; i{a} < {high}; i{a}++) {{", *body.lines(k + 1)]
        names.append(a)
    lines += [
        f"{ctype} best = {zero(x.dtype)}; int64_t place = 0;",
        f"for (int64_t i{axis} = 0; i{axis} < {size_text(x.shape[axis])}; i{axis}++) {{",
        *body.lines(len(kept) + 1),
        f"if (i{axis} == 0 || {better}) {{ best = {value.text}; place = i{axis}; }}",
        "}",
        f"{name}[{out}] = place;",
        *["}"] * len(kept),
    ]
    count = size_text(x.shape[kept[0]]) if kept else "1"
    inner = " * ".join([size_text(x.shape[a]) for a in [*kept[1:], axis]])
    return _kernel(lines, buffers, body, count, f"lz_chunk({inner})")


def render_accumulate(node: Node, target: int, slot_of: Callable[[Node], "int | None"]) -> Kernel:
    """Running results along an axis: each element from the one before it, in order, the later axes in vectors."""
    x, axis = node.args[0], node.axis
    buffers = Buffers(slot_of, {node})
    body = Body(buffers.read)
    fold = _fold_of(node, body)
    index = tuple([_var(a, a + 1) for a in range(x.ndim)])
    value = _element(node, body, index, fold)
    name = buffers.name(target, node.dtype)
    place = ravel(index, x.shape)
    stride = _flatten(x.shape[axis + 1 :])
    lines = [*body.lines(0)]
    last = axis == x.ndim - 1
    for a in range(x.ndim):
        parallel = a == 0 and axis != 0
        low, high = ("begin", "end") if parallel else ("0", size_text(x.shape[a]))
        if last and a == axis:
            lines.append(f"{fold.ctype} carry = {fold.start};")
        elif a == x.ndim - 1 and not body.checks:
            lines.append("#pragma omp simd")
        lines += [f"for (int64_t i{a} = {low}; i{a} < {high}; i{a}++) {{", *body.lines(a + 1)]
    if last:
        lines.append(f"carry = i{axis} ? {fold.combine('carry', value.text)} : {value.text};")
        lines.append(f"{name}[{place}] = {_result(node, body, 'carry', fold)};")
    else:
        before = f"{name}[{place} - {stride}]"
        if node.dtype != fold.dtype:
            before = body.call(prelude.cast(fold.dtype, node.dtype), [before])
        combined = fold.combine(before, value.text)
        lines.append(f"if (i{axis}) {name}[{place}] = {_result(node, body, combined, fold)};")
        lines.append(f"else {name}[{place}] = {_result(node, body, value.text, fold)};")
    lines += ["}"] * x.ndim
    return _kernel(lines, buffers, body, size_text(x.shape[0]) if axis else "1", f"lz_chunk({_flatten(x.shape[1:])})")


# --- scatter -----------------------------------------------------------------------------------------------------------


def render_scatter(node: Node, target: int, slot_of: Callable[[Node], "int | None"]) -> Kernel:
    """Write or combine at index arrays, in order: the last write to an element stays. The base is in the target already."""
    base, new, *indices = node.args
    buffers = Buffers(slot_of, {node})
    body = Body(buffers.read)
    shape = new.shape
    index = tuple([_var(a, a + 1) for a in range(len(shape))])
    inner = indices[0].ndim
    where = index[node.position : node.position + inner]
    rest = iter(index[: node.position] + index[node.position + inner :])
    full = []
    for axis in range(base.ndim):
        if axis in node.axes:
            full.append(body.checked(body.at(indices[node.axes.index(axis)], where, NO_GUARD), base.shape[axis], axis, node))
        else:
            full.append(next(rest))
    value = body.at(new, index)
    name = buffers.name(target, node.dtype)
    place = f"{name}[{ravel(tuple(full), base.shape)}]"
    store = value.text
    if node.combine is not None:
        store = body.call(prelude.helper(node.combine.name, node.dtype), [place, value.text])
    names = [f"i{a}" for a in range(len(shape))]
    extents = [size_text(n) for n in shape]
    lines = _nest(body, names, extents, [f"{place} = {store};"], first=0)
    return _kernel(lines, buffers, body, "1", "1")


def total_work(shape: tuple[Dim, ...]) -> str:
    """The number of elements, as C."""
    return _flatten(shape)


def is_gather(node: Node) -> bool:
    """Whether a node reads at computed positions."""
    return node.op is gather
