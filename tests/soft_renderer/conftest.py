"""What tests of the drop-in share: an OBJ file with a texture."""

import numpy as np
import pytest
from PIL import Image

PAINTED = """
# a square and a triangle
mtllib "paint one".mtl
v 0 0 0 1 0 0
v 2 0 0 0 1 0
v 2 1 0
v 0 1 0 0 0 1
v 0 0 4
vt 0 0
vt 1 0
vt 1 1 \\
0
vt 0 1
usemtl checker board
f 1/1 2/2/7 3/3//
f -5/-4 -3/-2 -2/4
usemtl red
f 1 2 5
usemtl nothing
f 1//1 2//1 5//1
"""


MATERIALS = """
newmtl red
Kd 1 0.5 0
newmtl checker board
Kd 0 0 0
map_Kd -boost 2 board.png
"""


@pytest.fixture
def painted(tmp_path):
    (tmp_path / "mesh.obj").write_text(PAINTED.replace('"paint one"', "paint one"))
    (tmp_path / "paint one.mtl").write_text(MATERIALS)
    # Red grows to the right, green upward, 0 and 1 at the middles of the outer pixels.
    ramp = np.arange(256, dtype=np.uint8)
    board = np.stack(np.broadcast_arrays(ramp[None], ramp[::-1, None], np.uint8(51)), axis=2)
    Image.fromarray(board).save(tmp_path / "board.png")
    return tmp_path / "mesh.obj"
