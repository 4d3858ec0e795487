import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EXAMPLES = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)


@pytest.mark.parametrize("framework", ["torch", "taichi"])
def test_example_fits(framework, tmp_path):
    # A process of its own: an example must work as the first thing that a program does.
    (example,) = (code for code in EXAMPLES if code.startswith(f"import {framework}"))
    code = f"{example}\nimport sys\nprint('torch' in sys.modules, float(loss[0]))"
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "TI_LOG_LEVEL": "error"},
    )
    assert result.returncode == 0, result.stderr
    imports_torch, loss = result.stdout.split()[-2:]  # Taichi may print a banner before
    assert imports_torch == str(framework == "torch")
    assert 0 < float(loss) < 0.4  # it starts at 0.6


def test_examples_are_about_ten_lines():
    assert len(EXAMPLES) == 2
    for example in EXAMPLES:
        assert len(example.strip().splitlines()) <= 16


def test_commands_exist():
    from taichi_softras.cli import COMMANDS

    text = (ROOT / "README.md").read_text()
    assert set(re.findall(r"^\| `softras ([\w-]+)", text, re.MULTILINE)) == set(COMMANDS)


def test_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 130


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_links_and_pictures_exist(page):
    text = (ROOT / page).read_text()
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        assert target.startswith("https://") or (ROOT / target).exists(), target
