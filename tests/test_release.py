"""What a release needs is there, and says the same: one version, one way to build."""

import re
from pathlib import Path

import taichi_softras as sr

ROOT = Path(__file__).parents[1]


def test_the_version_stands_in_one_place():
    assigned = re.compile(rf"^[^#\n]*version\S*\s*[=:]\s*[\"']?{re.escape(sr.__version__)}\b", re.M)
    files = [*ROOT.glob("*.toml"), *ROOT.glob("*.cff"), *ROOT.glob("taichi_softras/**/*.py")]
    places = [path for path in files if assigned.search(path.read_text())]
    assert places == [ROOT / "taichi_softras" / "__init__.py"]


def test_the_changelog_begins_with_what_is_unreleased_or_this_version():
    headings = re.findall(r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] == "Unreleased"
    released = [heading.split()[0] for heading in headings[1:]]
    assert not released or released[0] == sr.__version__


def test_releases_are_built_and_tried_by_the_script_that_the_checks_run():
    assert ".ci/packages" in (ROOT / ".github" / "workflows" / "release.yml").read_text()
    assert ".ci/packages" in (ROOT / ".ci" / "run").read_text()
    assert ".ci/packages" in (ROOT / "RELEASING.md").read_text()
