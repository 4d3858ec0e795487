"""PLY files as elements: rows of numbers and lists, in text or bytes.

Read here, as trimesh refuses lists of several lengths in bytes, and loses what faces have besides
corners where these are not triangles; plyfile is under the GPL.

Source:
    Greg Turk, "The PLY Polygon File Format", 1994.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from taichi_softras.files._words import FormatError, real_numbers, whole_number

KINDS = ("i1", "u1", "i2", "u2", "i4", "u4", "f4", "f8")
OLD_NAMES = ("char", "uchar", "short", "ushort", "int", "uint", "float", "double")
NEW_NAMES = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "float32", "float64")
TYPES = dict(zip(OLD_NAMES + NEW_NAMES, KINDS + KINDS))
"""What numbers are, as NumPy calls it."""

Order = Literal["", "<", ">"]
"""Of bytes, as NumPy calls it; "" where the body is text."""

ORDERS: dict[str, Order] = {
    "ascii": "",
    "binary_little_endian": "<",
    "binary_big_endian": ">",
}


class Lists(NamedTuple):
    """A list in each row of an element.

    Attributes:
        counts: (N,) how long each is.
        values: (sum of counts,) one after another.
    """

    counts: NDArray[Any]
    values: NDArray[Any]


class _Property(NamedTuple):
    name: str
    kind: np.dtype[Any]  # of its values
    count_kind: np.dtype[Any] | None  # of the length of a list; None of a number


@dataclass
class Element:
    """One kind of thing that a file has: vertices, say.

    Attributes:
        name: What the file calls it.
        count: How many rows it has.
        columns: By the names of properties: (N,) numbers, in the type of the file.
        lists: By the names of properties, likewise.
    """

    name: str
    count: int
    properties: list[_Property] = field(default_factory=list)
    columns: dict[str, NDArray[Any]] = field(default_factory=dict)
    lists: dict[str, Lists] = field(default_factory=dict)


class PlyFile(NamedTuple):
    """What a PLY file says.

    Attributes:
        elements: By name.
        comments: What follows "comment" in lines of the header.
    """

    elements: dict[str, Element]
    comments: list[str]


def read_ply_elements(content: bytes) -> PlyFile:
    """Take a PLY file apart.

    Raises:
        FormatError: If it doesn't follow the format, or ends before its last row does.
    """
    lines, body = _split(content)
    order: Order = ""
    comments, elements = list[str](), list[Element]()
    for number, line in enumerate(lines[1:], 2):
        words = line.split()
        if not words or words[0] == "obj_info":
            continue
        try:
            if words[0] == "format":
                order = _order(words)
            elif words[0] == "comment":
                comments.append(line.strip()[len("comment") :].strip())
            elif words[0] == "element":
                elements.append(Element(words[1], max(whole_number(words[2]), 0)))
            elif words[0] == "property":
                elements[-1].properties.append(_property(words[1:], order))
            elif elements:  # before that some programs' comments go on in a line of their own
                raise FormatError("must be a property or the like")
        except (FormatError, IndexError, KeyError):
            raise FormatError(
                f"line {number} of the header is wrong: {line.strip()[:60]!r}"
            ) from None
    tape = _Bytes(body) if order else _Words(body)
    place = 0
    for element in elements:
        place = _read_rows(element, tape, place)
    if isinstance(tape, _Words) and place < tape.length:
        raise FormatError(f"its body must have {place} numbers, got {tape.length}")
    return PlyFile({element.name: element for element in elements}, comments)


def _split(content: bytes) -> tuple[list[str], bytes]:
    """Split a file into the lines of its header, less the last, and what follows."""
    first = re.match(rb"ply[ \t]*(\r\n|\n|\r)", content)
    if not first:
        raise FormatError("it must start with a line 'ply'")
    last = re.search(rb"[\r\n]end_header[ \t]*" + first[1], content)
    if not last:
        raise FormatError("its header must end with a line 'end_header': it is cut off")
    return content[: last.start()].decode("latin-1").splitlines(), content[last.end() :]


def _order(words: list[str]) -> Order:
    if words[1] not in ORDERS:
        raise FormatError(f"its format must be one of {', '.join(ORDERS)}")
    return ORDERS[words[1]]


def _property(words: list[str], order: Order) -> _Property:
    kinds = [np.dtype(TYPES[word]) for word in words[:-1] if word != "list"]
    if order:
        kinds = [kind.newbyteorder(order) for kind in kinds]
    count_kind = kinds[0] if words[0] == "list" else None
    return _Property(words[-1], kinds[-1], count_kind)


class _Words:
    """The numbers of a text."""

    def __init__(self, body: bytes) -> None:
        self._values = real_numbers(body.decode("latin-1").rstrip("\x1a \t\r\n\0").split())
        self.length = len(self._values)

    def size(self, kind: np.dtype[Any]) -> int:
        """How far it is from one number to the next."""
        return 1

    def numbers(self, places: NDArray[Any], kind: np.dtype[Any]) -> NDArray[Any]:
        """Take the numbers at some places, in a type that tells what they are."""
        values: NDArray[Any] = self._values[places]
        if kind.kind == "f":
            return values
        whole: NDArray[Any] = values.astype(np.int64)
        if (whole != values).any():
            raise FormatError(f"must have whole numbers, got {values[whole != values][0]}")
        return whole

    def number(self, place: int, kind: np.dtype[Any]) -> int:
        """Take one whole number."""
        return int(self._values[place])


class _Bytes:
    """Numbers as bytes."""

    def __init__(self, body: bytes) -> None:
        self._bytes = np.frombuffer(body, np.uint8)
        self._body = body
        self.length = len(body)

    def size(self, kind: np.dtype[Any]) -> int:
        """How far it is from one number to the next."""
        return kind.itemsize

    def numbers(self, places: NDArray[Any], kind: np.dtype[Any]) -> NDArray[Any]:
        """Take the numbers at some places."""
        found = self._bytes[places[:, None] + np.arange(kind.itemsize)].view(kind)[:, 0]
        return np.asarray(found.astype(kind.newbyteorder("=")))

    def number(self, place: int, kind: np.dtype[Any]) -> int:
        """Take one whole number."""
        if kind.itemsize == 1:
            return self._body[place]
        return int(np.frombuffer(self._body, kind, 1, place)[0])


def _read_rows(element: Element, tape: _Words | _Bytes, start: int) -> int:
    """Read the rows of an element that start at a place; returns where they end."""
    places, end = _find_places(element, tape, start)
    for given, where in zip(element.properties, places):
        if given.count_kind is None:
            element.columns[given.name] = tape.numbers(where, given.kind)
            continue
        counts = tape.numbers(where, given.count_kind).astype(np.int64)
        size = tape.size(given.kind)
        firsts = where + tape.size(given.count_kind) - (np.cumsum(counts) - counts) * size
        within = np.repeat(firsts, counts) + np.arange(counts.sum()) * size
        element.lists[given.name] = Lists(counts, tape.numbers(within, given.kind))
    return end


def _find_places(element: Element, tape: _Words | _Bytes, start: int) -> tuple[NDArray[Any], int]:
    """Find where each property of each row is, (P, N), and where the rows end."""
    if not element.count:
        return np.zeros((len(element.properties), 0), dtype=np.int64), start
    row, end = _walk(element, tape, start, 0)
    size = end - start
    places = np.array(row, dtype=np.int64)[:, None] + np.arange(element.count) * size
    has_lists = any(given.count_kind for given in element.properties)
    if start + size * element.count <= tape.length:
        counts = [
            tape.numbers(where, given.count_kind)
            for given, where in zip(element.properties, places)
            if given.count_kind
        ]
        if all((values == values[0]).all() for values in counts):  # as of triangles alone
            return places, start + size * element.count
    elif not has_lists:
        raise _cut_off(element, (tape.length - start) // size)
    rows = []
    end = start
    for number in range(element.count):
        row, end = _walk(element, tape, end, number)
        rows.append(row)
    return np.array(rows, dtype=np.int64).T, end


def _walk(
    element: Element, tape: _Words | _Bytes, place: int, number: int
) -> tuple[list[int], int]:
    """Go along a row: where its properties are, and where it ends."""
    places = []
    for given in element.properties:
        places.append(place)
        size = tape.size(given.kind)
        if given.count_kind is None:
            place += size
            continue
        if place + tape.size(given.count_kind) > tape.length:
            raise _cut_off(element, number)
        count = tape.number(place, given.count_kind)
        if count < 0:
            raise FormatError(f"row {number} of {element.name!r} has a list of {count}")
        place += tape.size(given.count_kind) + count * size
    if place > tape.length:
        raise _cut_off(element, number)
    return places, place


def _cut_off(element: Element, number: int) -> FormatError:
    return FormatError(f"it must have {element.count} rows of {element.name!r}, got {number}")
