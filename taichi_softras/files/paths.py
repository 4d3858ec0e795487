"""Finding files that others name, and writing files whole or not at all."""

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path


@contextmanager
def whole_file(path: str | PathLike[str]) -> Iterator[Path]:
    """Name a file to write in place of another, which it replaces once it is whole.

    The file lies beside ``path`` until the ``with`` block ends, so that the last step is a
    rename, which cannot half happen. If the block raises, ``path`` is as it was before, and
    nothing is left beside it.

    Args:
        path: Where the file is wanted. One that exists is replaced, and passes on its
            permissions; a link is followed.

    Yields:
        A path that names no file yet, in the same folder and with the same suffix.

    Raises:
        FileNotFoundError: If the folder does not exist.
        IsADirectoryError: If ``path`` is a folder.

    Examples:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with whole_file(Path(folder) / "note.txt") as unfinished:
        ...         _ = unfinished.write_text("all of it")
        ...     print((Path(folder) / "note.txt").read_text())
        all of it
    """
    target = Path(path).resolve()
    if not target.parent.is_dir():
        raise FileNotFoundError(f"path must be in a folder that exists, got {str(path)!r}")
    if target.is_dir():
        raise IsADirectoryError(f"path must be that of a file, got the folder {str(path)!r}")
    # Not by tempfile, whose files only their owner can read: this one is to stay.
    unfinished = target.with_name(f".{secrets.token_hex(8)}{target.suffix}")
    try:
        yield unfinished
        if target.exists():
            shutil.copymode(target, unfinished)
        unfinished.replace(target)
    finally:
        # Gone already if all went well. "finally" also sees KeyboardInterrupt.
        unfinished.unlink(missing_ok=True)


def find_file(folder: Path, name: str) -> Path | None:
    """Find a file that another names: where that says, else beside it by the last part of its path.

    Args:
        folder: Where the file lies that names it.
        name: As it stands there: in quotes or not, with slashes of either kind, and perhaps with
            letters of the wrong case, which some systems don't mind.

    Returns:
        The file, None if there is none.
    """
    name = name.strip().strip('"').replace("\\", "/")
    places = (name, name.rpartition("/")[2])
    for find in (_find_exactly, _find_in_any_case):
        for place in places:
            try:
                path = find(folder, place)
            except (OSError, ValueError):  # no name that a file can have
                continue
            if path is not None:
                return path
    return None


def _find_exactly(folder: Path, name: str) -> Path | None:
    return folder / name if (folder / name).is_file() else None


def _find_in_any_case(folder: Path, name: str) -> Path | None:
    path = folder / name
    found = Path(path.anchor) if path.is_absolute() else Path()
    for part in path.parts[len(found.parts) :]:
        if not (found / part).exists():
            if not found.is_dir():
                return None
            alike = sorted(p.name for p in found.iterdir() if p.name.lower() == part.lower())
            if not alike:
                return None
            part = alike[0]
        found = found / part
    return found if found.is_file() else None
