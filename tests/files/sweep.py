"""Reads and draws every mesh file under given folders, and says what came of each.

    python tests/files/sweep.py FOLDER... [--seconds 60] [--pictures OUT] [--list crashed]

Each file is tried in a process of its own that may take so long. What may come of one:

- drawn: it is a picture with something in it;
- refused: in words, as a `ValueError`;
- nothing: it was read, and nothing is seen of it;
- crashed: by another exception, or the process ended;
- hung: it took too long.

Ends with 1 if any crashed or hung.
"""

import argparse
import collections
import multiprocessing
import sys
import warnings
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

OUTCOMES = ("drawn", "refused", "nothing", "crashed", "hung")
SIZE = 96


def try_file(path: Path, picture: Path | None) -> tuple[str, str]:
    """Read and draw a file: what came of it, and in which words."""
    import taichi_softras as sr
    from taichi_softras.files.pictures import composite, write_picture
    from taichi_softras.previews import draw_previews

    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            mesh = sr.read_mesh(path, textures=True).normalized()
        except ValueError as error:
            return "refused", str(error).rpartition("': ")[2]
    words = f"{mesh.num_faces} faces" + "".join(f"; {warning.message}" for warning in said)
    settings = sr.RasterizerSettings(height=SIZE, width=SIZE)
    camera = sr.LookAtCamera(eye=(0.7, 0.6, 1.3), fov_degrees=55)
    (image,) = draw_previews(mesh, camera, settings)
    if not np.isfinite(image).all():
        return "crashed", "the picture is not finite"
    if picture is not None:
        write_picture(picture, composite(image, (0.3, 0.4, 0.5)))
    return ("drawn" if (image[..., 3] > 0.01).any() else "nothing"), words


def serve(connection: Connection) -> None:
    """Try the files that come, until None does."""
    while (work := connection.recv()) is not None:
        try:
            connection.send(try_file(*work))
        except Exception as error:  # that any may come is the point
            connection.send(("crashed", f"{type(error).__name__}: {error}"))


class Worker:
    """A process that tries files, begun anew when one was its end."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._process: multiprocessing.process.BaseProcess | None = None
        self._connection: Connection | None = None

    def try_file(self, path: Path, picture: Path | None) -> tuple[str, str]:
        if self._process is None:
            context = multiprocessing.get_context("spawn")
            self._connection, theirs = context.Pipe()
            self._process = context.Process(target=serve, args=(theirs,), daemon=True)
            self._process.start()
        self._connection.send((path, picture))
        try:
            if self._connection.poll(self._seconds):
                return self._connection.recv()
            outcome = "hung", f"over {self._seconds:g} s"
        except EOFError:
            outcome = "crashed", "the process ended"
        self._process.kill()
        self._process = None
        return outcome

    def end(self) -> None:
        if self._process is not None:
            self._connection.send(None)
            self._process.join()


def find_files(folders: list[Path]) -> list[tuple[str, Path]]:
    """All mesh files, each with the name of its folder among those given."""
    from taichi_softras.files.mesh_files import READABLE

    return [
        (folder.name, path)
        for folder in folders
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in READABLE and path.is_file()
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--seconds", type=float, default=60.0, help="that a file may take")
    parser.add_argument("--pictures", type=Path, help="a folder for the pictures")
    parser.add_argument("--list", nargs="*", default=["crashed", "hung"], choices=OUTCOMES)
    options = parser.parse_args()
    worker = Worker(options.seconds)
    counts: dict[tuple[str, str], collections.Counter[str]] = collections.defaultdict(
        collections.Counter
    )
    console = Console()
    files = find_files(options.folders)
    for number, (folder, path) in enumerate(files):
        picture = None
        if options.pictures is not None:
            options.pictures.mkdir(parents=True, exist_ok=True)
            picture = options.pictures / f"{number:04}_{path.stem[:40]}{path.suffix}.png"
        outcome, words = worker.try_file(path, picture)
        counts[folder, path.suffix.lower()][outcome] += 1
        if outcome in options.list:
            console.print(f"{outcome}: {path}: {words}", markup=False, highlight=False)
    worker.end()
    table = Table("folder", "format", "files", *OUTCOMES)
    for (folder, suffix), row in sorted(counts.items()):
        numbers = [row[outcome] for outcome in OUTCOMES]
        table.add_row(folder, suffix, *map(str, [sum(numbers), *numbers]))
    total = sum(counts.values(), collections.Counter())
    numbers = [total[outcome] for outcome in OUTCOMES]
    table.add_row("all", "", *map(str, [sum(numbers), *numbers]))
    console.print(table)
    return int(bool(total["crashed"] or total["hung"]))


if __name__ == "__main__":
    sys.exit(main())
