"""The code on the pages in docs/ runs, page by page, from top to bottom; and all are linked."""

import inspect
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import taichi_softras as sr

DOCS = Path(__file__).parents[1] / "docs"
PAGES = [page for page in sorted(DOCS.glob("*.md")) if "```python\n" in page.read_text()]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_code_runs(page, tmp_path):
    # A file of its own, as Taichi reads the source of its functions.
    code = "\n".join(re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL))
    (tmp_path / "example.py").write_text(code)
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "example.py"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "TI_LOG_LEVEL": "error"},
    )
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(
    "index", [DOCS / "index.md", DOCS.parent / "README.md"], ids="{0.name}".format
)
def test_every_page_is_linked(index):
    targets = re.findall(r"\]\(([^)#]+)\)", index.read_text())
    linked = {(index.parent / target).resolve() for target in targets}
    assert set(DOCS.glob("*.md")) - linked <= {DOCS / "index.md"}


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda page: page.stem)
def test_has_a_title(page):
    assert re.match(r"# \S.*\n\n", page.read_text())


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda page: page.stem)
def test_links_and_pictures_exist(page):
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        assert target.startswith("https://") or (DOCS / target).exists(), target


def test_the_reference_has_every_public_name_once():
    pages = "\n".join(page.read_text() for page in sorted((DOCS / "reference").glob("*.md")))
    documented = re.findall(r"^::: taichi_softras\.(\w+)$", pages, re.MULTILINE)
    assert sorted(documented) == sorted(sr.__all__)


# Made by functions, whose examples show them, or shown at length, in docs/families.md and
# docs/reconstruct.md.
WITHOUT_EXAMPLES = {
    "Agreement",
    "Alpha",
    "Camera",
    "Captures",
    "ClippedFaces",
    "Coverage",
    "FragmentSummary",
    "Lens",
    "MeshStack",
    "MeshTopology",
    "MotionOptions",
    "PixelFragments",
    "Pose",
    "ReconstructionOptions",
    "Schedule",
    "Sheet",
    "Subdivision",
    "TextureMaps",
    "bake_texture",
    "estimate_cameras",
    "measure_agreement",
    "read_captures",
    "reconstruct",
    "visual_hull",
}


@pytest.mark.parametrize("name", sorted(set(sr.__all__) - WITHOUT_EXAMPLES))
def test_public_names_have_examples(name):
    """They run as doctests."""
    assert "\nExamples:\n" in inspect.cleandoc(getattr(sr, name).__doc__)


@pytest.mark.parametrize("name", sorted(set(sr.__all__) - {"Schedule"}))
def test_signatures_can_be_read(name):
    """Arrays are called arrays, not what any value is: `help` shows that, and so does the site."""
    public = getattr(sr, name)
    for function in [public, *vars(public).values()] if inspect.isclass(public) else [public]:
        if inspect.isfunction(function) and not function.__name__.startswith("__"):
            for parameter in inspect.signature(function).parameters.values():
                if parameter.name in ("vertices", "faces", "face_vertices", "points", "image"):
                    assert parameter.annotation not in (Any, "Any"), parameter
