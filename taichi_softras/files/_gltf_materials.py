"""The colours of glTF files: materials, the images that these name, and how they lie on faces.

Source:
    Khronos, "glTF 2.0 Specification", 3.8 and 3.9, "KHR_texture_transform",
    "KHR_materials_pbrSpecularGlossiness" and "EXT_texture_webp".
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from taichi_softras.files._file_mesh import DeclaredMaterial
from taichi_softras.files._gltf_document import (
    GltfDocument,
    data_of,
    extension,
    member,
    numbers,
)
from taichi_softras.files._images import Textures
from taichi_softras.meshes.materials import Material, Wrap

WRAP_MODES: dict[int, Wrap] = {10497: "repeat", 33071: "clamp", 33648: "mirror"}
"""How images wrap, by OpenGL's numbers."""


class Placement(NamedTuple):
    """Which texture coordinates of vertices a material takes, and where it moves them.

    Attributes:
        channel: The number of ``TEXCOORD``.
        transform: (2, 3), applied to coordinates whose v is down, and 1.
    """

    channel: int
    transform: NDArray[Any]


PLAIN = Placement(0, np.eye(2, 3))


class GltfMaterials:
    """The materials of a file, read as they are asked for.

    Attributes:
        declared: Those that were asked for.
    """

    def __init__(self, document: GltfDocument, textures: Textures) -> None:
        self.declared: list[DeclaredMaterial] = []
        self._document = document
        self._textures = textures
        self._found: dict[int, tuple[int, Placement]] = {}
        self._images: dict[int, NDArray[Any] | None] = {}

    def add(self, number: int) -> tuple[int, Placement]:
        """Find a material's place in ``declared``, and where its image lies on faces."""
        if number not in self._found:
            material, placement = self._read(self._document.item("materials", number))
            self._found[number] = (len(self.declared), placement)
            self.declared.append(material)
        return self._found[number]

    def _read(self, material: dict[str, Any]) -> tuple[DeclaredMaterial, Placement]:
        name = member(material, "name", str, "")
        glossy = extension(material, "KHR_materials_pbrSpecularGlossiness")
        if glossy is None:
            values = member(material, "pbrMetallicRoughness", dict, {})
            keys = ("baseColorFactor", "baseColorTexture")
        else:  # which takes the place of the other
            values, keys = glossy, ("diffuseFactor", "diffuseTexture")
        red, green, blue, _ = numbers(values, keys[0], (1.0, 1.0, 1.0, 1.0))
        color = (red, green, blue)
        plain = Material(name, color)
        info = member(values, keys[1], dict, None)
        if info is None:
            return DeclaredMaterial(None, plain), PLAIN
        texture = self._document.item("textures", member(info, "index", int))
        image = self._image(texture)
        textured = None if image is None else Material(name, color, image, self._wraps(texture))
        return DeclaredMaterial(textured, plain), _placement(info)

    def _wraps(self, texture: dict[str, Any]) -> tuple[Wrap, Wrap]:
        sampler: dict[str, Any] = {}
        if "sampler" in texture:
            sampler = self._document.item("samplers", texture["sampler"])
        along_u, along_v = (
            WRAP_MODES.get(member(sampler, key, int, 10497), "repeat") for key in ("wrapS", "wrapT")
        )
        return along_u, along_v

    def _image(self, texture: dict[str, Any]) -> NDArray[Any] | None:
        webp = extension(texture, "EXT_texture_webp") or {}
        number = member(webp, "source", int, member(texture, "source", int, None))
        if number is None:
            self._textures.problems.append("a texture names no image that is read: drawn without")
            return None
        if number not in self._images:
            self._images[number] = self._read_image(number)
        return self._images[number]

    def _read_image(self, number: int) -> NDArray[Any] | None:
        image = self._document.item("images", number)
        title = f"images[{number}]"
        if "bufferView" in image:
            view = self._document.item("bufferViews", image["bufferView"])
            return self._textures.read(self._document.piece(view), title)
        uri = member(image, "uri", str)
        content = data_of(uri)
        if content is not None:
            return self._textures.read(content, title)
        path = self._document.find(uri)
        if path is None:
            self._textures.problems.append(f"there is no texture {uri!r}: drawn without")
            return None
        return self._textures.read(path, repr(uri))


def _placement(info: dict[str, Any]) -> Placement:
    channel = member(info, "texCoord", int, 0)
    moved = extension(info, "KHR_texture_transform")
    if moved is None:
        return Placement(channel, PLAIN.transform)
    scale_u, scale_v = numbers(moved, "scale", (1.0, 1.0))
    offset_u, offset_v = numbers(moved, "offset", (0.0, 0.0))
    angle = member(moved, "rotation", float, 0.0)
    # Counter-clockwise where v is down, as all viewers have it; the extension's text has the
    # matrix of the other way round.
    cos, sin = math.cos(angle), math.sin(angle)
    transform = [
        [cos * scale_u, sin * scale_v, offset_u],
        [-sin * scale_u, cos * scale_v, offset_v],
    ]
    return Placement(member(moved, "texCoord", int, channel), np.array(transform))
