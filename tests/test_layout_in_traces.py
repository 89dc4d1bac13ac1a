"""How arrays lie in memory inside jit: which views reach them, in which order `K` and `A` read them, the strides of results."""

import numpy as np
import pytest
from test_layout import LAYOUTS, ONE, same_layout, steps

import lazynp as lnp

MADE = {
    "zeros in F order": lambda n, x: n.zeros((3, 4), order="F"),
    "full in F order": lambda n, x: n.full((3, 4), 2.0, order="F"),
    "eye in F order": lambda n, x: n.eye(4, order="F"),
    "zeros_like": lambda n, x: n.zeros_like(x.T),
    "argument": lambda n, x: x,
    "transposed": lambda n, x: x.T,
    "copy as it is": lambda n, x: n.copy(x.T),
    "copy in C order": lambda n, x: x.T.copy(),
    "sum": lambda n, x: x.T + 1,
    "asfortranarray": lambda n, x: n.asfortranarray(x.reshape(3, 4)),
    "cast": lambda n, x: x.T.astype(np.float32),
    "picked columns": lambda n, x: x[:, [0, 2, 1]],
    "picked rows": lambda n, x: x[[0, 2, 1, 3]],
    "where": lambda n, x: n.where(x.T > 5, x.T, 1.0),
    "joined": lambda n, x: n.concatenate([x.T, x.T]),
    "stacked": lambda n, x: n.stack([x.T, x.T])[1],
    "shaped in F order": lambda n, x: (x + 1).reshape(2, 6, order="F"),
    "shaped as it is": lambda n, x: (x.T + 1).reshape(2, 6, order="A"),
    "sorted": lambda n, x: n.sort(x.T, axis=0),
    "running sum": lambda n, x: n.cumsum(x.T, 0),
    "rolled": lambda n, x: n.roll(x.T, 1, 0),
    "real part": lambda n, x: (x.T * (1 + 0j)).real,
    "transform": lambda n, x: n.fft.fft(x.T).real,
    "einsum": lambda n, x: n.einsum("ij,jk->ki", x, x.T),
}


def first(line):
    line[1] = 9
    return line


def in_place(n, a):
    a += 1
    return first(a.ravel())


WRITTEN = {
    **{f"ravel {order}": lambda n, a, order=order: first(a.ravel(order)) for order in "CFKA"},
    **{f"reshape {order}": lambda n, a, order=order: first(a.reshape(-1, order=order)) for order in "CFA"},
    **{f"flatten {order}": lambda n, a, order=order: first(a.flatten(order)) for order in "CFKA"},
    "transposed": lambda n, a: first(a.T.reshape(-1)),
    "asfortranarray": lambda n, a: first(n.asfortranarray(a)),
    "ascontiguousarray": lambda n, a: first(n.ascontiguousarray(a)),
    "asarray in F order": lambda n, a: first(n.asarray(a, order="F")),
    "astype": lambda n, a: first(a.astype(a.dtype, order="F", copy=False)),
    "new axis": lambda n, a: first(a[:, None].reshape(-1)),
    "rows": lambda n, a: first(a[1:].reshape(-1)),
    "reversed": lambda n, a: first(a[::-1].ravel()),
    "copy": lambda n, a: first(a.copy("K").ravel("A")),
    "after a write": in_place,
}


@pytest.mark.parametrize("written", WRITTEN)
def test_writes_reach_what_numpys_reach(written):
    """All arrays of MADE in one program, each of a copy of the argument of its own."""

    def program(n, x):
        found = []
        for make in MADE.values():
            given = n.array(x, order="K")
            a = make(n, given)
            found.append((given, a, WRITTEN[written](n, a)))
        return found

    for order in "CF":
        x = np.array(np.arange(12.0).reshape(4, 3), order=order)
        for name, expected, actual in zip(MADE, program(np, x), lnp.jit(lambda x: program(lnp, x))(x), strict=True):
            for e, a in zip(expected, actual, strict=True):
                assert np.array_equal(e, a), (name, order)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_results_lie_as_numpys(layout):
    x = LAYOUTS[layout](np.arange(24.0).reshape(2, 3, 4))
    made = {name: function for name, function in ONE.items() if not name.startswith("empty_like")}
    compiled = lnp.jit(lambda x: [function(lnp, x) for function in made.values()])
    for _ in range(3):  # the second call is the first one from C
        for a, function in zip(compiled(x), made.values(), strict=True):
            same_layout(a, function(np, x))


def test_calls_from_c_return_views_in_other_orders():
    compiled = lnp.jit(lambda x: {"a": (x.transpose(2, 0, 1) + 1, [x * 2, None]), "b": (x * 3).T})
    x = np.arange(24.0).reshape(2, 3, 4)
    for _ in range(3):
        found = compiled(x)
        same_layout(found["a"][0], x.transpose(2, 0, 1) + 1)
        same_layout(found["a"][1][0], x * 2)
        same_layout(found["b"], (x * 3).T)


PICKED = {
    "columns": lambda x: x[:, [0, 2]],
    "last axis": lambda x: x[..., [1, 0]],
    "rows": lambda x: x[[1, 0]],
    "two arrays": lambda x: x[[[0], [1]], :, [0, 2]],
    "array in F order": lambda x: x[:, np.array([[0, 1], [2, 2]]).T],
    "mask": lambda x: x[:, np.arange(x.shape[1]) != 1],
    "new axis": lambda x: x[:, None, [2, 1]],
}


@pytest.mark.parametrize("name", PICKED)
@pytest.mark.parametrize("layout", ["C", "transposed", "turned", "stepped"])
def test_what_an_index_picks_lies_as_numpys(threshold, name, layout):
    cube = np.arange(54.0).reshape(3, 6, 3)
    x = LAYOUTS[layout](cube)
    pick = PICKED[name]
    for actual in (pick(LAYOUTS[layout](lnp.lazy(cube))), lnp.jit(pick)(x)):
        same_layout(actual, pick(x))
    assert steps(lnp.lazy(x).take([0, 1], axis=1)) == steps(x.take([0, 1], axis=1))


@pytest.mark.parametrize("index", [np.s_[None], np.s_[:, None], np.s_[..., None], np.s_[0, None], np.s_[None, 1:, 0], np.s_[0, 1, None]])
def test_new_axes_have_the_stride_0(threshold, index):
    x = np.arange(12.0).reshape(3, 4)
    assert (lnp.lazy(x) + 0)[index].strides == x[index].strides
    assert lnp.jit(lambda x: x[index])(x).strides == x[index].strides


def test_views_of_a_real_part_share_its_memory():
    def program(x):
        z = x.T * (1 + 2j)
        z.real.T[1, 2] = 7
        z.imag[1:][0] = 3
        return z

    x = np.arange(6.0).reshape(2, 3)
    expected = (x.T * (1 + 2j)).copy()
    expected.real.T[1, 2] = 7
    expected.imag[1:][0] = 3
    assert np.array_equal(lnp.jit(program)(x), expected)


def carried_in_place(n, x, turns):
    a = n.asfortranarray(x)
    for i in range(turns):
        a = a + 1
        a.ravel("K")[i % 12] = 0
    return a, a.ravel("K")


def carried_turned(n, x, turns):
    a, b = x.T, n.zeros((3, 4), order="F")
    for i in range(turns):
        a = a * 2
        b.ravel("F")[i % 12] += a[i % 3, 0]
        b.T[1:3, i % 3] = i
    return a, a.ravel("A"), b, b.ravel("K")


def chosen(n, x, turns):
    a = n.zeros((3, 4), order="F")
    if x[0, 0] < turns:
        a.ravel("K")[1] = 5
    else:
        a = a + 1
    return a, a.ravel("K")


def until(n, x, turns):
    a, i = x.T + 0, 0
    while i < turns and a.sum() < 1000:
        a = a + x.T
        a[:, 0] = i
        i += 1
    return a, a.reshape(-1, order="A")


@pytest.mark.parametrize("turns", [0, 1, 3, 40])
@pytest.mark.parametrize("program", [carried_in_place, carried_turned, chosen, until], ids=lambda program: program.__name__)
def test_what_loops_and_branches_carry_keeps_its_order(program, turns):
    x = np.arange(12.0).reshape(4, 3)
    compiled = lnp.jit(lambda x, turns: program(lnp, x, turns), strict=True)
    for found, expected in zip(compiled(x, turns), program(np, x, turns), strict=True):
        same_layout(found, expected)


def written_through(n, x):
    a = n.zeros((3, 4), order="F")
    a.ravel("F")[3] = x[0, 0]
    a.T[1] = x[1] * 2
    return a.ravel("K") + (x.T + 1).ravel("A")


DERIVED = {
    "ravel": lambda n, x: (x * 2).ravel("K"),
    "reshape": lambda n, x: (x.T * 2).reshape(-1, order="A"),
    "joined": lambda n, x: n.stack([x.T, x.T], 1).ravel("K"),
    "sorted": lambda n, x: n.sort(x.T, axis=0).ravel("K"),
    "written": written_through,
}


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("name", DERIVED)
def test_derivatives_are_by_elements_as_they_lie(name, order):
    x = np.array(np.random.default_rng(0).random((4, 3)), order=order)
    weights = np.arange(1.0, 25.0)

    def loss(n, x):
        line = DERIVED[name](n, x)
        return (line * weights[: line.size]).sum()

    expected = np.zeros((4, 3))
    for place in np.ndindex(4, 3):
        step = np.zeros_like(x)
        step[place] = 0.5
        expected[place] = loss(np, x + step) - loss(np, x - step)  # linear
    for slope in (lnp.grad(lambda x: loss(lnp, x)), lnp.jit(lnp.grad(lambda x: loss(lnp, x)))):
        found = slope(x)
        if name == "sorted":
            assert np.isclose(found.sum(), weights[:12].sum())
            found = np.sort(found.T.ravel())
            assert np.allclose(found, weights[:12])
        else:
            assert np.allclose(found, expected)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: lnp.minimum.reduceat(x, [0, 1, 0], axis=-1),
        lambda x: lnp.iscomplex(x),
        lambda x: lnp.iscomplex(x * 1j),
        lambda x: lnp.isneginf(x),
        lambda x: lnp.isreal(x),
    ],
    ids=["reduceat", "iscomplex", "iscomplex of complex", "isneginf", "isreal"],
)
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [int, float])
def test_tests_and_slices_lie_as_numpys(function, order, dtype):
    x = np.ones((4, 6), dtype, order=order)
    assert lnp.jit(function)(x).strides == function(x).strides


def test_a_chosen_part_of_a_transpose():
    """What a branch chooses is carried as it lies; the view of the argument begins behind that."""

    def part(x, c):
        y = x.T
        return y[:1] if c > 0 else y[1:2]

    x = np.arange(12.0).reshape(3, 4)
    for c in (np.float64(-1), np.float64(1)):
        ours = lnp.jit(part)(x, c)
        assert np.array_equal(ours, part(x, c)) and np.shares_memory(ours, x)


def test_deviations_lie_like_sums():
    x = np.asfortranarray(np.random.default_rng(0).normal(size=(3, 4, 5)))
    for name in ("std", "var", "mean", "sum"):
        assert getattr(x, name)(0).strides == lnp.jit(lambda x, name=name: getattr(x, name)(0))(x).strides
