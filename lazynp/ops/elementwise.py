"""Every elementwise operation: one row each. NumPy's ufuncs, `where`, `cast`, parts of complex numbers.

Dtypes are decided by NumPy itself: `ufunc.resolve_dtypes` at the door, once per combination (NEP 50). A row gives the local
derivative of each argument as a function of (output, *arguments), and C text where it is shorter than a call of the prelude.
"""

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from lazynp.ir.node import Literal, Node, const, constant, make_node
from lazynp.ir.op import Kind, Op, Pattern, register
from lazynp.ir.types import LAZY_DTYPES, ArrayType, NotLazy, Shape, Symbolic
from lazynp.ops.movement import broadcast, broadcast_shape

Partial = Callable[..., Any] | None
_WEAK = (int, float, complex)


def _smooth(rng: np.random.Generator, shape: tuple[int, ...], position: int) -> np.ndarray:
    return rng.uniform(-2.0, 2.0, shape)


def _positive(rng: np.random.Generator, shape: tuple[int, ...], position: int) -> np.ndarray:
    return rng.uniform(0.2, 3.0, shape)


def _inside(rng: np.random.Generator, shape: tuple[int, ...], position: int) -> np.ndarray:
    return rng.uniform(-0.9, 0.9, shape)


def _above_one(rng: np.random.Generator, shape: tuple[int, ...], position: int) -> np.ndarray:
    return rng.uniform(1.2, 3.0, shape)


# --- dtypes and the door ---------------------------------------------------------------------------------------------


@lru_cache(maxsize=65536)
def loop_dtypes(ufunc: np.ufunc, types: tuple[Any, ...]) -> tuple[np.dtype, ...]:
    """The dtypes (inputs..., first output) of the loop NumPy picks for dtypes or weak Python types. Raises UFuncTypeError."""
    resolved = ufunc.resolve_dtypes((*types, *[None] * ufunc.nout))
    return resolved[: ufunc.nin + 1]


def operand_type(operand: Any) -> Any:
    """What NumPy's promotion looks at: a node's dtype, or the Python type of a weak scalar."""
    if isinstance(operand, Node):
        return operand.dtype
    kind = type(operand)
    if kind in _WEAK:
        return kind
    if issubclass(kind, Symbolic):
        return operand.kind if operand.kind is not bool else np.dtype(bool)
    return np.asarray(operand).dtype


def as_node(operand: Any, dtype: np.dtype) -> Node:
    """The operand as a node of that dtype. Raises NumPy's OverflowError for a Python int that does not fit, NotLazy for other dtypes."""
    if isinstance(operand, Node) and operand.dtype == dtype:
        return operand
    _lazy(dtype)
    if not isinstance(operand, Node):
        if not isinstance(operand, Symbolic):
            if dtype in _NARROW and type(operand) in _NUMBERS and not -_NARROW[dtype] <= abs(operand) <= _NARROW[dtype]:
                return _converted(constant(np.asarray(operand if type(operand) is complex else float(operand))), dtype)
            return _converted(constant(operand), dtype) if isinstance(operand, np.generic) else constant(operand, dtype)
        operand.must_fit(dtype)
        operand = operand.node
        if operand.dtype == dtype:
            return operand
    return _converted(operand, dtype) if operand.op is const else cast.make((operand,), to=dtype)


def _converted(node: Node, dtype: np.dtype) -> Node:
    """A constant in another dtype; what NumPy warns about is left for the run, which warns at the user's line."""
    try:
        with np.errstate(over="raise", invalid="raise"):
            return constant(node.value.array.astype(dtype))
    except FloatingPointError:
        return cast.make((node,), to=dtype)


_NUMBERS = (int, float, complex)
_NARROW = {np.dtype(name): 3e38 if name != "f2" else 6e4 for name in ("f2", "f4", "c8")}
"""What certainly fits."""


def _fit(op: Op, operands: tuple[Any, ...], dtypes: tuple[np.dtype, ...]) -> Node:
    nodes = []
    for x, dtype in zip(operands, dtypes, strict=True):
        nodes.append(x if type(x) is Node and x.type.dtype is dtype else as_node(x, dtype))
    first = nodes[0].type.shape
    for node in nodes:
        if node.type.shape != first:
            shape = broadcast_shape(*[n.type.shape for n in nodes])
            nodes = [broadcast(n, shape) for n in nodes]
            break
    return make_node(op, tuple(nodes), ())


_EXACT = frozenset({np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal})
"""Which compare integers by their values: a Python integer need not fit the other one's dtype."""
_loops: dict[Any, tuple[np.dtype, ...]] = {}
"""(op, per operand the number of a node's dtype or a weak scalar's type) -> the dtypes of the loop. As many as there are combinations."""


def _ufunc_door(op: Op, *operands: Any) -> Node:
    key: list[Any] = [op]
    for x in operands:
        key.append(x.type.dtype.num if type(x) is Node else type(x))
    dtypes = _loops.get(tuple(key))
    if dtypes is None:
        types = tuple([operand_type(x) for x in operands])
        if op.ufunc in _EXACT and all(t is int or (isinstance(t, np.dtype) and t.kind in "biu") for t in types):
            types = tuple([x.node.dtype if isinstance(x, Symbolic) else t for x, t in zip(operands, types, strict=True)])
        dtypes = _op_dtypes(op, types)[: len(operands)]
        if all(kind in _WEAK or type(kind) is int for kind in key[1:]):
            _loops[tuple(key)] = dtypes
    return _fit(op, operands, dtypes)


def _op_dtypes(op: Op, types: tuple[Any, ...]) -> tuple[np.dtype, ...]:
    assert op.ufunc is not None
    if not any(isinstance(t, np.dtype) for t in types):  # only Python scalars: they have their default dtypes
        types = tuple([np.dtype(t) for t in types])
    return loop_dtypes(op.ufunc, types)


def same_shape(first: ArrayType, *rest: ArrayType) -> None:
    """The door has broadcast everything; equality also tells size-generic graphs which sizes are one (ir/canonical.py)."""
    for other in rest:
        if other.shape != first.shape:
            raise ValueError(f"elementwise arguments of shapes {first.shape} and {other.shape}: the door broadcasts them first")


def _ufunc_infer(op_ufunc: np.ufunc, output: int = 0) -> Callable[..., ArrayType]:
    def infer(*types: ArrayType) -> ArrayType:
        same_shape(*types)
        dtypes = [t.dtype for t in types]
        resolved = op_ufunc.resolve_dtypes((*dtypes, *[None] * op_ufunc.nout)) if output else loop_dtypes(op_ufunc, tuple(dtypes))
        return ArrayType(types[0].shape, resolved[op_ufunc.nin + output])

    return infer


def _row(name: str, ufunc: np.ufunc, partials: tuple[Partial, ...] | None, **facts: Any) -> Op:
    facts.setdefault("infer", _ufunc_infer(ufunc))
    facts.setdefault("numpy", ufunc)
    facts.setdefault("draw", _smooth)
    facts.setdefault("identity", ufunc.identity)
    return register(Op(name=name, kind=Kind.ELEMENTWISE, ufunc=ufunc, partials=partials, door=_ufunc_door, **facts))


def unary(name: str, partial: Partial, **facts: Any) -> Op:
    """A row for np.<name> of one argument; partial: (y, x) -> dy/dx."""
    return _row(name, getattr(np, name), (partial,), **facts)


def binary(name: str, first: Partial, second: Partial, **facts: Any) -> Op:
    """A row for np.<name> of two arguments; first, second: (y, a, b) -> dy/da, dy/db."""
    return _row(name, getattr(np, name), (first, second), **facts)


# --- where, cast, parts ----------------------------------------------------------------------------------------------


def _where_door(op: Op, condition: Any, x: Any, y: Any) -> Node:
    dtype = np.result_type(*[t if isinstance(t, np.dtype) else t(0) for t in (operand_type(x), operand_type(y))])
    x, y = [v.node if isinstance(v, Symbolic) else v for v in (x, y)]  # NumPy casts them: 260 is 4 beside uint8
    test = condition if isinstance(condition, Node) else constant(condition)
    if test.dtype != bool:
        test = not_equal(test, constant(0, test.dtype))
    return _fit(op, (test, x, y), (test.dtype, dtype, dtype))


def _where_infer(condition: ArrayType, x: ArrayType, y: ArrayType) -> ArrayType:
    same_shape(condition, x, y)
    return x


where = register(
    Op(
        name="where",
        kind=Kind.ELEMENTWISE,
        infer=_where_infer,
        numpy=np.where,
        door=_where_door,
        vjp=lambda ct, node, index: _where_vjp(ct, node, index),
        jvp=lambda tangents, node: where(node.args[0], *[0 if t is None else t for t in tangents[1:]]),
        c="({0} ? {1} : {2})",
        draw=lambda rng, shape, position: rng.random(shape) < 0.5 if position == 0 else rng.uniform(-2.0, 2.0, shape),
    )
)


kept = register(
    Op(
        name="kept",
        kind=Kind.ELEMENTWISE,
        infer=lambda x: x,
        numpy=lambda x: x,
        partials=(lambda z, x: 1.0,),
        c=lambda dtype: "{0}",
        cost=0.0,
    )
)
"""x. As a side of a `where` it is computed also where it is not taken: numpy.where computes both sides, and warns of both."""

early = register(
    Op(
        name="early",
        kind=Kind.ELEMENTWISE,
        infer=lambda x: x,
        numpy=lambda x: x,
        partials=(lambda z, x: 1.0,),
        c=lambda dtype: "LZ_EARLY({0})" if dtype.kind in "iu" else "{0}",
        cost=0.0,
    )
)
"""x, which no compiler puts together with what it is joined with later: it is there before (optimize/chains.py)."""


def masked(node: Node) -> tuple[Node, Node] | None:
    """(mask, value) of a node that is `value` where the mask is true and exactly zero elsewhere; None for any other."""
    if node.op is where:
        test, taken, other = node.args
        if constant_value(other) == 0:
            return test, taken
        if constant_value(taken) == 0:
            return logical_not(test), other
    return None


def _where_vjp(cotangent: Node, node: Node, index: int) -> Node | None:
    """The cotangent where this argument was taken. Masks are merged: one `where` shields the cotangent from all of them."""
    if index == 0:
        return None
    known = masked(cotangent)
    if known is None:
        return where(node.args[0], cotangent, 0) if index == 1 else where(node.args[0], 0, cotangent)
    mask, value = known
    return where(logical_and(mask, node.args[0] if index == 1 else logical_not(node.args[0])), value, 0)


def _lazy(dtype: np.dtype) -> np.dtype:
    if dtype not in LAZY_DTYPES:
        raise NotLazy(f"dtype {dtype} has no lazy form")
    return dtype


def _cast_door(op: Op, x: Node, to: Any) -> Node:
    return as_node(x, np.dtype(to))


def recast(value: Node, dtype: np.dtype) -> Node:
    """A cotangent or tangent in another inexact dtype; a real one sees the real part of a complex one."""
    if value.dtype == dtype:
        return value
    if value.dtype.kind == "c" and dtype.kind != "c":
        value = real(value)
    return as_node(value, dtype)


def _parts_kept(x: np.ndarray, to: np.dtype) -> np.ndarray:
    """The real part where the target is real: NumPy's ComplexWarning belongs to the user's line (`lazynp.array`)."""
    return x.real if x.dtype.kind == "c" and to.kind not in "cb" else x


cast = register(
    Op(
        name="cast",
        kind=Kind.ELEMENTWISE,
        attrs=("to",),
        infer=lambda x, to: ArrayType(x.shape, _lazy(to)),
        numpy=lambda x, to: _parts_kept(np.asarray(x), to).astype(to),
        door=_cast_door,
        vjp=lambda cotangent, node, index: recast(cotangent, node.args[0].dtype),
        jvp=lambda tangents, node: recast(tangents[0], node.dtype),
        draw=_smooth,
    )
)


def _real_dtype(dtype: np.dtype) -> np.dtype:
    return np.empty(0, dtype).real.dtype


def _complex_dtype(dtype: np.dtype) -> np.dtype:
    return np.result_type(dtype, np.complex64)


def _part(name: str, read: Callable[..., Any], back: Callable[[Node], Node], c: Callable[[np.dtype], str | None]) -> Op:
    return register(
        Op(
            name=name,
            kind=Kind.ELEMENTWISE,
            infer=lambda x: ArrayType(x.shape, _real_dtype(x.dtype)),
            numpy=lambda x: np.ascontiguousarray(read(x)).reshape(np.shape(x)),
            vjp=lambda cotangent, node, index: back(cotangent),
            jvp=lambda tangents, node: OPS[name](tangents[0]),
            c=c,
            draw=_smooth,
        )
    )


real = _part("real", np.real, lambda ct: make_complex(ct, 0.0), c=lambda dtype: None if dtype.kind == "c" else "{0}")
imag = _part("imag", np.imag, lambda ct: make_complex(0.0, ct), c=lambda dtype: None if dtype.kind == "c" else "0")


def _complex_door(op: Op, re: Any, im: Any) -> Node:
    dtypes = [t for t in (operand_type(re), operand_type(im)) if isinstance(t, np.dtype)]
    dtype = _real_dtype(np.result_type(*(dtypes or [np.dtype(float)]), np.float16))
    dtype = _real_dtype(_complex_dtype(dtype))
    return _fit(op, (re, im), (dtype, dtype))


def _complex_infer(re: ArrayType, im: ArrayType) -> ArrayType:
    same_shape(re, im)
    return ArrayType(re.shape, _complex_dtype(re.dtype))


make_complex = register(
    Op(
        name="complex",
        kind=Kind.ELEMENTWISE,
        infer=_complex_infer,
        numpy=lambda re, im: _assemble(re, im),
        door=_complex_door,
        vjp=lambda cotangent, node, index: (real, imag)[index](cotangent),
        jvp=lambda tangents, node: make_complex(*[0.0 if t is None else t for t in tangents]),
        draw=_smooth,
    )
)


def _assemble(re: Any, im: Any) -> np.ndarray:
    re = np.asarray(re)
    out = np.empty(re.shape, _complex_dtype(re.dtype))
    out.real = re
    out.imag = im
    return out


stop_gradient = register(
    Op(
        name="stop_gradient",
        kind=Kind.ELEMENTWISE,
        infer=lambda x: x,
        numpy=lambda x: x,
        partials=(None,),
        c=lambda dtype: "({0})",
        draw=_smooth,
    )
)
"""The argument itself, as a constant for every derivative."""

doubtful = register(
    Op(
        name="doubtful",
        kind=Kind.ELEMENTWISE,
        infer=lambda x: x,
        numpy=lambda x: x,
        partials=(None,),
        c=lambda dtype: "({0})",
        draw=lambda rng, shape, dtype, position: rng.integers(0, 2, shape).astype(bool),
    )
)
"""A truth value that, where it is true, makes all results of the program worthless: the loop that finds it true is left."""

outgrows = register(
    Op(
        name="outgrows",
        kind=Kind.ELEMENTWISE,
        infer=lambda x: ArrayType(x.shape, np.dtype(bool)),
        numpy=lambda x: np.logical_not((x >= -(2.0**62)) & (x < 2.0**62)),
        partials=(None,),
        c=lambda dtype: "LZ_OUTGROWS({0})",
        draw=_smooth,
    )
)
"""Whether a real number, or NaN, is too large for the integer that it becomes: 62 bits leave room for a sum. Tested on the integer, where
the processor says so: bins of a histogram, 47 -> 39 us."""

# --- arithmetic ------------------------------------------------------------------------------------------------------

add = binary("add", lambda z, x, y: 1.0, lambda z, x, y: 1.0, c="({0} + {1})", commutative=True, associative=True)
subtract = binary("subtract", lambda z, x, y: 1.0, lambda z, x, y: -1.0, c="({0} - {1})")
multiply = binary("multiply", lambda z, x, y: y, lambda z, x, y: x, c="({0} * {1})", commutative=True, associative=True)
divide = binary("divide", lambda z, x, y: 1.0 / y, lambda z, x, y: -z / y, c="({0} / {1})", cost=4, draw=_positive)
floor_divide = binary("floor_divide", None, None, cost=8, draw=_positive)
remainder = binary("remainder", lambda z, x, y: 1.0, lambda z, x, y: -floor_divide(x, y), cost=8, draw=_positive)
fmod = binary("fmod", lambda z, x, y: 1.0, lambda z, x, y: -trunc(x / y), cost=8, draw=_positive)
negative = unary("negative", lambda y, x: -1.0, c="(-{0})")
positive = unary("positive", lambda y, x: 1.0, c="({0})")
reciprocal = unary("reciprocal", lambda y, x: -y * y, cost=4, draw=_positive)
square = unary("square", lambda y, x: 2.0 * x, draw=_smooth)


def _power_base(z: Node, x: Node, y: Node) -> Any:
    """y * x**(y-1); at y = 0 the derivative is 0, also where x**-1 is not finite."""
    exponent = constant_value(y)
    if exponent is not None:
        exponent = exponent.item()
        if exponent == 0:
            return 0.0
        return exponent * (x if exponent == 2 else power(x, exponent - 1))
    return where(equal(y, 0), 0, y) * power(x, where(equal(y, 0), 1, y) - 1)


def _power_exponent(z: Node, x: Node, y: Node) -> Node:
    """log(x) * x**y; 0 at x = 0, its limit from the right for y > 0 (where the naive product is 0 * -inf)."""
    return where(equal(x, 0), 0, log(where(equal(x, 0), 1, x)) * z)


power = binary("power", _power_base, _power_exponent, cost=20, draw=_positive)
float_power = binary("float_power", _power_base, _power_exponent, cost=20, draw=_positive)
absolute = _row("absolute", np.absolute, None, cost=1, draw=_smooth,
                vjp=lambda ct, node, i: _absolute_vjp(ct, node), jvp=lambda ts, node: _absolute_jvp(ts[0], node))  # fmt: skip
fabs = unary("fabs", lambda y, x: sign(x))
sign = _row("sign", np.sign, None, vjp=lambda ct, node, i: _sign_linear(ct, node), jvp=lambda ts, node: _sign_linear(ts[0], node))
heaviside = binary("heaviside", None, lambda z, x, y: cast(equal(x, 0), to=z.dtype))
copysign = binary("copysign", lambda z, x, y: sign(x) * copysign(1.0, y), None)
signbit = unary("signbit", None)
nextafter = binary("nextafter", lambda z, x, y: 1.0, None)
spacing = unary("spacing", None)
ldexp = _row("ldexp", np.ldexp, (lambda z, x, n: ldexp(where(equal(x, x), 1.0, x), n), None), cost=4,
             draw=lambda rng, shape, position: rng.integers(-3, 3, shape) if position else rng.uniform(-2, 2, shape))  # fmt: skip


def _absolute_direction(node: Node) -> Node:
    """z / |z|, and 0 at 0: the documented subgradient."""
    z = node.args[0]
    if z.dtype.kind != "c":
        return sign(z)
    return z / where(equal(node, 0), 1.0, node)


def _sign_linear(t: Node, node: Node) -> Node | None:
    """Real: zero. Complex z / |z|: the part of t across z, divided by |z|; a symmetric map, so its own transpose. 0 at 0."""
    if t.dtype.kind != "c":
        return None
    size = absolute(node.args[0])
    across = imag(conjugate(node) * t) / where(equal(size, 0), 1, size)
    return make_complex(0.0, across) * node


def _absolute_vjp(ct: Node, node: Node) -> Node:
    return ct * _absolute_direction(node)


def _absolute_jvp(t: Node, node: Node) -> Node:
    if t.dtype.kind != "c":
        return t * _absolute_direction(node)
    return real(conjugate(_absolute_direction(node)) * t)


def below(x: Node, z: Node) -> Node:
    """x - z, and 0 where they are equal: infinities of one sign differ by nothing, not by nan."""
    return where(equal(x, z), 0, x - z)


# --- exponentials, trigonometry --------------------------------------------------------------------------------------

exp = unary("exp", lambda y, x: y, cost=10)
exp2 = unary("exp2", lambda y, x: y * math.log(2.0), cost=10)
expm1 = unary("expm1", lambda y, x: y + 1.0, cost=12)
log = unary("log", lambda y, x: 1.0 / x, cost=12, draw=_positive)
log2 = unary("log2", lambda y, x: 1.0 / (x * math.log(2.0)), cost=12, draw=_positive)
log10 = unary("log10", lambda y, x: 1.0 / (x * math.log(10.0)), cost=12, draw=_positive)
log1p = unary("log1p", lambda y, x: 1.0 / (1.0 + x), cost=14, draw=_positive)
sqrt = unary("sqrt", lambda y, x: 0.5 / y, cost=5, draw=_positive)
cbrt = unary("cbrt", lambda y, x: 1.0 / (3.0 * y * y), cost=15, draw=_positive)
sin = unary("sin", lambda y, x: cos(x), cost=12)
cos = unary("cos", lambda y, x: -sin(x), cost=12)
tan = unary("tan", lambda y, x: 1.0 + y * y, cost=16, draw=_inside)
arcsin = unary("arcsin", lambda y, x: 1.0 / sqrt(1.0 - x * x), cost=16, draw=_inside)
arccos = unary("arccos", lambda y, x: -1.0 / sqrt(1.0 - x * x), cost=16, draw=_inside)
arctan = unary("arctan", lambda y, x: 1.0 / (1.0 + x * x), cost=16)
sinh = unary("sinh", lambda y, x: cosh(x), cost=16)
cosh = unary("cosh", lambda y, x: sinh(x), cost=16)
tanh = unary("tanh", lambda y, x: 1.0 - y * y, cost=16)
arcsinh = unary("arcsinh", lambda y, x: 1.0 / sqrt(x * x + 1.0), cost=18)
arccosh = unary("arccosh", lambda y, x: 1.0 / sqrt(x * x - 1.0), cost=18, draw=_above_one)
arctanh = unary("arctanh", lambda y, x: 1.0 / (1.0 - x * x), cost=18, draw=_inside)
arctan2 = binary("arctan2", lambda z, y, x: x / (x * x + y * y), lambda z, y, x: -y / (x * x + y * y), cost=20, draw=_positive)
hypot = binary(
    "hypot",
    lambda z, x, y: x / where(equal(z, 0), 1, z),
    lambda z, x, y: y / where(equal(z, 0), 1, z),
    cost=10,
    draw=_positive,
    commutative=True,
    associative=True,
)
logaddexp = binary(
    "logaddexp", lambda z, x, y: exp(below(x, z)), lambda z, x, y: exp(below(y, z)), cost=24, commutative=True, associative=True
)
logaddexp2 = binary(
    "logaddexp2", lambda z, x, y: exp2(below(x, z)), lambda z, x, y: exp2(below(y, z)), cost=24, commutative=True, associative=True
)
deg2rad = unary("deg2rad", lambda y, x: math.pi / 180.0)
rad2deg = unary("rad2deg", lambda y, x: 180.0 / math.pi)
degrees = unary("degrees", lambda y, x: 180.0 / math.pi)
radians = unary("radians", lambda y, x: math.pi / 180.0)


def _expit_numpy(x: Any) -> Any:
    """1/(1+exp(-x)) in the input's dtype."""
    return np.reciprocal(np.exp(np.negative(x)) + x.dtype.type(1))


expit = register(
    Op(
        name="expit",
        kind=Kind.ELEMENTWISE,
        ufunc=np.exp,
        infer=_ufunc_infer(np.exp),
        numpy=_expit_numpy,
        door=_ufunc_door,
        partials=(lambda y, x: y * (1.0 - y),),
        cost=16,
        draw=_smooth,
        source="the logistic function, scipy.special.expit",
    )
)

# --- rounding, parts of numbers --------------------------------------------------------------------------------------

rint = unary("rint", None)
floor = unary("floor", None)
ceil = unary("ceil", None)
trunc = unary("trunc", None)


def _nth_output(name: str, ufunc: np.ufunc, output: int, arity: int, partials: tuple[Partial, ...]) -> Op:
    """One output of a ufunc with two: modf, frexp and divmod are pairs of ops."""
    return register(
        Op(
            name=name,
            kind=Kind.ELEMENTWISE,
            ufunc=ufunc,
            infer=_ufunc_infer(ufunc, output),
            numpy=lambda *args: ufunc(*args)[output],
            door=_ufunc_door,
            partials=partials,
            draw=_positive,
        )
    )


modf_fraction = _nth_output("modf_fraction", np.modf, 0, 1, (lambda y, x: 1.0,))
modf_integer = _nth_output("modf_integer", np.modf, 1, 1, (None,))
frexp_mantissa = _nth_output("frexp_mantissa", np.frexp, 0, 1, (lambda y, x: ldexp(filled(x.shape, 1, x.dtype), -frexp_exponent(x)),))
frexp_exponent = _nth_output("frexp_exponent", np.frexp, 1, 1, (None,))
conjugate = _row("conjugate", np.conjugate, None, vjp=lambda ct, node, i: conjugate(ct), jvp=lambda ts, node: conjugate(ts[0]))

# --- comparison, logic, bits -----------------------------------------------------------------------------------------

equal = binary("equal", None, None, c="({0} == {1})", commutative=True)
not_equal = binary("not_equal", None, None, c="({0} != {1})", commutative=True)
less = binary("less", None, None, c="({0} < {1})")
less_equal = binary("less_equal", None, None, c="({0} <= {1})")
greater = binary("greater", None, None, c="({0} > {1})")
greater_equal = binary("greater_equal", None, None, c="({0} >= {1})")
logical_and = binary("logical_and", None, None, commutative=True, associative=True)
logical_or = binary("logical_or", None, None, commutative=True, associative=True)
logical_xor = binary("logical_xor", None, None, commutative=True, associative=True)
logical_not = unary("logical_not", None)
isnan = unary("isnan", None)
isinf = unary("isinf", None)
isfinite = unary("isfinite", None)
bitwise_and = binary("bitwise_and", None, None, c="({0} & {1})", commutative=True, associative=True)
bitwise_or = binary("bitwise_or", None, None, c="({0} | {1})", commutative=True, associative=True)
bitwise_xor = binary("bitwise_xor", None, None, c="({0} ^ {1})", commutative=True, associative=True)
invert = unary("invert", None)
left_shift = binary("left_shift", None, None)
right_shift = binary("right_shift", None, None)
bitwise_count = unary("bitwise_count", None)
gcd = binary("gcd", None, None, cost=50, commutative=True, associative=True)
lcm = binary("lcm", None, None, cost=60, commutative=True, associative=True)


def _chosen(z: Node, mine: Node, other: Node) -> Node:
    """Which argument an extremum took; ties share the derivative in halves (the symmetric subgradient)."""
    half, one, zero = [constant(share, z.dtype) for share in (0.5, 1, 0)]
    return where(equal(mine, other), half, where(equal(mine, z), one, zero))


maximum = binary("maximum", lambda z, x, y: _chosen(z, x, y), lambda z, x, y: _chosen(z, y, x), commutative=True, associative=True)
minimum = binary("minimum", lambda z, x, y: _chosen(z, x, y), lambda z, x, y: _chosen(z, y, x), commutative=True, associative=True)
fmax = binary("fmax", lambda z, x, y: _chosen(z, x, y), lambda z, x, y: _chosen(z, y, x), commutative=True, associative=True)
fmin = binary("fmin", lambda z, x, y: _chosen(z, x, y), lambda z, x, y: _chosen(z, y, x), commutative=True, associative=True)

OPS = {name: op for name, op in globals().items() if isinstance(op, Op)}

UFUNCS: dict[np.ufunc, tuple[Op, ...]] = {op.ufunc: (op,) for op in OPS.values() if op.ufunc is not None and op is not expit}
"""NumPy's ufunc -> the ops of its outputs."""
UFUNCS |= {np.modf: (modf_fraction, modf_integer), np.frexp: (frexp_mantissa, frexp_exponent), np.divmod: (floor_divide, remainder)}

# --- operators on nodes and patterns: how rules and derivatives are written --------------------------------------------

_OPERATORS = {
    "add": add, "sub": subtract, "mul": multiply, "truediv": divide, "floordiv": floor_divide, "mod": remainder, "pow": power,
}  # fmt: skip


def _attach(target: type) -> None:
    for name, op in _OPERATORS.items():
        setattr(target, f"__{name}__", lambda self, other, op=op: op(self, other))
        setattr(target, f"__r{name}__", lambda self, other, op=op: op(other, self))
    target.__neg__ = lambda self: negative(self)  # type: ignore[attr-defined]


_attach(Node)
_attach(Pattern)


def filled(shape: Shape, value: Any, dtype: np.dtype) -> Node:
    """A constant broadcast to a shape."""
    return broadcast(constant(value, dtype), shape)


def constant_value(node: Node) -> Any:
    """The scalar that every element of the node is, or None: a 0-d const, seen through broadcasts."""
    while node.op is broadcast:
        node = node.args[0]
    if node.op is const and node.ndim == 0:
        literal: Literal = node.value
        return literal.array[()]
    return None
