"""``softras reconstruct``: from photographs to a textured mesh."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro

from taichi_softras.arrays.options import check_integer
from taichi_softras.bench.measuring import peak_memory
from taichi_softras.captures import Background, Captures, MotionOptions, read_captures
from taichi_softras.cli.motion import find_cameras
from taichi_softras.cli.progress import Bar
from taichi_softras.files.mesh_files import read_mesh, write_mesh
from taichi_softras.fitting.framing import mesh_center, mesh_radius
from taichi_softras.losses import mesh_chamfer_distance
from taichi_softras.meshes.mesh import Mesh
from taichi_softras.meshes.primitives import icosphere
from taichi_softras.reconstruction.fit import Progress, check_captures, hull_of, reconstruct
from taichi_softras.reconstruction.options import ReconstructionOptions
from taichi_softras.reconstruction.report import write_report
from taichi_softras.viewer.growing import GrowingPage, growing_page

FolderArgument = Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="FOLDER")]
OutputArgument = Annotated[Path, tyro.conf.arg(aliases=["-o"])]

MESHES = ("mesh.glb", "mesh.obj")
"""Files that a mesh is written to."""


@dataclass(frozen=True, kw_only=True)
class PhotoOptions:
    """How a folder of photographs is read.

    Attributes:
        mask: What is behind the object, dark, bright or green, for masks to be found by it. By
            default they are the pictures' alpha, or files in masks/.
        longest: Pixels of the longer side of photographs; larger ones are scaled down.
        model: Folder of a sparse model of COLMAP's, to take cameras from in place of the folder's,
            such as sparse in the output of an earlier run with --sfm.
    """

    mask: Background | None = None
    longest: int = 1600
    model: Path | None = None

    def __post_init__(self) -> None:
        check_integer("longest", self.longest, at_least=16)

    def read(self, folder: Path) -> Captures:
        """Read the folder, and look whether a mesh can be made of it."""
        captures = read_captures(folder, mask=self.mask, longest=self.longest, model=self.model)
        check_captures(captures)
        return captures


@dataclass(frozen=True, kw_only=True)
class Reconstruct:
    """Make a textured mesh of photographs.

    Writes mesh.glb, mesh.obj with its image, report.html, report.json and turntable.gif into a
    folder, and checkpoint.npz, to go on from.

    Attributes:
        folder: Photographs and cameras, as of COLMAP, NeRF, instant-ngp, Middlebury, IDR or NeuS;
            photographs alone with --sfm.
        output: Folder to write into; made if need be.
        photos: How the folder is read.
        sfm: Whether to find cameras from the photographs alone, by COLMAP's structure from motion.
            They are kept in sparse in the output folder, where a second run finds them. The world
            has no scale then: cameras are 1 away from its origin on average.
        cameras: How they are found, with --sfm.
        hold_out: Photographs to leave out and compare with: their names, or a share, such as 0.1.
        init: What to start from: hull, the visual hull of the masks; sphere, one of its size; or
            a mesh file, in the cameras' world.
        truth: A mesh file known to be right, in the cameras' world: the report says how far from it
            the result is.
        minutes: Time to be done in, about; by default all steps are taken.
        resume: Whether to go on from the checkpoint in the output folder.
        view: Whether to serve a page to browsers on which the mesh grows, among the cameras. In
            the end it stays until Ctrl+C.
        host: Address to serve at; 0.0.0.0 lets other machines in.
        port: Where to serve.
        options: How the mesh is fitted.
    """

    folder: FolderArgument
    output: OutputArgument
    photos: Annotated[PhotoOptions, tyro.conf.OmitArgPrefixes] = field(default_factory=PhotoOptions)
    sfm: bool = False
    cameras: MotionOptions = field(default_factory=MotionOptions)
    hold_out: tuple[str, ...] = ()
    init: str = "hull"
    truth: Path | None = None
    minutes: float | None = None
    resume: bool = False
    view: bool = False
    host: str = "127.0.0.1"
    port: int = 8080
    options: Annotated[ReconstructionOptions, tyro.conf.OmitArgPrefixes] = field(
        default_factory=ReconstructionOptions
    )

    def run(self) -> None:
        """Reconstruct, and write the files."""
        checkpoint = self.output / "checkpoint.npz"
        if self.resume and not checkpoint.exists():
            raise ValueError(f"there must be a checkpoint to resume, got none: {checkpoint}")
        began = time.monotonic()
        truth = None if self.truth is None else read_mesh(self.truth, creases=False)
        captures = self._read()
        fitted, held_out = split(captures, held_out_of(captures.names, self.hold_out))
        start = start_of(self.init, fitted, self.options)
        with growing_page(fitted, self.host, self.port) if self.view else nullcontext() as page:
            if page is not None:
                print(f"the mesh grows at {page.url}", flush=True)
            mesh = self._fit(fitted, start, checkpoint, page)
            write_meshes(mesh, self.output)
            facts = {
                "seconds": round(time.monotonic() - began, 1),
                "peak memory, MiB": round(peak_memory() / 2**20),
                "settings": settings_of(self),
            }
            if truth is not None:
                facts["chamfer distance to the truth"] = distance_of(mesh, truth)
            numbers = write_report(self.output, mesh, fitted=fitted, held_out=held_out, facts=facts)
            _say(self.output, numbers)
            if page is not None:
                page.finish(mesh)
                _stay(page.url)

    def _fit(
        self, fitted: Captures, start: Mesh | None, checkpoint: Path, page: GrowingPage | None
    ) -> Mesh:
        """Make the mesh, and show how far that has come."""
        new = not self.output.exists()
        self.output.mkdir(parents=True, exist_ok=True)
        if not self.resume:
            checkpoint.unlink(missing_ok=True)
        watcher = _Watcher(self.output, page)
        try:
            with watcher:
                return reconstruct(
                    fitted,
                    self.options,
                    start=start,
                    minutes=self.minutes,
                    checkpoint=checkpoint,
                    on_step=watcher.show,
                )
        except KeyboardInterrupt:
            watcher.keep()
            raise
        finally:
            if new and not any(self.output.iterdir()):
                self.output.rmdir()  # nothing has come of it

    def _read(self) -> Captures:
        """Read the photographs, and find their cameras if that is wanted."""
        if not self.sfm:
            return self.photos.read(self.folder)
        if self.photos.model is not None:
            raise ValueError("cameras come from --sfm or from --model, got both")
        with Bar("features") as bar:
            model = find_cameras(self.folder, self.output, self.cameras, self.photos.mask, bar.show)
        captures = dataclasses.replace(self.photos, model=model).read(self.folder)
        print(f"cameras of {len(captures)} photographs are in {model}; their world has no scale")
        return captures


def held_out_of(names: Sequence[str], wanted: Sequence[str]) -> list[int]:
    """Find the photographs to leave out.

    Args:
        names: Of all photographs.
        wanted: Names, with or without folder and suffix; or one share, above 0 and under 1: of
            ten photographs and 0.2, the fifth and the tenth.

    Raises:
        ValueError: If there is no such photograph, several are meant, or less than two are left.
    """
    chosen: list[int] = []
    share = _number(wanted[0]) if len(wanted) == 1 and wanted[0] not in names else None
    if share is not None and 0 < share < 1:
        every = max(2, round(1 / share))
        chosen = list(range(every - 1, len(names), every))
    else:
        for word in wanted:
            alike = [i for i, name in enumerate(names) if word in (name, *_short(name))]
            if len(alike) != 1:
                raise ValueError(
                    "hold-out must be names of photographs, or a share above 0 and under 1: got "
                    f"{word!r}, of which there are {len(alike)}"
                )
            chosen += alike
    if len(names) - len(set(chosen)) < 2:
        raise ValueError(
            f"hold-out must leave 2 photographs at least, got {len(set(chosen))} of {len(names)}"
        )
    return sorted(set(chosen))


def _number(word: str) -> float | None:
    try:
        return float(word)
    except ValueError:
        return None


def _short(name: str) -> tuple[str, str]:
    return Path(name).name, Path(name).stem


def split(captures: Captures, chosen: Sequence[int]) -> tuple[Captures, Captures | None]:
    """Divide photographs into those that are fitted, and those that are not."""
    if not chosen:
        return captures, None
    rest = [i for i in range(len(captures)) if i not in set(chosen)]
    return captures.select(rest), captures.select(chosen)


def start_of(init: str, captures: Captures, options: ReconstructionOptions) -> Mesh | None:
    """Make the mesh to start from; None for the visual hull."""
    if init == "hull":
        return None
    if init == "sphere":
        hull = hull_of(captures, options)
        sphere = icosphere(4, radius=mesh_radius(hull) / 2)
        return sphere.with_vertices(sphere.vertices + mesh_center(hull).astype(np.float32))
    if not Path(init).suffix:
        raise ValueError(f"init must be hull, sphere or a mesh file, got {init!r}")
    return read_mesh(init, creases=False)


def write_meshes(mesh: Mesh, folder: Path) -> None:
    """Write a mesh as GLB and as OBJ."""
    for name in MESHES:
        write_mesh(mesh, folder / name)


def distance_of(mesh: Mesh, truth: Mesh) -> float:
    """Measure the chamfer distance of two meshes, not squared, in world units."""
    arrays = (*mesh.to_taichi()[:2], *truth.to_taichi()[:2])
    return float(mesh_chamfer_distance(*arrays, squared=False).to_numpy()[0])


def settings_of(command: Any) -> dict[str, Any]:
    """What was asked for, as JSON can say it; without paths, which are others' elsewhere."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: plain(inner) for name, inner in value.items()}
        return value.name if isinstance(value, Path) else value

    found: dict[str, Any] = plain(dataclasses.asdict(command))
    return found


def _say(folder: Path, numbers: dict[str, Any]) -> None:
    for name in ("held out", "fitted"):
        if name in numbers:
            mean = numbers[name]["mean"]
            print(
                f"{len(numbers[name]['photographs'])} photographs {name}: IoU {mean['iou']:.3f}, "
                f"PSNR {mean['psnr']:.1f} dB in the mask, {mean['psnr_white']:.1f} dB over white, "
                f"SSIM {mean['ssim']:.3f}"
            )
    say_written(folder)


def say_written(folder: Path) -> None:
    """Name the files of a mesh and of its report."""
    for name in (*MESHES, "report.html", "report.json", "turntable.gif"):
        print(f"wrote {folder / name}")


def _stay(url: str) -> None:
    """Leave the page up until somebody has seen enough."""
    print(f"serving the mesh at {url}; Ctrl+C ends it", flush=True)
    with suppress(KeyboardInterrupt):
        threading.Event().wait()


class _Watcher:
    """Shows progress, and keeps the mesh as it is when one is interrupted.

    Args:
        folder: Where to.
        page: What shows it to browsers, too; None if there is none.
    """

    def __init__(self, folder: Path, page: GrowingPage | None = None) -> None:
        self._folder, self._page = folder, page
        self._last: Progress | None = None
        self._bar = Bar("hull")

    def __enter__(self) -> None:
        self._bar.__enter__()

    def __exit__(self, *error: object) -> None:
        self._bar.__exit__(*error)

    def show(self, progress: Progress) -> None:
        """Show how far a fit has come."""
        self._last = progress
        if self._page is not None:
            self._page.show(progress)
        self._bar.show(
            f"{progress.number + 1} of {progress.stages}: {progress.stage}",
            progress.step,
            progress.steps,
            "" if progress.loss is None else f"loss {progress.loss:.4f}",
        )

    def keep(self) -> None:
        """Write the mesh as it is, with colours of vertices."""
        if self._last is None:
            return
        write_meshes(self._last.mesh(), self._folder)
        print(f"wrote {self._folder / 'mesh.glb'} as it was; --resume goes on")
