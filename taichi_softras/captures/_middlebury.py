"""Cameras of Middlebury's multi-view stereo: ``*_par.txt``.

Source:
    Seitz, Curless, Diebel, Scharstein and Szeliski, vision.middlebury.edu/mview: a line for each
    picture, ``name k11 k12 ... k33 r11 ... r33 t1 t2 t3``, which projects by K [R t]; the first
    line is their number.
"""

from pathlib import Path

from taichi_softras.captures._shot import Shot
from taichi_softras.files._words import FormatError, decoded, real_numbers
from taichi_softras.files.paths import find_file
from taichi_softras.files.photographs import photograph_size

NUMBERS = 21
"""Of a line: a matrix, a rotation and a translation."""


def find_middlebury(folder: Path) -> list[Shot] | None:
    """Find the shots of a folder; None if it is of another kind.

    Raises:
        ValueError: If the file is not as it should be.
    """
    paths = sorted(folder.glob("*_par.txt"))
    if not paths:
        return None
    if len(paths) > 1:
        names = ", ".join(path.name for path in paths)
        raise ValueError(f"folder must have one *_par.txt, got {names}")
    (path,) = paths
    lines = [line.split() for line in decoded(path.read_bytes()).splitlines() if line.strip()]
    if not lines or len(lines[0]) != 1 or lines[0] != [str(len(lines) - 1)]:
        counted = " ".join(lines[0])[:40] if lines else ""
        raise ValueError(
            f"{path.name} must begin with the number of its pictures, {max(len(lines) - 1, 0)}, "
            f"got {counted!r}"
        )
    return [_shot(folder, path.name, words) for words in lines[1:]]


def _shot(folder: Path, file_name: str, words: list[str]) -> Shot:
    name = words[0]
    try:
        numbers = real_numbers(words[1:])
    except FormatError as error:
        raise ValueError(f"the line of {name!r} in {file_name} {error}") from None
    if len(numbers) != NUMBERS:
        raise ValueError(
            f"the line of {name!r} in {file_name} must have {NUMBERS} numbers, got {len(numbers)}"
        )
    path = find_file(folder, name)
    if path is None:
        raise ValueError(f"there is no picture {name!r}, which {file_name} names")
    return Shot(
        name=name,
        path=path,
        rotation=numbers[9:18].reshape(3, 3),
        translation=numbers[18:],
        matrix=numbers[:9].reshape(3, 3) / (numbers[8] or 1.0),
        size=photograph_size(path),
    )
