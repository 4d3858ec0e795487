"""The code on the pages in docs/ runs, page by page, from top to bottom; and all are linked."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

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
