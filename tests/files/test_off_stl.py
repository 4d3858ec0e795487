"""OFF and STL files by others."""

import struct

import numpy as np
import pytest

import taichi_softras as sr

CORNERS = [[0, 0, 0], [2, 0, 0], [3, 1, 0], [1, 3, 0], [0, 2, 0]]
ROWS = "0 0 0\n2 0 0\n3 1 0\n1 3 0\n0 2 0\n"
GREY = [0.7] * 3
FACES = "5 0 1 2 3 4\n3 0 1 2\n"
PLAIN = f"OFF\n5 2 0\n{ROWS}{FACES}"


@pytest.fixture
def read(tmp_path):
    def read(content, suffix=".off"):
        path = tmp_path / f"a{suffix}"
        path.write_bytes(content.encode("latin-1") if isinstance(content, str) else content)
        return sr.read_mesh(path, textures=True)

    return read


HEADERS = {
    "as ever": PLAIN,
    "small letters": PLAIN.replace("OFF", "off"),
    "no word": PLAIN.replace("OFF\n", ""),
    "in one line": PLAIN.replace("OFF\n", "OFF "),
    "no edges": PLAIN.replace("5 2 0", "5 2"),
    "comments": PLAIN.replace("\n", " # caf\xe9 1 2\n#3\n\n"),
    "CRLF": PLAIN.replace("\n", "\r\n"),
    "blanks": PLAIN.replace(" ", " \t ").replace("\n", " \n  "),
    "normals": PLAIN.replace("OFF", "NOFF").replace(ROWS, ROWS.replace("\n", " 0 0 1\n")),
    "lines and points": PLAIN.replace("5 2 0", "5 4 0") + "2 0 1\n1 3\n",
    "more lines": PLAIN + "6 6 6\n",
}


@pytest.mark.parametrize("text", HEADERS.values(), ids=HEADERS)
def test_off(read, text):
    """A pentagon, and a triangle in it."""
    mesh = read(text)
    np.testing.assert_array_equal(mesh.vertices, CORNERS)
    assert mesh.num_faces == 4
    np.testing.assert_array_equal(mesh.faces[3], [0, 1, 2])
    a, b, c = np.moveaxis(mesh.vertices[mesh.faces[:3]], 1, 0)
    areas = np.cross(b - a, c - a)[:, 2] / 2
    assert (areas > 0).all()
    assert areas.sum() == 6
    assert (mesh.colors == np.float32(0.7)).all()


def test_homogeneous_coordinates(read):
    rows = "".join(f"{2 * x} {2 * y} {2 * z} 2\n" for x, y, z in CORNERS)
    mesh = read(f"4OFF\n5 2 0\n{rows}{FACES}")
    np.testing.assert_array_equal(mesh.vertices, CORNERS)


@pytest.mark.parametrize("color", ["255 0 51", "255 0 51 255", "1.0 0.0 0.2", "1 0.0 0.2 0.5"])
def test_colors_of_vertices(read, color):
    rows = ROWS.replace("\n", f" {color}\n")
    mesh = read(f"COFF\n5 2 0\n{rows}{FACES}")
    np.testing.assert_allclose(mesh.colors, [[1, 0, 0.2]] * 5, rtol=1e-6)
    rows = ROWS.replace("\n", f" 0 0 1 {color}\n")
    mesh = read(f"CNOFF\n5 2 0\n{rows}{FACES}")
    np.testing.assert_allclose(mesh.colors, [[1, 0, 0.2]] * 5, rtol=1e-6)


def test_colors_of_faces(read):
    """Three numbers or four are a colour; one is a place in a table that nobody has."""
    mesh = read(PLAIN.replace("3 0 1 2\n", "3 0 1 2 0 0 255\n"))
    np.testing.assert_allclose([material.color for material in mesh.materials], [(0, 0, 1), GREY])
    assert mesh.face_materials.tolist() == [1, 1, 1, 0]
    floats = PLAIN.replace("3 0 1 2\n", "3 0 1 2 0.5 0 1 1\n").replace("3 4\n", "3 4 1 1 0\n")
    mesh = read(floats)
    colors = [mesh.materials[number].color for number in mesh.face_materials]
    assert colors == [(1, 1, 0)] * 3 + [(0.5, 0, 1)]
    assert read(PLAIN.replace("3 0 1 2\n", "3 0 1 2 7\n")).materials == ()


REFUSED = {
    "nothing": ("#\n", "must start with the numbers of vertices and faces, got 'nothing'"),
    "words": (PLAIN.replace("5 2", "5 two"), "must have a whole number, got 'two'"),
    "few lines": (PLAIN.replace("5 2", "5 3"), "5 lines of vertices and 3 of faces, got 7"),
    "short row": (PLAIN.replace("3 1 0", "3 1"), "vertex 2 must have 3 numbers, got 2"),
    "letters": (PLAIN.replace("3 1 0", "3 x 0"), "must have a number, got 'x'"),
    "index": (PLAIN.replace("3 0 1 2", "3 0 1 5"), "vertices from 0 to 4, got 0 to 5"),
    "short face": (PLAIN.replace("3 0 1 2", "3 0 1"), "a face of 3 vertices must name them, got"),
    "binary": (PLAIN.replace("OFF", "OFF BINARY"), "read as text only, got BINARY"),
    "dimensions": (PLAIN.replace("OFF", "nOFF"), "in 3 dimensions only, got nOFF"),
    "negative": (PLAIN.replace("5 2 0", "-5 2 0"), "can't have -5 vertices"),
    "bytes": ("OFF\n\0\1\2", "must be text, got bytes of 0"),
}


@pytest.mark.parametrize(("text", "message"), REFUSED.values(), ids=REFUSED)
def test_refusals_of_off(read, text, message):
    with pytest.raises(ValueError, match=rf"^file must be readable as OFF, got '.*': .*{message}"):
        read(text)


# --- STL ----------------------------------------------------------------------------------------

TRIANGLES = np.float32([[[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 0, 0], [0, 1, 0], [0, 0, 1]]])


def stl_text(name="a"):
    facets = "".join(
        "facet normal 0 0 1\n outer loop\n"
        + "".join("  vertex {:g} {:g} {:g}\n".format(*corner) for corner in triangle)
        + " endloop\nendfacet\n"
        for triangle in TRIANGLES.tolist()
    )
    return f"solid {name}\n{facets}endsolid {name}\n"


def stl_bytes(header=b"solid by someone", count=2):
    facets = b"".join(struct.pack("<12fH", 0, 0, 1, *row.ravel(), 7) for row in TRIANGLES)
    return header.ljust(80, b"\0") + struct.pack("<I", count) + facets


STL = {
    "text": stl_text(),
    "name in Latin-1": stl_text("caf\xe9"),
    "name of numbers": stl_text("vertex 1 2 3"),
    "no name": stl_text(""),
    "capitals": stl_text().upper(),
    "CRLF": stl_text().replace("\n", "\r\n"),
    "in one line": " ".join(stl_text().split()),
    "two solids": stl_text().replace("endfacet\nfacet", "endfacet\nendsolid a\nsolid b\nfacet"),
    "bytes": stl_bytes(),
    "bytes that start otherwise": stl_bytes(b"\xff\xfe"),
    "bytes after the last": stl_bytes() + b"\0\0more",
    "a facet in the header": stl_bytes(b"solid with a facet"),
}


@pytest.mark.parametrize("content", STL.values(), ids=STL)
def test_stl(read, content):
    mesh = read(content, ".stl")
    np.testing.assert_array_equal(mesh.vertices[mesh.faces], TRIANGLES)
    assert mesh.num_vertices == 4  # those at one place are one
    assert (mesh.colors == np.float32(0.7)).all()


REFUSED_STL = {
    "cut bytes": (stl_bytes()[:-1], "it must have 184 bytes for 2 facets, got 183"),
    "more facets": (stl_bytes(count=3), "it must have 234 bytes for 3 facets, got 184"),
    "cut header": (stl_bytes()[:50], "bytes for 0 facets, got 50"),
    "two corners": (stl_text().replace("  vertex 1 0 0\n", ""), "each facet must have 3 vertices"),
    "two numbers": (stl_text()[: stl_text().rindex(" 1\n")], "each vertex must have 3 numbers"),
    "more bytes in a cut file that starts as a text": (
        stl_bytes(b"solid with a facet", count=3),
        "it must have 234 bytes",
    ),
    "letters": (stl_text().replace("1 0 0", "1 x 0"), "must have a number, got 'x'"),
}


@pytest.mark.parametrize(("content", "message"), REFUSED_STL.values(), ids=REFUSED_STL)
def test_refusals_of_stl(read, content, message):
    with pytest.raises(ValueError, match=rf"^file must be readable as STL, got '.*': .*{message}"):
        read(content, ".stl")


def test_a_text_without_facets_has_no_faces(read):
    with pytest.raises(ValueError, match="file must have faces"):
        read("solid empty\nendsolid empty\n", ".stl")


def test_a_text_that_may_be_cut_off_is_said(read):
    content = stl_text()
    with pytest.warns(UserWarning, match="it has no 'endsolid': it may be cut off"):
        mesh = read(content[: content.index("facet", 100)], ".stl")
    assert mesh.num_faces == 1
