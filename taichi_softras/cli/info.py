"""``softras info``: what runs here."""

from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from taichi_softras.bench.machine import describe_machine


@dataclass(frozen=True, kw_only=True)
class Info:
    """Print versions, the backend that Taichi runs on, and where compiled kernels are kept."""

    def run(self) -> None:
        """Print."""
        table = Table(show_header=False)
        for name, value in describe_machine().items():
            table.add_row(name, value)
        Console().print(table)
