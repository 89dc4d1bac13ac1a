"""Exact rules for movement: chains become one step, views of constants constants, reads of a region just written the value written."""

from lazynp.ir.node import Node
from lazynp.ir.op import Kind
from lazynp.ir.rewrite import Rules, scalar_value
from lazynp.ir.types import Shape
from lazynp.ops import elementwise as ew
from lazynp.ops.indexing import update
from lazynp.ops.movement import (
    Path,
    Step,
    broadcast,
    broadcast_axes,
    diagonal,
    follow,
    join,
    pad,
    permute,
    reshape,
    slice_,
    window,
)
from lazynp.ops.structured import call, inline, item

moves = Rules("moves", level="exact")

_VIEWS = (permute, reshape, slice_, diagonal, window)

# --- chains ----------------------------------------------------------------------------------------------------------


@moves.on(permute)
def one_permute(node: Node) -> Node | None:
    """Two permutations are one; the identity is none."""
    source, axes = node.args[0], node.axes
    if source.op is permute:
        return permute(source.args[0], tuple([source.axes[a] for a in axes]))
    return source if axes == tuple(range(source.ndim)) else None


@moves.on(reshape)
def one_reshape(node: Node) -> Node | None:
    """Only the last shape of a chain of reshapes counts."""
    source = node.args[0]
    return reshape(source, node.out_shape) if source.op is reshape or source.shape == node.out_shape else None


@moves.on(broadcast)
def one_broadcast(node: Node) -> Node | None:
    """Only the last shape counts; axes of size 1 put in front are what broadcasting adds by itself."""
    source = node.args[0]
    if source.op is broadcast or source.shape == node.out_shape:
        return broadcast(source, node.out_shape)
    if source.op is reshape:
        inner = source.args[0]
        added = source.ndim - inner.ndim
        if added > 0 and source.shape == (1,) * added + inner.shape:
            return broadcast(inner, node.out_shape)
    return None


@moves.on(slice_)
def one_slice(node: Node) -> Node | None:
    """A slice of a slice is a slice; the whole is none."""
    source = node.args[0]
    if source.op is slice_:
        starts = [first + step * start for first, step, start in zip(source.starts, source.steps, node.starts, strict=True)]
        steps = [first * second for first, second in zip(source.steps, node.steps, strict=True)]
        return slice_(source.args[0], tuple(starts), tuple(steps), node.sizes)
    whole = slice_(source, node.starts, node.steps, node.sizes)
    return whole if whole is source else None


@moves.on(slice_)
def slice_of_broadcast(node: Node) -> Node | None:
    """Repeated axes need no slicing: slice what is repeated, repeat to the slice's size."""
    source = node.args[0]
    if source.op is not broadcast:
        return None
    inner = source.args[0]
    repeated = broadcast_axes(inner.shape, source.shape)
    added = source.ndim - inner.ndim
    kept = range(added, source.ndim)
    starts = tuple([0 if a in repeated else node.starts[a] for a in kept])
    steps = tuple([1 if a in repeated else node.steps[a] for a in kept])
    sizes = tuple([1 if a in repeated else node.sizes[a] for a in kept])
    return broadcast(slice_(inner, starts, steps, sizes), node.sizes)


@moves.on(*_VIEWS)
def view_of_scalar(node: Node) -> Node | None:
    """Every view of one repeated scalar is that scalar, repeated."""
    source = node.args[0]
    return broadcast(source.args[0], node.shape) if source.op is broadcast and not source.args[0].shape else None


# --- zeros around, pieces together -----------------------------------------------------------------------------------


@moves.on(slice_)
def slice_of_pad(node: Node) -> Node | None:
    """What was put between zeros is taken out again."""
    source = node.args[0]
    if source.op is pad and (source.starts, source.steps, source.args[0].shape) == (node.starts, node.steps, node.sizes):
        return source.args[0]
    return None


@moves.on(pad)
def nothing_padded(node: Node) -> Node | None:
    """Zeros among zeros are zeros; padding to the own shape is nothing, or with negative steps a flip."""
    source = node.args[0]
    if source.shape == node.out_shape:
        return slice_(source, node.starts, node.steps, source.shape)
    value = scalar_value(source)
    if value is None or value.tobytes().strip(b"\0"):
        return None
    return ew.filled(node.out_shape, 0, node.dtype)


@moves.on(join)
def join_of_repeated(node: Node) -> Node | None:
    """Pieces filled with one scalar make an array filled with it."""
    first = node.args[0]
    scalar = first.args[0] if first.op is broadcast else first
    if scalar.shape or any(a.op is not broadcast or a.args[0] is not scalar for a in node.args):
        return None
    return broadcast(scalar, node.shape)


# --- regions written and read ----------------------------------------------------------------------------------------


@moves.on(update)
def written_twice(node: Node) -> Node | None:
    """The second write to a region hides the first, unless something else of the array is read in between: the first version would need
    memory of its own then."""
    first, new = node.args
    if first.op is not update or first.path != node.path or _reads(new, first):
        return None
    return update(first.args[0], new, path=node.path)


_LOOK_BACK = 200
"""How many nodes below a value are searched."""


def _reads(value: Node, wanted: Node) -> bool:
    """Whether a value is computed from another one, or from so many that it may be."""
    seen = {value}
    stack = [value]
    while stack:
        node = stack.pop()
        if node is wanted or len(seen) > _LOOK_BACK:
            return True
        new = [a for a in node.args if a not in seen]
        seen.update(new)
        stack += new
    return False


@moves.on(update)
def nothing_written(node: Node) -> Node | None:
    """A region written with its own old value is unchanged; a region that is everything is the value."""
    target, value = node.args
    if follow(target, node.path) is value:
        return target
    return value if all(_is_everything(step, target.shape) for step in node.path[:1]) and len(node.path) <= 1 else None


def _is_everything(step: Step, shape: Shape) -> bool:
    if step.op is not slice_:
        return False
    starts, steps, sizes = step.attrs
    return sizes == shape and all(type(s) is int and s == 0 for s in starts) and all(s == 1 for s in steps)


@moves.on(*_VIEWS)
def read_back(node: Node) -> Node | None:
    """A read of exactly the region just written is the value written."""
    steps: Path = ()
    source = node
    while source.op in _VIEWS and len(steps) < 4:
        steps = (Step(source.op, source.attrs), *steps)
        source = source.args[0]
    return source.args[1] if source.op is update and source.path == steps else None


# --- elementwise ops behind movement ---------------------------------------------------------------------------------


@moves.on(Kind.ELEMENTWISE)
def compute_before_repeating(node: Node) -> Node | None:
    """f(broadcast(x)) is broadcast(f(x)): computed once for all repetitions; what all arguments repeat is computed once."""
    for argument in node.args:
        if argument.op is not broadcast:
            return None
    sources = [a.args[0] for a in node.args]
    shape = _varying(node.shape, [s.shape for s in sources])
    if shape == node.shape:
        return None
    inner = node.op.make(tuple([broadcast(s, shape) for s in sources]), **node.attributes)
    return broadcast(inner, node.shape)


def _varying(shape: Shape, sources: list[Shape]) -> Shape:
    """The shape that some sources, each of which repeats to `shape`, repeat to together. The sizes are those of `shape`: two names of
    one run-time size may stand in two sources."""
    rank = max(map(len, sources))
    longest = shape[len(shape) - rank :]
    padded = [(1,) * (rank - len(source)) + tuple(source) for source in sources]
    return tuple([1 if all(type(p[k]) is int and p[k] == 1 for p in padded) else n for k, n in enumerate(longest)])


@moves.on(Kind.ELEMENTWISE)
def compute_before_reshaping(node: Node) -> Node | None:
    """f(x[:, None]) is f(x)[:, None]: formulas are recognised through axes of size 1."""
    moved = [a for a in node.args if a.op is not broadcast or a.args[0].shape]
    if not moved or moved[0].op is not reshape:
        return None
    source = moved[0].args[0].shape
    if not _same_but_ones(source, node.shape) or any(a.op is not reshape or a.args[0].shape != source for a in moved):
        return None
    args = tuple([a.args[0] if a.op is reshape else broadcast(a.args[0], source) for a in node.args])
    return reshape(node.op.make(args, **node.attributes), node.shape)


def _same_but_ones(first: Shape, second: Shape) -> bool:
    return [n for n in first if type(n) is not int or n != 1] == [n for n in second if type(n) is not int or n != 1]


# --- graphs in nodes -------------------------------------------------------------------------------------------------


@moves.on(item)
def inlined(node: Node) -> Node | None:
    """An output of a call is that output of its body (whose inputs may be of one size where the call is for all)."""
    source = node.args[0]
    if source.op is not call or any(a.type != i.type for a, i in zip(source.args, source.body.inputs, strict=True)):
        return None
    return inline(source)[node.index]
