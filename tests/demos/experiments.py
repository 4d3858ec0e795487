"""Experiments of `demos/paper`, run as a stranger would run them."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def run_experiment(name, *arguments, launcher=(), **environment):
    """Run ``python -m demos.paper.NAME`` in the repository's folder; return what it printed."""
    command = [sys.executable, *launcher, "-m", f"demos.paper.{name}", *map(str, arguments)]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
