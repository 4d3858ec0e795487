"""Pack what a CUDA machine needs that has Python and PyTorch, and can download nothing.

    python tests/cuda/pack.py [--python 3.12] [--output .gpu] [PACKAGE ...]

It makes a folder, of some 40 MB, to be carried there beside the project: wheels as zip files,
without what Python does not use, and the X11 libraries that importing Taichi needs, from Debian's
packages.
`bash FOLDER/probe.sh PHASE`, at the project's root there, unpacks them and runs `probe.py`.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

LARGEST = 64 * 2**20
"""Bytes that are carried at most."""

PACKAGES = (
    *("taichi==1.7.4", "trimesh", "tyro", "docstring-parser", "typeguard", "dill"),
    "xatlas",
)
"""What scientific Pythons with PyTorch often lack. Their own needs are to be named, too."""

DEBIAN = ("libx11-6", "libxcb1", "libxau6", "libxdmcp6", "libbsd0", "libmd0")

UNUSED = re.compile(r"/c_api/|\.data/|/assets/static/")
"""Parts of wheels that no test needs: Taichi's C interface and pictures, and programs."""

PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_27_x86_64", "manylinux_2_17_x86_64")

SCRIPT = """\
#!/usr/bin/env bash
# At the project's root: unpack, and run a phase of the probe; results go to ${OUT:-gpu-out}.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
site=${TMPDIR:-/tmp}/softras-site
if [ ! -e "$site/ready" ]; then
  mkdir -p "$site/x11"
  for wheel in "$here"/*.zip; do python3 -m zipfile -e "$wheel" "$site"; done
  tar xzf "$here/x11.tgz" -C "$site/x11"
  touch "$site/ready"
fi
export PYTHONPATH="$PWD:$site" LD_LIBRARY_PATH="$site/x11:${LD_LIBRARY_PATH:-}"
export TI_SKIP_VERSION_CHECK=ON PYTHONUNBUFFERED=1
export TI_OFFLINE_CACHE_FILE_PATH="${TMPDIR:-/tmp}/softras-cache"
exec python3 tests/cuda/probe.py "$@" --output "${OUT:-gpu-out}"
"""


def pack(folder: Path, python: str, packages: tuple[str, ...]) -> int:
    """Fill a new folder; return how many bytes it has.

    Raises:
        RuntimeError: If a package can't be downloaded, or all are too large.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with TemporaryDirectory() as scratch:
        downloads = Path(scratch)
        for package in packages:
            _run([*_download(python), "-d", scratch, package])
        for wheel in downloads.glob("*.whl"):
            slim(wheel, folder / f"{wheel.stem.split('-')[0]}.zip")
        pack_libraries(downloads / "debian", folder / "x11.tgz")
    script = folder / "probe.sh"
    script.write_text(SCRIPT)
    script.chmod(0o755)
    size = sum(path.stat().st_size for path in folder.iterdir())
    if size > LARGEST:
        raise RuntimeError(f"{folder} has {size / 2**20:.0f} MiB, more than can be carried")
    return size


def _download(python: str) -> list[str]:
    platforms = [word for name in PLATFORMS for word in ("--platform", name)]
    options = ["--no-deps", "--only-binary=:all:", "--python-version", python]
    return [sys.executable, "-m", "pip", "download", "-q", *options, *platforms]


def slim(wheel: Path, target: Path) -> None:
    """Copy a wheel without what is not used."""
    compression = zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(wheel) as old, zipfile.ZipFile(target, "w", compression) as new:
        for name in old.namelist():
            if not UNUSED.search(name):
                new.writestr(name, old.read(name))


def pack_libraries(folder: Path, target: Path) -> None:
    """Download Debian's packages of X11, and put their libraries into an archive."""
    folder.mkdir()
    _run(["apt-get", "download", "-qq", *DEBIAN], cwd=folder)
    for package in folder.glob("*.deb"):
        _run(["dpkg", "-x", str(package), str(folder / "unpacked")])
    with tarfile.open(target, "w:gz") as archive:
        for library in sorted((folder / "unpacked").rglob("*.so*")):
            archive.add(library, library.name)


def _run(command: list[str], cwd: Path | None = None) -> None:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed: {done.stderr.strip()}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "packages", nargs="*", default=PACKAGES, help="instead of those listed here"
    )
    parser.add_argument("--python", default="3.12", help="version of Python there")
    parser.add_argument("--output", type=Path, default=Path(".gpu"), help="the folder, made anew")
    options = parser.parse_args()
    size = pack(options.output, options.python, tuple(options.packages))
    sys.stdout.write(f"{options.output}: {size / 2**20:.0f} MiB\n")


if __name__ == "__main__":
    main()
