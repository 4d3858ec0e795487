"""AC3D files, written here for what the format can say, and those of real aircraft.

The Debian package flightgear-data-ai has 223 of them, from many hands and programs: aircraft, and
their lights and loads. It puts them into /usr/share/games/flightgear/AI; where they lie elsewhere,
the environment variable SOFTRAS_AIRCRAFT names the folder.
"""

import os
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import taichi_softras as sr
from taichi_softras.files.mesh_files import read_mesh

FOLDER = Path(os.environ.get("SOFTRAS_AIRCRAFT", "/usr/share/games/flightgear/AI"))
CAMERA = sr.LookAtCamera(eye=(-0.9, 0.7, 1.3))
SETTINGS = sr.RasterizerSettings(height=32, width=32)

RED, GREEN, GREY = (1, 0, 0), (0, 1, 0), (0.7, 0.7, 0.7)
PALETTE = (
    'MATERIAL "red one" rgb 1 0 0  amb 0.2 0.2 0.2  emis 0 0 0  spec 0 0 0  shi 10  trans 0\n'
    'MATERIAL "green" rgb 0 1 0  amb 0.2 0.2 0.2  emis 0 0 0  spec 0 0 0  shi 10  trans 0.5\n'
)
SQUARE = ((0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0))
HALF_TURN = "rot 0 1 0 -1 0 0 0 0 1"  # a quarter, in fact: x goes to y, y to -x


def surface(indices, material=0, *, flags="0x0", uvs=None):
    """Lines of one surface."""
    uvs = uvs or [(0, 0)] * len(indices)
    refs = "".join(f"{index} {u} {v}\n" for index, (u, v) in zip(indices, uvs))
    return f"SURF {flags}\nmat {material}\nrefs {len(indices)}\n{refs}"


def solid(*surfaces, vertices=SQUARE, said="", kids=()):
    """Lines of one object with vertices and surfaces."""
    rows = "".join("{} {} {}\n".format(*vertex) for vertex in vertices)
    return (
        f'OBJECT poly\nname "part of it"\n{said}numvert {len(vertices)}\n{rows}'
        f"numsurf {len(surfaces)}\n{''.join(surfaces)}kids {len(kids)}\n{''.join(kids)}"
    )


def group(*kids, said=""):
    return f'OBJECT group\nname "group"\n{said}kids {len(kids)}\n{"".join(kids)}'


def ac3d(*kids, palette=PALETTE):
    return f"AC3Db\n{palette}OBJECT world\nkids {len(kids)}\n{''.join(kids)}"


PLAIN = ac3d(solid(surface([0, 1, 2, 3])))


def read(tmp_path, text, **options):
    path = tmp_path / "a.ac"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_mesh(path, **options)


def normals(mesh):
    corners = mesh.vertices[mesh.faces]
    return np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])


# Geometry


def test_square_is_read(tmp_path):
    mesh = read(tmp_path, PLAIN)
    np.testing.assert_array_equal(mesh.vertices, SQUARE)
    np.testing.assert_array_equal(mesh.faces, [[0, 1, 2], [0, 2, 3]])
    np.testing.assert_array_equal(mesh.colors, [RED] * 4)
    assert mesh.vertices.dtype == np.float32


def test_transforms_nest(tmp_path):
    part = solid(surface([0, 1, 2]), said="loc 10 0 0\n")
    turned = solid(surface([0, 1, 2]), said=f"{HALF_TURN}\nloc 0 0 5\n")
    inner = group(part, turned, said=f"loc 0 0 1\n{HALF_TURN}\n")
    mesh = read(tmp_path, ac3d(group(inner, said="loc 100 0 0\n"), solid(surface([0, 1, 2]))))
    x, y, z = np.transpose(SQUARE)
    expected = [
        np.stack((100 - y, x + 10, z + 1), axis=-1),
        np.stack((100 - x, -y, z + 6), axis=-1),  # a quarter turn twice
        SQUARE,
    ]
    np.testing.assert_allclose(mesh.vertices, np.concatenate(expected))
    np.testing.assert_array_equal(mesh.faces, [[0, 1, 2], [4, 5, 6], [8, 9, 10]])


def test_kids_of_objects_with_faces_have_their_frame(tmp_path):
    kid = solid(surface([0, 1, 2]), said="loc 0 1 0\n")
    mesh = read(tmp_path, ac3d(solid(surface([0, 1, 2]), said="loc 1 0 0\n", kids=[kid])))
    np.testing.assert_array_equal(
        mesh.vertices, [*np.add(SQUARE, (1, 0, 0)), *np.add(SQUARE, (1, 1, 0))]
    )


def test_world_may_be_missing_or_moved(tmp_path):
    alone = read(tmp_path, f"AC3Db\n{PALETTE}" + solid(surface([0, 1, 2])) * 2)
    assert alone.faces.tolist() == [[0, 1, 2], [4, 5, 6]]
    moved = read(tmp_path, PLAIN.replace("world\n", "world\nloc 0 0 2\n"))
    np.testing.assert_array_equal(moved.vertices, np.add(SQUARE, (0, 0, 2)))


@pytest.mark.parametrize("said", ["", "rot -1 0 0 0 1 0 0 0 1\n"])
def test_mirrored_objects_keep_their_outside(tmp_path, said):
    mesh = read(tmp_path, ac3d(solid(surface([0, 1, 2, 3]), said=said)))
    assert (normals(mesh)[:, 2] > 0).all()


def test_concave_polygon_is_cut_well(tmp_path):
    arrow = ((2, 0, 0), (0.5, 0.5, 0), (0, 2, 0), (0, 0, 0))
    mesh = read(tmp_path, ac3d(solid(surface([0, 1, 2, 3]), vertices=arrow)))
    turned = normals(mesh)[:, 2]
    assert (turned > 0).all()
    assert turned.sum() / 2 == pytest.approx(1.0)


def test_strip_alternates(tmp_path):
    zigzag = ((0, 0, 0), (0, 1, 0), (1, 0, 0), (1, 1, 0), (2, 0, 0))
    strip = surface(range(5), flags="0x14", uvs=[(x, y) for x, y, _ in zigzag])
    image = Image.fromarray(np.arange(12, dtype=np.uint8).reshape(2, 2, 3))
    image.save(tmp_path / "t.png")
    text = ac3d(solid(strip, vertices=zigzag, said='texture "t.png"\n'))
    mesh = read(tmp_path, text, textures=True)
    assert mesh.faces.tolist() == [[0, 1, 2], [3, 2, 1], [2, 3, 4]]
    assert (normals(mesh)[:, 2] < 0).all()
    np.testing.assert_array_equal(mesh.face_uvs, mesh.vertices[mesh.faces][..., :2])


def test_lines_and_lights_have_no_faces(tmp_path):
    lines = [surface([0, 1, 2], flags=flags) for flags in ("0x1", "0x22", "2")]
    short = [surface([0, 1]), surface([])]
    light = "OBJECT light\nloc 0 1 0\nkids 0\n"
    mesh = read(tmp_path, ac3d(solid(*lines, surface([1, 2, 3], flags="0X30"), *short), light))
    assert mesh.faces.tolist() == [[1, 2, 3]]
    with pytest.raises(ValueError, match=r"file must have faces, got '.*a\.ac', which has none"):
        read(tmp_path, ac3d(solid(*lines, *short), light))


# Materials and textures


def test_surfaces_have_their_materials(tmp_path):
    corners, numbers = ([0, 1, 2], [0, 2, 3], [1, 2, 3], [0, 1, 3]), (1, 0, 7, -1)
    surfaces = [surface(*pair) for pair in zip(corners, numbers)]
    text = ac3d(solid(*surfaces)).replace("mat 0\n", "")  # which it is for want of another
    mesh = read(tmp_path, text)
    for face, color in zip(mesh.faces, (GREEN, RED, GREY, GREY)):
        np.testing.assert_allclose(mesh.colors[face], [color] * 3)
    kept = read(tmp_path, text, textures=True)
    assert [material.name for material in kept.materials] == ["green", "red one", ""]
    assert kept.face_materials.tolist() == [0, 1, 2, 2]
    assert kept.face_uvs is None
    np.testing.assert_allclose([material.color for material in kept.materials], [GREEN, RED, GREY])


def test_newer_materials_and_rows_are_read(tmp_path):
    palette = 'MAT "new"\nrgb 0 1 0\namb 1 1 1\nshi 1\ntrans 0\ndata 11\nrgb 0 0\nMAT\nENDMAT\n'
    square = solid(surface([0, 1, 2, 3]))
    square = square.replace("1 1 0\n", "1 1 0 0 0 1\n").replace(
        "0 0 0\n1 0 0\n", "0 0 0\n1 0 0 0 0 1\n"
    )
    square = square.replace("2 0 0\n", "2 0 0 0.5 0.5\n")
    mesh = read(tmp_path, ac3d(square, palette=palette).replace("AC3Db", "AC3Dc"), textures=True)
    np.testing.assert_array_equal(mesh.vertices, SQUARE)
    assert mesh.materials[0].name == "new"
    assert mesh.materials[0].color == GREEN


def save_stripes(path):
    """Four columns: red, green, blue, white."""
    columns = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]], np.uint8)
    Image.fromarray(np.tile(columns, (4, 1, 1))).save(path)


@pytest.mark.parametrize(
    "name", ["t.png", "t 1.png", "t.rgb", "sub/t.png", "C:\\a b\\t.png", "tä.png"]
)
def test_texture_is_tinted_by_the_material(tmp_path, name):
    lies = "sub/t.png" if name.startswith("sub") else name.rpartition("\\")[2]
    (tmp_path / "sub").mkdir()
    save_stripes(tmp_path / lies)
    square = solid(
        surface([0, 1, 2, 3], uvs=[(0, 0), (1, 0), (1, 1), (0, 1)]), said=f'texture "{name}"\n'
    )
    palette = 'MATERIAL "" rgb 0.5 1 1 amb 0 0 0 emis 0 0 0 spec 0 0 0 shi 0 trans 0\n'
    mesh = read(tmp_path, ac3d(square, palette=palette), textures=True)
    assert mesh.materials[0].color == (0.5, 1, 1)
    np.testing.assert_array_equal(mesh.materials[0].image[0, 0], RED)
    np.testing.assert_array_equal(mesh.face_uvs, mesh.vertices[mesh.faces][..., :2])
    np.testing.assert_array_equal(mesh.colors, [(0.5, 0, 0), (0.5, 1, 1), (0.5, 1, 1), (0.5, 0, 0)])


def test_texture_repeats_and_moves(tmp_path):
    save_stripes(tmp_path / "t.png")
    said = 'texture "t.png" base\ntexture "other.png" normal\ntexrep 2 3\ntexoff 0.25 -1\n'
    uvs = [(0, 0), (1, 0), (1, 1), (0, 1)]
    mesh = read(tmp_path, ac3d(solid(surface([0, 1, 2, 3], uvs=uvs), said=said)), textures=True)
    expected = np.add(np.multiply(uvs, (2, 3)), (0.25, -1))
    np.testing.assert_allclose(mesh.face_uvs, expected[mesh.faces])
    assert mesh.materials[0].image is not None


def test_objects_have_textures_of_their_own(tmp_path):
    save_stripes(tmp_path / "t.png")
    parts = [
        solid(surface([0, 1, 2]), said=said)
        for said in ("", 'texture "t.png"\n', "texture t.png\n")
    ]
    mesh = read(tmp_path, ac3d(*parts), textures=True)
    assert [material.image is None for material in mesh.materials] == [True, False]
    assert mesh.face_materials.tolist() == [0, 1, 1]
    np.testing.assert_array_equal(mesh.face_uvs, 0)


@pytest.mark.parametrize("content", [None, b"no image"])
def test_texture_is_done_without(tmp_path, content):
    if content:
        (tmp_path / "t.png").write_bytes(content)
    reason = "it is no image of a kind that Pillow reads" if content else "there is no texture"
    with pytest.warns(UserWarning, match=rf"{reason}.*drawn without"):
        mesh = read(
            tmp_path, ac3d(solid(surface([0, 1, 2]), said='texture "t.png"\n')), textures=True
        )
    assert mesh.materials[0].image is None
    assert mesh.materials[0].color == RED


# Files by others

UGLY = {
    "CRLF": PLAIN.replace("\n", "\r\n"),
    "CR": PLAIN.replace("\n", "\r"),
    "tabs and blanks": PLAIN.replace(" ", "\t ").replace("\n", "  \n "),
    "byte order mark": "\ufeff" + PLAIN,
    "comments and empty lines": PLAIN.replace("\n", "\n# 1 2\n\n"),
    "no end of line": PLAIN.rstrip(),
    "other directives": PLAIN.replace(
        "numvert", "url http://x\ncrease 45.0\nhidden\nsubdiv 1\nnumvert"
    ),
    "text": PLAIN.replace("numvert", "data 24\nkids 0\nOBJECT poly\nSURF 0\nnumvert"),
    "no text": PLAIN.replace("numvert", "data 0\nnumvert"),
    "empty groups": PLAIN.replace("kids 1", "kids 4")
    + group()
    + group(group())
    + "OBJECT poly\nkids 0\n",
    "fewer kids than counted": PLAIN.replace("kids 1", "kids 3"),
    "more kids than counted": PLAIN.replace("kids 1", "kids 0"),
    "no materials of surfaces": PLAIN.replace("mat 0\n", ""),
    "quotes that end nowhere": PLAIN.replace("numvert", 'texture "t.png\nnumvert'),
}


@pytest.mark.parametrize("text", UGLY.values(), ids=UGLY)
@pytest.mark.filterwarnings("ignore:.*there is no texture 't.png'")
def test_ugly_files_are_read(tmp_path, text):
    mesh = read(tmp_path, text)
    np.testing.assert_array_equal(mesh.vertices, SQUARE)
    np.testing.assert_array_equal(mesh.faces, [[0, 1, 2], [0, 2, 3]])
    np.testing.assert_array_equal(mesh.colors, [RED] * 4)


def test_bytes_of_no_encoding_are_read(tmp_path):
    assert len(read(tmp_path, PLAIN.encode("utf-16")).faces) == 2
    assert len(read(tmp_path, PLAIN.replace("red", "r\xe9d").encode("latin-1")).faces) == 2


def test_deep_nesting_is_read(tmp_path):
    deep = "OBJECT group\nloc 1 0 0\nkids 1\n" * 3000
    mesh = read(tmp_path, f"AC3Db\n{deep}" + solid(surface([0, 1, 2])))
    np.testing.assert_array_equal(mesh.vertices, np.add(SQUARE, (3000, 0, 0)))


REFUSED = {
    "no header": (PLAIN[5:], r"line 2: must start with AC3D, got 'MATERIAL"),
    "no objects": ("AC3Db\n" + PALETTE, "have faces"),
    "header alone": ("AC3Db", "have faces"),
    "too few vertices": (PLAIN.replace("numvert 4", "numvert 5"), r"line 13: must be row 5 of 5"),
    "too many vertices": (PLAIN.replace("numvert 4", "numvert 3"), r"line 12: must be a directive"),
    "far too many": (
        PLAIN.replace("refs 4", "refs 99999999999"),
        "row 5 of 99999999999",
    ),
    "negative count": (PLAIN.replace("refs 4", "refs -4"), "must not be negative, got -4"),
    "no count": (PLAIN.replace("refs 4", "refs"), "line 16: must have a whole number, got ''"),
    "words": (PLAIN.replace("1 1 0\n", "1 one 0\n"), "must have a number, got 'one'"),
    "short row": (PLAIN.replace("1 1 0\n", "1 1\n"), "must be row 3 of 4, of 3 numbers, got '1 1'"),
    "index too high": (PLAIN.replace("3 0 0\n", "4 0 0\n"), "from 0 to 3, got 0 to 4"),
    "index far too high": (
        PLAIN.replace("3 0 0\n", f"{10**30} 0 0\n"),
        "must have a whole number up to 4611686018427387904",
    ),
    "index below 0": (PLAIN.replace("3 0 0\n", "-1 0 0\n"), "from 0 to 3, got -1 to 2"),
    "fraction as index": (
        PLAIN.replace("3 0 0\n", "2.5 0 0\n"),
        "must have a whole number, got '2.5'",
    ),
    "vertex that is not finite": (PLAIN.replace("1 1 0\n", "1 nan 0\n"), "vertices must be finite"),
    "frame that is not finite": (
        PLAIN.replace("numvert", "loc 0 inf 0\nnumvert"),
        "must be finite",
    ),
    "coordinates that are not finite": (
        PLAIN.replace("numvert", "texture t\nnumvert").replace("3 0 0\n", "3 0 nan\n"),
        "texture coordinates must be finite",
    ),
    "color that is not finite": (
        PLAIN.replace("rgb 1", "rgb nan"),
        "line 2: a colour must be 3 finite",
    ),
    "color of two": (
        PLAIN.replace("rgb 1 0 0  amb", "rgb 1 0 amb"),
        "line 2: must have a number, got 'amb'",
    ),
    "color of nothing": ("AC3Dc\nrgb 1 0 0\n", "line 2: must not be outside of a material"),
    "rotation of eight": (
        PLAIN.replace("numvert", "rot 1 0 0 0 1 0 0 0\nnumvert"),
        "must have 9 numbers, got '1 0 0 0 1 0 0 0'",
    ),
    "surfaces uncounted": (PLAIN.replace("numsurf 1\n", ""), "numsurf must be 1, got 0"),
    "surfaces missing": (PLAIN.replace("numsurf 1\n", "numsurf 2\n"), "numsurf must be 1, got 2"),
    "unknown surface": (
        PLAIN.replace("SURF 0x0", "SURF 0x3"),
        "must be a polygon, a line or a strip",
    ),
    "surface without object": ("AC3Db\n" + surface([0, 1, 2]), "must not be outside of an object"),
    "object in object": (PLAIN.replace("kids 1\n", ""), "must be 'kids' before the next object"),
    "text without end": (
        PLAIN.replace("numvert", "data 99999999\nnumvert"),
        "before the end of the",
    ),
    "end after the name": (PLAIN[: PLAIN.index("numvert")], "'kids' before the end of the file"),
}


@pytest.mark.parametrize(("text", "message"), REFUSED.values(), ids=REFUSED)
def test_broken_files_are_refused(tmp_path, text, message):
    with pytest.raises(ValueError, match=rf"^file must (?s:.*){message}"):
        read(tmp_path, text)


def test_cut_files_are_refused_until_an_object_is_complete(tmp_path):
    text = ac3d(group(solid(surface([0, 1, 2]))))
    complete = len(text.rstrip())
    for length in range(complete):
        with pytest.raises(ValueError, match=r"file must"):
            read(tmp_path, text[:length])
    assert len(read(tmp_path, text[:complete]).faces) == 1


@pytest.mark.filterwarnings("ignore:.*drawn without")
def test_any_word_may_be_wrong(tmp_path):
    words = re.split(r"(\s)", PLAIN)
    for place in range(0, len(words), 2):
        for word in ("", "nan", "-1", "9" * 40, "kids"):
            text = "".join([*words[:place], word, *words[place + 1 :]])
            try:
                mesh = read(tmp_path, text)
            except ValueError as error:
                refusal = str(error)
                assert refusal.startswith("file must")
            else:
                assert np.isfinite(mesh.vertices).all()


# Real ones


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*drawn without")  # some textures are not in the package
def test_every_model_is_read_and_drawn():
    paths = sorted(FOLDER.rglob("*.ac"))
    if not paths:
        pytest.skip(f"the package flightgear-data-ai is not installed: no .ac files in {FOLDER}")
    num_textured = 0
    for path in paths:
        mesh = sr.read_mesh(path, textures=True)
        if mesh.materials:
            texels = mesh.texture_maps().texels
            assert texels.min() >= 0, path
            assert texels.max() <= 1, path
        num_textured += any(material.image is not None for material in mesh.materials)
        image = sr.render(*mesh.normalized().to_taichi(), CAMERA, SETTINGS).to_numpy()
        assert np.isfinite(image).all(), path
        assert (image[..., 3] > 0.5).any(), path
        assert image.max() <= 1 + 1e-5, path
    assert num_textured > len(paths) / 4
