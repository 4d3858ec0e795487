"""Run the notebooks in demos/notebooks/, and keep each with its outputs beside its source.

    poe notebooks                    # all of them
    poe notebooks soft_coverage      # one

Sources are Python files whose cells begin with ``# %%``. What they show is kept small, pictures as
JPEG, and without what changes from run to run: times, and bars that tell how far a loop is.
"""

import base64
import io
import sys
from pathlib import Path
from typing import Any

import jupytext
import nbformat
from nbclient import NotebookClient
from PIL import Image

NOTEBOOKS = Path(__file__).resolve().parents[2] / "demos" / "notebooks"
QUALITY = 80
"""Of JPEG."""


def main() -> None:
    """Run those that are named, or all."""
    for source in sorted(NOTEBOOKS.glob("*.py")):
        if len(sys.argv) == 1 or source.stem in sys.argv[1:]:
            print(source.stem, flush=True)
            nbformat.write(run(source), source.with_suffix(".ipynb"))


def run(source: Path) -> Any:
    """Run one, from its first cell to its last."""
    notebook = jupytext.read(source)
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    client = NotebookClient(
        notebook,
        timeout=None,
        kernel_name="python3",
        record_timing=False,
        resources={"metadata": {"path": str(NOTEBOOKS)}},
    )
    client.execute()
    notebook.metadata["language_info"] = {"name": "python"}  # the kernel adds its version
    for number, cell in enumerate(notebook.cells):
        cell.id = str(number)
        cell.metadata = {}
        if cell.cell_type == "code":
            cell.outputs = [kept(output) for output in cell.outputs if is_kept(output)]
    return notebook


def is_kept(output: Any) -> bool:
    """Tell whether an output says something: progress and what is written to stderr doesn't."""
    if output.output_type == "stream":
        return bool(output.name == "stdout")
    return "image/png" in output.data or output.output_type == "execute_result"


def kept(output: Any) -> Any:
    """Keep of several forms of an output the picture, as JPEG, and the words."""
    if output.output_type != "stream":
        if "image/png" in output.data:
            output.data["image/jpeg"] = to_jpeg(output.data.pop("image/png"))
        output.data.pop("text/html", None)
        output.metadata = {}
    return output


def to_jpeg(png: str) -> str:
    """Lay a picture over white, and encode it anew; both in base 64."""
    picture = Image.open(io.BytesIO(base64.b64decode(png))).convert("RGBA")
    ground = Image.new("RGBA", picture.size, "white")
    file = io.BytesIO()
    flat = Image.alpha_composite(ground, picture).convert("RGB")
    flat.save(file, format="JPEG", quality=QUALITY, optimize=True)
    return base64.b64encode(file.getvalue()).decode()


if __name__ == "__main__":
    main()
