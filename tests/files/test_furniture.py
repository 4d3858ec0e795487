"""Every model of the Debian package sweethome3d-furniture is read and drawn.

They are 820 OBJ files from many hands and programs, most with several materials, many with
textures, some of which are missing. The package puts them into /usr/share/sweethome3d/furniture, in
archives whose names end in .sh3f; where they lie elsewhere, the environment variable
SOFTRAS_FURNITURE names the folder.
"""

import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

import taichi_softras as sr

FOLDER = Path(os.environ.get("SOFTRAS_FURNITURE", "/usr/share/sweethome3d/furniture"))
ARCHIVES = ("BlendSwap-CC-0", "BlendSwap-CC-BY", "KatorLegaz", "Reallusion", "Scopia")

CAMERA = sr.LookAtCamera(eye=(0.9, 0.7, 1.3))
SETTINGS = sr.RasterizerSettings(height=32, width=32)


@pytest.fixture(params=ARCHIVES)
def models(request, tmp_path):
    """The OBJ files of an archive, with the files that they name beside them."""
    archive = FOLDER / f"{request.param}.sh3f"
    if not archive.is_file():
        pytest.skip(f"the package sweethome3d-furniture is not installed: no {archive}")
    with zipfile.ZipFile(archive) as content:
        content.extractall(tmp_path)
    return sorted(tmp_path.rglob("*.obj"))


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*drawn without")  # some textures are not in the package
def test_every_model_is_read_and_drawn(models):
    assert models
    num_textured = 0
    for path in models:
        mesh = sr.read_mesh(path, textures=True).normalized()
        if mesh.materials:
            texels = mesh.texture_maps().texels
            assert texels.min() >= 0, path
            assert texels.max() <= 1, path
        num_textured += any(material.image is not None for material in mesh.materials)
        image = sr.render(*mesh.to_taichi(), CAMERA, SETTINGS).to_numpy()
        assert np.isfinite(image).all(), path
        assert (image[..., 3] > 0.5).any(), path
        assert image.max() <= 1 + 1e-5, path
    assert num_textured > 0
