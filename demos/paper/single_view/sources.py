"""Where the models of the data set come from: two packages of Debian, read as they are.

``sweethome3d-furniture`` has 820 OBJ models in archives (``.sh3f``), whose catalogues name them;
about 290 of them are of eight classes by their names. ``flightgear-data-ai`` has aircraft in AC3D
format. `fetch` downloads both with ``apt-get`` (300 MB and 120 MB) and unpacks them, without
installing anything; or folders that hold them already are given.
"""

import re
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import taichi_softras as sr

FURNITURE_PACKAGE, AIRCRAFT_PACKAGE = "sweethome3d-furniture", "flightgear-data-ai"
FURNITURE_FOLDER = Path("usr/share/sweethome3d/furniture")
AIRCRAFT_FOLDER = Path("usr/share/games/flightgear/AI/Aircraft")

CLASSES: tuple[tuple[str, str, str], ...] = (
    # Class, what its names contain, and what they must not. The first that fits is taken.
    (
        "lamp",
        r"\b(lamp|lights?|lantern|chandelier|lamppost|flashlight|spotlight)\b",
        r"artwork|strip",
    ),
    (
        "cabinet",
        r"cabinet|bookcase|wardrobe|cupboard|dresser|bedside|locker|\bchest\b|shelves|vanity"
        r"|fridge|refrigerator|freezer|\bsafe\b|dressing table|tv stand|spice tower|toilets unit",
        r"$^",
    ),
    ("bed", r"\bbed\b|crib|futon$|mattress", r"$^"),
    ("sofa", r"sofa|couch", r"$^"),
    ("chair", r"chair|stool|class seat", r"wheelchair|ottoman"),
    ("table", r"\b(table|desk)\b", r"tennis|fan|changing|football"),
    (
        "vessel",
        r"bottle|\bcup\b|\bmug\b|glass$|\bbowl\b|vase|\bjar\b|\bpot\b|teapot|barrel|flacon"
        r"|pottery|kettle|creamer|penbox|\bpotty\b|boiler",
        r"cup cake|toilet|bowl with|flower",
    ),
    (
        "car",
        r"chevrolet|sedan|ford|peugeot|renault|suv|seat leon|smart car|truck|\bvan\b|beetle"
        r"|\bbus\b|car model",
        r"recycling",
    ),
)
AIRCRAFT_CLASS = "aircraft"


@dataclass(frozen=True)
class Model:
    """One object, ready to be drawn.

    Attributes:
        class_name: What it is.
        name: Archive and path, or path: the same every time, and in no other model.
        mesh: Normalised to the unit box, y up, front to +z.
    """

    class_name: str
    name: str
    mesh: sr.Mesh


def class_of(name: str) -> str | None:
    """Find the class of a piece of furniture by its name in the catalogue.

    Example:
        >>> class_of("Desk lamp"), class_of("Wooden desk"), class_of("Wheelchair")
        ('lamp', 'table', None)
    """
    lowered = name.lower()
    for class_name, wanted, unwanted in CLASSES:
        if re.search(wanted, lowered) and not re.search(unwanted, lowered):
            return class_name
    return None


def fetch(package: str, cache: Path) -> Path:
    """Download a Debian package and unpack it below a folder, unless it is there already.

    Returns:
        The folder that stands for the root of the file system.

    Raises:
        RuntimeError: If the programs for it are missing, or say no.
    """
    target = cache / package
    if target.is_dir():
        return target
    missing = [program for program in ("apt-get", "dpkg") if shutil.which(program) is None]
    if missing:
        raise RuntimeError(
            f"to fetch {package}, {' and '.join(missing)} must be installed, as on Debian; else "
            "give the folders of its files"
        )
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as name:
        folder = Path(name)
        _run("apt-get", "download", package, folder=folder)
        (archive,) = folder.glob("*.deb")
        _run("dpkg", "-x", archive.name, "root", folder=folder)
        (folder / "root").rename(target)
    return target


def _run(*command: str, folder: Path) -> None:
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if result.returncode:
        last = result.stderr.strip().splitlines()[-1:] or ["no reason given"]
        raise RuntimeError(f"{' '.join(command)} failed: {last[0]}")


def furniture(folder: Path) -> Iterator[Model]:
    """Read the models of the eight classes from Sweet Home 3D's archives, in a fixed order.

    Raises:
        FileNotFoundError: If the folder has none of the archives.
    """
    archives = sorted(folder.glob("*.sh3f"))
    if not archives:
        raise FileNotFoundError(f"furniture must be a folder with .sh3f files, got {folder}")
    for archive in archives:
        with tempfile.TemporaryDirectory() as name, zipfile.ZipFile(archive) as content:
            content.extractall(name)
            catalogue = content.read("PluginFurnitureCatalog.properties").decode("latin-1")
            for entry in catalogue_entries(catalogue):
                class_name = class_of(entry["name"])
                if class_name is None:
                    continue
                path = entry["model"].lstrip("/")
                mesh = sr.read_mesh(Path(name) / path)
                if "modelRotation" in entry:
                    turn = np.array(entry["modelRotation"].split(), dtype=float).reshape(3, 3)
                    mesh = mesh.with_vertices((mesh.vertices @ turn.T).astype(np.float32))
                yield Model(class_name, f"{archive.stem}/{path}", mesh.normalized())


def catalogue_entries(text: str) -> list[dict[str, str]]:
    r"""Read a catalogue of Sweet Home 3D: lines ``key#number=value``.

    Example:
        >>> catalogue_entries("name#1=Chair\nmodel#1=/a.obj\nname#2=Bed")
        [{'name': 'Chair', 'model': '/a.obj'}, {'name': 'Bed'}]
    """
    entries: dict[int, dict[str, str]] = {}
    for line in text.splitlines():
        if found := re.match(r"(\w+)#(\d+)=(.*)", line):
            key, number, value = found.groups()
            entries.setdefault(int(number), {})[key] = value.strip()
    return [entries[number] for number in sorted(entries)]


def aircraft(folder: Path) -> Iterator[Model]:
    """Read the largest model of each aircraft of FlightGear, in a fixed order.

    An aircraft has a folder, with files for its parts and lights beside that of the whole.

    Raises:
        FileNotFoundError: If the folder has no aircraft.
    """
    families = sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    found = False
    for family in families:
        files = sorted(family.rglob("*.ac"), key=lambda path: (-path.stat().st_size, path.name))
        if not files:
            continue
        found = True
        mesh = sr.read_mesh(files[0])
        # FlightGear's aircraft fly towards -x; ours look towards +z.
        x, y, z = mesh.vertices.T
        mesh = mesh.with_vertices(np.stack([z, y, -x], axis=1))
        yield Model(AIRCRAFT_CLASS, str(files[0].relative_to(folder)), mesh.normalized())
    if not found:
        raise FileNotFoundError(f"aircraft must be a folder with .ac files, got {folder}")
