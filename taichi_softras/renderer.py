"""From meshes to images: vertex stage, clipping, light and rasterizer together."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from taichi_softras.arrays.bridge import is_array
from taichi_softras.arrays.checks import check_arrays
from taichi_softras.arrays.conversion import as_item
from taichi_softras.arrays.corners import (
    column_of,
    concatenate,
    spread_faces,
    spread_means,
    spread_rows,
)
from taichi_softras.arrays.operator import Array, Faces
from taichi_softras.arrays.options import check_choice
from taichi_softras.cameras.camera import Camera
from taichi_softras.cameras.clipping import ClippedFaces, clip_attributes
from taichi_softras.cameras.projection import eyes_of, turn_to_view
from taichi_softras.cameras.vertex_stage import place_faces
from taichi_softras.drawn import TEXTURES, take_drawn
from taichi_softras.lights.kinds import Light, Lighting, as_lighting
from taichi_softras.lights.packing import pack_lighting
from taichi_softras.lights.shading import shade, shade_faces
from taichi_softras.meshes.incidence import Incidence, gather, know_faces
from taichi_softras.meshes.mesh import Framework, Mesh
from taichi_softras.meshes.normals import face_normals, vertex_normals
from taichi_softras.meshes.textures import SurfaceTexture, Texture
from taichi_softras.rasterizer.rasterization import FragmentLights, rasterize, rasterize_silhouette
from taichi_softras.rasterizer.settings import RasterizerSettings


def render(
    vertices: Array | Mesh,
    faces: Faces | Camera | None = None,
    colors: Texture | RasterizerSettings | None = None,
    camera: Camera | None = None,
    settings: RasterizerSettings | None = None,
    *,
    framework: Framework | None = None,
    light: Light | Lighting | None = None,
    attributes: Array | None = None,
    depth: bool = False,
    normals: str | None = None,
    background: Any = 0.0,
    clip: bool = True,
    **softness: Array | None,
) -> Array:
    """Draw meshes.

    Either arrays, ``render(vertices, faces, colors, camera, settings)``; or a `Mesh` as it is, with
    the materials that it has, ``render(mesh, camera, settings)``. Vertices, colours and attributes
    of one item may do without their first dimension.

    Args:
        vertices: (B or 1, V, 3), in the world. float32 or float64. Or a `Mesh`.
        faces: (F, 3), or (B or 1, F, 3) where they differ. int32; int64 too in PyTorch. In a
            right-handed world faces are counter-clockwise seen from outside. One whose indices
            are -1 is none: so meshes of several sizes go into one call, see `stack_meshes`.
        colors: (B or 1, V or 1, C), colours of vertices, or one for all; or a `SurfaceTexture` or
            a `UVTexture`. With a light C is 3.
        camera: One camera, or B; one mesh under B cameras is not copied.
        settings: Size of the image, and how faces become pixels. Whether rays are parallel is
            taken from the camera.
        framework: Of a `Mesh`: "torch" or "taichi", whose arrays it is drawn in; by default those
            that the camera, or another argument, has, and Taichi's if none has any.
        light: Light on vertices, faces or fragments, as its ``shading`` says; a `Light` is on
            vertices. A texture has no colours at vertices: light on it is evaluated at fragments
            instead. None leaves colours as they are.
        attributes: (B or 1, V or 1, A), more channels, drawn with the same weights as colours.
        depth: Whether to draw depth along the view axis, too.
        normals: "world" or "view" to draw the vertices' normals in that frame, too, with the same
            weights; so they get shorter where surfaces of several directions mix.
        background: What is seen where no face is: a number, or one for each of the C colours, and
            then 0 behind attributes and normals, ``settings.far`` behind depths; or an array for
            all channels but alpha, as `rasterize` takes it.
        clip: Whether faces that reach nearer than ``settings.near`` are cut there; else those that
            reach behind the camera are left out. To find out whether there are any a GPU is
            waited for.
        softness: ``sigma``, ``gamma`` and ``eps``, as `rasterize` takes them.

    Returns:
        Images (B, H, W, C + A + 1 + 3 + 1): colours, then attributes, depth and normals where
        wanted, and alpha last. Gradients flow to every array.

    Raises:
        TypeError: If an array is of the wrong kind or type.
        ValueError: If a shape or device doesn't fit.

    Warns:
        UserWarning: If nothing is drawn because all vertices are nearer than ``settings.near`` or
            farther than ``settings.far``, once for each such range. `depth_range` finds one that
            fits. On a GPU it is not looked for with ``clip=False``.

    Examples:
        >>> import taichi_softras as sr
        >>> vertices, faces, colors = sr.icosphere(1).to_taichi()
        >>> settings = sr.RasterizerSettings(height=8, width=12)
        >>> camera = sr.LookAtCamera(eye=(0, 1, 3))
        >>> sr.render(vertices, faces, colors, camera, settings, light=sr.Light()).shape
        (1, 8, 12, 4)
        >>> sr.render(sr.icosphere(1), camera, settings, light=sr.Light()).shape
        (1, 8, 12, 4)
    """
    check_choice("normals", normals, (None, "world", "view"))
    vertices, faces, paint, camera, settings = take_drawn(
        vertices,
        {"faces": faces, "colors": colors, "camera": camera, "settings": settings},
        framework=framework,
        beside=(light, attributes, background, softness),
    )
    attributes = as_item(attributes, 3)
    if not isinstance(paint, TEXTURES):
        check_arrays(colors=(paint, "(B or 1, V or 1, C)"))
    meshes = _ProjectedMeshes.place(vertices, faces, camera, settings, clip=clip)
    directions = None
    if light is not None or normals is not None:
        directions = vertex_normals(vertices, meshes.faces, incidence=meshes.incidence)
    lighting = None if light is None else as_lighting(light)
    lights = None
    if isinstance(paint, TEXTURES):
        channels, drawn = paint.num_channels, meshes.cut_texture(paint)
        if lighting is not None:
            lights = meshes.light_fragments(lighting, directions)
    else:
        paint = meshes.of_vertices("colors", paint)
        channels = paint.shape[2]
        if lighting is None or lighting.shading == "fragment":
            drawn = meshes.corners(paint)
            if lighting is not None:
                lights = meshes.light_fragments(lighting, directions)
        else:
            drawn = meshes.light_corners(lighting, paint, directions)
    more, behind = meshes.more_channels(attributes, depth, normals, directions)
    if not is_array(background):
        background = _behind_all(background, channels, behind)
    return rasterize(
        meshes.face_vertices,
        drawn,
        meshes.settings,
        attributes=more,
        background=background,
        lights=lights,
        face_sources=None if meshes.clipped is None else meshes.clipped.source,
        source_weights=None if meshes.clipped is None else meshes.clipped.weights,
        **softness,
    )


def render_silhouette(
    vertices: Array | Mesh,
    faces: Faces | Camera | None = None,
    camera: Camera | RasterizerSettings | None = None,
    settings: RasterizerSettings | None = None,
    *,
    framework: Framework | None = None,
    sigma: Array | None = None,
    clip: bool = True,
) -> Array:
    """Draw how much of each pixel meshes cover: the alpha of `render`, without its colours.

    Either ``render_silhouette(vertices, faces, camera, settings)``, or ``render_silhouette(mesh,
    camera, settings)``.

    Args:
        vertices: (B or 1, V, 3), or (V, 3) of one item, in the world. Or a `Mesh`.
        faces: (F, 3) or (B or 1, F, 3).
        camera: One camera, or B.
        settings: Size of the image, and how faces become pixels.
        framework: As in `render`.
        sigma: In place of ``settings.sigma``: an array (1,) or (B,).
        clip: As in `render`.

    Returns:
        Alpha (B, H, W), 0 to 1.

    Raises:
        TypeError: If an array is of the wrong kind or type.
        ValueError: If a shape or device doesn't fit.

    Warns:
        UserWarning: If nothing is drawn because all vertices are nearer than ``settings.near`` or
            farther than ``settings.far``, once for each such range. `depth_range` finds one that
            fits. On a GPU it is not looked for with ``clip=False``.

    Examples:
        >>> import taichi_softras as sr
        >>> vertices, faces, colors = sr.icosphere(1).to_taichi()
        >>> settings = sr.RasterizerSettings(height=8, width=12)
        >>> camera = sr.LookAtCamera(eye=(0, 1, 3))
        >>> sr.render_silhouette(vertices, faces, camera, settings).shape
        (1, 8, 12)
    """
    vertices, faces, _, camera, settings = take_drawn(
        vertices,
        {"faces": faces, "camera": camera, "settings": settings},
        framework=framework,
        beside=sigma,
    )
    meshes = _ProjectedMeshes.place(vertices, faces, camera, settings, clip=clip)
    return rasterize_silhouette(meshes.face_vertices, meshes.settings, sigma=sigma)


@dataclass(frozen=True, eq=False)
class _ProjectedMeshes:
    """Meshes as a camera sees them.

    Attributes:
        vertices: (B or 1, V, 3), in the world.
        faces: (F, 3) or (B or 1, F, 3).
        camera: The camera.
        settings: Those of the call, ``orthographic`` as the camera is.
        face_vertices: (B, F', 3, 3), corners in NDC, of faces that may have been cut.
        clipped: How they were cut; None if none was.
        incidence: Which corners of faces are at each vertex, shared by all that is gathered.
    """

    vertices: Array
    faces: Array
    camera: Camera
    settings: RasterizerSettings
    face_vertices: Array
    clipped: ClippedFaces | None
    incidence: Incidence

    @classmethod
    def place(
        cls,
        vertices: Array,
        faces: Array,
        camera: Camera,
        settings: RasterizerSettings,
        *,
        clip: bool,
    ) -> _ProjectedMeshes:
        """Take meshes to NDC, and cut them at the near plane."""
        check_arrays(vertices=(vertices, "(B or 1, V, 3)"))
        faces, incidence = know_faces(faces, num_vertices=vertices.shape[1])
        if settings.orthographic != camera.orthographic:
            settings = replace(settings, orthographic=camera.orthographic)
        depths = settings.near, settings.far
        face_vertices, clipped = place_faces(
            *(vertices, faces, camera, settings.aspect, depths), clip=clip, incidence=incidence
        )
        return cls(vertices, faces, camera, settings, face_vertices, clipped, incidence)

    def of_vertices(self, name: str, values: Array) -> Array:
        """Check the values of vertices, (B or 1, V or 1, K), and give each vertex its own."""
        num_vertices = self.vertices.shape[1]
        check_arrays(self.vertices, **{name: (values, f"(B or 1, {num_vertices} or 1, K)")})
        return values if values.shape[1] == num_vertices else spread_rows(values, num_vertices)

    def gather(self, values: Array) -> Array:
        """Copy the values of vertices to the corners of faces."""
        return gather(values, self.faces, incidence=self.incidence)

    def cut(self, values: Array) -> Array:
        """Interpolate values at corners (B or 1, F, 3, K) to corners of faces that were cut."""
        return values if self.clipped is None else clip_attributes(values, self.clipped)

    def corners(self, values: Array) -> Array:
        """Copy the values of vertices to the corners of faces, of those that were cut too."""
        return self.cut(self.gather(values))

    def cut_texture(self, texture: Texture) -> Texture:
        """Find the places in a texture of the corners that were cut."""
        if isinstance(texture, SurfaceTexture):
            return texture
        check_arrays(face_uvs=(texture.face_uvs, f"(B or 1, {self.faces.shape[-2]}, 3, 2)"))
        return replace(texture, face_uvs=self.cut(texture.face_uvs))

    def eyes(self, lighting: Lighting) -> Array | None:
        """Find where the cameras are, if the light depends on it."""
        return eyes_of(self.camera, self.vertices) if lighting.kinds.specular else None

    def light_corners(self, lighting: Lighting, colors: Array, directions: Array) -> Array:
        """Light vertices or faces, and take their colours to corners."""
        eye = self.eyes(lighting)
        if lighting.shading == "vertex":
            lit = shade(colors, directions, lighting, positions=self.vertices, eye=eye)
            return self.corners(lit)
        corners, points = self.gather(colors), self.gather(self.vertices)
        return self.cut(shade_faces(corners, points, lighting, eye=eye))

    def light_fragments(self, lighting: Lighting, directions: Array) -> FragmentLights:
        """Collect the arrays that light on fragments needs."""
        points = self.gather(self.vertices)
        if lighting.shading == "face":
            # All of a face has one normal and one place, so that light is the same all over it.
            normals, points = spread_faces(face_normals(points)), spread_means(points)
        else:
            normals = self.gather(directions)
        numbers = pack_lighting(lighting, self.vertices, eye=self.eyes(lighting))
        return FragmentLights(lighting.kinds, numbers, self.cut(normals), self.cut(points))

    def more_channels(
        self, attributes: Array | None, depth: bool, normals: str | None, directions: Array | None
    ) -> tuple[Array | None, list[float]]:
        """Collect the channels after the colours, and the background of each."""
        parts: list[Array] = []
        behind: list[float] = []
        if attributes is not None:
            attributes = self.of_vertices("attributes", attributes)
            parts.append(self.corners(attributes))
            behind += [0.0] * attributes.shape[2]
        if depth:
            parts.append(column_of(self.face_vertices, 2))
            behind.append(self.settings.far)
        if normals is not None:
            is_view = normals == "view"
            shown = turn_to_view(directions, self.camera) if is_view else directions
            parts.append(self.corners(shown))
            behind += [0.0] * 3
        if len(parts) < 2:
            return (parts[0] if parts else None), behind
        return concatenate(parts), behind


def _behind_all(background: Any, channels: int, behind: list[float]) -> Any:
    """Append the background of the other channels to that of the colours."""
    if not behind:
        return background
    try:
        numbers = np.broadcast_to(np.asarray(background, dtype=float), (channels,))
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"background must be an array, a number or {channels} numbers, got {background!r}"
        ) from error
    return [*numbers.tolist(), *behind]
