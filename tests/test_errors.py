"""Wrong programs: the exception's class and message are NumPy's and the innermost shown frame is the user's line, in every mode."""

import traceback

import numpy
import pytest

import lazynp
from lazynp import native
from lazynp.errors import shown_traceback

RNG = numpy.random.default_rng(0)
A, V, N = RNG.random((3, 4)), RNG.random(4), numpy.arange(4)
B = A > 0.5


def set_item_of_a_scalar(np, v):
    np.sum(v)[0] = 1


def read_only(np, a):
    return np.broadcast_to(a, (2, *a.shape))


WRONG = {
    "add shapes": lambda np, a, v, n: a + np.ones(3),
    "multiply shapes": lambda np, a, v, n: np.multiply(a, np.ones((2, 4))),
    "compare shapes": lambda np, a, v, n: a < np.ones((4, 4)),
    "where shapes": lambda np, a, v, n: np.where(a > 0, a, np.ones(3)),
    "matmul shapes": lambda np, a, v, n: a @ a,
    "matmul vector": lambda np, a, v, n: v @ a,
    "matmul scalar": lambda np, a, v, n: np.matmul(a, 3),
    "matmul batch": lambda np, a, v, n: np.ones((2, 3, 4)) @ np.ones((3, 4, 5)),
    "dot shapes": lambda np, a, v, n: np.dot(a, a),
    "inner shapes": lambda np, a, v, n: np.inner(a, np.ones(3)),
    "vdot shapes": lambda np, a, v, n: np.vdot(v, np.ones(3)),
    "tensordot shapes": lambda np, a, v, n: np.tensordot(a, a, axes=1),
    "einsum shapes": lambda np, a, v, n: np.einsum("ij,jk->ik", a, a),
    "einsum subscripts": lambda np, a, v, n: np.einsum("ijk->i", a),
    "concatenate shapes": lambda np, a, v, n: np.concatenate((a, np.ones((3, 5)))),
    "concatenate ranks": lambda np, a, v, n: np.concatenate((a, v)),
    "concatenate nothing": lambda np, a, v, n: np.concatenate(()),
    "stack shapes": lambda np, a, v, n: np.stack((a, v)),
    "vstack shapes": lambda np, a, v, n: np.vstack((a, np.ones(3))),
    "hstack shapes": lambda np, a, v, n: np.hstack((a, np.ones((2, 4)))),
    "reshape size": lambda np, a, v, n: a.reshape(5, 2),
    "reshape function": lambda np, a, v, n: np.reshape(a, (7, -1)),
    "reshape two unknown": lambda np, a, v, n: a.reshape(-1, -1),
    "broadcast_to": lambda np, a, v, n: np.broadcast_to(a, (3, 5)),
    "transpose axes": lambda np, a, v, n: a.transpose(0, 0),
    "transpose rank": lambda np, a, v, n: np.transpose(a, (0, 1, 2)),
    "swapaxes": lambda np, a, v, n: a.swapaxes(0, 5),
    "moveaxis": lambda np, a, v, n: np.moveaxis(a, 0, 7),
    "squeeze": lambda np, a, v, n: a.squeeze(0),
    "expand_dims": lambda np, a, v, n: np.expand_dims(a, 9),
    "sum axis": lambda np, a, v, n: a.sum(axis=2),
    "sum axis twice": lambda np, a, v, n: np.sum(a, axis=(0, 0)),
    "mean axis": lambda np, a, v, n: np.mean(a, axis=-3),
    "max axis": lambda np, a, v, n: np.max(a, axis=5),
    "argmax axis": lambda np, a, v, n: a.argmax(axis=2),
    "cumsum axis": lambda np, a, v, n: np.cumsum(a, axis=2),
    "sort axis": lambda np, a, v, n: np.sort(a, axis=4),
    "flip axis": lambda np, a, v, n: np.flip(a, 3),
    "roll axis": lambda np, a, v, n: np.roll(a, 1, axis=2),
    "diff axis": lambda np, a, v, n: np.diff(a, axis=2),
    "take axis": lambda np, a, v, n: np.take(a, [0], axis=2),
    "repeat counts": lambda np, a, v, n: np.repeat(v, [1, 2, 3]),
    "split": lambda np, a, v, n: np.split(v, 3),
    "max of nothing": lambda np, a, v, n: np.max(v[:0]),
    "argmin of nothing": lambda np, a, v, n: np.argmin(v[:0]),
    "index integer": lambda np, a, v, n: a[3],
    "index negative": lambda np, a, v, n: a[0, -5],
    "index too many": lambda np, a, v, n: a[0, 0, 0],
    "index float": lambda np, a, v, n: a[1.5],
    "index string": lambda np, a, v, n: a["x"],
    "index list": lambda np, a, v, n: a[[0, 3]],
    "index array": lambda np, a, v, n: v[np.array([0, 9])],
    "index pair": lambda np, a, v, n: a[[0, 1], [0, 1, 2]],
    "index mask": lambda np, a, v, n: v[np.array([True, False])],
    "index step": lambda np, a, v, n: v[::0],
    "take range": lambda np, a, v, n: np.take(v, [7]),
    "assign shape": lambda np, a, v, n: a.__setitem__(0, np.ones(3)),
    "assign region": lambda np, a, v, n: a.__setitem__((slice(1), slice(2)), np.ones((3, 3))),
    "assign index": lambda np, a, v, n: a.__setitem__(7, 1.0),
    "assign too few to a mask": lambda np, a, v, n: v.__setitem__(v > -1e300, np.ones(v.size + 1)),
    "assign a matrix to a mask": lambda np, a, v, n: v.__setitem__(v > -1e300, np.ones((1, v.size))),
    "assign to rows by a mask": lambda np, a, v, n: a.__setitem__(np.sum(a, 1) > -1e300, np.ones(a.shape[1] + 2)),
    "assign mask": lambda np, a, v, n: v.__setitem__(np.array([True, False]), 1.0),
    "assign list": lambda np, a, v, n: v.__setitem__([0, 1], [1.0, 2.0, 3.0]),
    "assign read-only": lambda np, a, v, n: read_only(np, a).__setitem__(0, 1.0),
    "in-place read-only": lambda np, a, v, n: read_only(np, a).__iadd__(1.0),
    "in-place shape": lambda np, a, v, n: v.__iadd__(a),
    "in-place cast": lambda np, a, v, n: n.__iadd__(1.5),
    "in-place divide": lambda np, a, v, n: n.__itruediv__(2),
    "out shape": lambda np, a, v, n: np.add(v, v, out=np.zeros(3)),
    "out cast": lambda np, a, v, n: np.add(v, 0.5, out=n),
    "out type": lambda np, a, v, n: np.add(v, v, out=[0.0] * 4),
    "casting": lambda np, a, v, n: v.astype(int, casting="safe"),
    "ufunc casting": lambda np, a, v, n: np.add(v, v, dtype=int),
    "bitwise float": lambda np, a, v, n: v & 1,
    "invert float": lambda np, a, v, n: ~v,
    "shift float": lambda np, a, v, n: v << 1,
    "subtract bool": lambda np, a, v, n: (a > 0) - (a > 1),
    "negative bool": lambda np, a, v, n: -(a > 0),
    "integer power": lambda np, a, v, n: n ** (n - 2),
    "order complex": lambda np, a, v, n: np.floor(v * 1j),
    "wrong dtype": lambda np, a, v, n: np.zeros(3, dtype="nonsense"),
    "unknown keyword": lambda np, a, v, n: np.sum(a, axes=0),
    "unknown ufunc keyword": lambda np, a, v, n: np.exp(a, foo=1),
    "missing argument": lambda np, a, v, n: np.add(a),
    "too many arguments": lambda np, a, v, n: np.exp(a, a, a),
    "truth of many": lambda np, a, v, n: bool(v > 0.5),
    "float of many": lambda np, a, v, n: float(v),
    "len of a scalar": lambda np, a, v, n: len(np.sum(v)),
    "iterate a scalar": lambda np, a, v, n: list(np.sum(v)),
    "singular inv": lambda np, a, v, n: np.linalg.inv(a[:2, :2] * 0),
    "singular solve": lambda np, a, v, n: np.linalg.solve(a[:2, :2] * 0, np.ones(2)),
    "not square": lambda np, a, v, n: np.linalg.inv(a),
    "not square det": lambda np, a, v, n: np.linalg.det(a),
    "not positive": lambda np, a, v, n: np.linalg.cholesky(-np.eye(3)),
    "solve shapes": lambda np, a, v, n: np.linalg.solve(np.eye(3), np.ones(4)),
    "norm order": lambda np, a, v, n: np.linalg.norm(a, "bad"),
    "one-dimensional inv": lambda np, a, v, n: np.linalg.inv(v),
    "negative size": lambda np, a, v, n: np.zeros(-1),
    "linspace count": lambda np, a, v, n: np.linspace(0, 1, -5),
    "clip nothing": lambda np, a, v, n: np.clip(a, v[:2], 1),
    "interp sizes": lambda np, a, v, n: np.interp(v, [0.0, 1.0], [0.0, 1.0, 2.0]),
    "cross dimensions": lambda np, a, v, n: np.cross(v, v),
    "attribute": lambda np, a, v, n: a.no_such_attribute,
    "set item of a scalar": lambda np, a, v, n: set_item_of_a_scalar(np, v),
    "delete": lambda np, a, v, n: v.__delitem__(0),
    "trace of a vector": lambda np, a, v, n: np.trace(v),
    "percentile range": lambda np, a, v, n: np.percentile(v, 120),
    "choose range": lambda np, a, v, n: np.choose([5, 0], [v[:2], v[2:]]),
}
"""name -> a program of the namespace, a matrix, a vector and integers; each raises on NumPy."""


def expected_error(program):
    try:
        program(numpy, A.copy(), V.copy(), N.copy())
    except Exception as error:
        return type(error), str(error)
    raise AssertionError("NumPy takes this program")


def force(value):
    return [numpy.asarray(part) for part in (value if isinstance(value, (tuple, list)) else [value])]


def lazily(program):
    with lazynp.config(lazy_threshold=0):
        force(program(lazynp, lazynp.array(A), lazynp.array(V), lazynp.array(N)))


def by_default(program):
    force(program(lazynp, lazynp.array(A), lazynp.array(V), lazynp.array(N)))


def compiled(program):
    force(lazynp.jit(lambda a, v, n: program(lazynp, a, v, n))(A.copy(), V.copy(), N.copy()))


def differentiated(program):
    lazynp.grad(lambda a: lazynp.sum(program(lazynp, a, lazynp.array(V), lazynp.array(N)) * 1.0))(A.copy())


@pytest.mark.parametrize("mode", [lazily, by_default, compiled, differentiated], ids=lambda m: m.__name__)
@pytest.mark.parametrize("name", WRONG)
@pytest.mark.filterwarnings("ignore::lazynp.PerformanceWarning")
def test_as_numpy(name, mode):
    kind, message = expected_error(WRONG[name])
    with pytest.raises(Exception) as caught:
        mode(WRONG[name])
    assert (type(caught.value), str(caught.value)) == (kind, message)
    innermost = traceback.extract_tb(shown_traceback(caught.value.__traceback__))[-1]
    assert innermost.filename == __file__
    assert f'"{name}"' in innermost.line or innermost.name in ("read_only", "set_item_of_a_scalar")


@pytest.mark.skipif(native._hotpaths is None, reason="the compiled module, which names the type, is not built")
@pytest.mark.parametrize(
    "statement",
    "x(); x.foo = 1; x.T = 1; x.size = 3; x.ndim = 1; x.base = None; x.flags = 1; x.nbytes = 2; x.itemsize = 3; x.data = 3; "
    "del x.foo; x.reshape(); x.foo; f'{x:.2f}'; '%d' % x; iter(x[0]); {x: 1}; x.T()".split("; "),
)
def test_messages_name_numpys_type(statement):
    told = []
    for x in (numpy.arange(3.0), lazynp.lazy(numpy.arange(3.0))):
        with pytest.raises((TypeError, AttributeError)) as raised:
            exec(statement, {"x": x})
        told.append((raised.type, str(raised.value)))
    assert told[0] == told[1]
    assert (lazynp.ndarray.__name__, lazynp.ndarray.__module__) == ("ndarray", "lazynp")


def _elements(x, at):
    for i in range(8):
        x[at[i]] = x[at[i]] * 2 + i
    x[0] = 99


def _turns(x, at):
    for i in range(len(at)):
        x[at[i]] += 1
    x[0] = 99


def _between(x, at):
    x[at[0]] = 5
    y = x[at[-2]]
    x[1] = y
    x[2] = 7


def _gathered(x, at):
    x[0] = -1
    y = x[at] * 2
    x[1] = 8
    return y


def _in_a_branch(x, at):
    if x[0] > 0:
        x[at[1]] = 4
        x[at[-2]] = 5
        x[2] = 6


@pytest.mark.parametrize("program", [_elements, _turns, _between, _gathered, _in_a_branch], ids=lambda f: f.__name__)
def test_nothing_is_written_after_an_index_out_of_range(program):
    compiled = lazynp.jit(program, strict=True)
    for at in ([0, 1, 2, 1, 0, 2, 1, 0], [0, 1, 2, 1, 0, 2, 7, 0], [2, 1, 1, 0, 1, 2, -9, 1]):

        def left(f, at=at):
            x = numpy.arange(1.0, 4.0)
            try:
                f(x, numpy.array(at))
            except IndexError as error:
                return x.tolist(), str(error)
            return x.tolist()

        assert left(compiled) == left(program)
