"""Recover the colours of a textured model from pictures of it.

    python demos/texture.py --output texture
    python demos/texture.py cow.obj --output cow

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
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any

import matplotlib
import numpy as np
import torch
from colorings import Coloring, fill_unseen, make_colorings, split_maps, with_maps
from matplotlib import pyplot
from reporting import make_progress, print_table, write_json
from shapes import checkered_sphere, furniture_model

import taichi_softras as sr
from taichi_softras.files.paths import whole_file
from taichi_softras.files.pictures import composite
from taichi_softras.fitting.framing import framing_distance

matplotlib.use("Agg")

FOV = 30.0
GOLDEN_ANGLE = 180 * (3 - math.sqrt(5))
"""Degrees between neighbours on a spiral that covers a sphere evenly."""

HIGHEST = 0.85
"""Sine of the highest elevation of a camera: 58 degrees, above and below."""

HELD_OUT_TURN = 60.0
"""Degrees by which the cameras are turned that are not fitted to."""

BATCH = 2
"""Pictures that a step of the optimiser looks at."""

LEAST_WEIGHT = 0.05
"""What a texel must count for, in pixels of all pictures, to be called seen."""

FIGURE_SIZE = 448
NO_DIFFERENCE = 1e-10
"""Mean squared error that counts as none, so that PSNR is 100 dB at most."""

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


@dataclass(frozen=True)
class Views:
    """Cameras and their pictures: eyes (N, 3), images (N, H, W, 4)."""

    eyes: np.ndarray
    images: torch.Tensor


class Stage:
    """A shape under light, and how it is drawn: in pictures, and while fitting."""

    def __init__(self, mesh: sr.Mesh, size: int) -> None:
        self.vertices, self.faces, _ = mesh.to_torch()
        self.distance = framing_distance(mesh, FOV)
        radius = self.distance * math.sin(math.radians(FOV / 2))
        self.fitting = sr.RasterizerSettings(
            height=size,
            width=size,
            near=self.distance - radius,
            far=self.distance + radius,
            sigma=1e-6,
        )
        self.showing = replace(self.fitting, sigma=1e-7, supersampling=3)
        # At fragments, so that colours are lit alike however they are held.
        self.light = sr.Lighting(lights=sr.Light().lighting.lights, shading="fragment")

    def draw(self, colors: Any, eyes: np.ndarray, settings: sr.RasterizerSettings) -> torch.Tensor:
        """Draw colours, as seen from eyes (N, 3): (N, H, W, 4)."""
        camera = sr.LookAtCamera(eyes, fov_degrees=FOV)
        return sr.render(self.vertices, self.faces, colors, camera, settings, light=self.light)

    def show(self, colors: Any, eyes: np.ndarray, size: int | None = None) -> torch.Tensor:
        """Draw pictures to look at and to compare, (N, H, W, 4)."""
        size = size or self.showing.height
        settings = replace(self.showing, height=size, width=size)
        with torch.no_grad():  # one by one, for samples take memory
            return torch.cat([self.draw(colors, eye[None], settings) for eye in eyes])

    def take(self, colors: Any, count: int, turn: float = 0.0) -> Views:
        """Take pictures from all around."""
        eyes = spread_eyes(count, self.distance, turn)
        return Views(eyes, self.show(colors, eyes))

    def weigh(self, texture: sr.UVTexture, eyes: np.ndarray) -> np.ndarray:
        """Add up what each texel counts for while fitting, in pixels under full light: (T,)."""
        texels = torch.zeros(texture.texels.shape, requires_grad=True)
        for eye in eyes:
            image = self.draw(replace(texture, texels=texels), eye[None], self.fitting)
            image[..., :3].mean(dim=-1).sum().backward()
        return texels.grad.sum(dim=-1).reshape(-1).numpy()


def spread_eyes(count: int, distance: float, turn: float = 0.0) -> np.ndarray:
    """Spread cameras evenly over a sphere but for its poles, on a golden spiral: (count, 3)."""
    k = np.arange(count)
    elevations = np.degrees(np.arcsin(HIGHEST * (1 - (2 * k + 1) / count)))
    eyes: np.ndarray = sr.orbit_eyes(distance, elevations, turn + GOLDEN_ANGLE * k)
    return eyes


def nearest_angles(eyes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Angle in degrees from each eye to the nearest of others, seen from the origin: (N,)."""
    units = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in (eyes, others)]
    cosines = (units[0] @ units[1].T).max(axis=1)
    return np.degrees(np.arccos(np.clip(cosines, -1, 1)))


def draw_batches(count: int, size: int, seed: int = 0) -> Iterator[list[int]]:
    """Say which pictures each step looks at, for ever: every one before any comes again."""
    generator = torch.Generator().manual_seed(seed)
    while True:
        order = torch.randperm(count, generator=generator).tolist()
        yield from (order[k : k + size] for k in range(0, count, size))


def fit(
    coloring: Coloring, stage: Stage, views: Views, steps: int, report: Callable[[float], None]
) -> None:
    """Fit colours to pictures by Adam, its rate falling to 0 as a cosine does."""
    numbers = coloring.numbers.requires_grad_()
    optimizer = torch.optim.Adam([numbers], lr=coloring.rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    started = perf_counter()
    for _, batch in zip(range(steps), draw_batches(len(views.eyes), BATCH)):
        optimizer.zero_grad()
        image = stage.draw(coloring.paint(numbers), views.eyes[batch], stage.fitting)
        target = views.images[batch]
        # Colours are straight: they compare also at borders, where the two do not cover alike.
        weight = image[..., 3:] * target[..., 3:]
        loss = (weight * (image[..., :3] - target[..., :3]) ** 2).sum() / (3 * weight.sum())
        loss.backward()
        optimizer.step()
        schedule.step()
        with torch.no_grad():
            numbers.clamp_(*coloring.limits)
        report(loss.item())
    coloring.result["seconds"] = perf_counter() - started


def psnr(squared_errors: torch.Tensor) -> float:
    """Peak signal-to-noise ratio in dB, for a peak of 1."""
    return -10 * math.log10(max(squared_errors.mean().item(), NO_DIFFERENCE))


def compare(images: torch.Tensor, targets: torch.Tensor) -> dict[str, list[float]]:
    """Measure each picture's PSNR: over its foreground, and over all of it, before white."""
    errors = (images[..., :3] - targets[..., :3]) ** 2
    before_white = [x[..., :3] * x[..., 3:] + 1 - x[..., 3:] for x in (images, targets)]
    whole_errors = (before_white[0] - before_white[1]) ** 2
    return {
        "foreground": [psnr(e[t[..., 3] > 0.5]) for e, t in zip(errors, targets)],
        "whole": [psnr(e) for e in whole_errors],
    }


def finish_maps(coloring: Coloring, stage: Stage, views: Views, held_out: Views) -> None:
    """Fill in the texels that no picture shows, and measure how much that matters."""
    texture, result = coloring.colors(), coloring.result
    seen = stage.weigh(texture, views.eyes) > LEAST_WEIGHT
    needed = stage.weigh(texture, held_out.eyes) > LEAST_WEIGHT
    result["unseen"] = float(np.mean(~seen))
    result["unseen_of_needed"] = float(np.mean(~seen[needed]))
    result["unfilled"] = compare(stage.show(texture, held_out.eyes), held_out.images)
    texels = fill_unseen(texture.texels[0, 0].numpy(), seen, texture.maps.numpy())
    coloring.numbers = torch.tensor(texels).reshape(coloring.numbers.shape)
    coloring.seen = seen


def measure(coloring: Coloring, stage: Stage, held_out: Views) -> None:
    """Compare the fitted colours, and the model's own, with pictures that were held out."""
    for name, numbers in (("fitted", coloring.numbers.detach()), ("own", coloring.own)):
        if numbers is not None:
            images = stage.show(coloring.paint(numbers), held_out.eyes)
            coloring.result[name] = compare(images, held_out.images)


def fit_all(
    colorings: Sequence[Coloring], stage: Stage, views: Views, held_out: Views, steps: int
) -> None:
    """Fit and measure all, with a bar that says how far it got."""
    with make_progress() as progress:
        task = progress.add_task("", total=len(colorings) * steps, loss="")

        def report(loss: float) -> None:
            progress.update(task, advance=1, loss=f"{loss:.5f}")

        for coloring in colorings:
            progress.update(task, description=coloring.title)
            fit(coloring, stage, views, steps, report)
            if coloring.name == "UV":
                finish_maps(coloring, stage, views, held_out)
            measure(coloring, stage, held_out)


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


def draw_figure(
    path: Path, stage: Stage, true: sr.UVTexture, colorings: Sequence[Coloring], held_out: Views
) -> None:
    """Draw a view that was held out, and below it the map that the pictures show most of."""
    view = most_colorful(held_out.images)
    weights = stage.weigh(true, held_out.eyes)
    number = int(np.add.reduceat(weights, true.maps[:, 0]).argmax())
    maps = [coloring for coloring in colorings if coloring.name == "UV"][-3:]
    palettes = [coloring for coloring in colorings if coloring.name == "palette"]
    figure, axes = pyplot.subplots(2, 4, figsize=(11, 6), layout="constrained")
    for place, coloring in zip(axes[0], [None, colorings[0], palettes[-1], maps[-1]]):
        colors = coloring.colors() if coloring else true
        image = stage.show(colors, held_out.eyes[view : view + 1], FIGURE_SIZE)[0].numpy()
        place.imshow(crop(np.clip(composite(image, (1.0, 1.0, 1.0)), 0, 1), image[..., 3]))
        decibels = coloring.result["fitted"]["foreground"][view] if coloring else math.inf
        place.set_title(f"{coloring.title}\n{decibels:.1f} dB" if coloring else "true colours\n")
    for place, coloring in zip(axes[1], [None, *maps]):
        texture = coloring.colors() if coloring else true
        image = split_maps(texture.texels[0, 0].numpy(), texture.maps)[number]
        if coloring:
            image = np.where(split_maps(coloring.seen, texture.maps)[number], image, 1.0)
        place.imshow(np.clip(image, 0, 1), interpolation="nearest")
        height, width, _ = image.shape
        place.set_title(f"{'recovered' if coloring else 'true map'}, {height} x {width}")
    for place in axes.flat:
        place.set_axis_off()
    with whole_file(path) as unfinished:
        figure.savefig(unfinished, dpi=100)
    pyplot.close(figure)


def most_colorful(images: torch.Tensor) -> int:
    """Find the picture in whose foreground colours vary most."""
    spreads = [image[image[..., 3] > 0.5][:, :3].var(dim=0).sum() for image in images]
    return int(torch.stack(spreads).argmax())


def crop(image: np.ndarray, alpha: np.ndarray, margin: int = 8) -> np.ndarray:
    """Cut a square out of an image that holds all that is not transparent."""
    rows, cols = np.nonzero(alpha > 0)
    half = max(np.ptp(rows), np.ptp(cols)) // 2 + margin
    row, col = ((x.min() + x.max()) // 2 for x in (rows, cols))
    return image[max(row - half, 0) : row + half, max(col - half, 0) : col + half]


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
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
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
