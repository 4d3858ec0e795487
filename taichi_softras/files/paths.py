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

    Example:
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
        name: As it stands there: in quotes or not, with slashes of either kind.

    Returns:
        The file, None if there is none.
    """
    name = name.strip().strip('"').replace("\\", "/")
    for path in (folder / name, folder / name.rpartition("/")[2]):
        try:
            if path.is_file():
                return path
        except (OSError, ValueError):  # no name that a file can have
            continue
    return None
