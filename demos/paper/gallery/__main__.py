"""Draw what the renderer can show: light, depth, normals, textures, softness, a room from inside.

Writes looks.png (a Phong-lit teapot, its depth and normals, and the mesh with its textures),
grid.png (a scene at several sigma, by column, and gamma, by row), and room.png (from inside, with
walls that cross the near plane: clipped, and left out). In Taichi alone. Without a mesh a sphere
with a checkered image map stands in. ``--quick`` draws small pictures, in seconds.
"""

from pathlib import Path
from typing import Any

import numpy as np

import taichi_softras as sr
from demos.paper.shared.command_line import check_options, make_parser
from demos.paper.shared.models import checkered_sphere
from taichi_softras.files.pictures import composite, write_picture
from taichi_softras.previews import PreviewStyle, draw_previews

WHITE = (1.0, 1.0, 1.0)
LIT = PreviewStyle()
SIGMAS = (1e-5, 1e-4, 1e-3, 1e-2)
GAMMAS = (1e-3, 1e-2, 1e-1, 1.0)


def draw(mesh: sr.Mesh, size: int, style: PreviewStyle = LIT, **softness: Any) -> np.ndarray:
    """Draw a mesh over white, (size, size, 3)."""
    settings = sr.RasterizerSettings(height=size, width=size, **softness)
    image = next(draw_previews(mesh, sr.frame_mesh(mesh), settings, style))
    return image[..., None].repeat(3, axis=2) if image.ndim == 2 else composite(image, WHITE)


def draw_looks(textured: sr.Mesh, size: int) -> np.ndarray:
    """A lit teapot, its depth and normals, and a textured mesh, side by side."""
    teapot = sr.teapot()
    teapot = teapot.with_colors(np.full_like(teapot.colors, (0.75, 0.3, 0.2)))
    soft = {"sigma": 1e-6, "supersampling": 2}
    pictures = [
        draw(teapot, size, PreviewStyle(shading="fragment", highlights=0.5), **soft),
        draw(teapot, size, PreviewStyle(show="depth"), **soft),
        draw(teapot, size, PreviewStyle(show="normals"), **soft),
        draw(textured, size, PreviewStyle(shading="fragment"), **soft),
    ]
    return np.concatenate(pictures, axis=1)


def draw_grid(size: int) -> np.ndarray:
    """Two overlapping shapes, sigma growing to the right and gamma downwards."""
    sphere, cube = sr.icosphere(2), sr.cube()
    shapes = [
        (sphere, (-0.1, 0.0, 0.7), (0.9, 0.45, 0.2)),
        (cube, (0.2, 0.0, -0.4), (0.2, 0.5, 0.8)),
    ]
    vertices = np.concatenate([0.9 * mesh.vertices + move for mesh, move, _ in shapes])
    colors = np.concatenate([np.tile(color, (mesh.num_vertices, 1)) for mesh, _, color in shapes])
    faces = np.concatenate([sphere.faces, cube.faces + sphere.num_vertices])
    mesh = sr.Mesh(vertices.astype(np.float32), faces, colors.astype(np.float32)).normalized()
    rows = [
        np.concatenate([draw(mesh, size, sigma=s, gamma=g) for s in SIGMAS], axis=1) for g in GAMMAS
    ]
    return np.concatenate(rows)


def room() -> sr.Mesh:
    """A room of 12 large triangles, seen from inside, a checkered texture on every face."""
    box = sr.cube()
    size = np.array([4.0, 2.5, 6.0])
    sides = box.vertices[box.faces]  # (F, 3, 3)
    # A wall's own two axes are its places in the map, in metres.
    flat = np.ptp(sides, axis=1) < 1e-6
    axes = np.stack([np.flatnonzero(~row) for row in flat])
    face_uvs = np.stack([(sides * size)[f][:, axes[f]] for f in range(box.num_faces)])
    tints = np.array([[0.85, 0.55, 0.5], [0.6, 0.75, 0.55], [0.55, 0.6, 0.85]])
    rows, cols = np.mgrid[:32, :32]
    dark = ((rows // 16 + cols // 16) % 2)[..., None] * 0.45
    materials = tuple(
        sr.Material(f"wall {k}", image=(tint * (1 - dark)).astype(np.float32))
        for k, tint in enumerate(tints)
    )
    return sr.Mesh(
        (box.vertices * size).astype(np.float32),
        box.faces[:, ::-1],  # seen from inside
        face_uvs=face_uvs[:, ::-1].astype(np.float32),
        face_materials=flat.argmax(axis=1).astype(np.int32),
        materials=materials,
    )


def draw_room(size: int) -> np.ndarray:
    """The room with walls clipped at the near plane, and with such walls left out."""
    mesh = room()
    vertices, faces, _ = mesh.to_taichi()
    texture = sr.UVTexture.from_maps(mesh.texture_maps(), vertices)
    pose = sr.Look(eye=(0.6, 0.2, 2.0), direction=(-0.35, -0.15, -1.0))
    camera = sr.PosedCamera(pose, sr.Perspective(75.0))
    settings = sr.RasterizerSettings(
        height=size, width=size, near=0.1, far=12.0, sigma=1e-6, supersampling=2
    )
    light = sr.Lighting(
        lights=(
            sr.AmbientLight((0.35, 0.35, 0.35)),
            sr.PointLight((1.1, 1.0, 0.9), (0.0, 0.9, 0.0), attenuation=(0.6, 0.0, 0.08)),
        ),
        shading="fragment",
    )
    pictures = [
        sr.render(
            vertices, faces, texture, camera, settings, light=light, background=1.0, clip=clip
        ).to_numpy()[0]
        for clip in (True, False)
    ]
    return np.concatenate([composite(picture, WHITE) for picture in pictures], axis=1)


def main(arguments: list[str] | None = None) -> None:
    """Draw, and write the pictures."""
    parser = make_parser("gallery", __doc__)
    parser.add_argument("--output", type=Path, default=Path("gallery"), help="folder to write")
    parser.add_argument("--mesh", type=Path, help="a textured mesh")
    parser.add_argument("--size", type=int, default=256, help="of a picture, in pixels")
    parser.add_argument("--quick", action="store_true", help="small pictures")
    options = parser.parse_args(arguments)
    check_options(parser, options, size=2)
    size = 32 if options.quick else options.size
    textured = checkered_sphere()
    if options.mesh is not None:
        textured = sr.read_mesh(options.mesh, textures=True)
    options.output.mkdir(parents=True, exist_ok=True)
    for name, picture in (
        ("looks", draw_looks(textured.normalized(), size)),
        ("grid", draw_grid(size // 2)),
        ("room", draw_room(size)),
    ):
        write_picture(options.output / f"{name}.png", picture)
        print(f"wrote {options.output / name}.png")


if __name__ == "__main__":
    main()
