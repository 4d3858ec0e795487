"""Print how many threads each kernel of a step has on a GPU. No GPU is needed.

    python tests/cuda/threads.py [--cases 4]

Each of a kernel's loops is launched with a thread for each of its turns. How many there are is read
from the kernel's source, with the arguments that it was launched with: a step is taken on the CPU,
in the way of a GPU. One thread alone sums up what 1 stands for.
"""

import argparse
import ast
import contextlib
import inspect
import math
import sys
import textwrap
from collections.abc import Callable, Iterator
from types import FunctionType, SimpleNamespace
from typing import Any

import torch

from taichi_softras.arrays import launcher
from taichi_softras.bench import cases
from taichi_softras.bench.measuring import draw
from taichi_softras.losses import image_loss, image_losses, silhouette_loss
from taichi_softras.rasterizer import _inputs, _lists, _operator

TAICHI = SimpleNamespace(
    **dict.fromkeys(("i32", "i64"), int),
    cast=lambda x, _: int(x),
    max=max,
    min=min,
    ndrange=lambda *extents: math.prod(map(int, extents)),
    static=lambda x: x,
)
"""What expressions for the extent of a loop use of Taichi."""


def loops_of(function: Callable[..., Any], arguments: dict[str, Any]) -> Iterator[int]:
    """Count the turns of each loop at the top of a kernel, or of what a kernel calls there."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    assert isinstance(tree, ast.FunctionDef)
    closed = inspect.getclosurevars(function)
    names = {**closed.globals, **closed.nonlocals, **arguments, "ti": TAICHI}
    names["range"] = lambda first, last=None: int(first if last is None else last - first)
    yield from _loops_in(tree.body, _plain(names))


def _plain(names: dict[str, Any]) -> dict[str, Any]:
    """Have Taichi's functions called as those of Python that they were made of."""
    is_taichi = "_is_taichi_function"
    return {name: _python_of(x) if getattr(x, is_taichi, 0) else x for name, x in names.items()}


def _python_of(function: Callable[..., Any]) -> Callable[..., Any]:
    plain = function.__wrapped__
    used = plain.__globals__.keys() & set(plain.__code__.co_names)
    names = {
        **plain.__globals__,
        **_plain({name: plain.__globals__[name] for name in used}),
        "ti": TAICHI,
    }
    parts = plain.__name__, plain.__defaults__, plain.__closure__
    return FunctionType(plain.__code__, names, *parts)


def _loops_in(statements: list[ast.stmt], names: dict[str, Any]) -> Iterator[int]:
    serial = False
    for statement in statements:
        text = ast.unparse(statement)
        if "serialize=True" in text and not isinstance(statement, ast.For):
            serial = not isinstance(statement, ast.If) or _value(statement.test, names)
        elif isinstance(statement, ast.For):
            yield 1 if serial else int(_value(statement.iter, names))
            serial = False
        elif isinstance(statement, ast.If):
            chosen = statement.body if _value(statement.test, names) else statement.orelse
            yield from _loops_in(chosen, names)
        else:
            yield from _loops_called(statement, names)
            _assign(statement, names)


def _assign(statement: ast.stmt, names: dict[str, Any]) -> None:
    """Note the numbers that sizes are given as; what else there is no loop depends on."""
    if isinstance(statement, ast.Assign):
        with contextlib.suppress(Exception):  # such as an accumulator of a Taichi type
            exec(ast.unparse(statement), names)


def _loops_called(statement: ast.stmt, names: dict[str, Any]) -> Iterator[int]:
    call = getattr(statement, "value", None)
    if isinstance(call, ast.Call) and isinstance(call.func, ast.Name):
        function = names.get(call.func.id)
        if inspect.isfunction(function):
            given = _value(ast.Tuple(call.args, ast.Load()), names)
            named = {x.arg: _value(x.value, names) for x in call.keywords}
            bound = inspect.signature(function).bind(*given, **named)
            yield from loops_of(function, bound.arguments)


def _value(expression: ast.expr, names: dict[str, Any]) -> Any:
    return eval(
        compile(ast.fix_missing_locations(ast.Expression(expression)), "kernel", "eval"),
        dict(names),
    )


def threads_of(step: Callable[[], None]) -> dict[str, list[int]]:
    """Take a step, and count the threads of the loops of each kernel that it launches."""
    found: dict[str, list[int]] = {}
    launch = launcher._Launcher.__call__

    def note(self, *args, **kwargs):
        result = launch(self, *args, **kwargs)  # first: what it writes may count turns
        kernel = self._taichi
        bound = inspect.signature(kernel.func).bind(*args, **kwargs).arguments
        name = f"{kernel.func.__module__.rpartition('.')[2]}.{kernel.func.__name__}"
        found[name] = list(loops_of(kernel.func, bound))
        return result

    launcher._Launcher.__call__ = note
    try:
        step()
    finally:
        launcher._Launcher.__call__ = launch
    return found


def step_of(case: cases.Case) -> Callable[[], None]:
    corners, colors = (torch.tensor(x).requires_grad_() for x in case.face_arrays())

    def step() -> None:
        image = draw(corners, colors, case.settings(), silhouette=case.silhouette)
        (silhouette_loss if case.silhouette else image_loss)(
            image, torch.zeros_like(image[:1])
        ).backward()

    return step


def markdown_of(found: dict[str, dict[str, list[int]]]) -> str:
    """Lay out threads by kernel and case."""
    lines = ["| kernel | " + " | ".join(found) + " |", "|---|" + "---:|" * len(found)]
    for kernel in dict.fromkeys(name for threads in found.values() for name in threads):
        cells = (" · ".join(f"{n:,}" for n in found[case].get(kernel, [])) for case in found)
        lines.append(f"| {kernel} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cases", type=int, default=4, help="how many of `softras bench`'s")
    options = parser.parse_args()
    for module in (_inputs, _lists, _operator, image_losses):
        module.on_gpu = lambda: True
    found = {str(case): threads_of(step_of(case)) for case in cases.CASES[: options.cases]}
    sys.stdout.write(markdown_of(found) + "\n")


if __name__ == "__main__":
    main()
