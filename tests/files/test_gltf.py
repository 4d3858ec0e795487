"""glTF files: what a reader may overlook without a word, made here and compared with the file."""

import json
import re
import struct

import numpy as np
import pytest
from gltf_maker import QUARTERS, SQUARE, SQUARE_UVS, TRIANGLES, GltfMaker

import taichi_softras as sr


@pytest.fixture(params=[".gltf", ".glb"])
def read(request, tmp_path):
    def read(maker, **options):
        path = maker.write(tmp_path / f"a{request.param}")
        return sr.read_mesh(path, textures=True, **options)

    return read


FACES = TRIANGLES.reshape(-1, 3)


RED, GREEN, BLUE, YELLOW = QUARTERS.reshape(-1, 3) / 255


UPRIGHT = [BLUE, YELLOW, GREEN, RED]
"""Colours of the square's corners where it shows the image upright."""


def uvs_of(mesh):
    """Texture coordinates by vertex, v up: every corner of a vertex has the same here."""
    found = np.full((mesh.num_vertices, 2), np.nan)
    found[mesh.faces] = mesh.face_uvs
    np.testing.assert_array_equal(found[mesh.faces], mesh.face_uvs)
    return found


# --- Arrays -------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("width", [3, 4])
def test_normalized_colors(read, dtype, width):
    """(1, 1/2, 0) as integers: not their low bytes."""
    largest = np.iinfo(dtype).max
    half = (largest + 1) // 2
    maker = GltfMaker()
    colors = np.array([[largest, half, 0, largest][:width]] * 4, dtype)
    mesh = read(maker.square(COLOR_0=maker.array(colors, normalized=True)))
    np.testing.assert_allclose(mesh.colors, [[1, half / largest, 0]] * 4, rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_normalized_texture_coordinates(read, dtype):
    maker = GltfMaker()
    uvs = (SQUARE_UVS * np.iinfo(dtype).max).astype(dtype)
    mesh = read(maker.square(TEXCOORD_0=maker.array(uvs, normalized=True)).textured())
    np.testing.assert_array_equal(uvs_of(mesh), SQUARE_UVS * [1, -1] + [0, 1])
    np.testing.assert_array_equal(mesh.colors, UPRIGHT)


@pytest.mark.parametrize("is_normalized", [False, True])
@pytest.mark.parametrize("dtype", [np.int8, np.int16])
def test_quantized_positions(read, dtype, is_normalized):
    """The node makes of integers what they stand for; -1 has two numbers that mean it."""
    largest = np.iinfo(dtype).max
    rows = (SQUARE * largest).astype(dtype)
    rows[0, 0] = -largest - 1 if is_normalized else -largest
    maker = GltfMaker(extensionsRequired=["KHR_mesh_quantization"])
    maker.square(positions=maker.array(rows, normalized=is_normalized))
    scale = 2.0 if is_normalized else 2.0 / largest
    maker.tree["nodes"][0] |= {"scale": [scale] * 3, "translation": [1, 0, 0]}
    np.testing.assert_allclose(read(maker).vertices, SQUARE * 2 + [1, 0, 0], rtol=1e-6)


@pytest.mark.parametrize("stored", [True, False])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.uint32])
def test_sparse_values_take_the_place_of_others(read, kind, stored):
    maker = GltfMaker()
    places = maker.view(np.array([2, 3], kind).tobytes())
    values = maker.view(np.float32([[3, 3, 0], [-1, 1, 5]]).tobytes())
    sparse = {
        "count": 2,
        "indices": {
            "bufferView": places,
            "componentType": {1: 5121, 2: 5123, 4: 5125}[kind().nbytes],
        },
        "values": {"bufferView": values},
    }
    mesh = read(maker.square(positions=maker.array(SQUARE, stored=stored, sparse=sparse)))
    others = SQUARE[:2] if stored else np.zeros((2, 3))
    np.testing.assert_array_equal(mesh.vertices, [*others, [3, 3, 0], [-1, 1, 5]])


def test_arrays_that_share_a_view(read):
    """Positions and colours of a vertex lie side by side, after four bytes of something else."""
    maker = GltfMaker()
    rows = np.zeros(4, [("position", "<f4", 3), ("color", "u1", 4)])
    rows["position"], rows["color"] = SQUARE, (0, 255, 0, 255)
    view = maker.view(b"else" + rows.tobytes(), byteStride=16)
    shared = {"bufferView": view, "count": 4}
    maker.tree["accessors"] += [
        {**shared, "byteOffset": 4, "componentType": 5126, "type": "VEC3"},
        {**shared, "byteOffset": 16, "componentType": 5121, "type": "VEC4", "normalized": True},
    ]
    mesh = read(maker.square(positions=0, COLOR_0=1))
    np.testing.assert_array_equal(mesh.vertices, SQUARE)
    np.testing.assert_array_equal(mesh.colors, [GREEN] * 4)


MODES = {
    "triangles": (4, [0, 1, 2, 0, 2, 3], [[0, 1, 2], [0, 2, 3]]),
    "a corner too many": (4, [0, 1, 2, 0, 2, 3, 1], [[0, 1, 2], [0, 2, 3]]),
    "strip": (5, [0, 1, 3, 2, 0], [[0, 1, 3], [1, 2, 3], [3, 2, 0]]),
    "fan": (6, [0, 1, 2, 3], [[0, 1, 2], [0, 2, 3]]),
    "fan without indices": (6, None, [[0, 1, 2], [0, 2, 3]]),
}


# --- Shape --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("mode", "indices", "faces"), MODES.values(), ids=MODES)
def test_modes_of_primitives(read, mode, indices, faces):
    given = None if indices is None else np.uint16(indices)
    mesh = read(GltfMaker().square(indices=given, primitive={"mode": mode}))
    np.testing.assert_array_equal(mesh.faces, faces)


def test_triangles_beside_a_fan_and_points(read):
    maker = GltfMaker().square()
    maker.square(
        indices=np.uint16([0, 1, 2, 3]), positions=np.add(SQUARE, [3, 0, 0]), primitive={"mode": 6}
    )
    maker.square(indices=None, primitive={"mode": 0})
    first, second, third = (mesh["primitives"][0] for mesh in maker.tree["meshes"])
    maker.tree["meshes"] = [{"primitives": [first, third, second]}]
    mesh = read(maker)
    assert mesh.num_faces == 4
    np.testing.assert_array_equal(mesh.vertices[mesh.faces[2:]], (np.add(SQUARE, [3, 0, 0]))[FACES])


def test_primitives_that_share_vertices_share_them(read):
    maker = GltfMaker().square(indices=np.uint16([0, 1, 2]))
    (primitive,) = maker.tree["meshes"][0]["primitives"]
    other = {**primitive, "indices": maker.array(np.uint16([0, 2, 3])), "material": 0}
    maker.tree["meshes"][0]["primitives"].append(other)
    maker.tree["materials"] = [{"pbrMetallicRoughness": {"baseColorFactor": [1, 0, 0, 1]}}]
    mesh = read(maker)
    np.testing.assert_array_equal(mesh.vertices, SQUARE)
    np.testing.assert_array_equal(mesh.faces, FACES)
    colors = [mesh.materials[number].color for number in mesh.face_materials]
    assert colors == [(1, 1, 1), (1, 0, 0)]


def test_morph_targets_have_their_default_weights(read):
    maker = GltfMaker()
    targets = [{"POSITION": maker.array(np.float32([[0, 0, 0]] * 2 + [[2, 2, 0]] * 2))}] * 2
    maker.square(primitive={"targets": targets}, mesh={"weights": [1.0, 0.0]})
    np.testing.assert_array_equal(read(maker).vertices[2:], [[3, 3, 0], [1, 3, 0]])
    maker.tree["nodes"][0]["weights"] = [0.5, 0.25]
    np.testing.assert_array_equal(read(maker).vertices[2:], [[2.5, 2.5, 0], [0.5, 2.5, 0]])
    del maker.tree["nodes"][0]["weights"], maker.tree["meshes"][0]["weights"]
    np.testing.assert_array_equal(read(maker).vertices, SQUARE)


def test_skinned_vertices_are_where_their_joints_are(read):
    """The node's own place has no say; the lower corners hang on one joint, the upper on two."""
    maker = GltfMaker()
    bind = np.eye(4, dtype=np.float32)[None].repeat(2, 0)
    bind[1, 3, :3] = [0, -1, 0]  # columns first: moved down by 1
    skin = {"joints": [1, 2], "inverseBindMatrices": maker.array(bind)}
    maker.tree |= {
        "skins": [skin],
        "nodes": [
            {"mesh": 0, "skin": 0, "translation": [100, 0, 0]},
            {"children": [2], "translation": [5, 0, 0]},
            {"translation": [0, 3, 0]},
        ],
        "scenes": [{"nodes": [0, 1]}],
    }
    joints = np.uint8([[0, 0, 0, 0], [0, 0, 0, 0], [0, 1, 0, 0], [1, 0, 0, 0]])
    weights = np.float32([[1, 0, 0, 0], [1, 0, 0, 0], [0.5, 0.5, 0, 0], [1, 0, 0, 0]])
    mesh = read(maker.square(JOINTS_0=joints, WEIGHTS_0=weights))
    moved = np.array([[5, 0, 0], [5, 0, 0], [5, 1, 0], [5, 2, 0]])
    np.testing.assert_allclose(mesh.vertices, SQUARE + moved, atol=1e-6)


def test_nodes_place_their_meshes(read):
    """By matrices with columns first, by turns and scales, and below others; hidden ones don't."""
    maker = GltfMaker().square()
    matrix = np.eye(4)
    matrix[:3, 3] = [0, 0, 7]
    half = np.sqrt(0.5)
    maker.tree["nodes"] = [
        {"children": [1, 2, 3], "matrix": matrix.T.reshape(-1).tolist()},
        {"mesh": 0, "rotation": [0, half, 0, half], "scale": [2, 1, 1], "translation": [1, 0, 0]},
        {"mesh": 0, "extensions": {"KHR_node_visibility": {"visible": False}}},
        {"mesh": 0, "scale": [-1, 1, 1]},
    ]
    mesh = read(maker)
    turned = np.stack([0 * SQUARE[:, 0] + 1, SQUARE[:, 1], 7 - 2 * SQUARE[:, 0]], axis=1)
    np.testing.assert_allclose(mesh.vertices[:4], turned, atol=1e-6)
    np.testing.assert_allclose(mesh.vertices[4:], SQUARE * [-1, 1, 1] + [0, 0, 7], atol=1e-6)
    a, b, c = np.moveaxis(mesh.vertices[mesh.faces[2:]], 1, 0)
    assert (np.cross(b - a, c - a)[:, 2] > 0).all()  # a mirror does not turn a face inside out


def test_instances(read):
    maker = GltfMaker(extensionsRequired=["EXT_mesh_gpu_instancing"]).square()
    places = {"TRANSLATION": maker.array(np.float32([[0, 0, 0], [0, 0, 2]]))}
    instancing = {"EXT_mesh_gpu_instancing": {"attributes": places}}
    maker.tree["nodes"][0] |= {"extensions": instancing, "translation": [1, 0, 0]}
    mesh = read(maker)
    np.testing.assert_array_equal(
        mesh.vertices, [*np.add(SQUARE, [1, 0, 0]), *np.add(SQUARE, [1, 0, 2])]
    )


def test_a_scene_far_away_keeps_its_shape(read):
    maker = GltfMaker().square()
    maker.tree["nodes"][0]["translation"] = [500000.3, 4600000.7, 0]
    mesh = read(maker)
    assert mesh.vertices.dtype == np.float64
    np.testing.assert_allclose(mesh.normalized().vertices, SQUARE / 2, atol=1e-9)


def sparse_to(row):
    def change(tree):
        tree["accessors"][0]["sparse"] = {
            "count": 1,
            "indices": {"bufferView": 1, "componentType": 5123, "byteOffset": 2 * row},
            "values": {"bufferView": 0},
        }

    return change


def put(value, *path):
    def change(tree):
        place = tree
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value

    return change


REFUSED = {
    "version 1": (put({"version": "1.0"}, "asset"), "only glTF 2.0 is read, got version 1.0"),
    "no version": (put({}, "asset"), "only glTF 2.0 is read, got version none"),
    "an unknown extension": (
        put(["FOO_unknown"], "extensionsRequired"),
        "it requires the extension FOO_unknown, which is not understood",
    ),
    "basis textures": (put(["KHR_texture_basisu"], "extensionsRequired"), "KHR_texture_basisu"),
    "a list for an object": (put([], "asset"), "'asset' must be an object, got \\[\\]"),
    "a missing array": (
        put(7, "meshes", 0, "primitives", 0, "indices"),
        "must have 2 accessors, number 7 is asked for",
    ),
    "an array beyond its view": (
        put(9, "accessors", 0, "count"),
        "lie within the 48 bytes of bufferViews\\[0\\], got 9 rows of 12 bytes, 12 apart",
    ),
    "a view beyond its buffer": (
        put(4000, "bufferViews", 0, "byteLength"),
        "a view must lie within the 60 bytes of buffers\\[0\\], got 0 to 4000",
    ),
    "an unknown type": (put(5130, "accessors", 0, "componentType"), "can't be 4 of 'VEC3' of"),
    "an index out of range": (put(3, "accessors", 0, "count"), "from 0 to 2, got 0 to 3"),
    "flat positions": (put("VEC2", "accessors", 0, "type"), "POSITION must have 3 numbers, got 2"),
    "a node below itself": (
        put([0], "nodes", 0, "children"),
        "nodes\\[0\\] must not be above itself",
    ),
    "a word for a scale": (put(["a", 1, 1], "nodes", 0, "scale"), "'scale' must be 3 numbers"),
    "no faces": (put([], "scenes", 0, "nodes"), "it has no faces"),
    "an unknown mode": (put(9, "meshes", 0, "primitives", 0, "mode"), "from 0 to 6, got 9"),
    "a sparse row beyond": (sparse_to(-1), "must lie within|rows up to 3"),
}


# --- Refusals -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("change", "message"), REFUSED.values(), ids=REFUSED)
def test_refusals(read, change, message):
    maker = GltfMaker().square()
    change(maker.tree)
    with pytest.raises(
        ValueError, match=rf"^file must be readable as GL\w+, got '.*': .*{message}"
    ):
        read(maker)


def test_a_missing_buffer_is_refused_by_name(tmp_path):
    maker = GltfMaker().square()
    for uri, reason in {
        "gone.bin": "there is no file 'gone.bin', which it names",
        "http://example.org/a.bin": "must name files beside it, got 'http://example.org/a.bin'",
    }.items():
        maker.tree["buffers"] = [{"byteLength": len(maker.content), "uri": uri}]
        with pytest.raises(ValueError, match=re.escape(reason)):
            sr.read_mesh(maker.write(tmp_path / "a.gltf"))


def test_a_version_of_glb_before_2_is_refused(tmp_path):
    content = GltfMaker().square().glb()
    (tmp_path / "a.glb").write_bytes(content[:4] + struct.pack("<I", 1) + content[8:])
    with pytest.raises(ValueError, match=r"only glTF 2\.0 is read, got version 1"):
        sr.read_mesh(tmp_path / "a.glb")
    old = {"asset": {"version": "1.0"}, "meshes": {"a": {}}, "scene": "s", "nodes": {}}
    (tmp_path / "a.gltf").write_text(json.dumps(old))
    with pytest.raises(ValueError, match=r"only glTF 2\.0 is read, got version 1.0"):
        sr.read_mesh(tmp_path / "a.gltf")
