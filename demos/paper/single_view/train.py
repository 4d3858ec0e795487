"""Train the reconstruction of a mesh from one picture, by silhouettes alone.

    python -m demos.paper.single_view.train --data data/objects --output runs/objects

Two pictures of an object are each turned into a mesh; both meshes are drawn by the soft rasterizer
from both sides, and their silhouettes compared with the pictures' own. Nothing else is known of
the shape. Stopped and started again, it goes on from its last checkpoint, as if it had not been
stopped. Losses go into the folder as TensorBoard's events. Of several processes,

    torchrun --nproc-per-node 2 -m demos.paper.single_view.train ...

each draws a part of every batch, and all have the weights that one process would have.
"""

import argparse
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, distributed, nn
from torch.utils.tensorboard import SummaryWriter

import taichi_softras as sr
from demos.paper.shared.command_line import check_options, make_parser
from demos.paper.shared.reporting import make_progress
from demos.paper.single_view.dataset import (
    FOV,
    NUM_VIEWS,
    Batch,
    Objects,
    camera_eyes,
    draw_batch,
    load,
    settings,
)
from demos.paper.single_view.evaluate import reconstruction_ious
from demos.paper.single_view.model import SPHERE, Reconstructor
from taichi_softras.files.paths import whole_file


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What is trained, and how; a checkpoint goes on only with the same.

    Attributes:
        steps: Of the optimiser.
        batch: Objects in a step, each seen from two sides, over all processes.
        learning_rate: Of Adam.
        sigma: Softness of the silhouettes' edges, at first.
        sigma_factor: What sigma is multiplied by after each third of the steps.
        laplacian: Weight of the Laplacian loss.
        flattening: Weight of the flattening loss.
        mirror: Whether half of the objects are mirrored.
        seed: Of weights and batches.
    """

    steps: int
    batch: int
    learning_rate: float = 1e-4
    sigma: float = 1e-4
    sigma_factor: float = 0.3
    laplacian: float = 5e-3
    flattening: float = 5e-4
    mirror: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("steps", "batch"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")

    @property
    def sigmas(self) -> sr.StepDecay:
        """How sigma falls."""
        thirds = (max(1, self.steps // 3), max(2, 2 * self.steps // 3))
        return sr.StepDecay(self.sigma, self.sigma_factor, milestones=thirds)


class Trainer:
    """Network, optimiser and losses, of one process."""

    def __init__(self, recipe: Recipe, device: str, dtype: torch.dtype = torch.float32) -> None:
        self.recipe = recipe
        self.dtype = dtype
        self.device = device
        torch.manual_seed(recipe.seed)
        self.model = Reconstructor().to(device, dtype)
        self.trained: nn.Module = self.model
        if distributed.is_initialized():
            self.trained = nn.parallel.DistributedDataParallel(self.model, broadcast_buffers=False)
        self.optimizer = torch.optim.Adam(
            self.model.parameters(), lr=recipe.learning_rate, fused=True
        )
        self.faces = torch.tensor(SPHERE.faces, device=device)
        like = torch.zeros(1, SPHERE.num_vertices, 3, device=device, dtype=dtype)
        self.topology = sr.mesh_topology(SPHERE.faces, like)
        self.eyes = torch.from_numpy(camera_eyes()).to(device, dtype)
        self.step = 0

    def advance(self, batch: Batch) -> dict[str, float]:
        """Take a step; return the parts of the loss."""
        self.trained.train()
        self.optimizer.zero_grad()
        losses = self.losses(batch)
        losses["loss"].backward()
        self.optimizer.step()
        self.step += 1
        return {name: float(value.detach()) for name, value in losses.items()}

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Draw both meshes of each object from both its sides, and compare."""
        recipe = self.recipe
        images = batch.images.to(self.device, self.dtype)
        vertices = self.trained(images.flatten(0, 1))  # (2 B, V, 3), of first and second views
        # Each mesh from its own side, then from the other side of its object.
        views = np.concatenate([batch.views, batch.views[::-1]]).ravel()
        targets = torch.cat([images, images.flip(0)])[:, :, 3].flatten(0, 1)
        camera = sr.LookAtCamera(self.eyes[views], fov_degrees=FOV)
        drawn = settings(recipe.sigmas(self.step))
        alpha = sr.render_silhouette(vertices.repeat(2, 1, 1), self.faces, camera, drawn)
        silhouette = sr.silhouette_loss(alpha, targets)
        laplacian = sr.laplacian_loss(vertices, self.topology)
        flattening = sr.flattening_loss(vertices, self.topology)
        loss = silhouette + recipe.laplacian * laplacian + recipe.flattening * flattening
        return {
            "loss": loss.squeeze(),
            "silhouette": silhouette.squeeze(),
            "laplacian": laplacian.squeeze(),
            "flattening": flattening.squeeze(),
        }

    def save(self, path: Path, best: float) -> None:
        """Write all that is needed to go on, whole or not at all."""
        state = {
            "recipe": vars(self.recipe),
            "step": self.step,
            "best": best,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }
        with whole_file(path) as unfinished:
            torch.save(state, unfinished)

    def load(self, path: Path) -> float:
        """Go on from a checkpoint; return the best score so far.

        Raises:
            ValueError: If it was trained by another recipe.
        """
        state = torch.load(path, map_location=self.device, weights_only=True)
        if state["recipe"] != vars(self.recipe):
            changed = {k: v for k, v in state["recipe"].items() if v != vars(self.recipe)[k]}
            raise ValueError(f"{path} must be of the same recipe, got one with {changed}")
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step = state["step"]
        return float(state["best"])


@contextmanager
def processes(device: str) -> Iterator[tuple[int, int]]:
    """Join the other processes that ``torchrun`` started, if any; yield our rank and their number.

    Taichi uses the first CUDA device only, so each process is shown one.
    """
    if "RANK" not in os.environ:
        yield 0, 1
        return
    if device == "cuda":
        os.environ["CUDA_VISIBLE_DEVICES"] = os.environ["LOCAL_RANK"]
    distributed.init_process_group("nccl" if device == "cuda" else "gloo")
    try:
        yield distributed.get_rank(), distributed.get_world_size()
    finally:
        distributed.destroy_process_group()


def train(trainer: Trainer, options: argparse.Namespace, rank: int, world: int) -> None:
    """Train to the end, with checkpoints on the way, as one of so many processes."""
    recipe, output = trainer.recipe, options.output
    if recipe.batch % world:
        raise ValueError(f"batch must be a multiple of the {world} processes, got {recipe.batch}")
    objects, held_out = load(options.data, "train"), load(options.data, "val")
    checkpoint = output / "checkpoint.pt"
    best = trainer.load(checkpoint) if checkpoint.exists() else -1.0
    writer = SummaryWriter(output) if rank == 0 else None
    with make_progress() as progress:
        task = progress.add_task(
            "Training", total=recipe.steps, completed=trainer.step, loss="", visible=rank == 0
        )
        while trainer.step < recipe.steps:
            batch = draw_batch(
                objects, recipe.batch, recipe.seed, trainer.step, mirror=recipe.mirror
            )
            found = trainer.advance(batch.part(rank, world))
            progress.update(task, completed=trainer.step, loss=f"loss {found['loss']:.4f}")
            if writer is None:
                continue
            log(writer, found, trainer.step)
            is_last = trainer.step == recipe.steps
            if is_last or trainer.step % options.evaluate_every == 0:
                score = validate(trainer.model, held_out)
                log(writer, {"voxel_iou": score}, trainer.step)
                if score > best:
                    best = score
                    with whole_file(output / "best.pt") as unfinished:
                        torch.save(trainer.model.state_dict(), unfinished)
            if is_last or trainer.step % options.save_every == 0:
                trainer.save(checkpoint, best)
    if writer is not None:
        writer.close()
        print(f"step {trainer.step}  best voxel IoU of validation objects {best:.3f}")


def validate(model: Reconstructor, objects: Objects) -> float:
    """Average voxel IoU over classes, from four sides."""
    ious = reconstruction_ious(model, objects, range(0, NUM_VIEWS, 6)).mean(axis=1)
    labels = np.unique(objects.labels)
    return float(np.mean([ious[objects.labels == label].mean() for label in labels]))


def log(writer: SummaryWriter, values: dict[str, float], step: int) -> None:
    """Note numbers for TensorBoard."""
    for name, value in values.items():
        writer.add_scalar(name, value, step)


def parse(arguments: Sequence[str] | None) -> tuple[argparse.ArgumentParser, Any]:
    """Read the command line."""
    parser = make_parser("single_view.train", __doc__)
    parser.add_argument("--data", type=Path, default=Path("data/objects"), help="the data set")
    parser.add_argument("--output", type=Path, default=Path("runs/objects"), help="folder to write")
    parser.add_argument("--steps", type=int, default=6000, help="of the optimiser")
    parser.add_argument("--batch", type=int, default=16, help="objects in a step")
    parser.add_argument("--learning-rate", type=float, default=1e-4)
    parser.add_argument("--no-mirror", action="store_true", help="draw no mirrored objects")
    parser.add_argument("--seed", type=int, default=0, help="of weights and batches")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--dtype", choices=("float32", "float64"), default="float32")
    parser.add_argument("--save-every", type=int, default=100, help="steps between checkpoints")
    parser.add_argument("--evaluate-every", type=int, default=500, help="steps between validations")
    parser.add_argument("--quick", action="store_true", help="4 steps of 4 objects")
    return parser, parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, or go on training."""
    parser, options = parse(arguments)
    check_options(parser, options, save_every=1, evaluate_every=1, seed=0)
    if options.quick:
        options.steps, options.batch = 4, 4
    try:
        recipe = Recipe(
            steps=options.steps,
            batch=options.batch,
            learning_rate=options.learning_rate,
            mirror=not options.no_mirror,
            seed=options.seed,
        )
        options.output.mkdir(parents=True, exist_ok=True)
        with processes(options.device) as (rank, world):
            trainer = Trainer(recipe, options.device, getattr(torch, options.dtype))
            train(trainer, options, rank, world)
    except (OSError, ValueError) as error:
        parser.exit(1, f"{parser.prog}: {error}\n")


if __name__ == "__main__":
    main()
