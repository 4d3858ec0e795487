"""Draw a mesh: its colours under a light, how much of each pixel it covers, depth and normals.

    python demos/draw.py --output drawn.png
    python demos/draw.py chair.obj --sigma 1e-3 --output drawn.png

In Taichi alone. One call of `sr.render` draws it all, with the same soft weights.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import imageio.v3 as iio
import numpy as np

import taichi_softras as sr


def main(arguments: Sequence[str] | None = None) -> None:
    """Draw, and write the pictures side by side."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("mesh", nargs="?", type=Path, help="mesh file; else the Utah teapot")
    parser.add_argument("--size", type=int, default=256, help="side of a picture, in pixels")
    parser.add_argument("--sigma", type=float, default=1e-6, help="softness of edges")
    parser.add_argument("--gamma", type=float, default=1e-3, help="softness of occlusion")
    parser.add_argument("--output", type=Path, default=Path("drawn.png"), help="PNG to write")
    options = parser.parse_args(arguments)

    mesh = sr.teapot() if options.mesh is None else sr.read_mesh(options.mesh, textures=True)
    vertices, faces, colors = mesh.to_taichi()  # (1, V, 3), (F, 3), (1, V, 3)
    if mesh.materials:
        colors = mesh.texture()

    # A camera that sees all of the mesh, and the depths that it sees.
    camera = sr.frame_mesh(mesh, azimuth_degrees=30.0, elevation_degrees=20.0)
    near, far = sr.depth_range(vertices, camera)
    settings = sr.RasterizerSettings(
        height=options.size,
        width=options.size,
        near=near,
        far=far,
        sigma=options.sigma,
        gamma=options.gamma,
        supersampling=2,
    )

    image = sr.render(
        vertices, faces, colors, camera, settings, light=sr.Light(), depth=True, normals="view"
    ).to_numpy()[0]
    # Channels, in order: red, green, blue; depth; the normal's x, y and z; alpha.
    alpha = image[..., -1:]
    pictures = [
        image[..., :3] * alpha + 1 - alpha,  # over white
        alpha.repeat(3, axis=2),
        ((far - image[..., 3:4]) / (far - near)).repeat(3, axis=2),  # white is near
        0.5 + 0.5 * image[..., 4:7] * (1, 1, -1),  # what looks at the camera is blue
    ]
    sheet = np.concatenate(pictures, axis=1)
    iio.imwrite(options.output, (sheet.clip(0, 1) * 255).round().astype(np.uint8))
    print(f"{mesh.num_faces} faces cover {alpha.mean():.1%} of the picture")
    print(f"wrote {options.output}")


if __name__ == "__main__":
    main()
