"""Turn one picture of an object into a mesh.

    python -m demos.paper.single_view.reconstruct photo.png -o mesh.obj --run runs/objects

The picture is a PNG with alpha, or of an object before a plain background, seen from about 30
degrees above. A picture of 64 x 64 pixels is taken as it is, as in the data set; in others the
object is cut out, centred, and scaled to the size that objects have there. The mesh is in the frame
of the object: y up, its front, which need not be the side seen, to +z.
"""

from collections.abc import Sequence
from pathlib import Path

import imageio.v3 as iio
import numpy as np
from PIL import Image

import taichi_softras as sr
from demos.paper.shared.command_line import make_parser
from demos.paper.single_view.dataset import IMAGE_SIZE
from demos.paper.single_view.evaluate import load_model, reconstruct
from demos.paper.single_view.model import SPHERE

OBJECT_SIZE = 40
"""Longer side of an object in the data set's pictures, in pixels, on average."""
PLAIN = 0.1
"""How far colours of a plain background are from each other at most, of 1."""


def prepare(picture: np.ndarray) -> np.ndarray:
    """Make a picture one of the data set's.

    Args:
        picture: (H, W), (H, W, 3) or (H, W, 4) bytes.

    Returns:
        (4, 64, 64) bytes, red, green, blue over black, and alpha.

    Raises:
        ValueError: If there is no alpha and no plain background, or nothing is seen.
    """
    if picture.ndim == 2:
        picture = np.repeat(picture[..., None], 3, axis=2)
    if picture.shape[2] == 3:
        picture = np.dstack([picture, mask_object(picture)])
    if not (picture[..., 3] > 127).any():
        raise ValueError("picture must show an object, got one that is transparent all over")
    if picture.shape[:2] != (IMAGE_SIZE, IMAGE_SIZE):
        picture = frame_object(picture)
    colors = picture[..., :3] * (picture[..., 3:] / 255)
    return np.dstack([colors.round().astype(np.uint8), picture[..., 3]]).transpose(2, 0, 1)


def mask_object(picture: np.ndarray) -> np.ndarray:
    """Find what differs from a plain background, (H, W) of 0 and 255.

    Raises:
        ValueError: If the picture's border is not of one colour.
    """
    values = picture.astype(float) / 255
    border = np.concatenate([values[0], values[-1], values[:, 0], values[:, -1]])
    background = np.median(border, axis=0)
    if np.quantile(np.abs(border - background).max(axis=1), 0.95) > PLAIN:
        raise ValueError("picture must have alpha or a plain background, got one with neither")
    return np.where(np.abs(values - background).max(axis=2) > PLAIN, 255, 0).astype(np.uint8)


def frame_object(picture: np.ndarray) -> np.ndarray:
    """Centre an object (H, W, 4), and scale it to the data set's size: (64, 64, 4)."""
    rows, cols = (np.flatnonzero((picture[..., 3] > 127).any(axis=k)) for k in (1, 0))
    height, width = rows[-1] - rows[0] + 1, cols[-1] - cols[0] + 1
    side = max(height, width) * IMAGE_SIZE / OBJECT_SIZE
    left, top = (cols[0] + cols[-1] + 1 - side) / 2, (rows[0] + rows[-1] + 1 - side) / 2
    # With colours times alpha, so that those of transparent pixels do not bleed in.
    image = Image.fromarray(picture, "RGBA").convert("RGBa")
    cut = image.crop((round(left), round(top), round(left + side), round(top + side)))
    small = cut.resize((IMAGE_SIZE, IMAGE_SIZE), Image.Resampling.BOX)
    return np.asarray(small.convert("RGBA"))


def main(arguments: Sequence[str] | None = None) -> None:
    """Read, reconstruct, write."""
    parser = make_parser("single_view.reconstruct", __doc__)
    parser.add_argument("picture", type=Path, help="PNG of one object")
    parser.add_argument(
        "-o", "--output", type=Path, required=True, help="mesh to write: .obj, .ply"
    )
    parser.add_argument("--run", type=Path, default=Path("runs/objects"), help="folder of training")
    options = parser.parse_args(arguments)
    try:
        model = load_model(options.run)
        image = prepare(iio.imread(options.picture))
        vertices = reconstruct(model, image[None])[0]
        sr.write_mesh(sr.Mesh(vertices, SPHERE.faces), options.output)
    except (OSError, ValueError) as error:
        parser.exit(1, f"{parser.prog}: {error}\n")
    print(f"wrote {options.output}")


if __name__ == "__main__":
    main()
