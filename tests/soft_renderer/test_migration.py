"""The names in the guide to migration exist; its code runs in test_docs.py."""

import dataclasses
import re
from pathlib import Path

import taichi_softras
import taichi_softras.soft_renderer as sr

SETTINGS = {field.name for field in dataclasses.fields(taichi_softras.RasterizerSettings)}
GUIDE = (Path(__file__).parents[2] / "docs" / "migration.md").read_text()
HEADS = ("| SoftRas", "| PyTorch3D", "| nvdiffrast")


def test_names_exist():
    """Functions, classes and settings of this package, and those of the drop-in."""
    _, softras, *others = re.split(r"^## ", GUIDE, flags=re.MULTILINE)
    for section in others:
        for line in section.splitlines():
            if line.startswith("| ") and not line.startswith(
                ("| SoftRas", "| PyTorch3D", "| nvdiffrast")
            ):
                for name in re.findall(r"`(\w+)[(`]", line.split(" | ")[1]):
                    assert hasattr(taichi_softras, name) or name in SETTINGS, name
    for name in re.findall(r"`([A-Z]\w+Loss|Lighting|Transform|Mesh)\b", softras):
        assert hasattr(sr, name), name
