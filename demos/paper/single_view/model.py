"""The network: a picture goes in, the vertices of a deformed sphere come out."""

from itertools import pairwise

import torch
import torch.distributed.nn.functional as collectives
from torch import Tensor, distributed, nn

import taichi_softras as sr

SPHERE = sr.icosphere(3)
"""642 vertices and 1,280 faces, radius 1/2: what every reconstruction is a deformed copy of."""


class Reconstructor(nn.Module):
    """Encoder and decoder of SoftRas's single-view reconstruction.

    Three 5 x 5 convolutions of stride 2 with 64, 128 and 256 channels and batch normalisation, then
    layers of 1024, 1024 and 512; from there 1024 and 2048 to a centroid and a displacement of each
    vertex.

    Source:
        SoftRas, section 5.1 and its supplement; the decoder's coordinates are those of Kato et
        al., Neural 3D Mesh Renderer, CVPR 2018.
    """

    magnitudes: Tensor
    signs: Tensor

    def __init__(self) -> None:
        super().__init__()
        convolutions: list[nn.Module] = []
        for before, after in ((4, 64), (64, 128), (128, 256)):
            convolutions += [
                nn.Conv2d(before, after, 5, stride=2, padding=2, bias=False),
                SharedBatchNorm(after),
                nn.ReLU(),
            ]
        self.encoder = nn.Sequential(*convolutions, nn.Flatten(), *_layers(16384, 1024, 1024, 512))
        self.decoder = nn.Sequential(*_layers(512, 1024, 2048))
        self.centroid = nn.Linear(2048, 3)
        self.displacement = nn.Linear(2048, SPHERE.num_vertices * 3)
        base = torch.tensor(SPHERE.vertices)
        # A coordinate of 0 has no logit. It has no sign either, so stays 0 whatever this is.
        magnitudes = base.abs().clamp(min=1e-6).logit()
        self.register_buffer("magnitudes", magnitudes, persistent=False)
        self.register_buffer("signs", base.sign(), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Reconstruct objects.

        Args:
            images: (B, 4, 64, 64), red, green, blue and alpha, 0 to 1.

        Returns:
            (B, 642, 3), vertices in the unit box. Each coordinate of a vertex keeps its sign
            relative to the centroid: its distance from there moves between 0 and the box, in
            logits, so that the sphere can't turn inside out.
        """
        features = self.decoder(self.encoder(images))
        centroid = torch.tanh(0.1 * self.centroid(features))[:, None]
        moved = self.displacement(features).unflatten(1, (-1, 3)) + self.magnitudes
        sides = moved.sigmoid() * self.signs  # -1 to 1; 0 is to become the centroid
        room = 1 - centroid * sides.sign()
        return 0.5 * (centroid + sides * room)


class SharedBatchNorm(nn.BatchNorm2d):
    """Batch normalisation over the batches of all processes, so that they train as one.

    PyTorch's own, ``SyncBatchNorm``, needs GPUs. With one process this is ``BatchNorm2d``.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Normalise (B, C, H, W)."""
        if not (self.training and distributed.is_initialized()):
            return super().forward(input)
        count = torch.full_like(input[:1, 0, 0, 0], input.numel() / input.shape[1])
        local = torch.cat([input.sum((0, 2, 3)), input.square().sum((0, 2, 3)), count])
        # In double precision: the variance is a small difference of large sums.
        total = collectives.all_reduce(local.double())
        mean, square = (total[:-1] / total[-1]).unflatten(0, (2, -1))
        variance = square - mean.square()
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        with torch.no_grad():
            share = self.momentum or 0.0
            unbiased = variance * total[-1] / (total[-1] - 1)
            self.running_mean.lerp_(mean.to(input.dtype), share)
            self.running_var.lerp_(unbiased.to(input.dtype), share)
            self.num_batches_tracked.add_(1)
        scale = self.weight * (variance + self.eps).rsqrt().to(input.dtype)
        shift = self.bias - mean.to(input.dtype) * scale
        return input * scale[:, None, None] + shift[:, None, None]


def _layers(*sizes: int) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for before, after in pairwise(sizes):
        layers += [nn.Linear(before, after), nn.ReLU()]
    return layers
