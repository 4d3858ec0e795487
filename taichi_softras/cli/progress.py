"""A bar that shows how far something has come, on standard error."""

from __future__ import annotations

from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from taichi_softras.cli.options import PROGRESS_CONSOLE


class Bar:
    """What is being done, how much of it, and the time left, for as long as a block lasts.

    Args:
        first: What is done at first, of which nobody knows how long it takes.
    """

    def __init__(self, first: str) -> None:
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[note]}"),
            TimeRemainingColumn(),
            console=PROGRESS_CONSOLE,
            transient=True,
        )
        self._task = self._bars.add_task(first, total=None, note="")

    def __enter__(self) -> Bar:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def show(self, what: str, done: int, total: int, note: str = "") -> None:
        """Say what is being done, how much of it is done, and of how much."""
        self._bars.update(
            self._task, description=what, total=total or None, completed=done, note=note
        )
