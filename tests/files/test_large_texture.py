"""The largest texture that graphics cards take is read in full, and drawn."""

import os

import numpy as np
import pytest
from PIL import Image

import taichi_softras as sr
from taichi_softras.previews import draw_previews

SIDE = 2**14
NEEDED = 14 * 2**30
"""Bytes: an image of 3 GB, its copy among the maps, and the array that is drawn."""

SQUARE = (
    "mtllib a.mtl\nv -1 -1 0\nv 1 -1 0\nv 1 1 0\nv -1 1 0\nvt 0 0\nvt 1 0\nvt 1 1\nvt 0 1\n"
    "usemtl m\nf 1/1 2/2 3/3 4/4\n"
)


def free_memory() -> int:
    """Bytes that are free, where the system says; else as much as is needed."""
    if "SC_AVPHYS_PAGES" not in getattr(os, "sysconf_names", {}):
        return NEEDED
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.slow
@pytest.mark.skipif(free_memory() < NEEDED, reason="needs 14 GB of free memory")
def test_a_texture_of_16384_by_16384_is_read_and_drawn(tmp_path):
    """Red on the left and blue on the right, but for the last column, which is green."""
    image = Image.new("P", (SIDE, SIDE), 1)
    image.putpalette([255, 0, 0, 0, 0, 255, 0, 255, 0])
    image.paste(0, (0, 0, SIDE // 2, SIDE))
    image.paste(2, (SIDE - 1, 0, SIDE, SIDE))
    image.save(tmp_path / "a.png", compress_level=1)
    del image
    (tmp_path / "a.mtl").write_text("newmtl m\nmap_Kd a.png\n")
    (tmp_path / "a.obj").write_text(SQUARE)
    mesh = sr.read_mesh(tmp_path / "a.obj", textures=True)  # warnings are errors
    texels = mesh.materials[0].image
    assert texels.shape == (SIDE, SIDE, 3)
    columns = [0, SIDE // 2 - 1, SIDE // 2, SIDE - 2, SIDE - 1]
    red, blue, green = np.eye(3)[[0, 2, 1]]
    np.testing.assert_array_equal(texels[-1, columns], [red, red, blue, blue, green])
    settings = sr.RasterizerSettings(height=16, width=16, sigma=1e-6)
    (picture,) = draw_previews(mesh, sr.LookAtCamera((0.0, 0.0, 3.0), fov_degrees=60.0), settings)
    shares = picture[8, [4, 12], :3] / picture[8, [4, 12], :3].max(axis=1, keepdims=True)
    np.testing.assert_allclose(shares, [red, blue], atol=1e-3)
