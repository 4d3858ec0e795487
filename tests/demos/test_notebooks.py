"""The notebooks: their quick form runs, and what is kept with them is of this code."""

import runpy
from pathlib import Path

import jupytext
import matplotlib.pyplot as plt
import nbformat
import pytest

NOTEBOOKS = Path(__file__).parents[2] / "demos" / "notebooks"
SOURCES = sorted(NOTEBOOKS.glob("*.py"))
LARGEST = 200_000
"""Bytes of a notebook with its outputs, so that the repository stays small."""


def test_all_are_kept_with_outputs():
    assert len(SOURCES) == 6
    assert [path.stem for path in sorted(NOTEBOOKS.glob("*.ipynb"))] == [x.stem for x in SOURCES]


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_the_quick_form_runs(source, monkeypatch):
    """Each asserts in its last cells that it found what it was to find."""
    monkeypatch.setenv("SOFTRAS_QUICK", "1")
    plt.switch_backend("Agg")  # no window
    monkeypatch.setattr(plt, "show", lambda: None)
    runpy.run_path(str(source))
    plt.close("all")


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_outputs_are_of_this_source(source):
    """`poe notebooks` runs them anew: after each change of a source."""
    path = source.with_suffix(".ipynb")
    kept = nbformat.read(path, as_version=4)
    written = jupytext.read(source)
    assert [(cell.cell_type, cell.source) for cell in kept.cells] == [
        (cell.cell_type, cell.source) for cell in written.cells
    ]
    code = [cell for cell in kept.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    outputs = [output for cell in code for output in cell.outputs]
    assert "error" not in {output.output_type for output in outputs}
    assert sum("image/jpeg" in output.get("data", {}) for output in outputs) >= 3
    assert path.stat().st_size < LARGEST


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_links_lead_somewhere(source):
    cells = [cell.source for cell in jupytext.read(source).cells if cell.cell_type == "markdown"]
    links = [link.split(")")[0] for cell in cells for link in cell.split("](")[1:]]
    for link in links:
        assert (NOTEBOOKS / link.partition("#")[0]).exists(), link
