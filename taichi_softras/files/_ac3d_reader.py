"""Reading AC3D files (.ac), the format of many aircraft and vehicles of simulators.

Source:
    AC3D, "The AC3D file format", https://www.inivis.com/ac3d/man/ac3dfileformat.html.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taichi_softras.files._file_mesh import DeclaredMaterial, FileMesh, assign_materials
from taichi_softras.files._images import Textures
from taichi_softras.files._triangulation import triangulate
from taichi_softras.files._words import FormatError, real_numbers, whole_number
from taichi_softras.meshes.materials import Material

POLYGON, CLOSED_LINE, LINE, TRIANGLE_STRIP = 0, 1, 2, 4
"""What a surface is, by the lowest four bits of its flags."""


def read_ac3d(path: Path) -> FileMesh:
    """Read an AC3D file and the images that it names.

    The objects of the file, hidden ones too, become one mesh in the frame of the outermost. Lines
    are left out; so are subdivision, and creases: faces that share a vertex share its normal.

    Args:
        path: The file.

    Returns:
        What it says, with vertices and faces in the order of the file.

    Raises:
        FormatError: If the file ends within an object, a number cannot be read, an index is out of
            range, or a count of vertices or surfaces is wrong. One of objects may be.
    """
    content = path.read_bytes()
    is_wide = content[:2] in (b"\xff\xfe", b"\xfe\xff")
    # Latin-1, as "data" counts bytes.
    parser = _Parser(content.decode("utf-16" if is_wide else "latin-1", errors="replace"))
    try:
        parser.read()
    except FormatError as error:
        raise FormatError(f"line {parser.source.line_number}: {error}") from error
    return _joined(parser.objects, parser.materials, path.parent)


class _Source:
    """The text of a file, taken line by line."""

    def __init__(self, text: str) -> None:
        self._text = text.replace("\r\n", "\n").replace("\r", "\n")
        self._position = 0

    @property
    def line_number(self) -> int:
        """The number of the line that was taken last, from 1."""
        return self._text.count("\n", 0, max(self._position - 1, 0)) + 1

    def line(self) -> str | None:
        """Take the next line that is neither empty nor a comment; None at the end."""
        while self._position < len(self._text):
            end = self._text.find("\n", self._position)
            end = len(self._text) if end < 0 else end
            line = self._text[self._position : end].strip()
            self._position = end + 1
            if line and not line.startswith("#"):
                return line
        return None

    def rows(self, count: int) -> list[list[str]]:
        """Take so many lines, of three words or more."""
        rows = []
        for number in range(count):
            words = (self.line() or "").split()
            if len(words) < 3:
                got = " ".join(words) or "the end of the file"
                raise FormatError(f"must be row {number + 1} of {count}, of 3 numbers, got {got!r}")
            rows.append(words)
        return rows

    def skip(self, count: int) -> None:
        """Pass over so many characters, and the rest of the last one's line."""
        if count:
            end = self._text.find("\n", self._position + count)
            self._position = len(self._text) if end < 0 else end + 1


@dataclass
class _Object:
    """An object of the file, between its first line and its last."""

    parent: _Object | None
    texture: str = ""
    repeat: tuple[float, ...] = (1.0, 1.0)
    offset: tuple[float, ...] = (0.0, 0.0)
    rotation: NDArray[Any] = field(default_factory=lambda: np.eye(3))  # of rows, times this
    location: NDArray[Any] = field(default_factory=lambda: np.zeros(3))
    vertices: NDArray[Any] = field(default_factory=lambda: np.empty((0, 3)))
    indices: list[int] = field(default_factory=list)  # of vertices, one per corner
    uvs: list[tuple[float, float]] = field(default_factory=list)  # one per corner
    sizes: list[int] = field(default_factory=list)  # how many corners each polygon has
    polygon_materials: list[int] = field(default_factory=list)
    num_surfaces: int = 0  # as the file announces, lines included
    num_taken: int = 0
    flags: int = POLYGON  # of the surface that is being read
    material: int = 0
    kids_left: int | None = None  # None until the file says

    def add_polygon(self, corners: list[tuple[int, float, float]]) -> None:
        """Add a polygon of the current material; points and lines are none."""
        if len(corners) < 3:
            return
        self.indices += [index for index, _, _ in corners]
        self.uvs += [(u, v) for _, u, v in corners]
        self.sizes.append(len(corners))
        self.polygon_materials.append(self.material)

    def check(self) -> None:
        """Refuse an object whose parts do not fit together."""
        if self.num_taken != self.num_surfaces:
            raise FormatError(f"numsurf must be {self.num_taken}, got {self.num_surfaces}")
        lowest, highest = min(self.indices, default=0), max(self.indices, default=-1)
        if lowest < 0 or highest >= len(self.vertices):
            raise FormatError(
                f"surfaces must have vertices from 0 to {len(self.vertices) - 1}, "
                f"got {lowest} to {highest}"
            )
        if self.texture and not np.isfinite(self.image_uvs()).all():
            raise FormatError("texture coordinates must be finite")

    @property
    def is_mirrored(self) -> bool:
        """Whether its frame is left-handed."""
        return bool(np.linalg.det(self.rotation) < 0)

    def image_uvs(self) -> NDArray[Any]:
        """Texture coordinates (C, 2) in the image; NaN if there is none."""
        uvs = np.array(self.uvs).reshape(-1, 2)
        if not self.texture:  # they are there all the same, mostly zeros
            return np.full(uvs.shape, np.nan)
        return uvs * self.repeat + self.offset


class _Parser:
    """What the lines of a file say, one after another."""

    def __init__(self, text: str) -> None:
        self.source = _Source(text)
        self.materials: list[Material] = []
        self.objects: list[_Object] = []
        self._open: list[_Object] = []  # the outermost first
        self._directives: dict[str, Callable[[_Object, str], None]] = {
            "texture": self._texture,
            "texrep": self._texrep,
            "texoff": self._texoff,
            "rot": self._rot,
            "loc": self._loc,
            "numvert": self._numvert,
            "numsurf": self._numsurf,
            "SURF": self._surf,
            "mat": self._mat,
            "refs": self._refs,
            "kids": self._kids,
        }

    def read(self) -> None:
        """Read to the end of the file."""
        header = self.source.line() or ""
        if not header.removeprefix("\xef\xbb\xbf").startswith("AC3D"):
            raise FormatError(f"must start with AC3D, got {header[:20]!r}")
        while (line := self.source.line()) is not None:
            self._take(line)
        # Objects that the file counts but lacks are left out: removed by hand, in many files.
        if self._open and self._open[-1].kids_left is None:
            raise FormatError("must be 'kids' before the end of the file")

    def _take(self, line: str) -> None:
        words = line.split(None, 1)
        directive, rest = words[0], words[1] if len(words) > 1 else ""
        if directive in self._directives:
            if not self._open or self._open[-1].kids_left is not None:
                raise FormatError(f"must not be outside of an object, got {line!r}")
            self._directives[directive](self._open[-1], rest)
        elif directive == "OBJECT":
            self._begin()
        elif directive in ("MATERIAL", "MAT"):  # all in a line; newer files: in lines to ENDMAT
            self._material(rest)
        elif directive == "rgb":
            if not self.materials:
                raise FormatError(f"must not be outside of a material, got {line!r}")
            self.materials.append(Material(self.materials.pop().name, _color(rest)))
        elif directive == "data":
            self.source.skip(_count(rest))
        elif not directive[0].isalpha():
            raise FormatError(f"must be a directive, got {line!r}: a count before it may be wrong")

    def _material(self, rest: str) -> None:
        name, rest = _split_name(rest)
        rgb = re.search(r"\brgb\s(.*)", rest)
        self.materials.append(Material(_text(name), _color(rgb[1]) if rgb else (1, 1, 1)))

    def _begin(self) -> None:
        parent = self._open[-1] if self._open else None
        if parent is not None and parent.kids_left is None:
            raise FormatError("must be 'kids' before the next object, got 'OBJECT'")
        self.objects.append(_Object(parent))
        self._open.append(self.objects[-1])

    def _texture(self, target: _Object, rest: str) -> None:
        name, kind = _split_name(rest)
        if kind in ("", "base"):  # others are maps of normals and the like
            target.texture = name

    def _texrep(self, target: _Object, rest: str) -> None:
        target.repeat = tuple(_numbers(rest, 2))

    def _texoff(self, target: _Object, rest: str) -> None:
        target.offset = tuple(_numbers(rest, 2))

    def _rot(self, target: _Object, rest: str) -> None:
        target.rotation = np.reshape(_numbers(rest, 9), (3, 3))

    def _loc(self, target: _Object, rest: str) -> None:
        target.location = np.array(_numbers(rest, 3))

    def _numvert(self, target: _Object, rest: str) -> None:
        rows = [row[:3] for row in self.source.rows(_count(rest))]
        target.vertices = real_numbers(word for row in rows for word in row).reshape(-1, 3)

    def _numsurf(self, target: _Object, rest: str) -> None:
        target.num_surfaces = _count(rest)

    def _surf(self, target: _Object, rest: str) -> None:
        target.flags = whole_number(rest)
        target.material = 0

    def _mat(self, target: _Object, rest: str) -> None:
        target.material = whole_number(rest)

    def _refs(self, target: _Object, rest: str) -> None:
        rows = self.source.rows(_count(rest))
        uvs = real_numbers(word for row in rows for word in row[1:3]).reshape(-1, 2).tolist()
        corners = [(whole_number(row[0]), u, v) for row, (u, v) in zip(rows, uvs)]
        target.num_taken += 1
        kind = target.flags & 15
        if kind == POLYGON:
            target.add_polygon(corners)
        elif kind == TRIANGLE_STRIP:
            for start in range(len(rows) - 2):
                triangle = corners[start : start + 3]
                target.add_polygon(triangle[::-1] if start % 2 else triangle)  # they alternate
        elif kind not in (CLOSED_LINE, LINE):
            raise FormatError(f"must be a polygon, a line or a strip of triangles, got kind {kind}")

    def _kids(self, target: _Object, rest: str) -> None:
        """Complete an object, and those that this is the last one of."""
        target.check()
        if target.parent is not None:
            target.location = target.location @ target.parent.rotation + target.parent.location
            target.rotation = target.rotation @ target.parent.rotation
        target.kids_left = _count(rest)
        while self._open and self._open[-1].kids_left == 0:
            self._open.pop()
            if self._open:
                self._open[-1].kids_left = (self._open[-1].kids_left or 0) - 1


def _joined(objects: list[_Object], materials: list[Material], folder: Path) -> FileMesh:
    """Make one mesh of all objects."""
    vertices = _stacked([part.vertices @ part.rotation + part.location for part in objects], 3)
    counts = _integers(len(part.vertices) for part in objects)
    starts = np.repeat(np.cumsum(counts) - counts, _integers(len(part.indices) for part in objects))
    corners = _integers(index for part in objects for index in part.indices) + starts
    sizes = _integers(size for part in objects for size in part.sizes)
    triangles, polygon = triangulate(vertices[corners], sizes)
    is_mirror = np.array([part.is_mirrored for part in objects], dtype=bool)
    is_mirrored = np.repeat(is_mirror, _integers(len(part.sizes) for part in objects))[polygon]
    triangles[is_mirrored] = triangles[is_mirrored, ::-1]  # a mirror turns faces inside out
    face_uvs = _stacked([part.image_uvs() for part in objects], 2)[triangles]
    kinds = [(number, part.texture) for part in objects for number in part.polygon_materials]
    textures = Textures()
    declared = _declared(kinds, materials, folder, textures)
    place = {kind: number for number, kind in enumerate(declared)}
    numbers = _integers(place[kind] for kind in kinds)[polygon]
    chosen, face_materials = assign_materials(list(declared.values()), numbers, face_uvs)
    return FileMesh(
        vertices,
        corners[triangles],
        np.full(vertices.shape, np.nan),
        multiplies=False,
        corner_normals=None,
        face_uvs=face_uvs,
        face_materials=face_materials,
        materials=chosen,
        problems=tuple(textures.problems),
    )


def _integers(values: Iterable[int]) -> NDArray[np.int64]:
    return np.fromiter(values, dtype=np.int64)


def _stacked(arrays: list[NDArray[Any]], width: int) -> NDArray[Any]:
    return np.concatenate([np.empty((0, width)), *arrays])


def _declared(
    kinds: list[tuple[int, str]], materials: list[Material], folder: Path, textures: Textures
) -> dict[tuple[int, str], DeclaredMaterial]:
    """Join materials with the textures of the objects whose surfaces have them."""
    declared: dict[tuple[int, str], DeclaredMaterial] = {}
    for number, texture in kinds:
        if (number, texture) in declared:
            continue
        image = textures.named(folder, _text(texture)) if texture else None
        plain = materials[number] if 0 <= number < len(materials) else None
        tint = plain or Material()
        textured = None if image is None else Material(tint.name, tint.color, image)
        declared[number, texture] = DeclaredMaterial(textured, plain)
    return declared


def _split_name(rest: str) -> tuple[str, str]:
    """Split a name, in quotes if it has blanks in it, from what follows."""
    match = re.match(r'"([^"]*)"?\s*(.*)|(\S*)\s*(.*)', rest)
    quoted, after, word, after_word = match.groups() if match else (None, None, None, None)
    return (word or "", after_word or "") if quoted is None else (quoted, after or "")


def _text(characters: str) -> str:
    """Decode what was read byte by byte."""
    try:
        return characters.encode("latin-1").decode("utf-8")
    except UnicodeDecodeError:  # older files
        return characters


def _count(word: str) -> int:
    count = whole_number(word)
    if count < 0:
        raise FormatError(f"a count must not be negative, got {count}")
    return count


def _numbers(rest: str, count: int) -> list[float]:
    words = rest.split()[:count]
    if len(words) < count:
        raise FormatError(f"must have {count} numbers, got {rest!r}")
    return list(real_numbers(words))


def _color(rest: str) -> tuple[float, float, float]:
    red, green, blue = _numbers(rest, 3)
    if not np.isfinite((red, green, blue)).all():
        raise FormatError(f"a colour must be 3 finite numbers, got {rest[:40]!r}")
    return red, green, blue
