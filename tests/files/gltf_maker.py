"""Makes small glTF files, number by number, with what is wanted in them and nothing else."""

import base64
import io
import json
import struct

import numpy as np
from PIL import Image

COMPONENTS = {"i1": 5120, "u1": 5121, "i2": 5122, "u2": 5123, "u4": 5125, "f4": 5126}
KINDS = {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4", 16: "MAT4"}

SQUARE = np.float32([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]])
TRIANGLES = np.uint16([0, 1, 2, 0, 2, 3])
SQUARE_UVS = np.float32([[0, 1], [1, 1], [1, 0], [0, 0]])
"""Texture coordinates of the square's corners, v down, that show an image upright."""

QUARTERS = np.uint8(
    [[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [255, 255, 0]]],
)
"""An image: red, green over blue, yellow."""


def png(image):
    content = io.BytesIO()
    Image.fromarray(image).save(content, "PNG")
    return content.getvalue()


class GltfMaker:
    """The JSON of a file, and its one buffer, while they grow."""

    def __init__(self, **tree):
        self.tree = {"asset": {"version": "2.0"}, "accessors": [], "bufferViews": [], **tree}
        self.content = b""

    def view(self, content, **more):
        self.content += bytes(-len(self.content) % 4)
        view = {"buffer": 0, "byteOffset": len(self.content), "byteLength": len(content), **more}
        self.content += content
        self.tree["bufferViews"].append(view)
        return len(self.tree["bufferViews"]) - 1

    def array(self, values, *, stored=True, **more):
        """Add an accessor; one of zeros if it is not ``stored``."""
        values = np.asarray(values)
        values = values.astype(np.float32) if values.dtype == np.float64 else values
        rows = values.reshape(len(values), -1)
        accessor = {
            "componentType": COMPONENTS[values.dtype.str[1:]],
            "count": len(values),
            "type": KINDS[rows.shape[1]],
            **more,
        }
        if stored:
            accessor["bufferView"] = self.view(values.tobytes())
        self.tree["accessors"].append(accessor)
        return len(self.tree["accessors"]) - 1

    def square(
        self, *, indices=TRIANGLES, positions=SQUARE, primitive=None, mesh=None, **attributes
    ):
        """Add a mesh of one primitive, and a scene of one node if there is none."""
        arrays = {"POSITION": positions, **attributes}
        numbers = {
            name: values if isinstance(values, int) else self.array(values)
            for name, values in arrays.items()
        }
        made = {"attributes": numbers, **(primitive or {})}
        if indices is not None:
            made["indices"] = self.array(indices)
        self.tree.setdefault("meshes", []).append({"primitives": [made], **(mesh or {})})
        self.tree.setdefault("nodes", [{"mesh": 0}])
        self.tree.setdefault("scenes", [{"nodes": [0]}])
        return self

    def textured(self, info=None, image=None, sampler=None, **material):
        """Give the square a material with an image."""
        if image is None:
            image = {"bufferView": self.view(png(QUARTERS)), "mimeType": "image/png"}
        self.tree["images"] = [image]
        self.tree["textures"] = [{"source": 0}]
        if sampler is not None:
            self.tree["samplers"] = [sampler]
            self.tree["textures"][0]["sampler"] = 0
        values = {"baseColorTexture": {"index": 0, **(info or {})}}
        self.tree["materials"] = [{"pbrMetallicRoughness": values, **material}]
        self.tree["meshes"][0]["primitives"][0]["material"] = 0
        return self

    def gltf(self):
        """The file as text, its buffer in it."""
        uri = "data:application/octet-stream;base64," + base64.b64encode(self.content).decode()
        buffers = self.tree.get("buffers", [{"byteLength": len(self.content), "uri": uri}])
        return json.dumps({**self.tree, "buffers": buffers}).encode()

    def glb(self):
        """The file as GLB."""
        tree = {**self.tree, "buffers": [{"byteLength": len(self.content)}]}
        text = json.dumps(tree).encode()
        text += b" " * (-len(text) % 4)
        content = self.content + bytes(-len(self.content) % 4)
        chunks = struct.pack("<I4s", len(text), b"JSON") + text
        chunks += struct.pack("<I4s", len(content), b"BIN\0") + content
        return struct.pack("<4s2I", b"glTF", 2, 12 + len(chunks)) + chunks

    def write(self, path):
        path.write_bytes(self.glb() if path.suffix == ".glb" else self.gltf())
        return path
