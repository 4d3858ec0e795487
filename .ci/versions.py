"""Run the core of the tests with other versions than the whole suite runs with.

The oldest versions that ``pyproject.toml`` allows, on the oldest Python and on the one that most
people have; and the newest on the newest Python that Taichi is built for. Each run makes an
environment of its own, ``.ci/venv-*``. Before them, kernels and launches on Quadrants in place of
Taichi, in this environment, which has both. What is not to be had is said: a Python that is not on
this machine, whose run is left out; or PyTorch's CPU build, without which the tests are those that
need no PyTorch. Several GB of CUDA are not installed in its place.

Run it from the environment that `.ci/run` makes, in which the package is installed.

TORCH_INDEX: the package index that PyTorch's CPU build comes from, where it is not pip's own.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent

CORE = (
    "arrays/test_bridges.py",
    "cameras/test_cameras.py",
    "cameras/test_converters.py",
    "files",
    "lights/test_shading.py",
    "losses/test_image_losses.py",
    "losses/test_mesh_losses.py",
    "meshes/test_meshes.py",
    "meshes/test_normals.py",
    "meshes/test_primitives.py",
    "rasterizer/test_gradients.py",
    "rasterizer/test_rasterizer.py",
    "rasterizer/test_settings.py",
    "rasterizer/test_textures.py",
    "test_nn.py",
    "test_renderer.py",
)
"""Tests of what draws, differentiates, and reads files and cameras: what all users need."""

ON_QUADRANTS = (
    "arrays/test_bridges.py",
    "arrays/test_launcher.py",
    "rasterizer/test_gradients.py",
    "rasterizer/test_rasterizer.py",
    "rasterizer/test_rasterizer_golden.py",
    "test_backend.py",
)
"""Tests of what is compiled and launched: what Quadrants might do in another way than Taichi."""

OF_TORCH = ("torch", "import scenes", "from scenes")
"""What is in the text of a file of tests that needs PyTorch."""


@dataclass(frozen=True)
class Run:
    """One run of the core.

    Attributes:
        python: Version of Python.
        oldest: Whether with the lowest versions of all that the package needs; else the newest.
    """

    python: str
    oldest: bool

    def __str__(self) -> str:
        return f"{'oldest' if self.oldest else 'newest'} versions, Python {self.python}"


RUNS = (Run("3.10", oldest=True), Run("3.11", oldest=True), Run("3.13", oldest=False))


THIS = "{}.{}".format(*sys.version_info)
"""The Python that the whole suite runs on."""


def lower_bounds(extra: str = "") -> dict[str, str]:
    """The lowest versions that the package allows of what it needs here, with an extra if any."""
    bounds = {}
    for requirement in map(Requirement, metadata.requires("taichi_softras") or ()):
        if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
            for specifier in requirement.specifier:
                if specifier.operator == ">=":
                    bounds[requirement.name] = specifier.version
    return bounds


def find_python(version: str) -> str | None:
    """Find an interpreter: on the path, or among pyenv's."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = [shutil.which(f"python{version}"), *sorted(pyenv.glob(f"{version}.*/bin/python"))]
    program = "import sys; print('%d.%d' % sys.version_info[:2])"
    for python in filter(None, found):
        # On the path pyenv has stand-ins, of versions that it can't run from here, too.
        answer = subprocess.run([python, "-c", program], capture_output=True, text=True)
        if answer.returncode == 0 and answer.stdout.strip() == version:
            return str(python)
    return None


def make_environment(run: Run, base: str) -> tuple[Path, str | None]:
    """Install what a run needs; return its interpreter, and the version of PyTorch if any."""
    venv = ROOT / ".ci" / f"venv-{run.python}"
    subprocess.run([base, "-m", "venv", "--clear", venv], check=True)
    python = venv / "bin" / "python"
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--upgrade", "pip"], check=True)
    index = os.environ.get("TORCH_INDEX")
    builds = [metadata.version("torch").partition("+")[0]]
    if run.oldest:
        builds.insert(0, lower_bounds("torch")["torch"])
    for build in builds:  # first, for another package would pull in the one with CUDA
        wanted = [*(["--index-url", index] if index else []), f"torch=={build}+cpu"]
        if subprocess.run([*pip, *wanted], capture_output=True).returncode == 0:
            break
        print(f"{run}: there is no CPU build of PyTorch {build}", flush=True)
    else:
        build = None
    bounds = lower_bounds("gltf") if run.oldest else {}
    pins = [f"{name}=={version}" for name, version in bounds.items()]
    tests = ["hypothesis", "pytest", "pytest-xdist"]
    subprocess.run([*pip, "--editable", ".[gltf]", *pins, *tests], cwd=ROOT, check=True)
    return python, build


def core_tests(with_torch: bool) -> list[str]:
    """List what is run: all of the core, or the files of it that need no PyTorch."""
    places = [ROOT / "tests" / name for name in CORE]
    if not with_torch:
        files = [f for place in places for f in (place, *sorted(place.glob("test_*.py")))]
        texts = {file: file.read_text() for file in files if file.is_file()}
        places = [f for f, text in texts.items() if not any(word in text for word in OF_TORCH)]
    return [str(place) for place in places]


def run_tests(python: Path | str, tests: Sequence[str], **environment: str) -> bool:
    """Run tests, two files at a time; tell whether all passed."""
    # Packages of several years warn of one another, which is none of ours.
    pytest = [python, "-m", "pytest", "-q", "-W", "default", "-n", "2", "--dist", "loadfile"]
    command = [*pytest, "-m", "not slow", *tests]
    return subprocess.run(command, cwd=ROOT, env={**os.environ, **environment}).returncode == 0


def run_on_quadrants() -> bool:
    """Run the tests that are for Quadrants; tell whether all passed."""
    start = time.monotonic()
    tests = [str(ROOT / "tests" / name) for name in ON_QUADRANTS]
    passed = run_tests(sys.executable, tests, TAICHI_SOFTRAS_BACKEND="quadrants")
    what = f"Quadrants {metadata.version('quadrants')}, Python {THIS}"
    seconds = f"{time.monotonic() - start:.0f} s to run"
    print(f"{what}: {'passed' if passed else 'failed'}; {seconds}", flush=True)
    return passed


def main() -> int:
    """Make each run whose Python is there; 1 if a test of any fails."""
    failed = [] if run_on_quadrants() else ["Quadrants"]
    for run in RUNS:
        if not run.oldest and run.python == THIS:
            print(f"{run}: left out, as the whole suite runs with these", flush=True)
            continue
        base = find_python(run.python)
        if base is None:
            print(f"{run}: left out, as there is no such Python on this machine", flush=True)
            continue
        start = time.monotonic()
        python, torch = make_environment(run, base)
        subprocess.run([python, "-m", "pip", "list", "--disable-pip-version-check"], check=True)
        installed = time.monotonic() - start
        passed = run_tests(python, core_tests(torch is not None))
        what = f"PyTorch {torch}" if torch else "without PyTorch, what needs none"
        seconds = (
            f"{installed:.0f} s to install, {time.monotonic() - start - installed:.0f} s to run"
        )
        print(f"{run}, {what}: {'passed' if passed else 'failed'}; {seconds}", flush=True)
        if not passed:
            failed.append(str(run))
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
