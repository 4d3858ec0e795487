"""glTF files that are compressed: the shape that went in comes out, or it is said why not."""

import builtins

import DracoPy
import meshoptimizer
import numpy as np
import pytest
from gltf_maker import SQUARE, SQUARE_UVS, TRIANGLES, GltfMaker

import taichi_softras as sr

MESHOPT, DRACO = "EXT_meshopt_compression", "KHR_draco_mesh_compression"


def packed(maker, content, count, stride, mode, **more):
    """Add a view whose bytes are packed; what it would be unpacked is not stored anywhere."""
    view = maker.view(content)
    maker.tree["bufferViews"][view] = {
        "buffer": 1,
        "byteLength": count * stride,
        **({"byteStride": stride} if mode == "ATTRIBUTES" else {}),
        "extensions": {
            MESHOPT: {
                **maker.tree["bufferViews"][view],
                "count": count,
                "byteStride": stride,
                "mode": mode,
                **more,
            }
        },
    }
    return view


def meshopt_square(mode="TRIANGLES"):
    """The square: positions of 16 bits, colours of 8, and indices, each packed."""
    maker = GltfMaker(extensionsRequired=[MESHOPT, "KHR_mesh_quantization"])
    rows = np.zeros((4, 4), np.int16)
    rows[:, :3] = SQUARE * 100
    vertices = meshoptimizer.encode_vertex_buffer(rows, 4, 8)
    colors = np.uint8([[255, 0, 0, 255], [0, 255, 0, 255], [0, 0, 255, 255], [9, 8, 7, 6]])
    painted = meshoptimizer.encode_vertex_buffer(colors, 4, 4)
    encode = meshoptimizer.encode_index_buffer
    encode = meshoptimizer.encode_index_sequence if mode == "INDICES" else encode
    indices = encode(TRIANGLES.astype(np.uint32), 6, 4)
    views = [
        packed(maker, bytes(vertices), 4, 8, "ATTRIBUTES"),
        packed(maker, bytes(painted), 4, 4, "ATTRIBUTES"),
        packed(maker, bytes(indices), 6, 2, mode),
    ]
    maker.tree["accessors"] = [
        {"bufferView": views[0], "componentType": 5122, "count": 4, "type": "VEC3"},
        {
            "bufferView": views[1],
            "componentType": 5121,
            "count": 4,
            "type": "VEC4",
            "normalized": True,
        },
        {"bufferView": views[2], "componentType": 5123, "count": 6, "type": "SCALAR"},
    ]
    maker.square(indices=None, positions=0, COLOR_0=1, primitive={"indices": 2})
    return maker


@pytest.mark.parametrize("mode", ["TRIANGLES", "INDICES"])
def test_meshopt(tmp_path, mode):
    mesh = sr.read_mesh(meshopt_square(mode).write(tmp_path / "a.glb"))
    np.testing.assert_array_equal(mesh.vertices, SQUARE * 100)
    colors = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [9, 8, 7]]) / 255
    np.testing.assert_allclose(mesh.colors, colors, rtol=1e-6)
    # The encoder may turn the corners of a triangle, and keeps their order round it.
    turned = {tuple(np.roll(face, k)) for face in mesh.faces.tolist() for k in range(3)}
    assert {(0, 1, 2), (0, 2, 3)} < turned
    assert mesh.num_faces == 2


def test_meshopt_filters(tmp_path):
    """Floats as an exponent and a mantissa: 3 times 2 to the power of -1 is 1.5."""
    maker = GltfMaker(extensionsRequired=[MESHOPT])
    mantissas = (SQUARE * 3).astype(np.int32) & 0xFFFFFF
    rows = mantissas.astype(np.uint32) | np.uint32(0xFF000000)
    content = bytes(meshoptimizer.encode_vertex_buffer(rows, 4, 12))
    view = packed(maker, content, 4, 12, "ATTRIBUTES", filter="EXPONENTIAL")
    maker.tree["accessors"] = [
        {"bufferView": view, "componentType": 5126, "count": 4, "type": "VEC3"}
    ]
    mesh = sr.read_mesh(maker.square(positions=0).write(tmp_path / "a.glb"))
    np.testing.assert_array_equal(mesh.vertices, SQUARE * 1.5)


def draco_square():
    maker = GltfMaker(extensionsRequired=[DRACO])
    content = DracoPy.encode(
        SQUARE,
        TRIANGLES.reshape(-1, 3).astype(np.uint32),
        tex_coord=SQUARE_UVS.astype(np.float64),
        colors=np.uint8([[255, 51, 0, 255]] * 4),
        preserve_order=True,
    )
    found = DracoPy.decode(content)
    kinds = {attribute["attribute_type"]: attribute["unique_id"] for attribute in found.attributes}
    maker.tree["accessors"] = [
        {"componentType": 5126, "count": 4, "type": "VEC3"},
        {"componentType": 5126, "count": 4, "type": "VEC2"},
        {"componentType": 5121, "count": 4, "type": "VEC4", "normalized": True},
        {"componentType": 5123, "count": 6, "type": "SCALAR"},
    ]
    # As Draco numbers them: positions, colours and texture coordinates.
    attributes = {"POSITION": kinds[0], "COLOR_0": kinds[2], "TEXCOORD_0": kinds[3]}
    extension = {DRACO: {"bufferView": maker.view(content), "attributes": attributes}}
    primitive = {"indices": 3, "extensions": extension}
    maker.square(indices=None, positions=0, TEXCOORD_0=1, COLOR_0=2, primitive=primitive)
    return maker


def test_draco(tmp_path):
    mesh = sr.read_mesh(draco_square().write(tmp_path / "a.glb"), textures=True)
    corners = np.concatenate((mesh.vertices[mesh.faces], mesh.face_uvs), axis=-1)
    uvs = SQUARE_UVS * [1, -1] + [0, 1]
    expected = np.concatenate((SQUARE, uvs), axis=-1)[TRIANGLES.reshape(-1, 3)]
    np.testing.assert_allclose(corners, expected, atol=1e-3)  # which are rounded
    np.testing.assert_allclose(mesh.colors, [[1, 0.2, 0]] * 4, rtol=1e-6)


def test_what_is_stored_plainly_too_needs_no_library(tmp_path, monkeypatch):
    """A file may use Draco without requiring it: then its accessors have the numbers as well."""
    maker = GltfMaker(extensionsUsed=[DRACO]).square()
    (primitive,) = maker.tree["meshes"][0]["primitives"]
    primitive["extensions"] = {DRACO: {"bufferView": 0, "attributes": {"POSITION": 0}}}
    forbid(monkeypatch, "DracoPy")
    mesh = sr.read_mesh(maker.write(tmp_path / "a.glb"))
    np.testing.assert_array_equal(mesh.vertices, SQUARE)


def forbid(monkeypatch, name):
    """Make a library one that is not installed."""
    real_import = builtins.__import__

    def find(wanted, *arguments, **options):
        if wanted.split(".")[0] == name:
            raise ModuleNotFoundError(f"No module named {name!r}")
        return real_import(wanted, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", find)


@pytest.mark.parametrize(
    ("make", "name", "extension"),
    [(draco_square, "DracoPy", DRACO), (meshopt_square, "meshoptimizer", MESHOPT)],
)
def test_without_the_library_it_is_said_what_to_install(
    tmp_path, monkeypatch, make, name, extension
):
    path = make().write(tmp_path / "a.glb")
    forbid(monkeypatch, name)
    with pytest.raises(ValueError, match=rf"by {extension}: to read it, pip install {name}$"):
        sr.read_mesh(path)


@pytest.mark.parametrize("make", [draco_square, meshopt_square])
def test_damaged_bytes_are_refused(tmp_path, make):
    maker = make()
    length = len(maker.content)
    damage = np.random.default_rng(0).integers(0, 256, length).astype(np.uint8).tobytes()
    for content in (bytes(length), damage):
        maker.content = content
        with pytest.raises(ValueError, match=r"data( of KHR_draco_mesh_compression)? is damaged"):
            sr.read_mesh(maker.write(tmp_path / "a.glb"))


REFUSED = {
    "mode": ("TRIANGLE", "can't have the mode 'TRIANGLE'"),
    "filter": ("COLOR", "can't have the filter 'COLOR'"),
    "byteStride": (6, "can't be 4 rows of 6 bytes"),
    "count": (-1, "can't be -1 rows"),
}


@pytest.mark.parametrize("key", REFUSED)
def test_refusals_of_what_is_packed(tmp_path, key):
    maker = meshopt_square()
    maker.tree["bufferViews"][0]["extensions"][MESHOPT][key] = REFUSED[key][0]
    with pytest.raises(ValueError, match=REFUSED[key][1]):
        sr.read_mesh(maker.write(tmp_path / "a.glb"))
