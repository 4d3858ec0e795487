"""How far fits are from the truth, and what the gradient says where they start."""

import torch

import taichi_softras as sr
from demos.paper.body.fitting import Variant, picture_losses
from demos.paper.body.model import BEHIND, FRONT, JOINTS, Body, Parameters, sharp


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
