"""Names of other packages are answered by those of this one."""

import re
from pathlib import Path

import pytest

import taichi_softras as sr
from taichi_softras.elsewhere import NAMES

GUIDE = (Path(__file__).parents[1] / "docs" / "migration.md").read_text()
OURS = {*sr.__all__, "nn", "to_torch", "Mesh"}


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("TexturesUV", "PyTorch3D's: use `UVTexture`"),
        ("antialias", "nvdiffrast's: use `render`"),
        ("load_obj", "PyTorch3D and SoftRas's: use `read_mesh`"),
        ("LaplacianLoss", "soft_renderer, which has all of SoftRas's names"),
    ],
)
def test_a_name_is_answered(name, answer):
    with pytest.raises(AttributeError, match=answer):
        getattr(sr, name)
    assert not hasattr(sr, name)


def test_any_other_name_is_missing_in_plain_words():
    with pytest.raises(AttributeError, match=r"has no attribute 'nonsense'$"):
        sr.nonsense  # noqa: B018
    with pytest.raises(ImportError):
        from taichi_softras import TexturesUV  # noqa: F401


def test_answers_are_names_of_ours():
    for names in NAMES.values():
        for name, answer in names.items():
            assert not hasattr(sr, name), name
            first = re.findall(r"`(\w+)", answer)[:1]
            assert set(first) <= OURS, answer


@pytest.mark.parametrize("package", ["PyTorch3D", "nvdiffrast"])
def test_the_guide_and_the_answers_know_the_same_names(package):
    (section,) = re.findall(rf"^## From {package}\n(.*?)(?=^## |\Z)", GUIDE, re.M | re.S)
    rows = [line.split(" | ")[0] for line in section.splitlines() if line.startswith("| ")]
    classes = {name for row in rows for name in re.findall(r"`([A-Z][a-z]\w+)[`(]", row)}
    assert classes
    assert classes <= set(NAMES[package]), classes - set(NAMES[package])
