"""The other operators of HIPS/autograd, in terms of ours: for programs whose import was changed."""

from collections.abc import Callable
from typing import Any

import numpy as np

from lazynp.functional.arguments import named
from lazynp.functional.gradients import elementwise_grad, grad, hvp, jvp, value_and_grad, vjp

Function = Callable[..., Any]


def _of_one(f: Function, argnum: int, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Function:
    """f as a function of one positional argument, the others fixed."""
    return lambda x: f(*args[:argnum], x, *args[argnum + 1 :], **kwargs)


def make_vjp(f: Function, argnum: int = 0) -> Function:
    """(*args) -> (pullback of that argument, f(*args))."""

    def made(*args: Any, **kwargs: Any) -> tuple[Function, Any]:
        value, pullback = vjp(_of_one(f, argnum, args, kwargs), args[argnum])
        return (lambda ct: pullback(ct)[0]), value

    return made


def make_jvp(f: Function, argnum: int = 0) -> Function:
    """(*args) -> (tangent of that argument -> (f(*args), tangent of it))."""
    return lambda *args, **kwargs: lambda v: jvp(_of_one(f, argnum, args, kwargs), (args[argnum],), (v,))


def make_hvp(f: Function, argnum: int = 0) -> Function:
    """(*args) -> (vector -> Hessian times the vector, gradient)."""
    return make_vjp(grad(f, argnum), argnum)


def make_ggnvp(f: Function, g: Function = lambda x: 0.5 * (x**2).sum(axis=-1), f_argnum: int = 0) -> Function:
    """(*args) -> (vector -> generalised Gauss-Newton matrix of g(f(x)) times it: J' H J v, with J of f and H of g)."""

    def made(*args: Any, **kwargs: Any) -> Function:
        pullback, value = make_vjp(f, f_argnum)(*args, **kwargs)
        push = make_jvp(f, f_argnum)(*args, **kwargs)
        curvature = make_vjp(grad(g))(value)[0]
        return lambda v: pullback(curvature(push(v)[1]))

    return made


def deriv(f: Function, argnum: int = 0) -> Function:
    """The derivative along a tangent of ones, in forward mode: of a function of one number its derivative."""
    return lambda *args, **kwargs: make_jvp(f, argnum)(*args, **kwargs)(_ones(args[argnum]))[1]


def _ones(x: Any) -> Any:
    return np.ones_like(x)[()] if np.ndim(x) == 0 else np.ones(np.shape(x), x.dtype)


def holomorphic_grad(f: Function, argnum: int = 0) -> Function:
    """f' of a complex differentiable f."""
    return elementwise_grad(f, argnum)


def grad_and_aux(f: Function, argnum: int = 0) -> Function:
    """`grad(f, argnum, has_aux=True)`."""
    return grad(f, argnum, has_aux=True)


def grad_named(f: Function, argname: str) -> Function:
    """`grad(f, argname)`."""
    return grad(f, argname)


def multigrad_dict(f: Function) -> Function:
    """The gradients by all arguments, as a dict by name."""

    def gradients(*args: Any, **kwargs: Any) -> dict[str, Any]:
        names = named(f, args, kwargs)
        return dict(zip(names, value_and_grad(f, tuple(names))(*args, **kwargs)[1], strict=True))

    return gradients


def hessian_tensor_product(f: Function, argnum: int = 0) -> Function:
    """(*args, tensor) -> the Hessian contracted with the tensor."""
    return hvp(f, argnum)


hessian_vector_product = hessian_tensor_product


def tensor_jacobian_product(f: Function, argnum: int = 0) -> Function:
    """(*args, tensor) -> the tensor contracted with the Jacobian over the result's axes."""

    def product(*args: Any, **kwargs: Any) -> Any:
        *rest, tensor = args
        return make_vjp(f, argnum)(*rest, **kwargs)[0](tensor)

    return product


vector_jacobian_product = tensor_jacobian_product
