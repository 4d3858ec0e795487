"""What ``torch.compile`` is not to look into: functions that end in Taichi's kernels.

Looked into, one picture takes it a minute, and ends in hundreds of pieces. Told not to, it breaks
its graph once, and calls the function as it is, gradients and all. PyTorch's own
``torch.compiler.disable`` says so, but needs PyTorch, and all of its compiler, to be imported.
"""

import dataclasses
import functools
import inspect
import sys
from collections.abc import Callable, Iterable
from typing import Any, TypeVar, cast

F = TypeVar("F", bound=Callable[..., Any])

COMPILER = "torch._dynamo"
"""The module that what is compiled has imported; many an optimiser does so, too."""


def uncompiled(function: F) -> F:
    """Wrap a function such that ``torch.compile`` calls it as it is."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if COMPILER in sys.modules:
            return _disabled(function)(*args, **kwargs)
        return function(*args, **kwargs)

    # What ``torch.compiler.disable`` marks functions with, for the compiler to call them.
    call._torchdynamo_disable = True  # type: ignore[attr-defined]
    return cast(F, call)


def leave_uncompiled(namespace: dict[str, Any], names: Iterable[str]) -> None:
    """Wrap what a package offers: functions, the making of dataclasses, and modules' ``forward``.

    What it is made of calls the unwrapped functions, so that a call from outside is wrapped once.
    """
    for name in names:
        value = namespace[name]
        if inspect.isfunction(value):
            namespace[name] = uncompiled(value)
            namespace[name].__module__ = namespace["__name__"]  # where pickle finds it
        elif inspect.isclass(value):
            method = "__init__" if dataclasses.is_dataclass(value) else "forward"
            if inspect.isfunction(vars(value).get(method)):
                setattr(value, method, uncompiled(vars(value)[method]))


def hide_wrappers() -> None:
    """Have the compiler, if PyTorch is imported, run the code of wrappers instead of reading it.

    It would read it the first time that it calls one, in vain, at the cost of two more breaks:
    once, as all wrappers share their code. PyTorch has no public function for this, and had
    several private ones in turn.
    """
    frames: Any = sys.modules.get("torch._C._dynamo.eval_frame")
    if hasattr(frames, "skip_code"):
        frames.skip_code(_WRAPPERS_CODE)
    elif hasattr(frames, "set_code_exec_strategy"):
        action = frames._FrameAction
        skipped = frames._FrameExecStrategy(action.SKIP, action.DEFAULT)
        frames.set_code_exec_strategy(_WRAPPERS_CODE, skipped)


@functools.cache
def _disabled(function: Callable[..., Any]) -> Callable[..., Any]:
    hide_wrappers()
    disabled: Callable[..., Any] = sys.modules["torch"].compiler.disable(function)
    return disabled


_WRAPPERS_CODE = uncompiled(lambda: None).__code__

hide_wrappers()
