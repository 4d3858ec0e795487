"""Fit pose and shape of a human body to one picture, with an arm hidden behind the trunk.

    pip install 'taichi_softras[body]'
    python demos/body.py --output body

A parametric body (anny's, with its reduced mesh: 1,229 vertices) is fitted to one picture
of it, by gradients through the rasterizer: 18 joints and 5 proportions are sought. In "hide" the
right forearm starts beside the trunk and is behind it in the picture; in "reveal" it starts behind
the trunk, almost out of sight, and is beside it in the picture. Each is done three times: with soft
coverage and occlusion, sigma and gamma falling; the same with gamma small from the start, so that
hidden faces weigh almost nothing; and with hard coverage and occlusion, where only the colours of
what is seen have gradients.

Pictures are silhouettes and colours under Lambert's light, drawn hard, of random poses and shapes;
camera, light and the colours of skin and clothes are known to the fit. The only prior is a weak one
against leaving the start. Of all steps the one with the lowest loss counts.

Writes results.json, body.png and body.gif. ``--quick`` takes seconds. The first run takes minutes
more: anny unpacks its data, 0.8 GB, into a cache (``ANNY_CACHE_DIR``, or ~/.cache/anny).
"""

import argparse
import contextlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from reporting import CONSOLE, check_options, make_progress, mean_interval, print_table, write_json
from rich.progress import Progress, TaskID

import taichi_softras as sr
from taichi_softras.files.paths import whole_file
from taichi_softras.files.pictures import composite, write_animation
from taichi_softras.fitting.schedules import GeometricDecay, Schedule, anneal

FRONT = sr.LookAtCamera(eye=(0, -4, 0), at=(0, 0, -0.08), up=(0, 0, 1), fov_degrees=31)
BACK = sr.LookAtCamera(eye=(-2.6, 3.0, 0.6), at=(0, 0, -0.08), up=(0, 0, 1), fov_degrees=31)
LIGHT = sr.Light(ambient=(0.4,) * 3, diffuse=(0.6,) * 3, direction=(0.6, -1.0, 0.8))
LIGHT_BACK = sr.Light(ambient=(0.4,) * 3, diffuse=(0.6,) * 3, direction=(-1.0, 0.4, 0.8))

JOINTS = (
    *("root", "spine05", "spine03", "spine01", "neck01", "head"),
    *("upperarm01.R", "lowerarm01.R", "wrist.R", "upperarm01.L", "lowerarm01.L", "wrist.L"),
    *("upperleg01.R", "lowerleg01.R", "foot.R", "upperleg01.L", "lowerleg01.L", "foot.L"),
)
PROPORTIONS = ("gender", "muscle", "weight", "height", "proportions")
NEUTRAL = {
    "upperarm01.R": (25.0, 0.0, 0.0),
    "lowerarm01.R": (20.0, 0.0, 0.0),
    "upperarm01.L": (25.0, 0.0, 0.0),
    "lowerarm01.L": (20.0, 0.0, 0.0),
}
"""Rotation vectors in degrees that take the arms beside the trunk, from anny's, before it."""
BEHIND = NEUTRAL | {"upperarm01.R": (38.0, -28.0, -52.0), "lowerarm01.R": (30.0, -80.0, 0.0)}
"""Likewise, with the right forearm behind the trunk."""

CLOTHES = {
    (0.30, 0.30, 0.34): ("root", "pelvis", "spine05", "upperleg", "lowerleg"),
    (0.24, 0.44, 0.72): ("spine", "clavicle", "shoulder", "upperarm"),
    (0.55, 0.22, 0.18): ("foot", "toe"),
}
SKIN = (0.86, 0.62, 0.48)
ARM = ("lowerarm", "wrist", "finger", "metacarpal")

COLOR_WEIGHT = 20.0
"""Of the colours' squared error beside the silhouette's loss: most pixels are background."""
PRIOR_WEIGHT = 0.3
LEARNING_RATE = 0.03
POSE_NOISE_DEGREES = 5.0
SCENARIOS = ("hide", "reveal")


@dataclass(frozen=True)
class Parameters:
    """What is sought.

    Attributes:
        rotations: (B, joints, 3), rotation vectors in radians.
        logits: (B, proportions), of numbers from 0 to 1.
    """

    rotations: torch.Tensor
    logits: torch.Tensor


@dataclass(frozen=True)
class Variant:
    """A way to draw while fitting.

    Attributes:
        name: For tables and pictures.
        settings: What stays the same.
        sigma: Softness of edges by step.
        gamma: Softness of occlusion by step.
    """

    name: str
    settings: sr.RasterizerSettings
    sigma: Schedule
    gamma: Schedule

    def at(self, step: int) -> sr.RasterizerSettings:
        """Give the settings of a step."""
        return anneal(self.settings, step, sigma=self.sigma, gamma=self.gamma)


class Body:
    """anny's human, of which some joints and proportions are sought.

    Attributes:
        faces: (F, 3).
        colors: (1, V, 3), of skin and clothes.
        is_arm: (V,), whether a vertex is of the right forearm or hand.
    """

    def __init__(self) -> None:
        try:
            import anny
            import roma
        except ModuleNotFoundError as error:
            raise SystemExit(
                f"this needs anny, but there is no {error.name}: pip install 'taichi_softras[body]'"
            ) from error
        self._rotvec_to_rotmat = roma.rotvec_to_rotmat
        # Linear blend skinning in PyTorch: the default compiles a Warp kernel first.
        options = {"topology": "notoes_collapse10pc", "skinning_method": "lbs"}
        with contextlib.redirect_stdout(sys.stderr):  # Warp's banner
            self._model = anny.Anny(**options).to(torch.float32)
        labels = self._model.bone_labels
        self._joints = torch.tensor([labels.index(name) for name in JOINTS])
        self.faces = self._model.faces.int()
        strongest = self._model.vertex_bone_weights.argmax(1, keepdim=True)
        bones = self._model.vertex_bone_indices.gather(1, strongest)[:, 0].tolist()
        self.colors = torch.tensor([[color_of(labels[bone]) for bone in bones]])
        self.is_arm = torch.tensor([is_right_arm(labels[bone]) for bone in bones])

    def vertices(self, parameters: Parameters) -> torch.Tensor:
        """Pose bodies, (B, V, 3)."""
        batch = len(parameters.rotations)
        bones = torch.eye(4).repeat(batch, self._model.bone_count, 1, 1)
        bones[:, self._joints, :3, :3] = self._rotvec_to_rotmat(parameters.rotations)
        shares = parameters.logits.sigmoid()
        shape = {name: shares[:, k] for k, name in enumerate(PROPORTIONS)}
        vertices: torch.Tensor = self._model(pose_parameters=bones, phenotype_kwargs=shape)[
            "vertices"
        ]
        return vertices

    def draw(
        self, vertices: torch.Tensor, settings: sr.RasterizerSettings, *, back: bool = False
    ) -> torch.Tensor:
        """Draw bodies from in front or from behind, (B, H, W, 4)."""
        camera, light = (BACK, LIGHT_BACK) if back else (FRONT, LIGHT)
        return sr.render(vertices, self.faces, self.colors, camera, settings, light=light)


def color_of(bone: str) -> tuple[float, float, float]:
    """Choose skin or clothes for what hangs on a bone."""
    return next((color for color, names in CLOTHES.items() if bone.startswith(names)), SKIN)


def is_right_arm(bone: str) -> bool:
    """Tell whether a bone is of the right forearm or hand."""
    return bone.startswith(ARM) and bone.endswith(".R")


def pose(degrees: dict[str, tuple[float, float, float]]) -> torch.Tensor:
    """Write a pose as the rotation vectors of all joints in radians, (joints, 3)."""
    return torch.tensor([degrees.get(joint, (0.0, 0.0, 0.0)) for joint in JOINTS]).deg2rad()


def make_problem(scenario: str, targets: int, seed: int) -> tuple[Parameters, Parameters]:
    """Choose where fits start, and random poses and shapes of the bodies in the pictures."""
    rng = torch.Generator().manual_seed(seed)
    first, last = (NEUTRAL, BEHIND) if scenario == "hide" else (BEHIND, NEUTRAL)
    start = pose(first).repeat(targets, 1, 1)
    noise = np.deg2rad(POSE_NOISE_DEGREES) * torch.randn(start.shape, generator=rng)
    shares = 0.25 + 0.5 * torch.rand(targets, len(PROPORTIONS), generator=rng)
    return Parameters(start, torch.zeros_like(shares)), Parameters(
        pose(last) + noise, shares.logit()
    )


def make_variants(height: int, steps: int) -> list[Variant]:
    """List the ways to draw."""
    common: dict[str, Any] = {"height": height, "width": height * 3 // 4, "near": 3, "far": 5}
    soft = sr.RasterizerSettings(**common)
    hard = sr.RasterizerSettings(**common, coverage="hard", color="hard")
    sigma = GeometricDecay(2e-3, 3e-5, steps)
    return [
        Variant("hard", hard, sigma, GeometricDecay(1e-4, 1e-4, steps)),
        Variant("soft, small gamma", soft, sigma, GeometricDecay(1e-4, 1e-4, steps)),
        Variant("soft", soft, sigma, GeometricDecay(3e-2, 1e-3, steps)),
    ]


def sharp(height: int, supersampling: int = 3) -> sr.RasterizerSettings:
    """Settings of the pictures: nothing soft but the mean over a pixel."""
    return sr.RasterizerSettings(
        height=height,
        width=height * 3 // 4,
        near=3,
        far=5,
        coverage="hard",
        color="hard",
        supersampling=supersampling,
    )


def picture_losses(image: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Compare silhouettes and shaded colours, (B,)."""
    image, target = (
        torch.cat([x[..., :3] * x[..., 3:], x[..., 3:]], dim=3) for x in (image, target)
    )
    shape = sr.silhouette_loss(image[..., 3], target[..., 3], reduction="none")
    color = sr.image_loss(image[..., :3], target[..., :3], reduction="none")
    return shape + COLOR_WEIGHT * color


def fit(
    body: Body,
    start: Parameters,
    target: torch.Tensor,
    variant: Variant,
    steps: int,
    on_step: Callable[[float], None] = lambda loss: None,
) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """Fit bodies to pictures, all at once; they don't influence each other.

    Returns:
        Their vertices (B, V, 3) where the loss was lowest, and those of the first body (1, V, 3)
        before every step.
    """
    rotations = start.rotations.clone().requires_grad_()
    logits = start.logits.clone().requires_grad_()
    found = Parameters(rotations, logits)
    optimizer = torch.optim.Adam([rotations, logits], lr=LEARNING_RATE)
    track: list[torch.Tensor] = []
    with torch.no_grad():
        best = body.vertices(start)
    lowest = torch.full((len(best),), torch.inf)
    for step in range(steps):
        optimizer.zero_grad()
        vertices = body.vertices(found)
        losses = picture_losses(body.draw(vertices, variant.at(step)), target)
        prior = (rotations - start.rotations).square().mean() + logits.square().mean()
        (losses.mean() + PRIOR_WEIGHT * prior).backward()
        optimizer.step()
        track.append(vertices[:1].detach())
        better = losses.detach() < lowest
        best[better], lowest[better] = vertices.detach()[better], losses.detach()[better]
        on_step(losses.mean().item())
    return best, track


def measure(
    body: Body, vertices: torch.Tensor, truth: torch.Tensor, target: torch.Tensor
) -> dict[str, list[float]]:
    """Measure how far each body is from the truth: its picture drawn sharply, and in cm."""
    image = body.draw(vertices, sharp(target.shape[1]))
    offsets = 100 * (vertices - truth)
    arm = offsets[:, body.is_arm]
    return {
        "loss": picture_losses(image, target).tolist(),
        "all, cm": offsets.norm(dim=2).mean(1).tolist(),
        "arm, cm": arm.norm(dim=2).mean(1).tolist(),
        "arm sideways, cm": arm[..., [0, 2]].norm(dim=2).mean(1).tolist(),
        "arm in depth, cm": arm[..., 1].abs().mean(1).tolist(),
    }


def probe(
    body: Body, start: Parameters, end: Parameters, target: torch.Tensor, variant: Variant
) -> dict[str, float]:
    """Look at the gradient where the fit starts.

    Returns:
        "reached": the share of the arm's vertices that have a gradient; "downhill": the share of
        bodies whose loss falls when the arm's joints turn to where they are in the picture.
    """
    rotations = start.rotations.clone().requires_grad_()
    vertices = body.vertices(Parameters(rotations, start.logits))
    vertices.retain_grad()
    picture_losses(body.draw(vertices, variant.at(0)), target).sum().backward()
    assert vertices.grad is not None
    assert rotations.grad is not None
    joints = [JOINTS.index(name) for name in BEHIND if name.endswith(".R")]
    slopes = (rotations.grad * (end.rotations - start.rotations))[:, joints].sum((1, 2))
    return {
        "reached": (vertices.grad[:, body.is_arm] != 0).any(2).float().mean().item(),
        "downhill": (slopes < 0).float().mean().item(),
    }


def visible_share(body: Body, vertices: torch.Tensor, height: int) -> float:
    """Tell how much of the arm is seen: its pixels, over those that it alone would have."""
    is_arm = body.is_arm.float()[None, :, None]
    arm_faces = body.faces[body.is_arm[body.faces.long()].any(1)]
    seen, alone = (
        sr.render(vertices, faces, is_arm, FRONT, sharp(height))[..., 0].sum().item()
        for faces in (body.faces, arm_faces)
    )
    return seen / alone


def make_tick(progress: Progress, task: TaskID) -> Callable[[float], None]:
    """Make what a fit calls after each step."""
    return lambda loss: progress.update(task, advance=1, loss=f"loss {loss:.3f}")


def run(
    body: Body, scenario: str, options: argparse.Namespace, progress: Progress
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Fit in one scenario, in every variant.

    Returns:
        A dict of results for the start and each variant, and what pictures need: the first body as
        it is in the picture, at the start and after each fit, and all along the last fit.
    """
    start, end = make_problem(scenario, options.targets, options.seed)
    with torch.no_grad():
        before, truth = body.vertices(start), body.vertices(end)
        target = body.draw(truth, sharp(options.size))
    visible = {
        "visible at the start": visible_share(body, before, options.size),
        "visible in the picture": visible_share(body, truth, options.size),
    }
    errors = measure(body, before, truth, target)
    results = [{"scenario": scenario, "variant": "start", **visible, "errors": errors}]
    meshes = {"picture": truth[:1], "start": before[:1]}
    track: list[torch.Tensor] = []
    for variant in make_variants(options.size, options.steps):
        name = f"{scenario}, {variant.name}"
        tick = make_tick(progress, progress.add_task(name, total=options.steps, loss=""))
        vertices, track = fit(body, start, target, variant, options.steps, tick)
        gradient = probe(body, start, end, target, variant)
        errors = measure(body, vertices, truth, target)
        results.append(
            {"scenario": scenario, "variant": variant.name, **gradient, "errors": errors}
        )
        meshes[variant.name] = vertices[:1]
    return results, {"meshes": meshes, "track": [*track, meshes["soft"]]}


def table_rows(results: Sequence[dict[str, Any]]) -> list[list[str]]:
    """Write errors as means with their 95 % intervals."""
    rows = []
    for result in results:
        cells = []
        for name, errors in result["errors"].items():
            digits = 2 if name == "loss" else 1
            mean, low, high = (f"{number:.{digits}f}" for number in mean_interval(errors))
            cells.append(f"{mean} ({low}-{high})")
        shares = [f"{result[k]:.0%}" if k in result else "" for k in ("reached", "downhill")]
        rows.append([result["scenario"], result["variant"], *shares, *cells])
    return rows


def over_white(body: Body, vertices: torch.Tensor, height: int, *, back: bool) -> np.ndarray:
    """Draw one body sharply over white, (H, W, 3)."""
    image = body.draw(vertices, sharp(height), back=back)
    return composite(image[0].numpy(), (1.0, 1.0, 1.0))


def write_sheet(path: Path, body: Body, shown: dict[str, Any], height: int) -> None:
    """Draw the first body of each scenario from in front and from behind."""
    import matplotlib

    matplotlib.use("Agg")  # needs no display
    from matplotlib import pyplot

    views = [(scenario, back) for scenario in shown for back in (False, True)]
    names = list(shown[SCENARIOS[0]]["meshes"])
    figure, grid = pyplot.subplots(
        len(views), len(names), figsize=(1.5 * len(names), 2.1 * len(views)), layout="constrained"
    )
    for (scenario, back), row in zip(views, grid):
        for axes, name in zip(row, names):
            axes.imshow(over_white(body, shown[scenario]["meshes"][name], height, back=back))
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(False)
        row[0].set_ylabel(f"{scenario}\n{'from behind' if back else 'from in front'}")
    for axes, name in zip(grid[0], names):
        axes.set_title(f"fit: {name}" if name not in ("picture", "start") else name, fontsize=10)
    with whole_file(path) as unfinished:
        figure.savefig(unfinished, dpi=120)
    pyplot.close(figure)


def write_fits(path: Path, body: Body, shown: dict[str, Any], height: int, count: int) -> None:
    """Animate the soft fits: the picture, the fit from in front and behind, the truth behind."""

    def draw(mesh: torch.Tensor) -> list[np.ndarray]:
        return [over_white(body, mesh, height, back=back) for back in (False, True)]

    truths = {scenario: draw(fits["meshes"]["picture"]) for scenario, fits in shown.items()}
    last = len(shown[SCENARIOS[0]]["track"]) - 1
    frames = []
    for step in np.unique(np.linspace(0, last, count).astype(int)).tolist():
        rows = []
        for scenario, (front, back) in truths.items():
            rows.append([front, *draw(shown[scenario]["track"][step]), back])
        frames.append(np.concatenate([np.concatenate(row, axis=1) for row in rows]))
    write_animation(path, [*frames, *frames[-1:] * 8], frames_per_second=8)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--output", type=Path, default=Path("body"), help="folder to write")
    parser.add_argument("--steps", type=int, default=70, help="steps of the optimiser")
    parser.add_argument("--size", type=int, default=80, help="height of pictures, in pixels")
    parser.add_argument("--targets", type=int, default=8, help="random bodies in each scenario")
    parser.add_argument("--seed", type=int, default=2, help="of the random bodies")
    parser.add_argument("--quick", action="store_true", help="few, small and short, in seconds")
    options = parser.parse_args(arguments)
    check_options(parser, options, steps=1, size=8, targets=1, seed=0)
    if options.quick:
        options.steps, options.size, options.targets = 20, 48, 2
    return options


def main(arguments: Sequence[str] | None = None) -> None:
    """Fit, print a table, and write results and pictures."""
    options = parse(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    CONSOLE.print("loading the body (its first time takes minutes)")
    body = Body()
    results: list[dict[str, Any]] = []
    shown: dict[str, Any] = {}
    with make_progress() as progress:
        for scenario in SCENARIOS:
            more, shown[scenario] = run(body, scenario, options, progress)
            results += more
    header = ["scenario", "drawn", "arm reached", "downhill", *results[0]["errors"]]
    print_table("Error of vertices, mean and 95 % interval", header, table_rows(results))
    for result in results:
        if "visible in the picture" in result:
            shares = (result["visible at the start"], result["visible in the picture"])
            print(
                "{}: {:.0%} of the arm visible at the start, {:.0%} in the picture".format(
                    result["scenario"], *shares
                )
            )
    height = 64 if options.quick else 240
    write_json(options.output / "results.json", results)
    write_sheet(options.output / "body.png", body, shown, height)
    write_fits(options.output / "body.gif", body, shown, height, 6 if options.quick else 30)
    print(f"wrote results.json, body.png and body.gif into {options.output}")


if __name__ == "__main__":
    main()
