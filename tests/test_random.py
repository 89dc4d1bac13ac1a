"""Random numbers: NumPy's streams, bit for bit, at once, recorded in jit, and in turns."""

import copy
import pickle
import warnings

import numpy as np
import pytest

import lazynp as lnp

GENERATOR = """
random() ; random(5) ; random((2,3),dtype='f4') ; random(out=O(np.zeros(4)))
normal() ; normal(2.,3.,4) ; normal(V,1.) ; normal(V[:,None],V+1) ; normal(loc=1,size=()) ;
standard_normal(3) ; standard_normal((2,),dtype='f4')
uniform(1,V+2) ; uniform(-1.,1.,(2,2)) ; integers(10) ; integers(10,size=4) ; integers(2,[5,6,7]) ; integers(0,2**63,3,dtype='u8') ;
integers(3,size=5,dtype='i1',endpoint=True) ; integers(V.astype(int)+1)
exponential(2.,3) ; standard_exponential(3,method='inv') ; standard_gamma(V,dtype='f8') ; gamma(2.,3.,2) ; beta(2,V+1) ; binomial(10,.3,4) ;
binomial(V.astype(int),.5) ; poisson(V) ; poisson(3.,2) ; geometric(.3,3) ; negative_binomial(3,.5,2) ; hypergeometric(5,6,3,2) ;
logseries(.5,3) ; zipf(2.,3) ; chisquare(V) ; noncentral_chisquare(2.,1.,2) ; f(2.,3.,2) ; noncentral_f(2.,3.,1.,2) ; gumbel(size=2) ;
laplace(V) ; logistic(1.,2.) ; lognormal(0.,1.,3) ; pareto(3.,2) ; power(2.,2) ; rayleigh(2.,2) ; standard_cauchy(3) ; standard_t(3.,2) ;
triangular(0,1,2,3) ; vonmises(0.,1.,3) ; wald(1.,2.,3) ; weibull(2.,3)
choice(10) ; choice(10,4) ; choice(V,(2,2)) ; choice(10,3,replace=False) ; choice(4,5,p=[.1,.2,.3,.4]) ; choice(M,2,axis=1) ;
choice(V,3,p=V/V.sum()) ; choice([1,2,3])
permutation(6) ; permutation(V) ; permutation(M,axis=1) ; permuted(M,axis=0) ; permuted(V)
multinomial(5,[.2,.8]) ; multinomial(5,[.2,.8],size=3) ; dirichlet([1.,2.,3.]) ; dirichlet(V+1,2) ;
multivariate_normal([0.,1.],np.eye(2),3) ;
multivariate_hypergeometric([4,5,6],3)
"""
LEGACY = """
rand() ; rand(2,3) ; randn(4) ; randn() ; random(3) ; random_sample((2,2)) ; randint(5) ; randint(2,9,4) ; randint(0,5,3,dtype='i2')
normal(V,2.) ; uniform(0,1,3) ; standard_normal(3) ; exponential(size=2) ; poisson(V) ; binomial(5,.5,3) ; gamma(2.,1.,2) ; beta(1.,2.,2)
choice(5,3) ; choice(V,2,False) ; choice(3,4,p=[.2,.3,.5]) ; permutation(5) ; permutation(V) ; multinomial(4,[.5,.5])
multivariate_normal([0.,1.],np.eye(2)) ; dirichlet([1.,2.]) ; standard_t(3.,2) ; triangular(0,1,2,2) ; laplace(size=2) ; tomaxint(2)
chisquare(V) ; noncentral_chisquare(2.,1.,2) ; f(2.,3.,2) ; noncentral_f(2.,3.,1.,2) ; geometric(.3,3) ; gumbel(size=2) ;
hypergeometric(5,6,3,2) ; logistic(1.,2.) ; lognormal(0.,1.,3) ; logseries(.5,3) ; negative_binomial(3,.5,2) ; pareto(3.,2) ; power(2.,2) ;
rayleigh(2.,2) ; standard_cauchy(3) ; standard_exponential(3) ; standard_gamma(V) ; vonmises(0.,1.,3) ; wald(1.,2.,3) ; weibull(2.,3) ;
zipf(2.,3)
"""
V, M = np.array([0.5, 1.5, 2.5]), np.arange(12.0).reshape(3, 4)


def calls(text):
    return [call.strip() for line in text.strip().splitlines() for call in line.strip().removesuffix(";").split(" ; ")]


def draw(generator, call, convert=np.copy):
    return eval("G." + call, {"G": generator, "V": convert(V), "M": convert(M), "np": np, "O": convert})


def check(actual, expected):
    a, e = np.asarray(actual), np.asarray(expected)
    assert (a.shape, a.dtype) == (e.shape, e.dtype)
    assert a.tobytes() == e.tobytes()


def _makers():
    for name in ("PCG64", "MT19937", "Philox", "SFC64", "PCG64DXSM"):
        yield (
            name,
            GENERATOR if name == "PCG64" else "random(3) ; standard_normal(2) ; integers(7,size=3,dtype='i2')",
            lambda n, name=name: n.random.Generator(getattr(n.random, name)(7)),
        )
    yield "RandomState", LEGACY, lambda n: n.random.RandomState(7)


CASES = [(name, make, call) for name, text, make in _makers() for call in calls(text)]
IDS = [f"{name}.{call}" for name, _, call in CASES]


OTHERS = {
    *("bit_generator", "bytes", "get_state", "random_integers", "seed", "set_state", "shuffle", "spawn"),
}
"""Not among the calls above: tests of their own; bytes are no array, and random_integers is deprecated."""


@pytest.mark.parametrize(("text", "generator"), [(GENERATOR, np.random.Generator), (LEGACY, np.random.RandomState)], ids=["new", "legacy"])
def test_every_method_is_called(text, generator):
    called = {call.partition("(")[0] for call in calls(text)}
    assert {name for name in dir(generator) if not name.startswith("_")} - OTHERS - called == set()


@pytest.mark.parametrize(("name", "make", "call"), CASES, ids=IDS)
def test_streams_in_jit_are_numpys(name, make, call):
    """Three calls give three successive draws, and the draws between them come from the same stream."""
    if not hasattr(np.random.RandomState if name == "RandomState" else np.random.Generator, call.partition("(")[0]):
        pytest.skip("not in this NumPy")
    theirs, ours = make(np), make(lnp)

    @lnp.jit(strict=True)
    def function(x):
        return draw(ours, call, lambda y: y + x), ours.random()

    with lnp.config(backend="reference"):
        for _ in range(3):
            actual, after = function(np.zeros(()))
            check(actual, draw(theirs, call))
            check(after, theirs.random())
            assert ours.random() == theirs.random()
            check(ours.standard_normal(3), theirs.standard_normal(3))


@pytest.mark.parametrize(("name", "make", "call"), CASES, ids=IDS)
def test_streams_are_numpys(name, make, call, threshold):
    theirs, ours = make(np), make(lnp)
    for _ in range(2):
        check(draw(ours, call, lnp.array), draw(theirs, call))
    check(ours.random(3), theirs.random(3))


def test_global_stream_in_jit():
    def function(n, x):
        return x * n.random.rand(3) + n.random.randn(3), n.random.randint(9)

    compiled = lnp.jit(strict=True)(lambda x: function(lnp, x))
    answers = []
    for n, f in ((lnp, compiled), (np, lambda x: function(np, x))):
        n.random.seed(5)
        answers.append([f(np.ones(3)), n.random.normal(), f(np.ones(3)), n.random.get_state()[2], n.random.standard_normal()])
    for actual, expected in zip(*answers, strict=True):
        for a, e in zip(actual, expected, strict=True) if isinstance(expected, tuple) else [(actual, expected)]:
            check(a, e)


def test_seed_inside_jit_restarts_the_stream():
    @lnp.jit(strict=True)
    def function(x):
        lnp.random.seed(3)
        return x + lnp.random.rand(3)

    for _ in range(2):
        expected = np.random.RandomState(3)
        check(function(np.zeros(3)), expected.rand(3))
        check(lnp.random.rand(2), expected.rand(2))


def test_a_generator_made_inside_jit_starts_anew():
    @lnp.jit(strict=True)
    def function(x):
        rng = lnp.random.default_rng(11)
        return x + rng.random(3), rng.random(3)

    expected = np.random.default_rng(11).random(6)
    for _ in range(2):
        first, second = function(np.zeros(3))
        check(first, expected[:3])
        check(second, expected[3:])


def test_a_generator_as_argument_and_as_a_new_global():
    function = lnp.jit(strict=True)(lambda x, rng: x + rng.random(x.shape))
    for seed in (1, 2):
        rng, plain = lnp.random.default_rng(seed), np.random.default_rng(seed)
        for _ in range(2):
            check(function(np.zeros(3), rng), plain.random(3))


def test_rebinding_the_generator_is_seen():
    global _rng
    function = lnp.jit(strict=True)(_draws_from_the_global)
    for seed in (1, 2):
        _rng = lnp.random.default_rng(seed)
        check(function(np.zeros(3)), np.random.default_rng(seed).random(3))


_rng = None


def _draws_from_the_global(x):
    return x + _rng.random(3)


def test_a_draw_does_not_freeze_when_python_needs_its_value():
    rng, plain = lnp.random.default_rng(1), np.random.default_rng(1)

    @lnp.jit
    def function(x):
        return x + float(rng.random())

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(3):
            check(function(np.zeros(2)), np.zeros(2) + plain.random())


def test_draws_in_a_loop_of_the_program():
    rng, plain = lnp.random.default_rng(1), np.random.default_rng(1)

    @lnp.jit(strict=True)
    def walk(x):
        for _ in range(200):
            x = x + rng.normal(size=3)
        return x

    for _ in range(2):
        expected = np.zeros(3)
        for _ in range(200):
            expected = expected + plain.normal(size=3)
        check(walk(np.zeros(3)), expected)
        assert rng.random() == plain.random()


def test_shuffle_in_place(threshold):
    for axis in (0, 1):
        ours, plain = lnp.array(np.arange(40.0).reshape(8, 5)) + 0, np.arange(40.0).reshape(8, 5)
        whole = ours
        lnp.random.default_rng(3).shuffle(ours[::2], axis=axis)
        np.random.default_rng(3).shuffle(plain[::2], axis=axis)
        check(whole, plain)


def test_shuffle_in_jit():
    rng, plain = lnp.random.default_rng(3), np.random.default_rng(3)

    @lnp.jit(strict=True)
    def function(x):
        y = x + 0
        rng.shuffle(y[1:])
        return y

    for _ in range(2):
        expected = np.arange(9.0)
        plain.shuffle(expected[1:])
        check(function(np.arange(9.0)), expected)


def test_an_argument_is_shuffled_for_the_caller():
    rng, x, y = lnp.random.default_rng(3), np.arange(9.0), np.arange(9.0)
    lnp.jit(strict=True)(lambda a: rng.shuffle(a))(x)
    np.random.default_rng(3).shuffle(y)
    check(x, y)


def test_spawn_pickle_copy_and_state():
    ours, plain = lnp.random.default_rng(9), np.random.default_rng(9)
    for a, b in zip(ours.spawn(2), plain.spawn(2), strict=True):
        check(a.random(3), b.random(3))
    again = pickle.loads(pickle.dumps(ours))
    assert type(again) is lnp.random.Generator
    check(copy.deepcopy(ours).random(2), again.random(2))
    assert ours.bit_generator.state == plain.bit_generator.state
    legacy = pickle.loads(pickle.dumps(lnp.random.RandomState(4)))
    assert type(legacy) is lnp.random.RandomState
    check(legacy.randn(3), np.random.RandomState(4).randn(3))


def test_derivative_through_a_draw_advances_the_stream():
    rng, plain = lnp.random.default_rng(2), np.random.default_rng(2)

    def loss(scale):
        return (scale * rng.normal(size=3)).sum() + rng.normal(0.0, scale)

    for transformed in (lnp.grad(loss), lnp.jit(strict=True)(lnp.grad(loss))):
        for _ in range(2):
            expected = plain.normal(size=3).sum() + plain.normal()
            assert float(transformed(2.0)) == pytest.approx(expected)
    assert rng.random() == plain.random()


def test_wrong_parameters_raise_numpys_error_and_leave_the_stream():
    rng, plain = lnp.random.default_rng(2), np.random.default_rng(2)
    with pytest.raises(ValueError, match="scale < 0"):
        lnp.jit(strict=True)(lambda x: rng.normal(0.0, x))(np.float64(-1.0))
    assert rng.random() == plain.random()
