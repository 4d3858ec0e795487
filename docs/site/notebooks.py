"""The site shows the notebooks of demos/notebooks/, with the outputs that they are kept with."""

import base64
import json
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

NOTEBOOKS = Path(__file__).resolve().parents[2] / "demos" / "notebooks"


def on_files(files: Any, config: Any) -> Any:
    """Add a page for each notebook, its pictures, and the notebook itself to be downloaded."""
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        page, pictures = to_markdown(path)
        added: dict[str, str | bytes] = {f"{path.stem}.md": page, path.name: path.read_text()}
        for name, content in {**added, **pictures}.items():
            files.append(File.generated(config, f"notebooks/{name}", content=content))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Let links to notebooks, which are right in the repository, lead to their pages."""
    return re.sub(r"\(\.\./((?:\.\./)*)demos/(notebooks/\w+)\.ipynb\)", r"(\1\2.md)", markdown)


def to_markdown(path: Path) -> tuple[str, dict[str, bytes]]:
    """Write a notebook as a page; return it, and its pictures by the names that it has for them."""
    parts: list[str] = []
    pictures: dict[str, bytes] = {}
    for cell in json.loads(path.read_text())["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(source.replace("](../../docs/", "](../").replace(".ipynb)", ".md)"))
        else:
            parts.append(f"```python\n{source}\n```")
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            words = "".join(output.get("text", data.get("text/plain", ""))).strip()
            if "image/jpeg" in data:
                name = f"{path.stem}-{len(pictures)}.jpg"
                pictures[name] = base64.b64decode("".join(data["image/jpeg"]))
                parts.append(f"![{words}]({name})")
            else:
                parts.append(f"```text\n{words}\n```")
    title, _, rest = parts[0].partition("\n")
    download = f"[Download this notebook]({path.name}) to run it, and to change it."
    return "\n\n".join([title, rest.strip(), download, *parts[1:]]) + "\n", pictures
