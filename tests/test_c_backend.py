"""The C backend against the NumPy interpreter: hand-written graphs, random graphs, hazards of in-place writes, sizes known at run time."""

import threading
import uuid

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

import lazynp
from lazynp.array import wrap
from lazynp.backends import base, c, reference, toolchain
from lazynp.backends.program import Blueprint, Bytecode, load
from lazynp.ir import canonical
from lazynp.ir.node import Graph, constant, numbered_dim, numbered_input
from lazynp.ir.types import ArrayType
from lazynp.operands import node_of
from lazynp.ops import contraction, indexing, library, movement, opaque, reduction
from lazynp.ops import elementwise as ew
from lazynp.ops.movement import Step

pytestmark = pytest.mark.skipif(toolchain.find_compiler() is None, reason="needs a C compiler")

TOLERANCE = {"e": 2e-2, "f": 2e-5, "F": 2e-5, "d": 1e-11, "D": 1e-11}
DTYPES = [np.dtype(code) for code in "?bhilBHILefdFD"]


def leaves(*arrays):
    return [numbered_input(k, ArrayType(a.shape, a.dtype)) for k, a in enumerate(arrays)]


def cut(x, starts, sizes, steps=None):
    return movement.slice_(x, tuple(starts), tuple(steps or [1] * len(starts)), tuple(sizes))


def region(starts, sizes, steps=None):
    return (Step(movement.slice_, (tuple(starts), tuple(steps or [1] * len(starts)), tuple(sizes))),)


def check(outputs, arrays, aliases=(), program=None):
    """Compile and run a graph; every output must be the interpreter's. Returns the program."""
    inputs = leaves(*arrays)
    graph = Graph(tuple(inputs), tuple(outputs), tuple(aliases))
    want = reference.evaluate(graph, [a.copy() for a in arrays])
    program = program or c.compile(graph, uuid.uuid4().hex)
    for _ in range(2):  # the second run reuses the pooled slots and the arena
        mine = [a.copy() for a in arrays]
        got = program.run(mine)
        for k, (w, g) in enumerate(zip(want, got, strict=True)):
            same(np.asarray(w), g)
            if k in dict(aliases):
                assert g is mine[dict(aliases)[k]]
        for k, (before, after) in enumerate(zip(arrays, mine, strict=True)):
            if k not in dict(aliases).values():
                np.testing.assert_array_equal(before, after)
    return program


def same(want, got):
    assert (want.dtype, want.shape) == (got.dtype, got.shape)
    tolerance = TOLERANCE.get(want.dtype.char, 0)
    if tolerance == 0:
        np.testing.assert_array_equal(got, want)
        return
    scale = np.max(np.abs(want[np.isfinite(want)]), initial=1.0)
    np.testing.assert_allclose(got, want, rtol=tolerance, atol=tolerance * float(scale))


def data(shape, dtype=np.float64, seed=0):
    rng = np.random.default_rng(seed)
    dtype = np.dtype(dtype)
    if dtype.kind == "b":
        return rng.random(shape) < 0.5
    if dtype.kind in "iu":
        return rng.integers(0 if dtype.kind == "u" else -5, 9, shape).astype(dtype)
    if dtype.kind == "c":
        return (rng.uniform(-2, 2, shape) + 1j * rng.uniform(-2, 2, shape)).astype(dtype)
    return rng.uniform(-2, 2, shape).astype(dtype)


# --- elementwise -----------------------------------------------------------------------------------------------------


def test_fused_chain():
    a, b, v = data((40, 30)), data((40, 30), seed=1), data(30)
    x, y, z = leaves(a, b, v)
    program = check([2 * x + 3 * y * y + ew.exp(-x * z)], [a, b, v])
    assert program.kernels == 1
    assert program.foreign_calls == 1


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_every_dtype(dtype):
    a, b = data((7, 5), dtype), data((7, 5), dtype, 1)
    x, y = leaves(a, b)
    outputs = [
        ew.add(x, y),
        ew.multiply(x, y),
        ew.maximum(x, y),
        ew.equal(x, y),
        ew.where(ew.less(x, y), x, y),
        ew.negative(x) if dtype.kind != "b" else x,
    ]
    outputs += [ew.cast(x, to=to) for to in DTYPES]
    check(outputs, [a, b])


def test_zero_dimensional_empty_and_large():
    for shape in ((), (0,), (3, 0, 2), (1, 1), (100003,)):
        a = data(shape)
        (x,) = leaves(a)
        check([x * 2 + 1, ew.sin(x)], [a])


def test_views_vanish():
    a = data((6, 8, 5))
    (x,) = leaves(a)
    y = movement.permute(x, (2, 0, 1))
    z = cut(y, (4, 5, 1), (5, 3, 3), (-1, -2, 2))
    flat = movement.reshape(ew.sqrt(ew.absolute(x)), (240,))
    back = movement.reshape(movement.permute(x, (1, 0, 2)), (30, 8))
    check([z + 1, flat, back * 2, movement.diagonal(cut(x, (0, 0, 0), (5, 5, 5)), 0, 2), movement.window(x, 1, 3) * 1], [a])


def test_pad_and_join():
    a, b = data((5, 6)), data((3, 6), seed=1)
    x, y = leaves(a, b)
    padded = movement.pad(x, starts=(2, 1), steps=(1, 1), out_shape=(9, 8))
    spread = movement.pad(x, starts=(8, 1), steps=(-2, 3), out_shape=(9, 20))
    joined = movement.join(x, y, x, axis=0)
    check([padded, padded * 2 + 1, spread, joined, ew.exp(joined) - 1, movement.embed_diagonal(x, 0, 2)], [a, b])
    program = check([ew.exp(padded) + padded], [a, b])
    assert ">= 0 ?" not in program.loops, "regions, not tests inside the loops"


def test_constants_and_positions():
    a = data((4, 5))
    (x,) = leaves(a)
    table = constant(np.arange(20.0).reshape(4, 5))
    check([x + table, ew.cast(indexing.positions((4, 5), 1), to=np.dtype(float)) * x, table], [a])


# --- reductions ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("axes", [(0,), (1,), (2,), (0, 2), (1, 2), (0, 1), (0, 1, 2)], ids=str)
@pytest.mark.parametrize("dtype", ["?", "b", "l", "B", "L", "e", "f", "d", "D"])
def test_reductions(axes, dtype):
    a = data((7, 40, 33), dtype)
    (x,) = leaves(a)
    ops = [
        reduction.reduce_maximum,
        reduction.reduce_minimum,
        reduction.reduce_fmax,
        reduction.reduce_logical_and,
        reduction.reduce_logical_or,
    ]
    if dtype != "?":
        ops += [reduction.reduce_add, reduction.reduce_multiply] if dtype in "lLd" else [reduction.reduce_add]
    if dtype in "?blBL":
        ops += [reduction.reduce_bitwise_and, reduction.reduce_bitwise_xor]
    check([op(x, axes) for op in ops], [a])


def test_reduction_sizes_and_accuracy():
    for n in (1, 15, 16, 31, 33, 511, 513, 5000, 300001):
        a = data((n,)).astype(np.float32)
        (x,) = leaves(a)
        program = check([reduction.reduce_add(x * x), reduction.reduce_maximum(x)], [a])
        exact = np.sum(a.astype(np.float64) ** 2)
        total = program.run([a])[0]
        mine, numpys = abs(float(total) - exact), abs(float(np.sum(a * a)) - exact)
        assert mine <= 2 * numpys + 1e-6 * exact


def test_nan_in_extremes():
    a = data((9, 700))
    a[3, 5] = a[5, 600] = np.nan
    a[7] = np.nan
    (x,) = leaves(a)
    ops = [reduction.reduce_maximum, reduction.reduce_minimum, reduction.reduce_fmax, reduction.reduce_fmin]
    check([op(x, axes) for op in ops for axes in ((0,), (1,), (0, 1))], [a])
    check([op(x, axis=axis) for op in (reduction.argmax, reduction.argmin) for axis in (0, 1)], [a])


def test_softmax_like():
    a = data((50, 70))
    (x,) = leaves(a)
    e = ew.exp(x - movement.broadcast(reduction.keep_axes(x, reduction.reduce_maximum(x, (1,)), (1,)), x.shape))
    check([e / movement.broadcast(reduction.keep_axes(x, reduction.reduce_add(e, (1,)), (1,)), x.shape)], [a])


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_accumulate(axis):
    a = data((5, 300, 4))
    b = data((5, 300, 4), "i")
    x, y = leaves(a, b)
    check(
        [
            reduction.accumulate_add(x, axis),
            reduction.accumulate_maximum(x * 2, axis),
            reduction.accumulate_add(y, axis),
            reduction.accumulate_logical_or(y, axis),
        ],
        [a, b],
    )


# --- contractions ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["?", "i", "e", "f", "d", "D"])
@pytest.mark.parametrize("n", [5, 40])
def test_contract(dtype, n):
    a, b, v = data((n, n + 1), dtype), data((n + 1, n + 2), dtype, 1), data(n + 1, dtype, 2)
    x, y, z = leaves(a, b, v)
    turned = movement.permute(y, (1, 0))
    outputs = [
        contraction.matmul(x, y),
        contraction.matmul(x, z),
        contraction.matmul(z, y),
        contraction.matmul(z, z),
        contraction.matmul(turned, z),
    ]
    outputs += [
        contraction.contract(x, y, (0, 1), (1, 2), (2, 0)),
        contraction.contract(x, turned, (0, 1), (2, 1), (0, 2)),
        contraction.contract(z, z, (0,), (1,), (1, 0)),
        contraction.contract(x, x, (0, 1), (2, 1), (0, 2)),
        contraction.contract(x, x, (1, 0), (1, 2), (0, 2)),
    ]
    outputs += [contraction.contract(x * x, y, (0, 1), (1, 2), (0,))]
    check(outputs, [a, b, v])


def test_batched_contract():
    a, b = data((3, 20, 30)), data((3, 30, 25), seed=1)
    x, y = leaves(a, b)
    check(
        [
            contraction.matmul(x, y),
            contraction.contract(x, y, (0, 1, 2), (0, 2, 3), (1, 0, 3)),
            contraction.contract(x, y, (0, 1, 2), (3, 2, 4), (0, 1, 3, 4)),
        ],
        [a, b],
    )


# --- in-place writes -------------------------------------------------------------------------------------------------


def inner(x, row, column):
    return cut(x, (row, column), (x.shape[0] - 2, x.shape[1] - 2))


def heat(u):
    new = inner(u, 1, 1) + 0.1 * (inner(u, 2, 1) + inner(u, 0, 1) + inner(u, 1, 2) + inner(u, 1, 0) - 4 * inner(u, 1, 1))
    return indexing.update(u, new, region((1, 1), new.shape))


def test_stencil_in_place():
    a = data((50, 40))
    (u,) = leaves(a)
    check([heat(u)], [a], [(0, 0)])
    check([heat(heat(heat(u)))], [a], [(0, 0)])
    check([heat(heat(u)), u * 2, heat(u)], [a], [(0, 0)])
    check([heat(heat(u))], [a])


def test_shift_within_one_array():
    a = data((100,))
    (x,) = leaves(a)
    for source, target in ((0, 1), (1, 0)):
        check([indexing.update(x, cut(x, (source,), (99,)), region((target,), (99,)))], [a], [(0, 0)])
    check([indexing.update(x, cut(x, (99,), (100,), (-1,)), ())], [a], [(0, 0)])
    check([indexing.update(x, cut(x, (0,), (99,)) * 1, region((98,), (99,), (-1,)))], [a], [(0, 0)])


def test_old_contents_are_read_before_they_are_overwritten():
    a, b = data((20,)), data((20,), seed=1)
    x, y = leaves(a, b)
    new = indexing.update(x, cut(y, (0,), (10,)), region((5,), (10,)))
    check([new, x * 2, reduction.reduce_add(x)], [a, b], [(0, 0)])
    check([x * 2 + cut(new, (0,), (20,), (1,)), new, new + x], [a, b], [(1, 0)])
    later = indexing.update(y, cut(new, (0,), (10,)), region((0,), (10,)))
    check([new, later], [a, b], [(0, 0), (1, 1)])


def test_swap():
    a, b = data((30,)), data((30,), seed=1)
    x, y = leaves(a, b)
    check([y, x], [a, b], [(0, 0), (1, 1)])
    check([y + 1, x * 2], [a, b], [(0, 0), (1, 1)])
    check([x, x, y, x + 0], [a, b])


def test_crossed_updates_need_a_copy():
    """Each update reads the older contents of what the other one overwrites."""
    a, b = data((30,)), data((30,), seed=1)
    x, y = leaves(a, b)
    u = indexing.update(x, cut(y, (0,), (10,)) + 1, region((3,), (10,)))
    v = indexing.update(y, cut(x, (5,), (10,)) * 2, region((3,), (10,)))
    check([u, v], [a, b], [(0, 0), (1, 1)])


def test_two_updates_of_one_base():
    a = data((30,))
    (x,) = leaves(a)
    base_ = ew.exp(x)
    u = indexing.update(base_, cut(base_, (0,), (10,)), region((3,), (10,)))
    v = indexing.update(base_, cut(u, (0,), (10,)), region((9,), (10,)))
    check([u, v, base_], [a])
    check([v], [a])


def test_update_through_views():
    a, b = data((6, 8)), data((4, 3), seed=1)
    x, y = leaves(a, b)
    path = (Step(movement.permute, ((1, 0),)), Step(movement.slice_, ((7, 5), (-2, -2), (4, 3))))
    check([indexing.update(x, y, path)], [a, b], [(0, 0)])
    square = cut(x, (0, 0), (6, 6))
    path = (Step(movement.slice_, ((0, 0), (1, 1), (6, 6))), Step(movement.diagonal, (0, 1)))
    check([indexing.update(x, movement.diagonal(square, 0, 1) * 2, path)], [a, b], [(0, 0)])
    path = (Step(movement.reshape, ((4, 12),)), Step(movement.slice_, ((1, 2), (1, 3), (2, 3))))
    check([indexing.update(x, cut(y, (0, 0), (2, 3)), path)], [a, b], [(0, 0)])


def test_fill_from_zeros():
    a = data((30,))
    (x,) = leaves(a)
    z = ew.filled((30,), 0, np.dtype(float))
    one = indexing.update(z, cut(x, (0,), (10,)), region((0,), (10,)))
    two = indexing.update(one, cut(x, (10,), (10,)) * 2, region((10,), (10,)))
    check([two, z, indexing.update(z, cut(two, (5,), (10,)), region((1,), (10,)))], [a])


# --- gather and scatter ----------------------------------------------------------------------------------------------


def test_gather():
    a, i, j = data((7, 9)), np.array([0, 6, -7, 3]), np.array([8, -9, 2, 2])
    x, p, q = leaves(a, i, j)
    outputs = [indexing.gather.make((x, p), axes=(axis,), position=position) for axis in (0, 1) for position in (0, 1)]
    outputs += [indexing.gather.make((ew.exp(x), p, q), axes=(0, 1), position=0), indexing.take_along(x, indexing.positions((7, 9), 0), 1)]
    check(outputs, [a, i, np.array([8, -9, 2, 2])])


def test_scatter():
    a, i, n = data((7, 9)), np.array([0, 6, -7, 3]), data((4, 9), seed=2)
    x, p, new = leaves(a, i, n)
    for combine in (None, ew.add, ew.maximum):
        result = indexing.scatter.make((x, new, p), axes=(0,), position=0, combine=combine)
        check([result], [a, i, n], [(0, 0)])
        check([result, x], [a, i, n])
    rows = indexing.gather.make((x, p), axes=(0,), position=0)
    check([indexing.scatter.make((x, rows * 2, p), axes=(0,), position=0, combine=ew.add)], [a, i, n], [(0, 0)])


def test_index_out_of_range():
    a, i = data((7, 9)), np.array([0, 7])
    x, p = leaves(a, i)
    node = indexing.gather.make((x, p), axes=(0,), position=0)
    node.where = 5
    program = c.compile(Graph((x, p), (node,)), uuid.uuid4().hex)
    with pytest.raises(IndexError, match="index 7 is out of bounds for axis 0 with size 7") as caught:
        program.run([a, i])
    assert caught.value.lazynp_origin == 5
    same(a[[0, 6]], program.run([a, np.array([0, 6])])[0])


# --- python steps ----------------------------------------------------------------------------------------------------


def test_library_steps():
    a, b = data((4, 4)) + 5 * np.eye(4), data((4, 2))
    x, y = leaves(a, b)
    solved = library.solve(x * 2, y + 1)
    q, r = library.item(library.qr(x), index=0), library.item(library.qr(x), index=1)
    program = check([solved + 1, library.sort(y, 0), q, contraction.matmul(q, r), library.fft(x)], [a, b])
    assert program.library_steps == 1  # fft; solve and qr are LAPACK's (tests/test_lapack.py), sort is NumPy's (tests/test_sorting.py)


def test_library_error_names_its_node():
    a = np.zeros((3, 3))
    (x,) = leaves(a)
    node = library.inv(x)
    node.where = 9
    program = c.compile(Graph((x,), (node,)), uuid.uuid4().hex)
    with pytest.raises(np.linalg.LinAlgError, match="Singular matrix") as caught:
        program.run([a])
    assert caught.value.lazynp_origin == 9


# --- programs --------------------------------------------------------------------------------------------------------


def test_outputs_are_written_where_asked():
    a = data((5, 6))
    (x,) = leaves(a)
    program = c.compile(Graph((x,), (x + 1, x * 2)), uuid.uuid4().hex)
    mine = np.empty_like(a)
    got = program.run([a], (), [None, mine])
    assert got[1] is mine
    same(a * 2, mine)
    same(a + 1, got[0])


def test_load_from_disk():
    a = data((5, 6))
    (x,) = leaves(a)
    key = uuid.uuid4().hex
    assert load(key) is None
    first = c.compile(Graph((x,), (library.sort(ew.exp(x), 1) + 1,)), key)
    toolchain.forget()
    again = load(key)
    same(first.run([a])[0], again.run([a])[0])
    assert (again.kernels, again.source) == (first.kernels, first.source)


def test_many_threads_call_one_program():
    a = data((300, 400))
    (x,) = leaves(a)
    e = ew.exp(x - movement.broadcast(reduction.keep_axes(x, reduction.reduce_maximum(x, (1,)), (1,)), x.shape))
    program = c.compile(Graph((x,), (reduction.reduce_add(e, (0,)),)), uuid.uuid4().hex)
    want = program.run([a])[0]
    wrong = []

    def work(scale):
        for _ in range(20):
            if not np.array_equal(program.run([a + scale])[0].shape, want.shape) or not np.allclose(program.run([a + scale])[0], want):
                wrong.append(scale)

    workers = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for w in workers:
        w.start()
    for w in workers:
        w.join()
    assert not wrong


def test_results_do_not_depend_on_threads():
    from lazynp.config import config

    a = data((200, 3000))
    (x,) = leaves(a)
    outputs = (reduction.reduce_add(x), reduction.reduce_add(x, (0,)), ew.exp(x), reduction.reduce_add(ew.sin(x), (1,)))
    program = c.compile(Graph((x,), outputs), uuid.uuid4().hex)
    results = []
    for threads in (1, 2, 3):
        with config(threads=threads, parallel_threshold=1000):
            results.append(program.run([a]))
    for other in results[1:]:
        for w, g in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(w, g)


def test_reference_program():
    a = data((5,))
    (x,) = leaves(a)
    check([indexing.update(x, cut(x, (0,), (4,)), region((1,), (4,)))], [a], [(0, 0)], base.reference_program(
        Graph((x,), (indexing.update(x, cut(x, (0,), (4,)), region((1,), (4,))),), ((0, 0),))))  # fmt: skip


def test_long_chain():
    """A chain longer than any recursion limit."""
    a = data((50,))
    (x,) = leaves(a)
    y = x
    for k in range(3000):
        y = y * 0.999 + (k % 7)
    check([y], [a])


def test_many_updates_share_one_memory():
    a = data((400,))
    (x,) = leaves(a)
    y = x
    for k in range(300):
        y = indexing.update(y, cut(y, (k,), (3,)) * 0.5 + k, region((k + 1,), (3,)))
    program = check([y], [a], [(0, 0)])
    assert program.kernels <= 600


# --- sizes known at run time -----------------------------------------------------------------------------------------


def test_sizes_known_at_run_time():
    n, m = numbered_dim(0), numbered_dim(1)
    x = numbered_input(0, ArrayType((n, m), np.dtype(float)))
    v = numbered_input(1, ArrayType((m,), np.dtype(float)))
    row = movement.broadcast(v, (n, m))
    e = ew.exp(x - movement.broadcast(reduction.keep_axes(x, reduction.reduce_maximum(x, (1,)), (1,)), (n, m)))
    inside = cut(x, (1, 1), (n - 2, m - 2)) + cut(x, (0, 2), (n - 2, m - 2))
    outputs = (
        x * row + 1, reduction.reduce_add(x * x), reduction.reduce_add(x, (0,)), reduction.reduce_add(e, (1,)), contraction.matmul(x, v),
        indexing.update(x, inside, region((1, 1), (n - 2, m - 2))), movement.reshape(x * 2, (n * m,)), movement.join(x, x, axis=0),
        movement.pad(x, starts=(1, 2), steps=(1, 1), out_shape=(n + 3, m + 4)), contraction.matmul(movement.permute(x, (1, 0)), x),
        cut(x, (n - 1, 0), (n, ew.floor_divide(m, 2)), (-1, 2)),
    )  # fmt: skip
    graph = Graph((x, v), outputs)
    program = c.compile(graph, uuid.uuid4().hex)
    for sizes in ((5, 7), (40, 600), (2, 2), (300, 400)):
        arrays = [data(sizes), data(sizes[1], seed=1)]
        want = reference.evaluate(graph, arrays, {n: sizes[0], m: sizes[1]})
        for w, g in zip(want, program.run(arrays, sizes), strict=True):
            same(np.asarray(w), g)


# --- random graphs ---------------------------------------------------------------------------------------------------

UNARY = [ew.negative, ew.absolute, ew.square, ew.exp, ew.sin, ew.floor, ew.isnan, ew.logical_not, ew.conjugate, ew.sqrt]
BINARY = [
    ew.add,
    ew.subtract,
    ew.multiply,
    ew.maximum,
    ew.minimum,
    ew.fmax,
    ew.less,
    ew.equal,
    ew.logical_and,
    ew.floor_divide,
    ew.remainder,
]
REDUCERS = [reduction.reduce_add, reduction.reduce_maximum, reduction.reduce_logical_or, reduction.reduce_minimum]
ACCUMULATORS = [reduction.accumulate_add, reduction.accumulate_minimum]


class Garden:
    """Grows a random graph: every method adds a node made of nodes that are there. Nodes that NumPy has no loop for are skipped."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        self.arrays = []
        self.nodes = []
        for _ in range(int(self.rng.integers(1, 4))):
            shape = tuple(self.rng.integers(0 if self.rng.random() < 0.1 else 1, 7, int(self.rng.integers(0, 4))).tolist())
            self.arrays.append(data(shape, self.pick(DTYPES), int(self.rng.integers(1000))))
        self.nodes = leaves(*self.arrays)
        self.versions = {}

    def pick(self, options):
        return options[int(self.rng.integers(len(options)))]

    def grow(self, count):
        methods = [self.unary, self.binary, self.binary, self.view, self.view, self.reduce, self.accumulate, self.place, self.update,
                   self.update, self.cast, self.contract, self.gather, self.scatter]  # fmt: skip
        for _ in range(count):
            try:
                self.pick(methods)(self.pick(self.nodes))
            except TypeError:
                continue  # no loop for these dtypes: NumPy raises UFuncTypeError too
        return self

    def add(self, node):
        self.nodes.append(node)

    def fit(self, x, shape):
        """Some node broadcast, cut or filled to a shape."""
        fitting = [n for n in self.nodes if n.shape == shape]
        return self.pick(fitting) if fitting and self.rng.random() < 0.8 else ew.filled(shape, 2, x.dtype)

    def unary(self, x):
        op = self.pick(UNARY)
        if x.dtype.kind in "iu" and op in (ew.exp, ew.sqrt):
            x = ew.cast(ew.remainder(x, 3), to=np.dtype(float))
        self.add(op(ew.sin(x) if op is ew.exp and x.dtype.kind != "b" else x))

    def binary(self, x):
        self.add(self.pick(BINARY)(x, self.fit(x, x.shape)))

    def cast(self, x):
        if x.dtype.kind in "biu":
            self.add(ew.cast(x, to=self.pick(DTYPES)))

    def slices(self, shape):
        starts, steps, sizes = [], [], []
        for n in shape:
            size = int(self.rng.integers(0 if n == 0 else 1, n + 1))
            step = self.pick([1, 1, 1, -1, 2]) if size * 2 <= n + 1 else self.pick([1, -1])
            span = abs(step) * max(size - 1, 0)
            low = int(self.rng.integers(0, max(n - span, 1)))
            starts.append(low if step > 0 else low + span)
            steps.append(step)
            sizes.append(size)
        return tuple(starts), tuple(steps), tuple(sizes)

    def view(self, x):
        kind = self.rng.integers(5)
        if kind == 0:
            self.add(movement.permute(x, tuple(self.rng.permutation(x.ndim).tolist())))
        elif kind == 1:
            starts, steps, sizes = self.slices(x.shape)
            self.add(movement.slice_(x, starts, steps, sizes))
        elif kind == 2:
            size = int(np.prod(x.shape))
            self.add(movement.reshape(x, self.pick([(size,), (1, size), (size, 1)])))
        elif kind == 3:
            self.add(movement.broadcast(x, (int(self.rng.integers(1, 4)), *x.shape)))
        elif x.ndim:
            self.add(movement.window(x, 0, 1 if x.shape[0] < 2 else 2) if x.shape[0] else x)

    def place(self, x):
        if x.ndim and self.rng.random() < 0.5:
            axis = int(self.rng.integers(x.ndim))
            y = self.fit(x, x.shape)
            self.add(movement.join(x, y if y.dtype == x.dtype else x, x, axis=axis))
        else:
            low = tuple(self.rng.integers(0, 3, x.ndim).tolist())
            step = self.pick([1, 2])
            shape = tuple([a + max(n * step, 1) + int(self.rng.integers(2)) for a, n in zip(low, x.shape, strict=True)])
            self.add(movement.pad(x, starts=low, steps=(step,) * x.ndim, out_shape=shape))

    def axes(self, x):
        return tuple(sorted(self.rng.choice(x.ndim, int(self.rng.integers(1, x.ndim + 1)), replace=False).tolist()))

    def reduce(self, x):
        if x.ndim and 0 not in x.shape:
            self.add(self.pick(REDUCERS)(x, self.axes(x)))

    def accumulate(self, x):
        if x.ndim:
            self.add(self.pick(ACCUMULATORS)(x, int(self.rng.integers(x.ndim))))

    def update(self, x):
        latest = [self.versions.get(n, n) for n in leaves(*self.arrays)]
        x = self.pick([x, *latest])
        if not x.ndim:
            return
        starts, steps, sizes = self.slices(x.shape)
        path = (Step(movement.slice_, (starts, steps, sizes)),)
        new = self.fit(x, sizes)
        if self.rng.random() < 0.5 and sizes:
            new = movement.slice_(x, *self.shifted(x.shape, sizes))
        node = indexing.update(
            x,
            ew.as_node(new, x.dtype) if new.dtype.kind in "biu" or x.dtype == new.dtype else movement.slice_(x, starts, steps, sizes),
            path,
        )
        for leaf in leaves(*self.arrays):
            if self.versions.get(leaf, leaf) is x:
                self.versions[leaf] = node
        self.add(node)

    def shifted(self, shape, sizes):
        starts = tuple([int(self.rng.integers(0, n - s + 1)) for n, s in zip(shape, sizes, strict=True)])
        return starts, (1,) * len(sizes), sizes

    def contract(self, x):
        y = self.fit(x, x.shape)
        if x.ndim == 2 and x.dtype == y.dtype and x.dtype.kind in "fdci":
            self.add(contraction.contract(x, y, (0, 1), (2, 1), self.pick([(0, 2), (2, 0), (1,), (2,), (0, 1, 2), ()])))

    def index(self, n, count):
        return constant(self.rng.integers(-n, n, count).astype(np.int64))

    def gather(self, x):
        if x.ndim and x.shape[0]:
            self.add(indexing.gather.make((x, self.index(x.shape[0], 3)), axes=(0,), position=int(self.rng.integers(x.ndim))))

    def scatter(self, x):
        if x.ndim and x.shape[0]:
            new = ew.filled((3, *x.shape[1:]), 1, x.dtype)
            self.add(
                indexing.scatter.make((x, new, self.index(x.shape[0], 3)), axes=(0,), position=0, combine=self.pick([None, ew.maximum]))
            )

    def outputs(self):
        """Some nodes, and the last versions of updated inputs as aliases."""
        chosen = [self.pick(self.nodes) for _ in range(3)] + [self.nodes[-1]]
        aliases = []
        for number, leaf in enumerate(leaves(*self.arrays)):
            if leaf in self.versions and self.rng.random() < 0.7:
                aliases.append((len(chosen), number))
                chosen.append(self.versions[leaf])
        return chosen, aliases


@given(st.integers(0, 10**9))
@hypothesis_settings(max_examples=100, deadline=None)
def test_random_graphs(seed):
    garden = Garden(seed).grow(10)
    outputs, aliases = garden.outputs()
    with np.errstate(all="ignore"):
        check(outputs, garden.arrays, aliases)


@given(st.integers(0, 10**9))
@hypothesis_settings(max_examples=30, deadline=None)
def test_random_graphs_of_sizes_known_at_run_time(seed):
    """The same graphs with every size a parameter."""
    garden = Garden(seed).grow(8)
    outputs, aliases = garden.outputs()
    given_leaves = leaves(*garden.arrays)
    form = canonical.take_apart(tuple(outputs), {output: given_leaves[k] for output, k in aliases})
    arrays = [garden.arrays[leaf.key[1]] for leaf in form.leaves]
    variant = canonical.general(form, [])
    with np.errstate(all="ignore"):
        want = reference.evaluate(canonical.specific(form).graph, [a.copy() for a in arrays])
        program = c.compile(variant.graph, uuid.uuid4().hex)
        scalars = [form.facts[p].array for p in variant.scalars]
        got = program.run([*[a.copy() for a in arrays], *scalars], [form.facts[p] for p in variant.parameters])
    for w, g in zip(want, got, strict=True):
        same(np.asarray(w), g)


@pytest.mark.parametrize("rows", [0, 1, 3, 4, 7, 400])
def test_columns_are_folded_in_the_order_of_the_rows(rows):
    """Four rows at a time: the same bits as one after the other."""
    x = np.random.default_rng(0).normal(size=(rows, 300))
    w = np.random.default_rng(1).normal(size=rows)
    expected, highest = np.zeros(300), np.full(300, -np.inf)
    for k in range(rows):
        expected = expected + w[k] * x[k]
        highest = np.maximum(highest, x[k])
    np.testing.assert_array_equal(lazynp.jit(lambda w, x: (w[:, None] * x).sum(axis=0))(w, x), expected)
    np.testing.assert_array_equal(lazynp.jit(lambda x: x.max(axis=0, initial=-np.inf))(x), highest)


@pytest.mark.parametrize("integers", [np.int32, np.int64], ids=["int32", "int64"])
@pytest.mark.parametrize("floats", [np.float32, np.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("back", [np.float32, np.float64], ids=["to_float32", "to_float64"])
def test_a_float_goes_through_integers(floats, integers, back) -> None:
    """gcc takes the two conversions for trunc: 0.0 became -0.0, and NaN stayed NaN."""
    values = [np.nan, np.inf, -np.inf, 1e30, -1e30, 2.0**31, -(2.0**31), 2.0**63, -(2.0**63), -0.5, -0.0, 0.5, -2.7, 1e9 + 0.5]
    x = np.array(values * 3, floats)
    with np.errstate(all="ignore"):
        expected = x.astype(integers).astype(back)
        result = lazynp.jit(lambda x: x.astype(integers).astype(back))(x)
    assert np.array_equal(result, expected) and np.array_equal(np.signbit(result), np.signbit(expected))


@pytest.mark.parametrize("form", ["whole", "columns", "narrow", "turned back"])
def test_folds_over_rows_of_large_arrays(form):
    """Rows that come from memory are asked for in advance, up to the end of the array and beyond it."""
    a = np.random.default_rng(3).random((1200, 777))
    views = {"whole": a, "columns": a[:, 5:], "narrow": a.astype(np.float32), "turned back": a[::-1]}
    m = views[form]
    x = np.ones(m.shape[1], m.dtype)
    product, top = lazynp.jit(lambda m, x: (m @ x, np.max(m, axis=1)), strict=True)(m, x)
    np.testing.assert_allclose(product, m @ x, rtol=1e-5)
    np.testing.assert_array_equal(top, m.max(axis=1))


def test_products_of_halves_are_rounded_once():
    """As NumPy's: summed in float32."""
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(40, 50)).astype(np.float16), rng.normal(size=(50, 30)).astype(np.float16)
    f = lazynp.jit(lambda a, b: (a @ b, lazynp.dot(a[0], b[:, 0])), strict=True)
    product, number = f(a, b)
    assert product.dtype == number.dtype == np.float16
    np.testing.assert_array_equal(product, a @ b)
    assert number == np.dot(a[0], b[:, 0])


def test_many_kernels_of_one_form_that_look_for_positions() -> None:
    """They share one C function, whose parameters were named like its variables."""
    a = np.random.default_rng(0).random((15, 15))
    positions = lazynp.jit(lambda a: [np.argmax(np.abs(a[k:, k])) for k in (0, 1, 2, 3, 4, 5, 6, 7)], strict=True)
    assert positions(a) == [np.argmax(a[k:, k]) for k in range(8)]


@pytest.mark.parametrize("width", [2, 3, 4, 8])
def test_choices_between_arrays_beside_another_store(width):
    """gcc up to 12.3 and 13.2 makes masked loads of one side and permutes them wrongly: https://gcc.gnu.org/PR114375."""
    y = np.random.default_rng(1).integers(-3, 4, (240, width)).astype(float)
    x, z = -y, y.copy()

    def program(xp, x, y, z):
        return xp.where(x > 0, x, y), z.sum(axis=-1)

    for actual, expected in zip(lazynp.jit(lambda *a: program(lazynp, *a))(x, y, z), program(np, x, y, z), strict=True):
        np.testing.assert_array_equal(actual, expected)


def test_bytecode_of_another_python_is_not_run():
    """Programs on disk outlive the Python that wrote them."""
    blueprint = Blueprint(python="def run(): return 7", bytecode=Bytecode("cpython-27", b"unreadable"))
    for _ in range(2):  # the second time from the bytecode of this one
        space = {}
        exec(blueprint.code(), space)
        assert space["run"]() == 7
    assert blueprint.bytecode.code != b"unreadable"


def test_what_a_routine_returns_is_the_result() -> None:
    """The array itself, which belongs to the caller; also where kernels read it, and where it is returned twice."""
    x = np.random.default_rng(0).standard_normal(5000)
    f = lazynp.jit(lambda x: np.partition(x, 7))
    want = np.partition(x, 7)
    first = f(x)
    first[...] = 0
    second, third = f(x), f(x)
    assert (second == want).all() and (third == want).all() and not np.shares_memory(second, third)
    both = lazynp.jit(lambda x: (np.partition(x, 7).reshape(50, 100), np.partition(x, 7) * 2, np.partition(x, 7)))
    for _ in range(3):
        square, twice, flat = both(x)
        assert square.shape == (50, 100) and (square.ravel() == want).all() and (twice == 2 * want).all() and (flat == want).all()
        assert not np.shares_memory(square, flat)
        flat[...] = 0


_REMEMBERED = np.arange(5000.0)


def _remembered(x: np.ndarray) -> np.ndarray:
    return _REMEMBERED


def test_what_a_routine_keeps_is_copied() -> None:
    x = np.zeros(5000)
    f = lazynp.jit(lambda x: wrap(opaque.call(_remembered, [node_of(x)], [((5000,), x.dtype)], {})[0]))
    for _ in range(3):
        f(x)[...] = -1
        assert (np.arange(5000) == _REMEMBERED).all()


@pytest.mark.parametrize(("rows", "columns"), [(2100, 70), (2049, 16), (130, 1024), (1024, 100), (2100, 15)])
def test_transposes_in_tiles(rows: int, columns: int) -> None:
    """Rows that are read across many rows, or across rows at multiples of a page; with edges of tiles and chunks, in maps and copies."""
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((rows, columns)), rng.standard_normal((columns, rows))
    added, copied = lazynp.jit(lambda a, b: a.T * b[:, :1] + b), lazynp.jit(lambda a: np.ascontiguousarray(a.T))
    for _ in range(2):
        np.testing.assert_array_equal(added(a, b), a.T * b[:, :1] + b)
        np.testing.assert_array_equal(copied(a), a.T)
        np.testing.assert_array_equal(copied(a.astype(np.float32)), a.T.astype(np.float32))


def test_a_transpose_of_blocks_in_tiles() -> None:
    x = np.random.default_rng(0).standard_normal((3, 2100, 40))
    for order in ((0, 2, 1), (2, 0, 1), (1, 2, 0)):
        f = lazynp.jit(lambda x, order=order: np.ascontiguousarray(x.transpose(order)))
        np.testing.assert_array_equal(f(x), x.transpose(order))
    assert "tile +=" in lazynp.show(lazynp.jit(lambda x: np.ascontiguousarray(x.transpose(0, 2, 1) + 0.0)), x, stage="c")


def test_a_square_that_is_transposed_in_place_is_not_tiled() -> None:
    def transposed(a: np.ndarray) -> np.ndarray:
        a = a.copy()
        a[:] = a.T
        return a

    a = np.arange(2100.0 * 2100).reshape(2100, 2100)
    np.testing.assert_array_equal(lazynp.jit(transposed)(a), a.T)


@pytest.mark.parametrize("dtype", ["?", "u1", "i1"])
@pytest.mark.parametrize("n", [0, 5, 255, 256, 1000, 70_000, 100_003])
def test_sums_of_bytes(dtype: str, n: int) -> None:
    """In narrow lanes, which hold the sum of 255 of the largest ones and no more."""
    for fill in (0, 1, -1, None):
        x = np.random.default_rng(0).integers(0, 256, n).astype(np.uint8).view("i1" if dtype == "i1" else "u1")
        x = x.astype(dtype) if fill is None else np.full(n, np.array(fill).astype("i1" if dtype == "i1" else "u1")).astype(dtype)
        f = lazynp.jit(lambda x: (x.sum(), np.count_nonzero(x), x.sum(dtype=np.float32)))
        for got, want in zip(f(x), (x.sum(), np.count_nonzero(x), x.sum(dtype=np.float64)), strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-6)
        if n:
            assert lazynp.jit(lambda x: x.mean())(x) == x.mean()
            assert (lazynp.jit(lambda x: (x.reshape(1, -1).sum(1), x.reshape(-1, 1).sum(0)))(x)[0] == x.sum()).all()
    assert lazynp.jit(lambda x: (x > 0).sum())(x) == (x > 0).sum()


def test_kernels_that_differ_in_places_alone_are_one_function():
    """Steps of one form over one another's results, in threads, in programs of one part and of several (singular vectors are Python's)."""

    def steps(x):
        y = x
        for _ in [None] * 8:
            x = np.sin(x) * y + 0.5
            y = y * 0.5 + 1e-5 * x.sum()
        return x + y

    def with_a_step_of_python(x):
        first = steps(x)
        return steps(first + np.linalg.svd(np.eye(2) * first[0])[1][0])

    x = np.linspace(0, 1, 20_000)
    source = lazynp.show(steps, x, stage="c")
    assert source.count("_chunk(void") < 5 and "_places" in source
    with lazynp.config(parallel_threshold=1):
        for f in (steps, with_a_step_of_python):
            np.testing.assert_allclose(lazynp.jit(f)(x), f(x), rtol=1e-12)
