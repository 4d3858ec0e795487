"""Files that end too soon, or with something else in them, are read as far as they go or refused.

Whatever happens, the words are ours: which file, which format, what is wrong.
"""

import re

import numpy as np
import pytest
from gltf_maker import SQUARE, SQUARE_UVS, GltfMaker
from test_gltf_compressed import draco_square, meshopt_square
from test_obj_by_others import MTL, PLAIN
from test_off_stl import PLAIN as OFF
from test_off_stl import stl_bytes, stl_text
from test_ply import CORNERS, faces, ply, vertices

import taichi_softras as sr


def gltf_square():
    maker = GltfMaker().square(TEXCOORD_0=SQUARE_UVS, COLOR_0=np.uint8([[9] * 4] * 4))
    targets = [{"POSITION": maker.array(SQUARE)}]
    maker.tree["meshes"][0]["primitives"][0]["targets"] = targets
    return maker.textured()


def ply_of(format_):
    painted = [[*row, 255, 0, 0] for row in CORNERS]
    colors = ["uchar red", "uchar green", "uchar blue"]
    return ply(format_, [vertices(painted, *colors), faces([[[0, 1, 2]], [[0, 1, 2, 3]]])])


FILES = {
    "a.obj": PLAIN.encode(),
    "text.ply": ply_of("ascii"),
    "bytes.ply": ply_of("binary_big_endian"),
    "a.off": OFF.encode(),
    "text.stl": stl_text().encode(),
    "bytes.stl": stl_bytes(),
    "a.gltf": gltf_square().gltf(),
    "a.glb": gltf_square().glb(),
    "draco.glb": draco_square().glb(),
    "meshopt.glb": meshopt_square().glb(),
}
OURS = re.compile(r"^file must (be readable as [A-Z0-9]+|have faces|hold a mesh), got '.*'[:,] .+$")
FOREIGN = re.compile(
    r"Error|Exception|codec|NoneType|invalid literal|\bstr\b|\bdict\b|\bint\b|ndarray|numpy"
)
QUOTED = re.compile(r"'.*?'|[{\[].*[}\]]")
"""Words of the file's own."""


def outcome(path):
    """Read a file; what a refusal says, or "" for none."""
    said = ""
    try:
        mesh = sr.read_mesh(path, textures=True)
    except ValueError as error:
        said = str(error)
    else:
        assert np.isfinite(mesh.vertices).all()
    assert not said or OURS.match(said), said
    assert not FOREIGN.search(QUOTED.sub("", said)), said
    return said


@pytest.mark.filterwarnings("ignore:.*(drawn without|cut off)")
@pytest.mark.parametrize("name", FILES)
def test_a_file_cut_anywhere(tmp_path, name):
    """Of texts some pieces are files as well; of bytes none is that lacks one."""
    content = FILES[name]
    path = tmp_path / name
    (tmp_path / "a.mtl").write_text(MTL)
    step = max(len(content) // 300, 1)
    said = set()
    for length in range(1, len(content), step):
        path.write_bytes(content[:length])
        said.add(outcome(path))
    path.write_bytes(content)
    assert outcome(path) == ""
    if path.suffix in (".glb", ".gltf") or name.startswith("bytes"):
        assert "" not in said
    assert not any(words.endswith("': it is damaged") for words in said), (
        "each has words of its own"
    )


@pytest.mark.filterwarnings("ignore:.*(drawn without|cut off)")
@pytest.mark.parametrize("name", FILES)
def test_a_file_with_other_bytes_in_it(tmp_path, name):
    rng = np.random.default_rng(0)
    path = tmp_path / name
    (tmp_path / "a.mtl").write_text(MTL)
    for _ in range(100):
        content = bytearray(FILES[name])
        for place in rng.integers(0, len(content), rng.integers(1, 4)):
            content[place] = rng.choice([0, 9, 32, 34, 45, 46, 48, 57, 91, 123, 125, 255])
        path.write_bytes(bytes(content))
        outcome(path)


def test_a_texture_cut_anywhere_is_said(tmp_path):
    maker = gltf_square()
    image = maker.tree["images"][0]["bufferView"]
    length = maker.tree["bufferViews"][image]["byteLength"]
    for cut in (1, 20, length // 2):
        maker.tree["bufferViews"][image]["byteLength"] = cut
        with pytest.warns(UserWarning, match=r"images\[0\] can't be read, as it is"):
            mesh = sr.read_mesh(maker.write(tmp_path / "a.glb"), textures=True)
        assert mesh.materials[0].image is None
