"""The code in the guide to migration."""

import dataclasses
import re
import sys
from pathlib import Path

import pytest

import taichi_softras
import taichi_softras.soft_renderer as sr

SETTINGS = {field.name for field in dataclasses.fields(taichi_softras.RasterizerSettings)}
GUIDE = (Path(__file__).parents[1] / "docs" / "migration.md").read_text()
EXAMPLES = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)


@pytest.fixture(autouse=True)
def _forget_soft_renderer():
    """Undo what an example does to the table of modules."""
    before = dict(sys.modules)
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "soft_renderer"]:
        if name not in before:
            del sys.modules[name]


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_example_runs(number):
    exec(compile(EXAMPLES[number], f"migration.md, {number}", "exec"), {})


def test_examples_were_found():
    assert len(EXAMPLES) == 5


def test_names_exist():
    """Functions, classes and settings of this package, and those of the drop-in."""
    _, softras, own, pytorch3d = re.split(r"^## ", GUIDE, flags=re.MULTILINE)
    for section in (own, pytorch3d):
        for line in section.splitlines():
            if line.startswith("| ") and not line.startswith(("| SoftRas", "| PyTorch3D")):
                for name in re.findall(r"`(\w+)[(`]", line.split(" | ")[1]):
                    assert hasattr(taichi_softras, name) or name in SETTINGS, name
    for name in re.findall(r"`([A-Z]\w+Loss|Lighting|Transform|Mesh)\b", softras):
        assert hasattr(sr, name), name
