"""What a jitted function reads from outside: changes are seen at the next call, arrays are inputs, and nothing is written unseen."""

import collections
import dataclasses
import types
import warnings

import numpy as np
import pytest

import lazynp
from lazynp.errors import PerformanceWarning

X = np.arange(5.0)


def program(text, **names):
    """The function f of a module of its own, and its namespace."""
    module = types.ModuleType("user_program")
    vars(module).update(names)
    exec(compile(text, "<user program>", "exec"), vars(module))
    return module


class Plain:
    pass


class Slots:
    __slots__ = ("k",)


class Base:
    w = 1.0


class Derived(Base):
    def factor(self):
        return 2.0

    @property
    def hidden(self):
        return self._k

    def __getitem__(self, key):
        return self.table[key]


@dataclasses.dataclass
class Record:
    a: float = 1.0
    b: list = dataclasses.field(default_factory=lambda: [1.0, 2.0])


class Method:
    def __init__(self):
        self.settings = {"q": [1.0]}
        self.unrelated = 0

    def f(self, x):
        return x * self.settings["q"][0]


def made(**attributes):
    found = Plain()
    vars(found).update(attributes)
    return found


def cases():
    """(name, function, change): the function's result is another after the change."""
    nested = [[1.0, 2.0], [3.0]]
    yield "list in a list", lambda x: x * nested[0][1], lambda: nested[0].__setitem__(1, 7.0)
    deep = {"a": {"b": 2.0}}
    yield "dict in a dict", lambda x: x * deep["a"]["b"], lambda: deep["a"].__setitem__("b", 7.0)
    members = {1, 2}
    yield "set", lambda x: x * (3 if 3 in members else 1), lambda: members.add(3)
    yield "class", lambda x: x * Base.w, lambda: setattr(Base, "w", Base.w + 7.0)
    derived = Derived()
    derived._k, derived.table = 2.0, {"q": 1.0}
    yield "class of an object's class", lambda x: x * derived.w, lambda: setattr(Base, "w", Base.w + 7.0)
    yield "attribute in the place of the class's", lambda x: x * derived.w, lambda: setattr(derived, "w", 9.0)
    yield "property", lambda x: x * derived.hidden, lambda: setattr(derived, "_k", 7.0)
    yield "item of an object", lambda x: x * derived["q"], lambda: derived.table.__setitem__("q", 7.0)
    other = Derived()
    yield "method of the class", lambda x: x * other.factor(), lambda: setattr(Derived, "factor", lambda self: 5.0)
    module = types.ModuleType("settings")
    module.dt = 0.1
    yield "module", lambda x: x * module.dt, lambda: setattr(module, "dt", 7.0)
    chain = made(a=made(b=made(c=2.0)))
    yield "attributes of attributes", lambda x: x * chain.a.b.c, lambda: setattr(chain.a.b, "c", 7.0)
    listed = [made(k=2.0), made(k=3.0)]
    yield "objects in a list", lambda x: sum([x * o.k for o in listed]), lambda: setattr(listed[1], "k", 7.0)
    keyed = {"p": made(k=2.0)}
    yield "objects in a dict", lambda x: x * keyed["p"].k, lambda: setattr(keyed["p"], "k", 7.0)
    slots = Slots()
    slots.k = 2.0
    yield "slots", lambda x: x * slots.k, lambda: setattr(slots, "k", 7.0)
    queue = collections.deque([1.0, 2.0])
    yield "deque", lambda x: x * queue[0], lambda: queue.__setitem__(0, 7.0)
    fixed = ([1.0], 2)
    yield "list in a tuple", lambda x: x * fixed[0][0], lambda: fixed[0].__setitem__(0, 7.0)
    record = Record()
    yield "record", lambda x: x * record.b[0], lambda: record.b.__setitem__(0, 7.0)
    yield "asked for all of it", lambda x: x * dataclasses.astuple(record)[0], lambda: setattr(record, "a", 7.0)
    yield "attribute by its name", lambda x: x * getattr(chain, "late", 2.0), lambda: setattr(chain, "late", 7.0)
    default = [2.0]

    def with_default(x, p=default):
        return x * p[0]

    yield "default", with_default, lambda: default.__setitem__(0, 7.0)

    def with_keyword(x, *, p={"k": 2.0}):  # noqa: B006
        return x * p["k"]

    yield "keyword default", with_keyword, lambda: with_keyword.__kwdefaults__["p"].__setitem__("k", 7.0)

    def helper(x):
        return x * helper.k

    helper.k = 2.0
    yield "attribute of a function", lambda x: helper(x), lambda: setattr(helper, "k", 7.0)
    helpers = {"now": lambda x: x}
    yield "function in a dict", lambda x: helpers["now"](x), lambda: helpers.__setitem__("now", lambda x: -x)
    method = Method()
    yield "attributes of a method's object", method.f, lambda: method.settings["q"].__setitem__(0, 7.0)


CASES = list(cases())


@pytest.mark.parametrize(("f", "change"), [pytest.param(f, change, id=name) for name, f, change in CASES])
def test_a_change_outside_is_seen(f, change):
    jitted = lazynp.jit(f, strict=True)
    before = f(X)
    for _ in range(3):
        np.testing.assert_array_equal(jitted(X), before)
    change()
    after = f(X)
    assert not np.array_equal(before, after)
    for _ in range(3):
        np.testing.assert_array_equal(jitted(X), after)


def test_a_function_of_the_module_is_replaced():
    module = program("def g(x):\n    return x\ndef f(x):\n    return g(x)\n")
    jitted = lazynp.jit(module.f)
    np.testing.assert_array_equal(jitted(X), X)
    module.g = lambda x: -x
    np.testing.assert_array_equal(jitted(X), -X)


def test_what_the_function_does_not_mention_traces_nothing_again():
    class Simulation:
        def __init__(self):
            self.c, self.time, self.u = 0.5, 0.0, np.zeros(1000)

        @lazynp.jit(strict=True)
        def step(self, u):
            return u + self.c

    s = Simulation()
    for _ in range(20):
        s.u = s.step(s.u)
        s.time += 0.1
    assert s.u[0] == 10.0
    assert not Simulation.step._others


# --- arrays from outside, small and large, that the caller writes to or replaces between calls --------------------------------------

READS = {
    "operator": lambda x: x + (W * 2)[:5],
    "operator from the right": lambda x: x + (2 * W)[:5],
    "negative": lambda x: x + (-W)[:5],
    "comparison": lambda x: x + (W > 1.5)[:5],
    "method": lambda x: x * W[:5] + W.max(),
    "element": lambda x: x * W[:5] + W[1],
    "function": lambda x: x + np.sum(W),
    "indices": lambda x: x + W[[1, 2, 3, 4, 3]],
    "mask": lambda x: x[W[:5] > 1.5],
    "number": lambda x: x + float(W[1]),
    "index made of it": lambda x: x[: int(W[1])],
    "branch": lambda x: x if W[1] > 2 else x * 2,
    "built-in sum": lambda x: x + sum(W[:5]),
    "built-in max": lambda x: x + max(W[1], W[2]),
    "loop": lambda x: x + [x * v for v in W[:3]][1],
    "transposed": lambda x: x + W.reshape(-1, 5).T[:, 0],
    "as an array": lambda x: x + np.asarray(W)[:5] * 1,
    "copy": lambda x: x + W.copy()[:5],
    "list": lambda x: x + W[:5].tolist(),
    "view, then its mean": lambda x: x + (W[:5] - W[:5].mean()),
    "interpolation": lambda x: np.interp(x, W, W),
    "size": lambda x: x + W.size + len(W),
    "alias": lambda x: next(iter([x + w[:5] * w[1] for w in [W]])),
}
W = np.arange(5.0)


@pytest.mark.parametrize("size", [5, 10_000])
@pytest.mark.parametrize("name", READS)
@pytest.mark.parametrize("replaced", [False, True], ids=["written", "replaced"])
@pytest.mark.filterwarnings("ignore::lazynp.PerformanceWarning")
def test_an_array_is_read_again(name, size, replaced):
    global W
    f = READS[name]
    jitted = lazynp.jit(f)
    W = np.arange(float(size))
    for turn in range(4):
        np.testing.assert_array_equal(np.asarray(jitted(X + turn)), f(X + turn))
        if replaced:
            W = W.copy()
        W[1] += 2.0
        W[4] -= 1.0


HOLDER = Plain()


@pytest.mark.parametrize("size", [5, 10_000])
def test_an_array_is_written_to_at_every_call(size):
    def in_place(x):
        HOLDER.w += 1
        return x * 2

    def element(x):
        HOLDER.w[0] = HOLDER.w[0] + 5.0
        return x * 2

    def part(x):
        HOLDER.w[1:3] = x[1:3]
        return x * 2

    def out(x):
        np.add(HOLDER.w, 1, out=HOLDER.w)
        return x * HOLDER.w[1]

    def method(x):
        HOLDER.w.sort()
        return x * 2

    for f in (in_place, element, part, out, method):
        runs = []
        for called in (f, lazynp.jit(f)):
            HOLDER.w = np.arange(float(size))[::-1].copy()
            with warnings.catch_warnings(record=True) as told:
                warnings.simplefilter("always")
                results = [np.array(called(X + k)) for k in range(3)]
            runs.append([*results, HOLDER.w])
        assert any(w.category is PerformanceWarning for w in told), f.__name__
        for ours, numpys in zip(*runs, strict=True):
            np.testing.assert_array_equal(ours, numpys, err_msg=f.__name__)


def test_a_variable_whose_array_is_replaced_is_an_input():
    holder = Plain()
    holder.u = np.zeros(2000)
    jitted = lazynp.jit(lambda: holder.u + 1.0, strict=True)
    for turn in range(10):
        holder.u = jitted()
        assert holder.u[0] == turn + 1
    assert not jitted._others
    small = Plain()
    small.u = np.zeros(3)
    jitted = lazynp.jit(lambda: small.u + 1.0, strict=True)
    for turn in range(10):
        small.u = jitted()
        assert small.u[0] == turn + 1
    assert sum(map(len, jitted._others.values())) == 1  # small arrays are constants, until they have changed once


def test_values_that_come_again_are_known():
    holder = Plain()
    jitted = lazynp.jit(lambda x: x if holder.flag else -x, strict=True)
    for turn in range(40):
        holder.flag = turn % 2 == 0
        np.testing.assert_array_equal(jitted(X), X if holder.flag else -X)
    assert sum(map(len, jitted._others.values())) == 1


def test_a_number_that_never_stays_is_named():
    holder = Plain()
    jitted = lazynp.jit(lambda x: x * holder.time)
    with pytest.warns(PerformanceWarning, match="'time', which it reads from outside"):
        for turn in range(20):
            holder.time = turn * 0.1
            np.testing.assert_array_equal(jitted(X), X * holder.time)


def test_arrays_from_outside_among_the_results_are_these_arrays():
    small, large = np.arange(3.0), np.arange(8000.0)
    a, b, c, d = lazynp.jit(lambda x: (small, large, large[1:4], (large * x)[:2]), strict=True)(2.0)
    assert a is small and b is large
    assert np.shares_memory(c, large) and c.flags.writeable
    assert not np.shares_memory(d, large) and d.flags.writeable


@pytest.mark.parametrize("read", [lambda x: x * float(H[1]), lambda x: x if H[1] > 2 else -x, lambda x: x + H[:5], lambda x: H[1] * x])
def test_lazy_arrays_are_read_again(read):
    jitted = lazynp.jit(read)
    for value in (1.0, 5.0, 7.0, 7.0):
        H[1] = value
        np.testing.assert_array_equal(np.asarray(jitted(X)), np.asarray(read(X)))


H = lazynp.arange(20_000.0)
