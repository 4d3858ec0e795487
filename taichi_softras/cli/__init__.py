"""The command line, ``softras``. Works on Taichi alone: PyTorch is never imported."""

import sys
import warnings
from collections.abc import Callable
from typing import Any

import tyro

from taichi_softras.cli.bake import Bake
from taichi_softras.cli.bench import Bench
from taichi_softras.cli.demo import Demo
from taichi_softras.cli.fit import Fit
from taichi_softras.cli.gradients import Gradients
from taichi_softras.cli.info import Info
from taichi_softras.cli.reconstruct import Reconstruct
from taichi_softras.cli.render import Render
from taichi_softras.cli.scaling import Scaling
from taichi_softras.cli.view import ViewCommand
from taichi_softras.cli.warm_up import WarmUp

COMMANDS: dict[str, Callable[..., Any]] = {
    "render": Render,
    "view": ViewCommand,
    "fit": Fit,
    "reconstruct": Reconstruct,
    "bake": Bake,
    "demo": Demo,
    "bench": Bench,
    "scaling": Scaling,
    "gradients": Gradients,
    "info": Info,
    "warm-up": WarmUp,
}


def main(arguments: list[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: What follows the program's name; those of the process if None.

    Returns:
        The exit status: 0, or 1 where a file or a setting was refused, with the reason on
        standard error. Wrong usage leaves by ``SystemExit(2)``.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("default", UserWarning)
        warnings.showwarning = _print_warning  # type: ignore[assignment]  # takes fewer arguments
        return _run(arguments)


def _print_warning(message: Warning | str, *_: Any) -> None:
    """Say in a plain line what is amiss, such as a texture that is not there."""
    print(f"softras: {message}", file=sys.stderr)


def _run(arguments: list[str] | None) -> int:
    try:
        command = tyro.extras.subcommand_cli_from_dict(
            COMMANDS,
            prog="softras",
            description="A differentiable soft rasterizer for triangle meshes.",
            args=arguments,
        )
        command.run()
    except (OSError, ValueError, TypeError, RuntimeError) as error:
        print(f"softras: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("softras: interrupted", file=sys.stderr)
        return 130
    return 0
