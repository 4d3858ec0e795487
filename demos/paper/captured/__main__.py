"""Photographs alone become a mesh: a path tracer takes them, and nobody tells where from.

    pip install mitsuba
    python -m demos.paper.captured --output captured

A textured model of Debian's package ``sweethome3d-furniture`` (``--furniture NAME``) stands on a
textured ground, under a sky and a lamp that casts shadows. Mitsuba 3 takes 40 photographs from all
round, held by an unsteady hand, and says which pixels are the object's: ``photographs/images`` and
``photographs/masks``. Then ``softras reconstruct --sfm`` finds the cameras and the mesh, without a
tenth of the photographs, and what it found is compared: cameras with the true ones, after their
places are aligned by a similarity, and drawings of the mesh with photographs left out.

Photographs and a mesh that are in the output folder already are kept: taking them takes long.
Writes captured.json and captured.png (photographs left out, above drawings of the mesh).
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import taichi_softras as sr
from demos.paper.captured.alignment import camera_errors
from demos.paper.captured.photographs import Order, read_truth, take_photographs
from demos.paper.shared.command_line import check_options, make_parser
from demos.paper.shared.reporting import print_table, write_json
from taichi_softras.files.pictures import WHITE, composite, write_picture
from taichi_softras.reconstruction.drawing import draw_captures

HEADER = (
    *("model", "photographs", "cameras found", "degrees", "largest", "moved", "largest"),
    *("IoU left out", "lowest", "PSNR, dB", "faces", "seconds", "peak MiB"),
)


def reconstruct(photographs: Path, mesh: Path, more: Sequence[str]) -> None:
    """Run the command, in a process whose memory is its own."""
    command = [sys.executable, "-m", "taichi_softras.cli", "reconstruct", str(photographs)]
    asked = ["--output", str(mesh), "--sfm", "--hold-out", "0.1", *more]
    subprocess.run([*command, *asked], check=True)


def measure(photographs: Path, mesh: Path) -> dict[str, Any]:
    """Compare what was found with the truth, and with photographs left out."""
    captures = sr.read_captures(photographs, model=mesh / "sparse")
    true = read_truth(photographs)
    poses = np.stack([true[name] for name in captures.names])
    eyes = -np.einsum("nji,nj->ni", poses[..., :3], poses[..., 3])
    turned, moved = camera_errors((captures.rotations, captures.eyes), (poses[..., :3], eyes))
    report = json.loads((mesh / "report.json").read_text())
    left_out = report["held out"]
    return {
        "photographs": len(true),
        "cameras": len(captures),
        "degrees": {"mean": turned.mean(), "largest": turned.max()},
        "moved": {"mean": moved.mean(), "largest": moved.max()},
        "iou": left_out["mean"]["iou"],
        "lowest iou": min(photo["iou"] for photo in left_out["photographs"]),
        "psnr": left_out["mean"]["psnr"],
        "left out": [photo["name"] for photo in left_out["photographs"]],
        "faces": report["faces"],
        "seconds": report["seconds"],
        "peak memory, MiB": report["peak memory, MiB"],
    }


def row(furniture: str, found: dict[str, Any]) -> tuple[str, ...]:
    """Write what was measured."""
    return (
        *(furniture, str(found["photographs"]), str(found["cameras"])),
        *(f"{found['degrees'][key]:.2f}" for key in ("mean", "largest")),
        *(f"{100 * found['moved'][key]:.2f}%" for key in ("mean", "largest")),
        *(f"{found['iou']:.3f}", f"{found['lowest iou']:.3f}", f"{found['psnr']:.1f}"),
        *(str(found["faces"]), f"{found['seconds']:.0f}", str(found["peak memory, MiB"])),
    )


def show(photographs: Path, folder: Path, names: Sequence[str], path: Path) -> None:
    """Draw the mesh where photographs were left out, below these, over white outside of masks."""
    captures = sr.read_captures(photographs, model=folder / "sparse")
    chosen = captures.select([captures.names.index(name) for name in names])
    mesh = sr.read_mesh(folder / "mesh.glb", textures=True)
    drawn = [composite(image, WHITE) for image in draw_captures(mesh, chosen)]
    rows = [list(chosen.pictures / 255), drawn]
    write_picture(path, np.concatenate([np.concatenate(row, axis=1) for row in rows]))


def parse(arguments: Sequence[str] | None) -> tuple[argparse.ArgumentParser, argparse.Namespace]:
    """Read the command line."""
    parser = make_parser("captured", __doc__)
    parser.add_argument("--output", type=Path, default=Path("captured"), help="folder to write")
    parser.add_argument("--furniture", default="rattanArmchair", help="model by name")
    parser.add_argument("--views", type=int, default=40, help="photographs")
    parser.add_argument("--height", type=int, default=300, help="of photographs, in pixels")
    parser.add_argument("--width", type=int, default=400, help="of photographs, in pixels")
    parser.add_argument("--samples", type=int, default=64, help="paths of light in a pixel")
    parser.add_argument("--quick", action="store_true", help="few samples, a coarse mesh")
    options = parser.parse_args(arguments)
    check_options(parser, options, views=10, height=48, width=48, samples=1)
    return parser, options


def main(arguments: Sequence[str] | None = None) -> None:
    """Take photographs, make the mesh, and measure."""
    parser, options = parse(arguments)
    photographs, mesh = options.output / "photographs", options.output / "mesh"
    samples = min(options.samples, 8) if options.quick else options.samples
    size = {"height": options.height, "width": options.width, "samples": samples}
    try:
        order = Order(furniture=options.furniture, views=options.views, **size)
        take_photographs(order, photographs)
    except (FileNotFoundError, RuntimeError, ValueError) as error:
        parser.error(str(error))
    if not (mesh / "report.json").exists():
        quick = ("--pace", "0.05", "--finest", "0.1", "--texture", "128")
        reconstruct(photographs, mesh, quick if options.quick else ())
    found = measure(photographs, mesh)
    print_table("A mesh of photographs alone", HEADER, [row(options.furniture, found)])
    write_json(options.output / "captured.json", found)
    show(photographs, mesh, found["left out"], options.output / "captured.png")
    print(f"wrote {options.output / 'captured.json'} and captured.png")


if __name__ == "__main__":
    main()
