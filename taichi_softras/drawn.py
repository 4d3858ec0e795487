"""What is drawn, as `render` may be given it: a mesh, or arrays, which one item needs no B for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

from taichi_softras.arrays.bridge import is_tensor
from taichi_softras.arrays.conversion import arrays_in, as_item
from taichi_softras.arrays.operator import Array, Faces
from taichi_softras.arrays.options import check_choice
from taichi_softras.cameras.camera import Camera
from taichi_softras.meshes.mesh import Framework, Mesh
from taichi_softras.meshes.textures import SurfaceTexture, Texture, UVTexture
from taichi_softras.rasterizer.settings import RasterizerSettings

TEXTURES = (SurfaceTexture, UVTexture)


class Drawn(NamedTuple):
    """What `render` needs, whichever way it was given."""

    vertices: Array
    faces: Faces
    colors: Texture
    camera: Camera
    settings: RasterizerSettings


def take_drawn(
    vertices: Array | Mesh,
    others: dict[str, Any],
    *,
    framework: Framework | None = None,
    beside: Any = (),
) -> Drawn:
    """Sort out the first arguments of `render` or `render_silhouette`.

    Args:
        vertices: The first of them, arrays or a mesh.
        others: Those that follow, by name and in their order: faces, colors unless a silhouette is
            drawn, camera, settings. After a mesh only the latter two are left, and are where they
            come first.
        framework: Whose arrays a mesh becomes; by default those of the camera or of ``beside``,
            else Taichi's.
        beside: What else was given, in which arrays may be.

    Raises:
        TypeError: If an argument is missing, or one too many; or of the wrong kind.
        ValueError: If ``framework`` is neither of the two, or given beside arrays.
    """
    check_choice("framework", framework, (None, "torch", "taichi"))
    if isinstance(vertices, Mesh):
        camera, settings = _after_mesh(others)
        return _of_mesh(vertices, camera, settings, framework, (camera, beside))
    if framework is not None:
        raise ValueError("framework is for a Mesh: arrays are drawn in their own")
    for name, value in others.items():
        if value is None:
            names = ", ".join(["vertices", *others])
            raise TypeError(f"{name} must be given: either {names}, or a Mesh, camera and settings")
    _check_view(others["camera"], others["settings"])
    colors = others.get("colors")
    return Drawn(
        as_item(vertices, 3),
        others["faces"],
        _texture_of_item(colors) if isinstance(colors, TEXTURES) else as_item(colors, 3),
        others["camera"],
        others["settings"],
    )


def _after_mesh(others: dict[str, Any]) -> tuple[Camera, RasterizerSettings]:
    """Find the camera and the settings, which may have come in the places of faces and colours."""
    given = [value for value in others.values() if value is not None]
    if len(given) != 2:
        raise TypeError(f"after a Mesh there must be a camera and settings, got {len(given)} more")
    _check_view(*given)
    return given[0], given[1]


def _check_view(camera: Any, settings: Any) -> None:
    if not callable(getattr(camera, "view_matrix", None)):
        raise TypeError(f"camera must be a Camera, got {type(camera).__name__}")
    if not isinstance(settings, RasterizerSettings):
        raise TypeError(f"settings must be RasterizerSettings, got {type(settings).__name__}")


def _of_mesh(
    mesh: Mesh,
    camera: Camera,
    settings: RasterizerSettings,
    framework: Framework | None,
    beside: Any,
) -> Drawn:
    """Copy a mesh into arrays, with the materials that it has."""
    like = next(arrays_in(beside), None)
    if framework is None:
        framework = "torch" if is_tensor(like) else "taichi"
    if framework == "torch":
        vertices, faces, colors = mesh.to_torch(
            like.device if like is not None and is_tensor(like) else "cpu"
        )
    else:
        vertices, faces, colors = mesh.to_taichi(dtype=mesh.dtype)
    return Drawn(vertices, faces, texture_of(mesh, vertices, colors), camera, settings)


def texture_of(mesh: Mesh, vertices: Array, colors: Array) -> Texture:
    """Copy the materials of a mesh beside its vertices; without any, its colours will do."""
    return UVTexture.from_maps(mesh.texture_maps(), vertices) if mesh.materials else colors


def _texture_of_item(texture: SurfaceTexture | UVTexture) -> SurfaceTexture | UVTexture:
    """Give the arrays of a texture of one item the dimension of items."""
    if isinstance(texture, SurfaceTexture):
        return SurfaceTexture(as_item(texture.texels, 4))
    face_uvs, texels = as_item(texture.face_uvs, 4), as_item(texture.texels, 4)
    return replace(texture, face_uvs=face_uvs, texels=texels)
