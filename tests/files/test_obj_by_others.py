"""OBJ and MTL files as other programs and people write them."""

import numpy as np
import pytest
from PIL import Image

import taichi_softras as sr

RED, GREEN, BLUE = np.eye(3)
SQUARE = "v -1 -1 0\nv 1 -1 0\nv 1 1 0\nv -1 1 0\nvt 0 0\nvt 1 0\nvt 1 1\nvt 0 1\n"
FACE = "usemtl m\nf 1/1 2/2 3/3 4/4\n"
PLAIN = f"mtllib a.mtl\n{SQUARE}{FACE}"
MTL = "newmtl m\nKd 1 0 0\n"


@pytest.fixture
def read(tmp_path):
    def read(obj=PLAIN, mtl=MTL, **options):
        for name, content in {"a.obj": obj, "a.mtl": mtl}.items():
            if content is not None:
                path = tmp_path / name
                path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return sr.read_mesh(tmp_path / "a.obj", textures=True, **options)

    return read


def save_quarters(path):
    """Red and green over blue and white."""
    colors = np.uint8([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [255, 255, 255]]])
    Image.fromarray(colors).save(path)


RED_SQUARES = {
    "plain": (PLAIN, MTL),
    "a comment that ends in a backslash": ("# from C:\\models\\\n" + PLAIN, "#\\\n" + MTL),
    "a comment after numbers": (PLAIN.replace("v 1 1 0", "v 1 1 0 # \\"), MTL),
    "a blank after a continuation": (PLAIN.replace("f 1/1 ", "f 1/1 \\ \t\n  "), MTL),
    "a continuation into nothing": (PLAIN.replace("4/4\n", "4/4 \\\n\n") + "\\", MTL),
    "comments after names": (
        PLAIN.replace("a.mtl", "a.mtl # the colours").replace("usemtl m", "usemtl m # red"),
        MTL.replace("Kd 1 0 0", "Kd 1 0 0 # red"),
    ),
    "a comment after the other name": (PLAIN, MTL.replace("newmtl m", "newmtl m\t# red")),
    "a name with a sign in it": (
        PLAIN.replace("usemtl m", "usemtl m #2"),
        "newmtl m\nKd 0 0 1\nnewmtl m #2\nKd 1 0 0\n",
    ),
    "a name in letters of the other case": (PLAIN.replace("a.mtl", "A.MTL"), MTL),
    "UTF-16": (PLAIN.encode("utf-16"), MTL.encode("utf-16")),
    "UTF-16, most significant byte first": (
        b"\xfe\xff" + PLAIN.encode("utf-16-be"),
        b"\xfe\xff" + MTL.encode("utf-16-be"),
    ),
    "the first of two that have a name": (PLAIN, MTL + "newmtl n\nKd 0 1 0\n"),
}


@pytest.mark.parametrize(("obj", "mtl"), RED_SQUARES.values(), ids=RED_SQUARES)
def test_red_squares(read, obj, mtl):
    mesh = read(obj, mtl)
    np.testing.assert_array_equal(mesh.faces, [[0, 1, 2], [0, 2, 3]])
    np.testing.assert_array_equal(mesh.colors, [RED] * 4)


@pytest.mark.parametrize("line", ["mtllib a.mtl b.mtl", "mtllib a.mtl\nmtllib b.mtl # more"])
def test_the_first_library_counts(read, tmp_path, line):
    (tmp_path / "b.mtl").write_text("newmtl m\nKd 0 0 1\nnewmtl n\nKd 0 1 0\n")
    obj = PLAIN.replace("mtllib a.mtl", line) + FACE.replace(" m", " n")
    mesh = read(obj)
    colors = [mesh.materials[number].color for number in mesh.face_materials]
    np.testing.assert_array_equal(colors, [RED, RED, GREEN, GREEN])


COLORS = {
    "from 0 to 1": ("1 0 0", [1, 0, 0]),
    "a bit above 1": ("1.0001 0 0", [1.0001, 0, 0]),
    "bright": ("1.5 0.25 0", [1.5, 0.25, 0]),
    "from 0 to 255": ("255 51 0", [1, 0.2, 0]),
    "from 0 to 255, with fractions": ("127.5 51 0", [0.5, 0.2, 0]),
    "finer than bytes": ("0.3333333 0.001 0.0001", [0.3333333, 0.001, 0.0001]),
}


@pytest.mark.parametrize(("words", "color"), COLORS.values(), ids=COLORS)
def test_ranges_of_colors(read, words, color):
    """One colour says for all vertices what the range is."""
    obj = SQUARE.replace("v 1 1 0", f"v 1 1 0 {words}").replace("v -1 1 0", "v -1 1 0 0 0 0")
    mesh = read(obj + "f 1 2 3 4\n", None)
    np.testing.assert_allclose(mesh.colors[2:], [color, [0, 0, 0]], rtol=1e-6)


CUBE = [[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)]
SIDES = {  # corners of each side, counter-clockwise from outside, by its normal
    (-1, 0, 0): [1, 2, 4, 3],
    (1, 0, 0): [5, 7, 8, 6],
    (0, -1, 0): [1, 5, 6, 2],
    (0, 1, 0): [3, 4, 8, 7],
    (0, 0, -1): [1, 3, 7, 5],
    (0, 0, 1): [2, 6, 8, 4],
}


def cube(normals):
    """A cube whose sides have normals of their own at each corner."""
    lines = ["v {} {} {}".format(*corner) for corner in CUBE]
    for side, corners in SIDES.items():
        lines += ["vn {} {} {}".format(*normals(side, CUBE[k - 1])) for k in corners]
        lines.append("f " + " ".join(f"{k}//{i - 4}" for i, k in enumerate(corners)))
    return "\n".join(lines)


@pytest.mark.parametrize("textures", [True, False])
def test_a_cube_is_as_flat_as_its_normals_say(tmp_path, textures):
    (tmp_path / "a.obj").write_text(cube(lambda side, _: side))
    mesh = sr.read_mesh(tmp_path / "a.obj", textures=textures)
    assert mesh.num_vertices == 24
    normals = sr.vertex_normals(*mesh.to_taichi()[:2]).to_numpy()[0]
    a, b, c = np.moveaxis(mesh.vertices[mesh.faces], 1, 0)
    flat = np.cross(b - a, c - a)
    np.testing.assert_allclose(normals[mesh.faces], np.repeat(flat[:, None], 3, axis=1), atol=1e-6)
    whole = sr.read_mesh(tmp_path / "a.obj", textures=textures, creases=False)
    np.testing.assert_array_equal(whole.vertices, CUBE)


@pytest.mark.parametrize("rounding", [0.0, 0.005])
def test_a_cube_is_as_round_as_its_normals_say(tmp_path, rounding):
    """Normals from the middle outwards, each written a bit differently."""
    rng = np.random.default_rng(0)

    def outwards(_, corner):
        return np.array(corner) - 0.5 + rounding * rng.uniform(-1, 1, 3)

    (tmp_path / "a.obj").write_text(cube(outwards))
    assert sr.read_mesh(tmp_path / "a.obj").num_vertices == 8


def scattered_cube(normals, color=lambda side: ""):
    """A cube each of whose sides has corners of its own."""
    lines = []
    for side, corners in SIDES.items():
        for k in corners:
            lines.append("v {} {} {}".format(*CUBE[k - 1]) + color(side))
            if normals is not None:
                lines.append("vn {} {} {}".format(*normals(side, CUBE[k - 1])))
        lines.append("f " + " ".join(f"{i}//{i}" if normals else f"{i}" for i in range(-4, 0)))
    return "\n".join(lines)


ROUND = {
    "normals outwards": ((lambda _, corner: np.array(corner) - 0.5), {}, 8),
    "normals of the sides": ((lambda side, _: side), {}, 24),
    "normals of the sides, creases not wanted": ((lambda side, _: side), {"creases": False}, 8),
    "no normals": (None, {}, 24),
}


@pytest.mark.parametrize("textures", [True, False])
@pytest.mark.parametrize(("normals", "options", "count"), ROUND.values(), ids=ROUND)
def test_a_cube_in_pieces_is_as_round_as_its_normals_say(
    tmp_path, normals, options, count, textures
):
    (tmp_path / "a.obj").write_text(scattered_cube(normals))
    mesh = sr.read_mesh(tmp_path / "a.obj", textures=textures, **options)
    places = [CUBE[k - 1] for corners in SIDES.values() for k in corners]
    np.testing.assert_array_equal(mesh.vertices, places)
    assert len(np.unique(mesh.faces)) == count
    (tmp_path / "b.obj").write_text(scattered_cube(None))
    apart = sr.read_mesh(tmp_path / "b.obj")
    np.testing.assert_array_equal(mesh.vertices[mesh.faces], apart.vertices[apart.faces])


def test_pieces_of_several_colors_stay_apart(tmp_path):
    text = scattered_cube(
        lambda _, corner: np.array(corner) - 0.5, lambda side: f" {side[0] ** 2} 0 0"
    )
    (tmp_path / "a.obj").write_text(text)
    mesh = sr.read_mesh(tmp_path / "a.obj")
    assert len(np.unique(mesh.faces)) == 16
    corners = mesh.colors[mesh.faces]
    np.testing.assert_array_equal(corners[:, 0], corners[:, 1])


def test_normals_that_are_not_there_are_as_good_as_others(read):
    """Of corners with a normal, with none, and with one that is out of range."""
    obj = SQUARE + "vn 0 0 1\nf 1//1 2 3\nf 1 3 4//9\n"
    assert read(obj, None).num_vertices == 5  # only the first has both


MAPS = {
    "scale": ("-s 2 3 1 t.png", (2, 3), (0, 0)),
    "scale along u": ("-s 2 t.png", (2, 1), (0, 0)),
    "offset": ("-o 0.5 0.25 t.png", (1, 1), (0.5, 0.25)),
    "both, and others": ("-blendu on -o 0.5 -mm 0 1 -s 2 2 2 -bm 1 t.png", (2, 2), (0.5, 0)),
    "tabs": ("-s\t2\t3\t1\tt.png", (2, 3), (0, 0)),
    "a comment": ("-s 2 3 1 t.png # bricks", (2, 3), (0, 0)),
    "a name in letters of the other case": ("-s 2 2 2 T.PNG", (2, 2), (0, 0)),
    "a folder in letters of the other case": ("-s 2 2 2 Maps/T.png", (2, 2), (0, 0)),
}


@pytest.mark.parametrize(("line", "scale", "offset"), MAPS.values(), ids=MAPS)
def test_maps_are_scaled_and_moved(read, tmp_path, line, scale, offset):
    (tmp_path / "maps").mkdir()
    save_quarters(tmp_path / ("maps/t.png" if "/" in line else "t.png"))
    mesh = read(mtl=f"newmtl m\nmap_Kd {line}\nnewmtl n\nKd 0 0 0\n")
    uvs = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * scale + offset
    np.testing.assert_allclose(mesh.face_uvs, uvs[mesh.faces])
    assert mesh.materials[0].image is not None


def test_a_map_is_scaled_for_the_faces_of_its_material_alone(read, tmp_path):
    save_quarters(tmp_path / "t.png")
    mtl = "newmtl m\nmap_Kd -s 2 2 2 t.png\nnewmtl n\nmap_Kd -clamp on t.png\n"
    mesh = read(PLAIN + FACE.replace(" m", " n"), mtl)
    np.testing.assert_array_equal(mesh.face_uvs[:2], 2 * mesh.face_uvs[2:])
    assert [material.wrap for material in mesh.materials] == ["repeat", "clamp"]
    assert mesh.materials[0].image is mesh.materials[1].image


SAID = {
    "a texture": (PLAIN, "newmtl m\nmap_Kd gone.png\n", "there is no texture 'gone.png'"),
    "a library": ("mtllib gone.mtl\n" + PLAIN, MTL, "there is no material file 'gone.mtl'"),
    "a library of bytes": (PLAIN, b"\0\1\2", "material file 'a.mtl' must be text, got bytes of 0"),
}


@pytest.mark.parametrize(("obj", "mtl", "reason"), SAID.values(), ids=SAID)
def test_what_is_missing_is_said(read, obj, mtl, reason):
    with pytest.warns(UserWarning, match=rf"a\.obj': {reason}.*: drawn without") as said:
        mesh = read(obj, mtl)
    assert mesh.num_faces == 2
    assert len(said) == 1
    assert said[0].filename == __file__  # it is whoever read the mesh that is warned


def test_the_texture_of_a_material_that_no_face_has_is_not_missed(read):
    mesh = read(mtl=MTL + "newmtl other\nmap_Kd gone.png\n")  # warnings are errors
    assert [material.name for material in mesh.materials] == ["m"]


def test_bytes_are_no_text(read):
    with pytest.raises(ValueError, match=r"readable as OBJ, got .*: must be text, got bytes of 0"):
        read(b"v 0 0 0\n\0\0\0", None)


def test_a_mesh_far_away_keeps_its_shape(tmp_path):
    """At coordinates as maps have them float32 knows only every half unit."""
    ball = sr.icosphere(2).vertices.astype(np.float64)
    far = np.add(ball, [500000.25, 4600000.5, 100])
    lines = ["v {:.6f} {:.6f} {:.6f}".format(*row) for row in far]
    lines += ["f {} {} {}".format(*face) for face in sr.icosphere(2).faces + 1]
    (tmp_path / "a.obj").write_text("\n".join(lines))
    mesh = sr.read_mesh(tmp_path / "a.obj")
    assert mesh.vertices.dtype == np.float64
    np.testing.assert_allclose(mesh.vertices, far, rtol=0, atol=1e-6)
    near = mesh.normalized()
    np.testing.assert_allclose(np.linalg.norm(near.vertices, axis=1), 0.5, atol=1e-2)
    drawn, expected = (
        sr.render(
            *shape.to_taichi(),
            sr.LookAtCamera((0, 0, 2)),
            sr.RasterizerSettings(height=16, width=16),
        ).to_numpy()
        for shape in (near, sr.icosphere(2).normalized())
    )
    np.testing.assert_allclose(drawn, expected, atol=1e-3)


def test_a_mesh_nearby_is_rounded_to_float32(tmp_path):
    lines = ["v {:.6f} {:.6f} {:.6f}".format(*row) for row in sr.cube().vertices + 3.3]
    lines += ["f {} {} {}".format(*face) for face in sr.cube().faces + 1]
    (tmp_path / "a.obj").write_text("\n".join(lines))
    assert sr.read_mesh(tmp_path / "a.obj").vertices.dtype == np.float32
