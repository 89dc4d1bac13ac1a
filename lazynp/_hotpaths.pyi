from collections.abc import Callable
from typing import Any

import numpy as np

class _Tracing:
    depth: int
    draws: bool

tracing: _Tracing

class Caller:
    numpy: Any
    general: Callable[..., Any]
    def __init__(self, numpy: Any, general: Callable[..., Any]) -> None: ...
    def __call__(self, *args: Any, **kwargs: Any) -> Any: ...

class Drawer(Caller):
    def __init__(self, numpy: Any, general: Callable[..., Any], method: bool) -> None: ...

class ndarray(np.ndarray): ...  # noqa: N801

def set_threshold(elements: int) -> None: ...
def connect(
    lazy: type, adopt: Callable[..., Any], handed_out: Callable[..., Any], operate: Callable[..., Any], item: Callable[..., Any]
) -> None: ...
def called_directly(cls: type) -> type: ...
def fresh(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any: ...
