"""Ways to hold colours of a mesh whose numbers can be fitted, and what image maps need for it."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt

import taichi_softras as sr

GREY = 0.5
"""Of what nothing is known about."""


@dataclass
class Coloring:
    """Colours of a mesh, held in some way.

    Attributes:
        name: "vertex", "palette", "surface" or "UV".
        size: Colours of the palette, or texels to a side; None if there is but one size.
        numbers: What is fitted.
        paint: Makes of such numbers what `sr.render` takes as colours.
        own: The numbers that the model's own maps give; None if they give none of this kind.
        rate: Of the optimiser.
        limits: Between which the numbers stay.
        seen: (T,) bool, which texels of image maps the pictures show; None for other kinds.
        result: What was measured.
    """

    name: str
    size: int | None
    numbers: torch.Tensor
    paint: Callable[[torch.Tensor], Any]
    own: torch.Tensor | None = None
    rate: float = 0.1
    limits: tuple[float, float] = (0.0, 1.0)
    seen: np.ndarray | None = None
    result: dict[str, Any] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """Name and size, for people."""
        kind, size = self.name, self.size
        texts = {
            "vertex": "a colour per vertex",
            "palette": f"{size} colours, by face",
            "surface": f"{size} x {size} texels per face" if size != 1 else "a colour per face",
            "UV": f"image maps of {size}",
        }
        return texts[kind]

    def colors(self) -> Any:
        """What the numbers are by now, for `sr.render`."""
        return self.paint(self.numbers.detach())


def make_colorings(
    mesh: sr.Mesh,
    pixels: np.ndarray,
    palettes: Sequence[int],
    grids: Sequence[int],
    sides: Sequence[int],
) -> Iterator[Coloring]:
    """Make colourings of every kind and size, all grey, but palettes their mean colour.

    Args:
        mesh: With image maps.
        pixels: (N, 3), from which palettes are sampled.
        palettes: How many colours they have.
        grids: How many texels to a side, on each face.
        sides: How many texels to the longest side of the image maps.
    """
    own = torch.tensor(mesh.colors).reshape(1, -1, 3)
    yield Coloring("vertex", None, torch.full_like(own, GREY), lambda colors: colors, own)
    for count in palettes:
        yield make_palette(mesh.num_faces, pixels, count)
    for side in grids:
        texels = torch.full((1, mesh.num_faces, side * side, 3), GREY)
        yield Coloring("surface", side, texels, sr.SurfaceTexture)
    for side in sides:
        yield make_maps(mesh, side)


def make_palette(num_faces: int, pixels: np.ndarray, count: int) -> Coloring:
    """Colours picked among pixels; of each face logits, whose softmax mixes them."""
    palette = torch.tensor(sample_palette(pixels, count))

    def paint(logits: torch.Tensor) -> sr.SurfaceTexture:
        return sr.SurfaceTexture(logits.softmax(dim=-1) @ palette)

    logits = torch.zeros(1, num_faces, 1, count)
    return Coloring("palette", count, logits, paint, rate=0.3, limits=(-math.inf, math.inf))


def make_maps(mesh: sr.Mesh, side: int) -> Coloring:
    """Image maps in place of all that the mesh has."""
    maps = resize_maps(mesh.texture_maps(), side)
    texture = sr.UVTexture.from_maps(maps, torch.empty(0))
    own = torch.tensor(maps.texels).reshape(1, 1, -1, 3)

    def paint(texels: torch.Tensor) -> sr.UVTexture:
        return replace(texture, texels=texels)

    return Coloring("UV", side, torch.full_like(own, GREY), paint, own)


def sample_palette(pixels: np.ndarray, count: int, seed: int = 0) -> np.ndarray:
    """Pick colours among pixels, each in proportion to its squared distance from those before.

    So rare colours are found, too, which a uniform sample would miss.

    Args:
        pixels: (N, 3), at least one.
        count: How many colours; some are alike if the pixels have fewer.
        seed: Of the sampling.

    Returns:
        (count, 3).

    Source:
        Arthur and Vassilvitskii, k-means++: The Advantages of Careful Seeding, SODA 2007.
    """
    rng = np.random.default_rng(seed)
    chosen = [pixels[rng.integers(len(pixels))]]
    nearest = np.full(len(pixels), np.inf)
    for _ in range(count - 1):
        nearest = np.minimum(nearest, ((pixels - chosen[-1]) ** 2).sum(axis=1, dtype=np.float64))
        total = nearest.sum()
        chosen.append(pixels[rng.choice(len(pixels), p=nearest / total if total > 0 else None)])
    return np.stack(chosen)


def split_maps(texels: np.ndarray, maps: Any) -> list[np.ndarray]:
    """Cut the texels (T, C) of several maps, (M, 4), into images (H, W, C)."""
    return [
        texels[first : first + height * width].reshape(height, width, -1)
        for first, height, width, _ in maps
    ]


def resize_maps(maps: sr.TextureMaps, longest: int) -> sr.TextureMaps:
    """Shrink image maps to at most ``longest`` texels a side, by the mean over areas."""
    texels, sizes, first = [], [], 0
    for image, wrap in zip(split_maps(maps.texels, maps.maps), maps.maps[:, 3]):
        scale = min(1.0, longest / max(image.shape[:2]))
        height, width = (max(1, round(scale * side)) for side in image.shape[:2])
        channels_first = torch.tensor(image).permute(2, 0, 1)[None]
        small = torch.nn.functional.interpolate(channels_first, (height, width), mode="area")
        texels.append(small[0].permute(1, 2, 0).reshape(-1, 3).numpy())
        sizes.append((first, height, width, wrap))
        first += height * width
    return maps._replace(texels=np.concatenate(texels), maps=np.array(sizes, dtype=np.int32))


def fill_unseen(texels: np.ndarray, seen: np.ndarray, maps: np.ndarray) -> np.ndarray:
    """Give texels that were not seen the colour of the nearest in their map that was.

    Args:
        texels: (T, 3).
        seen: (T,) bool.
        maps: (M, 4), as those of a `sr.UVTexture`. One of which nothing was seen stays as it is.

    Returns:
        (T, 3).
    """
    images = split_maps(texels, maps)
    for k, known in enumerate(split_maps(seen, maps)):
        if known.any():
            rows, cols = distance_transform_edt(
                ~known[..., 0], return_distances=False, return_indices=True
            )
            images[k] = images[k][rows, cols]
    return np.concatenate([image.reshape(-1, 3) for image in images])


def with_maps(mesh: sr.Mesh, texture: sr.UVTexture) -> sr.Mesh:
    """Give the materials of a mesh the maps of a texture that stands for its own."""
    assert texture.face_maps is not None
    images = [image.copy() for image in split_maps(texture.texels[0, 0].numpy(), texture.maps)]
    for image in images:
        image.flags.writeable = False  # so that materials can share it
    number = np.zeros(len(mesh.materials), dtype=int)
    number[mesh.face_materials] = texture.face_maps.numpy()
    materials = tuple(
        replace(material, image=None, color=tuple(images[k][0, 0].tolist()))
        if material.image is None
        else replace(material, image=images[k], color=(1.0, 1.0, 1.0))
        for material, k in zip(mesh.materials, number)
    )
    return replace(mesh, materials=materials)
