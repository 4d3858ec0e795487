"""PLY files: what their rows say, in text and in bytes of either order."""

import struct

import numpy as np
import pytest
from PIL import Image

import taichi_softras as sr

CORNERS = [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [2, 0, 0], [2, 1, 0]]
RED, GREEN, BLUE = np.eye(3)
FORMATS = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}
CODES = {
    "char": "b",
    "uchar": "B",
    "short": "h",
    "ushort": "H",
    "int": "i",
    "uint": "I",
    "float": "f",
    "double": "d",
    "int8": "b",
    "uint16": "H",
    "float64": "d",
}


def ply(format_, elements, comments=(), end="\n"):
    """Write a file.

    Args:
        format_: One of `FORMATS`.
        elements: For each its name, its properties as the header has them, and its rows: numbers,
            and lists of such.
        comments: Lines of the header.
        end: Of its lines.
    """
    header = ["ply", f"format {format_} 1.0", *(f"comment {comment}" for comment in comments)]
    body = b""
    for name, properties, rows in elements:
        header += [f"element {name} {len(rows)}", *(f"property {p}" for p in properties)]
        for row in rows:
            if format_ == "ascii":
                flat = [x for v in row for x in ([len(v), *v] if isinstance(v, list) else [v])]
                body += (" ".join(map(str, flat)) + end).encode()
                continue
            for given, value in zip(properties, row, strict=True):
                *kinds, _ = given.removeprefix("list ").split()
                values = [value]
                if isinstance(value, list):
                    body += struct.pack(FORMATS[format_] + CODES[kinds[0]], len(value))
                    values = value
                codes = FORMATS[format_] + CODES[kinds[-1]] * len(values)
                body += struct.pack(codes, *values)
    return (end.join([*header, "end_header"]) + end).encode("latin-1") + body


def vertices(rows, *properties, kind="float"):
    names = [f"{kind} x", f"{kind} y", f"{kind} z", *properties]
    return "vertex", names, [[*row] for row in rows]


def faces(rows, *properties, kind="list uchar int vertex_indices"):
    return "face", [kind, *properties], rows


@pytest.fixture(params=FORMATS)
def read(request, tmp_path):
    def read(*elements, textures=True, **options):
        (tmp_path / "a.ply").write_bytes(ply(request.param, elements, **options))
        return sr.read_mesh(tmp_path / "a.ply", textures=textures)

    return read


TRIANGLE, QUAD, OTHER = [0, 1, 2], [0, 1, 2, 3], [1, 4, 5, 2]


def test_polygons_of_several_sizes(read):
    """A point and a line among them are left out."""
    pentagon = [0, 1, 5, 2, 3]
    mesh = read(vertices(CORNERS), faces([[TRIANGLE], [[0]], [QUAD], [[0, 1]], [pentagon]]))
    np.testing.assert_array_equal(mesh.vertices, CORNERS)
    np.testing.assert_array_equal(mesh.faces[:3], [[0, 1, 2], [0, 1, 2], [0, 2, 3]])
    assert mesh.num_faces == 6
    a, b, c = np.moveaxis(mesh.vertices[mesh.faces[3:]], 1, 0)
    assert np.cross(b - a, c - a)[:, 2].sum() / 2 == 1.5


@pytest.mark.parametrize("kind", ["list uchar uint vertex_indices", "list int int vertex_index"])
@pytest.mark.parametrize("number", ["float", "double", "float64", "short"])
def test_names_and_kinds(read, number, kind):
    mesh = read(vertices(CORNERS, kind=number), faces([[QUAD], [OTHER]], kind=kind))
    np.testing.assert_array_equal(mesh.vertices, CORNERS)
    np.testing.assert_array_equal(mesh.faces, [[0, 1, 2], [0, 2, 3], [1, 4, 5], [1, 5, 2]])


COLORS = {
    "uchar": ([255, 51, 0], [1, 0.2, 0]),
    "ushort": ([65535, 13107, 0], [1, 0.2, 0]),
    "uint16": ([257, 0, 65535], [257 / 65535, 0, 1]),
    "float": ([0.5, 0.25, 0.001], [0.5, 0.25, 0.001]),
    "double": ([1.0001, 0.25, 0.001], [1.0001, 0.25, 0.001]),
    "int": ([255, 51, 0], [1, 0.2, 0]),
}


@pytest.mark.parametrize(
    "names", ["red green blue", "diffuse_red diffuse_green diffuse_blue", "r g b"]
)
@pytest.mark.parametrize("kind", COLORS)
def test_colors_of_vertices(read, kind, names):
    given, expected = COLORS[kind]
    properties = [f"{kind} {name}" for name in names.split()]
    mesh = read(vertices([[*row, *given] for row in CORNERS], *properties), faces([[QUAD]]))
    np.testing.assert_allclose(mesh.colors, [expected] * 6, rtol=1e-6)


@pytest.mark.parametrize("kind", ["uchar", "ushort"])
def test_faces_keep_their_colors_where_they_are_cut(read, kind):
    largest = {"uchar": 255, "ushort": 65535}[kind]
    rows = [[QUAD, largest, 0, 0], [OTHER, 0, 0, largest], [[0, 1], 0, 0, 0], [QUAD, largest, 0, 0]]
    properties = [f"{kind} red", f"{kind} green", f"{kind} blue"]
    mesh = read(vertices(CORNERS), faces(rows, *properties))
    colors = np.array([material.color for material in mesh.materials])[mesh.face_materials]
    np.testing.assert_array_equal(colors, [RED, RED, BLUE, BLUE, RED, RED])
    assert len(mesh.materials) == 2
    np.testing.assert_array_equal(mesh.vertices, CORNERS)


def save_image(path, color):
    Image.fromarray(np.full((2, 2, 3), color, np.uint8)).save(path)


def test_faces_have_places_in_images_of_their_own(read, tmp_path):
    """As MeshLab writes it: places of corners, and which of two images. One face has none."""
    save_image(tmp_path / "first one.png", (255, 0, 0))
    save_image(tmp_path / "b.png", (0, 255, 0))
    uvs = [[0.0, 0.0, 0.5, 0.0, 0.5, 0.25, 0.0, 0.25], [0.5, 0.5, 1.0, 0.5, 1.0, 1.0, 0.5, 1.0]]
    rows = [[QUAD, uvs[0], 1], [OTHER, uvs[1], 0], [[0, 1, 5], [], -1]]
    mesh = read(
        vertices(CORNERS),
        faces(rows, "list uchar float texcoord", "int texnumber"),
        comments=["TextureFile first one.png", "made by hand", "TextureFile b.png"],
    )
    corners = np.array([[0, 1, 2], [0, 2, 3]])
    np.testing.assert_array_equal(mesh.face_uvs[:2], np.reshape(uvs[0], (4, 2))[corners])
    np.testing.assert_array_equal(mesh.face_uvs[2:4], np.reshape(uvs[1], (4, 2))[corners])
    images = [mesh.materials[number].image for number in mesh.face_materials]
    assert [image is None for image in images] == [False] * 4 + [True]
    np.testing.assert_array_equal([image[0, 0] for image in images[:4]], [GREEN] * 2 + [RED] * 2)
    np.testing.assert_array_equal(mesh.vertices, CORNERS)


@pytest.mark.parametrize("names", ["s t", "u v", "texture_u texture_v"])
@pytest.mark.parametrize("normals", [False, True])
def test_vertices_repeated_for_their_places_are_welded(read, tmp_path, names, normals):
    """Unless their normals differ."""
    save_image(tmp_path / "a.png", (255, 0, 0))
    rows = [[*CORNERS[k], k % 2, 0.0] for k in (0, 1, 2)] + [
        [*CORNERS[k], 0.5, 0.5] for k in (0, 2, 3)
    ]
    properties = [f"float {name}" for name in names.split()]
    if normals:
        rows = [[*row, 0, k // 3, 1 - k // 3] for k, row in enumerate(rows)]
        properties += ["float nx", "float ny", "float nz"]
    elements = vertices(rows, *properties), faces([[[0, 1, 2]], [[3, 4, 5]]])
    mesh = read(*elements, comments=["TextureFile a.png"])
    assert mesh.num_vertices == (6 if normals else 4)
    np.testing.assert_array_equal(mesh.face_uvs[:, :, 0], [[0, 1, 0], [0.5, 0.5, 0.5]])
    assert read(*elements, comments=["TextureFile a.png"], textures=False).num_vertices == 6


def test_missing_images_are_said(read):
    with pytest.warns(UserWarning, match="a.ply': there is no texture 'gone.png': drawn without"):
        read(vertices(CORNERS), faces([[QUAD]]), comments=["TextureFile gone.png"])


def test_strips_of_triangles(read):
    """Every other triangle is turned round; -1 begins another strip, in which none is at first."""
    strips = (
        "tristrips",
        ["list int int vertex_indices"],
        [[[0, 1, 3, 2, -1, 2, 1, 5]], [[1, 4, 5]]],
    )
    mesh = read(vertices(CORNERS), strips)
    np.testing.assert_array_equal(mesh.faces, [[0, 1, 3], [1, 2, 3], [2, 1, 5], [1, 4, 5]])


def test_other_elements_and_lists_are_passed_over(read):
    edges = "edge", ["int first", "list uchar float weights"], [[1, [0.5]], [2, [0.5, 1.0]]]
    confident = faces(
        [[QUAD, 1.0, [7]], [OTHER, 2.0, [7, 8]]], "float quality", "list uchar int flags"
    )
    mesh = read(edges, vertices(CORNERS), ("nothing", ["int x"], []), confident)
    np.testing.assert_array_equal(mesh.vertices, CORNERS)
    np.testing.assert_array_equal(mesh.faces, [[0, 1, 2], [0, 2, 3], [1, 4, 5], [1, 5, 2]])


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_ends_of_lines_and_letters_of_comments(read, end):
    """The rows of bytes begin right after the header's last line, whatever ends it."""
    mesh = read(vertices(CORNERS), faces([[QUAD]]), comments=["caf\xe9"], end=end)
    np.testing.assert_array_equal(mesh.vertices, CORNERS)


def test_a_comment_may_go_on_in_a_line_of_its_own(tmp_path):
    text = TEXT.replace("1.0\n", "1.0\nCreated by Blender3D 247 - source file: \n")
    (tmp_path / "a.ply").write_text(text)
    assert sr.read_mesh(tmp_path / "a.ply").num_faces == 2


def test_bytes_may_follow_the_last_row(tmp_path):
    content = ply("binary_little_endian", [vertices(CORNERS), faces([[QUAD]])])
    (tmp_path / "a.ply").write_bytes(content + b"\0more")
    assert sr.read_mesh(tmp_path / "a.ply").num_faces == 2


TEXT = ply("ascii", [vertices(CORNERS), faces([[QUAD]])]).decode()
REFUSED = {
    "no ply": ("ply\n", "plx\n", "it must start with a line 'ply'"),
    "no end": ("end_header", "end", "its header must end with a line 'end_header'"),
    "format": ("ascii", "binary", "line 2 of the header is wrong: 'format binary 1.0'"),
    "kind": ("float y", "real y", "line 5 of the header is wrong: 'property real y'"),
    "word": ("element face", "elements face", "line 7 of the header is wrong: 'elements face 1'"),
    "no y": ("float y", "float w", "its vertices must have x, y and z"),
    "no vertices": ("element vertex", "element point", "it must have an element 'vertex'"),
    "no indices": ("vertex_indices", "corners", "its faces must have a list 'vertex_indices'"),
    "no faces": ("element face", "element patch", "it has no faces"),
    "index": ("4 0 1 2 3", "4 0 1 2 6", "faces must have vertices from 0 to 5, got 0 to 6"),
    "negative index": (
        "4 0 1 2 3",
        "4 0 1 2 -2",
        "faces must have vertices from 0 to 5, got -2 to 2",
    ),
    "fraction": ("4 0 1 2 3", "4 0 1 2 1.5", "must have whole numbers, got 1.5"),
    "letters": ("4 0 1 2 3", "4 0 1 2 x", "must have a number, got 'x'"),
    "short": ("4 0 1 2 3", "4 0 1 2", "it must have 1 rows of 'face', got 0"),
    "long": ("4 0 1 2 3", "4 0 1 2 3 5", "its body must have 23 numbers, got 24"),
    "negative list": ("4 0 1 2 3", "-1 0", "row 0 of 'face' has a list of -1"),
    "few vertices": ("vertex 6", "vertex 99", "it must have 99 rows of 'vertex', got 7"),
}


@pytest.mark.parametrize(("old", "new", "message"), REFUSED.values(), ids=REFUSED)
def test_refusals(tmp_path, old, new, message):
    assert TEXT.count(old) == 1
    (tmp_path / "a.ply").write_text(TEXT.replace(old, new))
    with pytest.raises(ValueError, match=rf"^file must be readable as PLY, got '.*': {message}"):
        sr.read_mesh(tmp_path / "a.ply")


def test_colors_that_are_not_finite_are_refused(read):
    rows = [[*row, float("nan"), 0.0, 0.0] for row in CORNERS]
    with pytest.raises(ValueError, match="colours must be finite"):
        read(vertices(rows, "float red", "float green", "float blue"), faces([[QUAD]]))
