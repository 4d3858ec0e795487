"""Reading MTL files, the materials of OBJ files.

Source:
    Wavefront, "Advanced Visualizer Manual", appendix B2.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from taichi_softras.files._file_mesh import DeclaredMaterial
from taichi_softras.files._images import Textures
from taichi_softras.files._obj_text import before_comment, directives, words_of
from taichi_softras.files._words import FormatError, decoded
from taichi_softras.files.paths import find_file
from taichi_softras.meshes.materials import Material, Wrap

MAP_OPTIONS = {"-s": 3, "-o": 3, "-t": 3, "-mm": 2} | dict.fromkeys(
    ("-blendu", "-blendv", "-bm", "-boost", "-cc", "-clamp", "-imfchan", "-texres", "-type"), 1
)
"""How many words the options of a map have at most."""


class MtlMaterial(NamedTuple):
    """A material of an MTL file.

    Attributes:
        declared: Its colour, and its image.
        scale: Of texture coordinates, along u and v.
        offset: Added to these then.
    """

    declared: DeclaredMaterial
    scale: tuple[float, float] = (1.0, 1.0)
    offset: tuple[float, float] = (0.0, 0.0)


class _Map(NamedTuple):
    """What a line says of a map."""

    file: str
    wrap: Wrap
    scale: tuple[float, float]
    offset: tuple[float, float]


def read_libraries(
    folder: Path, libraries: list[str], used: Collection[str], textures: Textures
) -> dict[str, MtlMaterial]:
    """Read the MTL files that an OBJ file names.

    Args:
        folder: Where that lies.
        libraries: What its lines name, perhaps several files each.
        used: Names of materials that faces may have; the images of others are of no interest.
        textures: Reads the images, and is told what is missing.

    Returns:
        The materials used, by name. Of those with the same name the first counts.
    """
    materials: dict[str, MtlMaterial] = {}
    for path in _find(folder, libraries, textures):
        try:
            found = _read_mtl(path)
        except FormatError as error:
            textures.problems.append(f"material file {path.name!r} {error}: drawn without")
            continue
        for name, values in found.items():
            if name in used and name not in materials:
                materials[name] = _material(name, values, path.parent, textures)
    return materials


def _find(folder: Path, libraries: list[str], textures: Textures) -> list[Path]:
    paths: list[Path] = []
    for library in libraries:
        # Several may be named in one line, but names with spaces are the more common.
        for name in (library, before_comment(library)):
            path = find_file(folder, name)
            if path is not None:
                paths.append(path)
                break
        else:
            for word in before_comment(library).split():
                path = find_file(folder, word)
                if path is None:
                    textures.problems.append(f"there is no material file {word!r}: drawn without")
                else:
                    paths.append(path)
    return list(dict.fromkeys(paths))


def _read_mtl(path: Path) -> dict[str, dict[str, str]]:
    """Read what a file says of its materials, by their names: the rest of each line by its word."""
    said: dict[str, dict[str, str]] = {}
    current: dict[str, str] = {}
    for directive, rest in directives(decoded(path.read_bytes())):
        if directive.lower() == "newmtl":
            current = said.setdefault(rest, {})
        else:
            current[directive.lower()] = rest
    for name in list(said):
        if before_comment(name) not in said:
            said[before_comment(name)] = said[name]
    return said


def _material(name: str, said: dict[str, str], folder: Path, textures: Textures) -> MtlMaterial:
    color = _kd(said.get("kd", ""))
    plain = None if color is None else Material(name, color)
    if "map_kd" not in said:
        return MtlMaterial(DeclaredMaterial(None, plain))
    file, wrap, scale, offset = _map(said["map_kd"])
    if find_file(folder, file) is None:
        file = before_comment(file)
    image = textures.named(folder, file)
    # Kd does not count beside a map: exporters leave there what is only for want of one.
    textured = None if image is None else Material(name, image=image, wrap=wrap)
    return MtlMaterial(DeclaredMaterial(textured, plain), scale, offset)


def _kd(rest: str) -> tuple[float, float, float] | None:
    try:
        values = [float(word) for word in words_of(rest)]
    except ValueError:  # a curve over the spectrum, or another space, named by a word
        return None
    if not values or not np.isfinite(values).all():
        return None
    red, green, blue = values[:3] if len(values) >= 3 else values[:1] * 3
    return red, green, blue


def _map(rest: str) -> _Map:
    """Split a map into its file, whose name may have spaces, and its options."""
    wrap: Wrap = "repeat"
    moved: dict[str, tuple[float, float]] = {}
    while (words := rest.split(None, 1)) and words[0] in MAP_OPTIONS:
        option, rest = words[0], words[1] if len(words) > 1 else ""
        values: list[Any] = []
        for count in range(MAP_OPTIONS[option]):
            word, after = (*rest.split(None, 1), "", "")[:2]
            if count and not _is_number(word):
                break  # only the first of several must be there
            values.append(word)
            rest = after
        if option == "-clamp" and values == ["on"]:
            wrap = "clamp"
        elif option in ("-s", "-o") and _is_number(values[0]):
            default = 1.0 if option == "-s" else 0.0
            u, v = (*map(float, values), default)[:2]
            moved[option] = (u, v)
    return _Map(rest.strip(), wrap, moved.get("-s", (1.0, 1.0)), moved.get("-o", (0.0, 0.0)))


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
