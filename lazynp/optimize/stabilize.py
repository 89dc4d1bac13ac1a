"""Formulas that lose digits, overflow or have no finite derivative, replaced by equal ones that do not.

The sets run in this order: `stabilize` brings softmax and log-sum-exp into forms with clean derivatives (so it also runs before
differentiation); `softmax` and `logsumexp` turn these forms into shifted sums for the machine.
"""

import numpy as np

from lazynp.ir.node import Node
from lazynp.ir.rewrite import Moved, Rules, Var, is_constant, real_float, scalar_value
from lazynp.ir.types import itemcount
from lazynp.ops.elementwise import (
    absolute,
    broadcast,
    cosh,
    equal,
    exp,
    expit,
    expm1,
    isfinite,
    log,
    log1p,
    logaddexp,
    negative,
    power,
    reciprocal,
    sinh,
    sqrt,
    square,
    subtract,
    tanh,
    where,
)
from lazynp.ops.indexing import gather
from lazynp.ops.library import det, slogdet
from lazynp.ops.movement import broadcast_axes, follow, reshape, slice_
from lazynp.ops.reduction import keep_axes, reduce_add, reduce_logaddexp, reduce_maximum
from lazynp.ops.structured import item

stabilize = Rules("stabilize", level="stable")
softmax = Rules("softmax", level="stable")
logsumexp = Rules("logsumexp", level="stable")


def is_shifted(x: Node) -> bool:
    """Whether x is something minus its own maximum, so that exp(x) is safe already."""
    if x.op is not subtract or not real_float(x):
        return False
    shift = x.args[1]
    while shift.op in (broadcast, reshape):
        shift = shift.args[0]
    if shift.op is where:
        shift = shift.args[1]
    return shift.op is reduce_maximum


x = Var("x", real_float)
y = Var("y", real_float)
z = Var("z", real_float)
c = Var("c", lambda n: real_float(n) and is_constant(n) and scalar_value(n) > 0)
axes = Var("axes")
shifted = Var("shifted", is_shifted)

# --- 1 + x, exp - 1 --------------------------------------------------------------------------------------------------


@stabilize(log(1 + x))
def log1p_of(x):
    """log(1+x) loses every digit of x below 2**-53; log1p does not (C99 7.12.6.9)."""
    return log1p(x)


@stabilize(log(1 - x))
def log1p_of_negative(x):
    """As log(1+x)."""
    return log1p(negative(x))


@stabilize(exp(x) - 1)
def expm1_of(x):
    """exp(x)-1 loses every digit of x below 2**-53; expm1 does not (C99 7.12.6.3)."""
    return expm1(x)


@stabilize(exp(x) + -1)
def expm1_of_sum(x):
    """exp(x)-1, written as a sum."""
    return expm1(x)


@stabilize(1 - exp(x))
def negative_expm1_of(x):
    """As exp(x)-1."""
    return negative(expm1(x))


@stabilize(1 + expm1(x))
def exp_of(x):
    """expm1(x)+1, the derivative of expm1, loses the digits of exp(x) for negative x."""
    return exp(x)


# --- the logistic function -------------------------------------------------------------------------------------------


@stabilize(reciprocal(1 + exp(x)))
def expit_of(x):
    """1/(1+exp(-x)), the logistic function, as one op whose derivative p*(1-p) never divides inf by inf."""
    return expit(negative(x))


@stabilize(exp(x) / (1 + exp(x)))
def expit_of_quotient(x):
    """exp(x)/(1+exp(x)) is inf/inf for large x."""
    return expit(x)


@stabilize(exp(x) / square(1 + exp(x)))
def expit_slope(x):
    """exp(x)/(1+exp(x))**2, the logistic density, is inf/inf for large x."""
    return expit(x) * expit(negative(x))


@stabilize(y / (1 + exp(x)))
def times_expit(x, y):
    """y/(1+exp(x)): finite itself, but its derivative is 0*inf for large x."""
    return y * expit(negative(x))


@stabilize(0.5 * (1 + tanh(0.5 * x)))
def expit_of_tanh(x):
    """(1+tanh(x/2))/2 cancels for negative x."""
    return expit(x)


@stabilize(1 - expit(x))
def expit_complement(x):
    """1-p cancels where p is near 1."""
    return expit(negative(x))


@stabilize(expit(x) - 1)
def negative_expit_complement(x):
    """p-1 cancels where p is near 1."""
    return negative(expit(negative(x)))


@stabilize(exp(x) * expit(negative(x)))
def expit_of_product(x):
    """exp(x)/(1+exp(x)) as a product is inf*0 for large x."""
    return expit(x)


@stabilize(exp(negative(x)) * expit(x))
def expit_of_negative_product(x):
    """As exp(x)*expit(-x)."""
    return expit(negative(x))


@stabilize(exp(x - logaddexp(0, x)))
def expit_of_difference(x):
    """exp(x - log(1+exp(x))), the derivative of softplus, loses digits of x."""
    return expit(x)


@stabilize(exp(negative(logaddexp(0, x))))
def expit_of_negative_softplus(x):
    """exp(-log(1+exp(x))) is 1/(1+exp(x))."""
    return expit(negative(x))


@stabilize(where(equal(x, logaddexp(0, x)), 1, expit(x)))
def unguarded_expit(x):
    """Where x is log(1+exp(x)), expit(x) is 1 by itself."""
    return expit(x)


# --- logarithms of exponentials --------------------------------------------------------------------------------------


@stabilize(log(exp(x)))
def log_of_exp(x):
    """exp overflows above 709 and underflows below -745."""
    return x


@stabilize(log1p(expm1(x)))
def log1p_of_expm1(x):
    """expm1 overflows above 709 and is -1 below -37."""
    return x


@stabilize(log1p(exp(x)))
def softplus_of(x):
    """log(1+exp(x)) overflows above 709: max(x, 0) + log1p(exp(-|x|)) does not."""
    return logaddexp(0, x)


@stabilize(log(exp(x) + exp(y)))
def logaddexp_of(x, y):
    """The larger exponent is taken out of the sum."""
    return logaddexp(x, y)


@stabilize(log((exp(x) + exp(y)) + exp(z)))
def logaddexp_of_three(x, y, z):
    """As for two."""
    return logaddexp(logaddexp(x, y), z)


@stabilize(log(expit(x)))
def log_expit(x):
    """expit underflows to 0 below -745 (its logarithm is x there), and loses digits near 1."""
    return negative(logaddexp(0, negative(x)))


@stabilize(log1p(negative(expit(x))))
def log_expit_complement(x):
    """log(1-p) is -inf where p rounds to 1."""
    return negative(logaddexp(0, x))


# --- log-sum-exp, softmax --------------------------------------------------------------------------------------------


def _reducible(x: Node, axes: tuple[int, ...]) -> bool:
    """Not shifted yet, and with at least one element to take the maximum of."""
    return not is_shifted(x) and not any(type(x.shape[a]) is int and x.shape[a] == 0 for a in axes)


@stabilize(log(reduce_add(exp(x), axes=axes)), when=_reducible)
def logsumexp_of(x, axes):
    """Sums of exponentials overflow: Blanchard, Higham & Higham 2021, eq. 3.3."""
    return reduce_logaddexp(x, axes)


@stabilize(log(reduce_add(exp(x), axes=axes) / c), when=_reducible)
def logmeanexp_of(x, axes, c):
    """log(mean(exp(x))), as log-sum-exp."""
    return reduce_logaddexp(x, axes) - log(c)


@stabilize(log(reduce_add(exp(x), axes=axes) * c), when=_reducible)
def scaled_logsumexp_of(x, axes, c):
    """As log(mean(exp(x)))."""
    return reduce_logaddexp(x, axes) + log(c)


@stabilize(exp(x) / Moved("m", reduce_add(exp(x), axes=axes)), when=_reducible)
def softmax_of(x, axes, m):
    """exp(x)/sum(exp(x)) is inf/inf above 709. In this form its derivative is p*(ct - sum(p*ct)), its logarithm x - logsumexp(x)."""
    return exp(x - follow(reduce_logaddexp(x, axes), m))


@stabilize(log(exp(shifted) / Moved("m", reduce_add(exp(shifted), axes=axes))))
def log_softmax_of(shifted, axes, m):
    """The logarithm of a softmax that its writer shifted is -inf where a probability underflows."""
    return shifted - follow(log(reduce_add(exp(shifted), axes)), m)


@stabilize.on(log)
def log_of_chosen(node: Node) -> Node | None:
    """log(softmax(x)[rows, labels]): the elements are chosen first, so that log meets the exponential."""
    source = node.args[0]
    if source.op not in (gather, slice_) or source.args[0].op not in (exp, expit) or not real_float(node):
        return None
    inner = source.args[0]
    chosen = source.with_args((inner.args[0], *source.args[1:]))
    return log(inner.op(chosen))


@softmax(x - Moved("m", reduce_logaddexp(x, axes=axes)), when=_reducible)
def shifted_log_softmax(x, axes, m):
    """(x-max) - log(sum(exp(x-max))): no digits are lost where the log-sum-exp is large."""
    top = _finite_maximum(x, axes)
    moved = x - _spread(x, top, axes)
    if follow(top, m) is not moved.args[1]:
        return None
    return moved - follow(log(reduce_add(exp(moved), axes)), m)


@softmax(exp(shifted - Moved("m", log(reduce_add(exp(shifted), axes=axes)))))
def shifted_softmax(shifted, axes, m):
    """exp(x)/sum(exp(x)) of shifted x: one exponential per element instead of two."""
    return exp(shifted) / follow(reduce_add(exp(shifted), axes), m)


@logsumexp(reduce_logaddexp(x, axes=axes), when=_reducible)
def shifted_logsumexp(x, axes):
    """max + log(sum(exp(x-max))): one exponential per element instead of an exponential and a logarithm."""
    top = _finite_maximum(x, axes)
    return top + log(reduce_add(exp(x - _spread(x, top, axes)), axes))


def _finite_maximum(x: Node, axes: tuple[int, ...]) -> Node:
    """The maxima, 0 where they are infinite or NaN: inf - inf would be NaN where the sum is inf."""
    top = reduce_maximum(x, axes)
    return where(isfinite(top), top, 0)


def _spread(x: Node, reduced: Node, axes: tuple[int, ...]) -> Node:
    """The reduced values beside each element of x, in the form that the rules of movement give them."""
    if axes == tuple(range(len(axes))):
        return broadcast(reduced, x.shape)
    return broadcast(keep_axes(x, reduced, axes), x.shape)


# --- roots, powers, hyperbolic functions -----------------------------------------------------------------------------


@stabilize(sqrt(square(x)))
def absolute_of_root(x):
    """x*x overflows above 1e154; the derivative of sqrt is infinite at 0."""
    return absolute(x)


@stabilize(power(x, 3))
def third_power(x):
    """Two multiplications: within 1.5 ulp, a tenth of pow's time."""
    return square(x) * x


@stabilize(power(x, 4))
def fourth_power(x):
    """Two squares: within 2 ulp, a tenth of pow's time."""
    return square(square(x))


@stabilize((exp(x) - exp(negative(x))) / (exp(x) + exp(negative(x))))
def tanh_of(x):
    """inf/inf above 709, cancels near 0."""
    return tanh(x)


@stabilize((exp(x) - exp(negative(x))) * 0.5)
def sinh_of(x):
    """Cancels near 0."""
    return sinh(x)


@stabilize((exp(x) + exp(negative(x))) * 0.5)
def cosh_of(x):
    """exp overflows before cosh does."""
    return cosh(x)


# --- determinants ----------------------------------------------------------------------------------------------------


@stabilize(log(absolute(det(Var("matrix")))))
def log_determinant(matrix):
    """A determinant over- and underflows long before its logarithm does."""
    return item(slogdet(matrix), 1)


# --- sums ------------------------------------------------------------------------------------------------------------


@stabilize.on(reduce_add)
def sum_of_repeated(node: Node) -> Node | None:
    """The sum of n equal numbers is n times the number: one rounding instead of n."""
    source = node.args[0]
    if source.op is not broadcast or not source.type.static or source.dtype.kind == "b":
        return None
    inner = source.args[0]
    repeated = set(broadcast_axes(inner.shape, source.shape)) & set(node.axes)
    if not repeated:
        return None
    shape = tuple([1 if a in repeated else n for a, n in enumerate(source.shape)])
    count = itemcount(tuple([source.shape[a] for a in repeated]))
    if node.dtype.kind in "fc" and count > np.finfo(node.dtype).max:
        return None
    once = reduce_add(broadcast(inner, shape), tuple([a for a in node.axes if a not in repeated]))
    return reshape(once, node.shape) * np.asarray(count).astype(node.dtype)[()]
