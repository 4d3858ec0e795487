"""Shape from silhouettes: a sphere or a hull becomes an object, seen from cameras all round.

    python -m demos.paper.deform bunny.obj armadillo.off
    python -m demos.paper.deform --furniture rabbit antiqueChair --views 120 --size 256

The meshes are files, or models of Debian's package ``sweethome3d-furniture`` by name (the folder
of their OBJ file, as in "rabbit" or "scopia/rabbit"; the environment variable SOFTRAS_FURNITURE
names the folder of the archives); a teapot and a torus where none is given. ``--framework`` chooses
what the losses go down in: "taichi" (a ``ti.ad.Tape``; PyTorch is not imported), "torch" (autograd
and PyTorch's Adam), or "both", one after the other, from the same start and by the same steps.
``--method`` chooses where fits start and how they go, one or several: "cut" (a sphere, whose faces
are cut in four once, each vertex moved by itself), "sphere" and "hull" (a sphere, or the visual
hull, which needs the extra ``photos``; remeshed on the way, moved by large steps), and what is left
of "hull" where each vertex is moved by itself ("hull-vertices") or the hull is remeshed only once
("hull-once").

The targets are masks: silhouettes without softness. The fit sees those of cameras at elevations of
0, 30 and -30 degrees, and is measured on others, between, above and below: by the intersection over
union (IoU) of silhouettes; by the distance from points of either surface to the nearest of the
other, summed both ways (chamfer), beside its value for two samples of the target itself (floor);
and by the IoU of solid voxels, 32 on a side, beside that of the visual hull, the largest shape with
the same masks. Silhouettes don't show hollows, and a sphere gets no holes: topology stays.
"Crossing" counts pairs of faces that go through each other.

Stanford's armadillo is in a package of Debian's:

    apt-get download libcgal-demo && dpkg -x libcgal-demo_*.deb cgal
    tar -xzf cgal/usr/share/doc/libcgal-dev/data.tar.gz data/meshes/armadillo.off

Writes deform.json, deform.png (targets above fits), deform.gif (masks above growing spheres), and
the fitted meshes.
"""

import argparse
import importlib.util
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from demos.paper.deform.fitting import FRAMEWORKS, METHODS, PlannedFit, fit_all
from demos.paper.deform.pictures import draw_animation, write_comparison
from demos.paper.deform.targets import read_targets
from demos.paper.shared.command_line import make_parser
from demos.paper.shared.reporting import print_table
from taichi_softras.bench.machine import describe_machine
from taichi_softras.files.pictures import write_animation

HEADER = (
    *("mesh", "method", "by", "views", "pixels", "faces", "IoU seen", "IoU held out"),
    *("chamfer", "floor", "voxel IoU", "hull", "crossing", "seconds", "relative"),
)


def start_row(result: dict[str, Any]) -> tuple[str, ...]:
    """Write what the sphere measures that a mesh's fits start from."""
    start = result["start"]
    iou, voxel_iou = f"{start['held_out_iou']:.3f}", f"{start['voxel_iou']:.3f}"
    return (
        *(result["mesh"], "start", "", "", "", "", ""),
        *(iou, f"{start['chamfer']:.4f}", "", voxel_iou, "", "", "", ""),
    )


def fit_row(result: dict[str, Any], seconds: float) -> tuple[str, ...]:
    """Write what a fit measures, its time also relative to another's."""
    return (
        *(str(result[key]) for key in ("mesh", "method", "framework", "views", "size", "faces")),
        *(f"{result[key]:.3f}" for key in ("seen_iou", "held_out_iou")),
        *(f"{result[key]:.4f}" for key in ("chamfer", "chamfer_floor")),
        *(f"{result[key]:.3f}" for key in ("voxel_iou", "hull_voxel_iou")),
        str(result["crossing"]),
        f"{result['seconds']:.1f}",
        f"{result['seconds'] / seconds:.2f}",
    )


def print_results(results: Sequence[dict[str, Any]]) -> None:
    """Print a row per fit, and of the sphere that each mesh's fits start from."""
    rows = []
    for _, group in itertools.groupby(results, key=lambda result: result["mesh"]):
        fits = list(group)
        rows += [start_row(fits[0]), *(fit_row(fit, results[0]["seconds"]) for fit in fits)]
    print_table("Shape from silhouettes", HEADER, rows)


def parse(arguments: Sequence[str] | None) -> tuple[argparse.ArgumentParser, argparse.Namespace]:
    """Read the command line."""
    parser = make_parser("deform", __doc__)
    parser.add_argument("meshes", nargs="*", type=Path, help="mesh files")
    parser.add_argument("--furniture", nargs="+", default=[], metavar="NAME", help="models by name")
    parser.add_argument("--output", type=Path, default=Path("deform"), help="folder to write into")
    parser.add_argument("--framework", choices=(*FRAMEWORKS, "both"), default="taichi")
    parser.add_argument("--method", nargs="+", choices=METHODS, default=["sphere"])
    parser.add_argument("--views", nargs="+", type=int, default=[24], help="silhouettes; several")
    parser.add_argument("--size", nargs="+", type=int, default=[64], help="pixels; several")
    parser.add_argument("--steps", type=int, default=200, help="steps of the optimiser")
    parser.add_argument("--quick", action="store_true", help="small and few, in seconds")
    options = parser.parse_args(arguments)
    if options.framework != "taichi" and importlib.util.find_spec("torch") is None:
        parser.error(f"--framework {options.framework} needs PyTorch, which is not installed")
    return parser, options


def plan(options: argparse.Namespace, names: Sequence[str]) -> list[PlannedFit]:
    """List the fits wanted: each mesh, number of views, size, method and framework.

    Raises:
        ValueError: If a number is out of range.
    """
    frameworks = FRAMEWORKS if options.framework == "both" else (options.framework,)
    if options.quick:
        options.views, options.size, options.steps = [6], [32], 40
    return [
        PlannedFit(
            name,
            framework,
            views,
            size,
            method,
            1 if options.quick else 2,
            options.steps,
        )
        for name, views, size, method, framework in itertools.product(
            names, options.views, options.size, options.method, frameworks
        )
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    """Fit, print the table, and write results and pictures."""
    parser, options = parse(arguments)
    try:
        targets = read_targets(options.meshes, options.furniture)
        runs = plan(options, tuple(targets))
        options.output.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    frames, size = (4, 48) if options.quick else (30, 104)
    results, recordings = fit_all(runs, targets, frames, options.output)
    print_results(results)
    machine = describe_machine()
    print(f"{machine['machine']}; {machine['cores']}")
    ious: dict[str, float] = {}
    for result in results:
        ious.setdefault(result["mesh"], result["held_out_iou"])
    write_comparison(options.output / "deform.png", targets, recordings, ious, 2 * size)
    animation = draw_animation(targets, recordings, size, frames + frames // 3)
    write_animation(options.output / "deform.gif", animation, 12.0)
    for name in ("deform.json", "deform.png", "deform.gif"):
        print(f"wrote {options.output / name}")


if __name__ == "__main__":
    main()
