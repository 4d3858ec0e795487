"""``softras info``: what runs here."""

from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from taichi_softras.bench.machine import describe_kernel_cache, describe_machine


@dataclass(frozen=True, kw_only=True)
class Info:
    """Print versions, the backend that Taichi runs on, and where compiled kernels are kept."""

    def run(self) -> None:
        """Print."""
        table = Table(show_header=False)
        for name, value in describe_machine().items():
            table.add_row(name, value)
        table.add_row("compiled kernels", describe_kernel_cache())
        Console().print(table)
