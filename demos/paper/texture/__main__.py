"""Recover the colours of a textured model from pictures of it.

The shape, the cameras and the light are known; the colours start as grey, and are fitted to 24
pictures by Adam, held in several ways:

- a colour at each vertex;
- for each face a softmax over a palette that was sampled from the pictures' pixels, as *Soft
  Rasterizer* (ICCV 2019) reconstructs colours;
- a grid of texels on each face, or one colour;
- the model's image maps, all of them, at several resolutions.

Each is then drawn for eight cameras that it was not fitted to, and compared there with the true
model, by PSNR. All pictures that are compared have nine samples per pixel and sharp edges; in the
fit a pixel has one sample and edges are softer.

The model is any mesh file with an image map; without one a cat of Debian's sweethome3d-furniture
(by Scopia, CC BY 3.0), or where that is not installed, a checkered sphere. Besides a table this
writes the numbers (results.json), a picture (texture.png), the model with the finest recovered maps
(recovered.obj with its images, recovered.glb) and with colours at vertices (vertex_colors.ply).
``--quick`` takes seconds.
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

import taichi_softras as sr
from demos.paper.shared.command_line import make_parser
from demos.paper.shared.models import checkered_sphere, furniture_model
from demos.paper.shared.reporting import print_table, write_json
from demos.paper.texture.colorings import Coloring, make_colorings, with_maps
from demos.paper.texture.fitting import compare, fit_all
from demos.paper.texture.pictures import draw_figure
from demos.paper.texture.stage import Stage, nearest_angles

HELD_OUT_TURN = 60.0
"""Degrees by which the cameras are turned that are not fitted to."""
HEADER = (
    "colours held as",
    "numbers",
    "PSNR, foreground",
    "worst to best view",
    "PSNR, whole",
    "the model's own",
    "unseen",
    "seconds",
)


def table_rows(colorings: Sequence[Coloring]) -> Iterator[list[str]]:
    """Say what was measured, a row for each colouring."""
    for coloring in colorings:
        result = coloring.result
        fitted, own = result["fitted"], result.get("own")
        unseen = result.get("unseen_of_needed")
        yield [
            coloring.title,
            f"{coloring.numbers.numel():,}",
            f"{np.mean(fitted['foreground']):.1f}",
            f"{min(fitted['foreground']):.1f} to {max(fitted['foreground']):.1f}",
            f"{np.mean(fitted['whole']):.1f}",
            f"{np.mean(own['foreground']):.1f}" if own else "",
            "" if unseen is None else f"{100 * unseen:.1f} %",
            f"{result['seconds']:.0f}",
        ]


def write_models(mesh: sr.Mesh, colorings: Sequence[Coloring], folder: Path) -> list[Path]:
    """Write the model with the finest maps, as OBJ and GLB, and with colours at vertices."""
    textured = with_maps(mesh, colorings[-1].colors())
    colored = sr.Mesh(mesh.vertices, mesh.faces, colorings[0].colors()[0].numpy())
    sr.write_mesh(colored, folder / "vertex_colors.ply")
    paths = [folder / "recovered.obj", folder / "recovered.glb"]
    for path in paths:
        sr.write_mesh(textured, path)
    return paths


def read_back(path: Path, images: torch.Tensor, eyes: np.ndarray) -> float:
    """Draw a model from its file, and compare with what was drawn before: the worst PSNR."""
    mesh = sr.read_mesh(path, textures=True, creases=False).normalized()
    stage = Stage(mesh, images.shape[1])
    texture = sr.UVTexture.from_maps(mesh.texture_maps(), stage.vertices)
    return min(compare(stage.show(texture, eyes), images)["whole"])


def positive(text: str) -> int:
    """Read a whole number of at least 1."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {number}")
    return number


def load(path: Path | None) -> tuple[sr.Mesh, str]:
    """Read the model, and name it."""
    if path is None:
        cat = furniture_model("scopia/cat")
        return (checkered_sphere(), "checkered sphere") if cat is None else (cat, "cat")
    mesh = sr.read_mesh(path, textures=True, creases=False)
    if all(material.image is None for material in mesh.materials):
        raise ValueError(f"mesh must have an image map, got none in {str(path)!r}")
    return mesh, path.stem


def parse(arguments: Sequence[str] | None) -> tuple[argparse.Namespace, sr.Mesh, str]:
    """Read the arguments and the model; what is wrong with them ends the program."""
    parser = make_parser("texture", __doc__)
    parser.add_argument("mesh", nargs="?", type=Path, help="a mesh file with an image map")
    parser.add_argument("--output", type=Path, default=Path("texture"), help="folder to write")
    parser.add_argument("--size", type=positive, default=256, help="of a picture, in pixels")
    parser.add_argument("--views", type=positive, default=24, help="pictures to fit to")
    parser.add_argument("--steps", type=positive, default=96, help="of the optimiser, each fit")
    parser.add_argument("--quick", action="store_true", help="all small, in seconds")
    options = parser.parse_args(arguments)
    if options.quick:
        options.size, options.views, options.steps = 32, 8, 16
    try:
        mesh, name = load(options.mesh)
        options.output.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    return options, mesh, name


def main(arguments: Sequence[str] | None = None) -> None:
    """Take pictures, fit, measure, and write."""
    options, mesh, name = parse(arguments)
    stage = Stage(mesh.normalized(), options.size)
    true = sr.UVTexture.from_maps(mesh.texture_maps(), stage.vertices)
    views = stage.take(true, options.views)
    held_out = stage.take(true, max(2, options.views // 3), turn=HELD_OUT_TURN)
    pixels = views.images[views.images[..., 3] > 0.99][:, :3].numpy()
    sizes = [[8], [2], [16, 32]] if options.quick else [[4, 16, 64], [1, 4], [64, 128, 256]]
    colorings = list(make_colorings(mesh, pixels, *sizes))
    grey = compare(stage.show(colorings[0].colors(), held_out.eyes), held_out.images)
    fit_all(colorings, stage, views, held_out, options.steps)
    print_table(
        f"{name}, seen by {len(held_out.eyes)} more cameras, in dB", HEADER, table_rows(colorings)
    )
    print(f"Grey, where all start, has {np.mean(grey['foreground']):.1f} dB.")
    expected = stage.show(colorings[-1].colors(), held_out.eyes)
    files = {
        path.name: read_back(path, expected, held_out.eyes)
        for path in write_models(mesh, colorings, options.output)
    }
    for file, decibels in files.items():
        print(f"{file}, read back, draws the same to {decibels:.0f} dB.")
    draw_figure(options.output / "texture.png", stage, true, colorings, held_out)
    write_json(
        options.output / "results.json",
        {
            "mesh": name,
            "faces": mesh.num_faces,
            "size": options.size,
            "views": options.views,
            "steps": options.steps,
            "degrees_to_nearest_view": nearest_angles(held_out.eyes, views.eyes),
            "grey": grey,
            "read_back": files,
            "colorings": [
                {"name": c.name, "size": c.size, "numbers": c.numbers.numel(), **c.result}
                for c in colorings
            ],
        },
    )
    print(f"wrote {options.output}")


if __name__ == "__main__":
    main()
