"""glTF files as JSON and bytes: what may be asked of them, and what they must not lack.

Source:
    Khronos, "glTF 2.0 Specification", 3.6 and 4.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import struct
from pathlib import Path
from typing import Any
from urllib.parse import unquote, unquote_to_bytes

from taichi_softras.files._words import FormatError
from taichi_softras.files.paths import find_file

UNDERSTOOD = {
    "EXT_mesh_gpu_instancing",
    "EXT_meshopt_compression",
    "EXT_texture_webp",
    "KHR_draco_mesh_compression",
    "KHR_lights_punctual",
    "KHR_mesh_quantization",
    "KHR_meshopt_compression",
    "KHR_node_visibility",
    "KHR_texture_transform",
    "KHR_xmp_json_ld",
}
"""Extensions that a file may require. Of KHR_materials_*, all: those that have no say on the
colour are left out."""

REQUIRED: Any = object()
"""Stands for a value that must be there."""

NAMES = {dict: "an object", list: "a list", int: "a whole number", float: "a number", str: "a text"}


def member(owner: dict[str, Any], key: str, kind: type, default: Any = REQUIRED) -> Any:
    """Take a value out of a JSON object.

    Raises:
        FormatError: If it is missing and has no default, or of another kind.
    """
    if key not in owner:
        if default is REQUIRED:
            raise FormatError(f"must have {key!r}, which is missing from {_shortened(owner)}")
        return default
    value = owner[key]
    if kind is float and isinstance(value, int):
        return float(value)
    if not isinstance(value, kind) or isinstance(value, bool) != (kind is bool):
        raise FormatError(f"{key!r} must be {NAMES[kind]}, got {_shortened(value)}")
    return value


def numbers(owner: dict[str, Any], key: str, default: tuple[float, ...]) -> tuple[float, ...]:
    """Take a list of as many numbers as the default has."""
    values = member(owner, key, list, list(default))
    if len(values) != len(default) or not all(isinstance(x, (int, float)) for x in values):
        raise FormatError(f"{key!r} must be {len(default)} numbers, got {_shortened(values)}")
    return tuple(map(float, values))


def extension(owner: dict[str, Any], *names: str) -> dict[str, Any] | None:
    """Take the first that is there of some extensions of a JSON object."""
    extensions = member(owner, "extensions", dict, {})
    for name in names:
        if name in extensions:
            found: dict[str, Any] = member(extensions, name, dict)
            return found
    return None


class GltfDocument:
    """A glTF file.

    Attributes:
        tree: Its JSON.
        folder: Where the files lie that it names.
        views: The bytes of views of buffers, unpacked, as far as they were asked for.
    """

    def __init__(self, path: Path) -> None:
        content = path.read_bytes()
        self.folder = path.parent
        self.views: dict[int, bytes] = {}
        self._chunk: bytes | None = None  # the binary one of GLB
        self._buffers: dict[int, bytes] = {}
        if content[:4] == b"glTF":
            content = self._open_glb(content)
        elif path.suffix.lower() == ".glb":
            raise FormatError("it must start with 'glTF'")
        try:
            tree = json.loads(content.decode("utf-8-sig"))
        except (ValueError, RecursionError):
            raise FormatError("its JSON is damaged, or not all there") from None
        if not isinstance(tree, dict):
            raise FormatError(f"its JSON must be an object, got {_shortened(tree)}")
        self.tree = tree
        self._check()

    def items(self, kind: str) -> list[Any]:
        """List what there is of one kind, such as "meshes"."""
        found: list[Any] = member(self.tree, kind, list, [])
        return found

    def item(self, kind: str, number: Any) -> dict[str, Any]:
        """Take one of a kind by its number."""
        items = self.items(kind)
        if not isinstance(number, int) or not 0 <= number < len(items):
            raise FormatError(f"must have {len(items)} {kind}, number {number!r} is asked for")
        if not isinstance(items[number], dict):
            raise FormatError(f"{kind}[{number}] must be an object")
        found: dict[str, Any] = items[number]
        return found

    def buffer(self, number: int) -> bytes:
        """Take the bytes of a buffer."""
        if number not in self._buffers:
            buffer = self.item("buffers", number)
            uri = member(buffer, "uri", str, None)
            if uri is not None:
                content = self.resource(uri)
            elif number == 0 and self._chunk is not None:
                content = self._chunk
            else:
                raise FormatError(f"buffers[{number}] has no bytes: neither 'uri' nor a chunk")
            length = member(buffer, "byteLength", int)
            if len(content) < length:
                raise FormatError(f"buffers[{number}] must have {length} bytes, got {len(content)}")
            self._buffers[number] = content[:length]
        return self._buffers[number]

    def piece(self, view: dict[str, Any]) -> bytes:
        """Take the bytes that a view, or what is like one, has of its buffer."""
        number = member(view, "buffer", int)
        content = self.buffer(number)
        start, length = member(view, "byteOffset", int, 0), member(view, "byteLength", int)
        if start < 0 or length < 0 or start + length > len(content):
            raise FormatError(
                f"a view must lie within the {len(content)} bytes of buffers[{number}], "
                f"got {start} to {start + length}"
            )
        return content[start : start + length]

    def resource(self, uri: str) -> bytes:
        """Take the bytes of a URI: of itself, or of a file beside this one.

        Raises:
            FormatError: If there is no such file.
        """
        content = data_of(uri)
        if content is not None:
            return content
        path = self.find(uri)
        if path is None:
            raise FormatError(f"there is no file {unquote(uri)[:100]!r}, which it names")
        return path.read_bytes()

    def find(self, uri: str) -> Path | None:
        """Find the file of a URI, whose special characters are written with percent signs."""
        return find_file(self.folder, unquote(uri)) or find_file(self.folder, uri)

    def _open_glb(self, content: bytes) -> bytes:
        """Cut GLB into chunks; returns that of JSON."""
        if len(content) < 20:
            raise FormatError(f"must have 20 bytes at least, got {len(content)}")
        version, length = struct.unpack("<II", content[4:12])
        if version != 2:
            raise FormatError(f"only glTF 2.0 is read, got version {version}")
        if length > len(content):
            raise FormatError(f"must have {length} bytes, got {len(content)}: it is cut off")
        chunks: dict[bytes, bytes] = {}
        place = 12
        while place + 8 <= length:
            size, kind = struct.unpack("<I4s", content[place : place + 8])
            if place + 8 + size > length:
                raise FormatError(f"a chunk must have {size} bytes, got {length - place - 8}")
            chunks.setdefault(kind, content[place + 8 : place + 8 + size])
            place += 8 + size
        if b"JSON" not in chunks:
            raise FormatError("must have a chunk of JSON")
        self._chunk = chunks.get(b"BIN\0")
        return chunks[b"JSON"].rstrip(b"\0")

    def _check(self) -> None:
        version = str(member(self.tree, "asset", dict, {}).get("version", "none"))
        if not re.fullmatch(r"2(\.\d+)?", version):
            raise FormatError(f"only glTF 2.0 is read, got version {version[:20]}")
        for name in member(self.tree, "extensionsRequired", list, []):
            if name not in UNDERSTOOD and not str(name).startswith("KHR_materials_"):
                raise FormatError(f"it requires the extension {name}, which is not understood")


def data_of(uri: str) -> bytes | None:
    """Take the bytes that a URI holds itself; None if it names a file.

    Raises:
        FormatError: If it names something else, or its bytes are damaged.
    """
    if uri[:5].lower() != "data:":
        if re.match(r"[a-zA-Z][a-zA-Z0-9+.-]+://", uri):
            raise FormatError(f"must name files beside it, got {uri[:100]!r}")
        return None
    head, _, body = uri.partition(",")
    if not head.endswith(";base64"):
        return unquote_to_bytes(body)
    try:
        return base64.b64decode(unquote(body))
    except (binascii.Error, ValueError):
        raise FormatError("the base64 in a URI is damaged") from None


def _shortened(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."
