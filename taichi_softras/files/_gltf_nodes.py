"""The nodes of glTF files: where they stand, and where their joints take what these hold.

Source:
    Khronos, "glTF 2.0 Specification", 3.5 and 3.7.3, "EXT_mesh_gpu_instancing" and
    "KHR_node_visibility".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taichi_softras.files._gltf_accessors import read_accessor
from taichi_softras.files._gltf_document import GltfDocument, extension, member, numbers
from taichi_softras.files._words import FormatError

INSTANCED = {"translation": "TRANSLATION", "rotation": "ROTATION", "scale": "SCALE"}


class GltfNodes:
    """The nodes of a file.

    Attributes:
        transforms: Where each stands in its scene, (4, 4).
    """

    def __init__(self, document: GltfDocument) -> None:
        self._document = document
        self._nodes = [document.item("nodes", n) for n in range(len(document.items("nodes")))]
        self._children = [
            [self._checked(x) for x in member(node, "children", list, [])] for node in self._nodes
        ]
        self._parents = self._find_parents()
        self.transforms = self._find_transforms()

    def drawn(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Go through the visible nodes of the file's scene, parents before their children."""
        scenes = self._document.items("scenes")
        if scenes:
            number = member(self._document.tree, "scene", int, 0)
            roots = member(self._document.item("scenes", number), "nodes", list, [])
        else:
            roots = [number for number, parent in enumerate(self._parents) if parent < 0]
        pending = [self._checked(root) for root in reversed(roots)]
        while pending:
            number = pending.pop()
            node = self._nodes[number]
            visibility = extension(node, "KHR_node_visibility") or {}
            if member(visibility, "visible", bool, True):
                yield number, node
                pending += reversed(self._children[number])

    def places(self, number: int) -> list[NDArray[Any]]:
        """Where in the scene a node has its mesh: once, or as often as it says, (4, 4) each."""
        place = self.transforms[number]
        instancing = extension(self._nodes[number], "EXT_mesh_gpu_instancing")
        if instancing is None:
            return [place]
        attributes = member(instancing, "attributes", dict)
        arrays = {
            key: read_accessor(self._document, attributes[name]).astype(np.float64).tolist()
            for key, name in INSTANCED.items()
            if name in attributes
        }
        count = min(map(len, arrays.values()), default=0)
        rows = [{key: values[i] for key, values in arrays.items()} for i in range(count)]
        return [place @ _transform(row) for row in rows]

    def joint_matrices(self, node: dict[str, Any]) -> NDArray[Any] | None:
        """Find where the joints of a node's skin take what they hold, (J, 4, 4); None without."""
        if "skin" not in node:
            return None
        skin = self._document.item("skins", node["skin"])
        joints = [self._checked(x) for x in member(skin, "joints", list)]
        places = np.reshape([self.transforms[joint] for joint in joints], (-1, 4, 4))
        if "inverseBindMatrices" not in skin:
            return places
        inverse = read_accessor(self._document, skin["inverseBindMatrices"])
        if len(inverse) < len(places) or inverse.shape[1] != 16:
            raise FormatError(
                f"a skin must have {len(places)} matrices of 16 numbers, got {inverse.shape}"
            )
        columns = inverse[: len(places)].astype(np.float64).reshape(-1, 4, 4)
        return np.asarray(places @ columns.swapaxes(1, 2))

    def _checked(self, number: Any) -> int:
        self._document.item("nodes", number)
        return int(number)

    def _find_parents(self) -> list[int]:
        """The parent of each node, -1 for none."""
        parents = [-1] * len(self._nodes)
        for number, children in enumerate(self._children):
            for child in children:
                if parents[child] >= 0:
                    raise FormatError(f"nodes[{child}] must have one parent, got two")
                parents[child] = number
        return parents

    def _find_transforms(self) -> list[NDArray[Any]]:
        found: dict[int, NDArray[Any]] = {}
        for number in range(len(self._nodes)):
            chain = [number]
            while chain[-1] not in found and self._parents[chain[-1]] >= 0:
                chain.append(self._parents[chain[-1]])
                if len(chain) > len(self._nodes):
                    raise FormatError(f"nodes[{number}] must not be above itself")
            for place in reversed(chain):
                if place not in found:
                    own, parent = _transform(self._nodes[place]), self._parents[place]
                    found[place] = own if parent < 0 else found[parent] @ own
        return [found[number] for number in range(len(self._nodes))]


def _transform(node: dict[str, Any]) -> NDArray[Any]:
    """Where a node stands in the frame of its parent, (4, 4)."""
    if "matrix" in node:
        return np.reshape(numbers(node, "matrix", (0.0,) * 16), (4, 4)).T
    place = np.eye(4)
    place[:3, 3] = numbers(node, "translation", (0.0, 0.0, 0.0))
    x, y, z, w = numbers(node, "rotation", (0.0, 0.0, 0.0, 1.0))
    rotation = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
    place[:3, :3] = rotation * numbers(node, "scale", (1.0, 1.0, 1.0))
    return place
