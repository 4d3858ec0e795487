"""Find where a camera was from one picture that it took, in PyTorch.

    python demos/camera.py --output found.png

The object is known, a cube with a colour at each corner; the camera is not: where it is and its
field of view start wrong. They go down the gradient of the picture's difference, which `sr.render`
gives to every number of a camera. Edges start soft, so that they are felt from afar, and sharpen.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import torch

import taichi_softras as sr


def main(arguments: Sequence[str] | None = None) -> None:
    """Descend, print how far off the camera is, and write the pictures if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--steps", type=int, default=150, help="steps of the optimiser")
    parser.add_argument("--size", type=int, default=64, help="side of the picture, in pixels")
    parser.add_argument("--output", type=Path, help="PNG to write: picture, start and end")
    options = parser.parse_args(arguments)

    cube = sr.cube()
    vertices, faces, _ = cube.to_torch()
    colors = vertices + 0.5  # a corner's place is its colour
    settings = sr.RasterizerSettings(height=options.size, width=options.size, near=0.5, far=6.0)
    sigmas = sr.GeometricDecay(3e-2, 1e-5, options.steps)
    gammas = sr.GeometricDecay(1e-1, 1e-3, options.steps)

    def draw(eye: torch.Tensor, fov: torch.Tensor, step: int) -> torch.Tensor:
        camera = sr.LookAtCamera(eye[None], fov_degrees=fov)
        softened = sr.anneal(settings, step, sigma=sigmas, gamma=gammas)
        image = sr.render(vertices, faces, colors, camera, softened)
        return torch.cat([image[..., :3] * image[..., 3:], image[..., 3:]], dim=-1)  # over black

    true_eye, true_fov = torch.tensor([1.2, 1.0, 2.0]), torch.tensor([35.0])
    picture = draw(true_eye, true_fov, options.steps)
    eye = torch.tensor([2.2, 0.3, 1.5], requires_grad=True)
    fov = torch.tensor([45.0], requires_grad=True)
    start = draw(eye, fov, options.steps).detach()
    numbers = [{"params": [eye], "lr": 0.05}, {"params": [fov], "lr": 1.0}]
    optimizer = torch.optim.Adam(numbers)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, options.steps)

    for step in range(options.steps + 1):
        optimizer.zero_grad()
        loss = sr.image_loss(draw(eye, fov, step), picture)
        if step % 25 == 0 or step == options.steps:
            distance = (eye - true_eye).norm().item()
            degrees = (fov - true_fov).item()
            print(f"step {step:4d}  eye {distance:.3f} off, field of view {degrees:+.1f} degrees")
        if step < options.steps:
            loss.backward()
            optimizer.step()
            schedule.step()

    if options.output:
        end = draw(eye, fov, options.steps).detach()
        sheet = np.concatenate([x[0, ..., :3].numpy() for x in (picture, start, end)], axis=1)
        iio.imwrite(options.output, (sheet.clip(0, 1) * 255).round().astype(np.uint8))
        print(f"wrote {options.output}")


if __name__ == "__main__":
    main()
