"""From meshes to images: vertex stage, light and rasterizer together."""

from typing import Any

from taichi_softras.bridges import apply, dtype_of
from taichi_softras.cameras import Camera, project
from taichi_softras.checks import check_array, check_faces, check_items
from taichi_softras.kernels.vertices import gather_kernel
from taichi_softras.lights import Light, shade, vertex_normals
from taichi_softras.operators import Array, KernelOperator
from taichi_softras.rasterizer import rasterize, rasterize_silhouette
from taichi_softras.settings import RasterizerSettings


def render(
    vertices: Array,
    faces: Array,
    colors: Array,
    camera: Camera,
    settings: RasterizerSettings,
    *,
    light: Light | None = None,
    **options: Any,
) -> Array:
    """Draw meshes with colours at their vertices.

    Args:
        vertices: (B or 1, V, 3), in the world. float32 or float64.
        faces: (F, 3), or (B or 1, F, 3) where they differ. int32; int64 too in PyTorch. In a
            right-handed world faces are counter-clockwise seen from outside.
        colors: (B or 1, V, C). With a light C is 3.
        camera: One camera, or B; one mesh under B cameras is not copied.
        settings: Size of the image, and how faces become pixels.
        light: Light on the vertices; None leaves their colours as they are.
        options: ``background``, ``sigma``, ``gamma`` and ``eps``, as `rasterize` takes them.

    Returns:
        Images (B, H, W, C + 1), the last channel alpha. Gradients flow to every array.

    Raises:
        TypeError: If an array is of the wrong kind or type.
        ValueError: If a shape or device doesn't fit.

    Example:
        >>> import taichi_softras as sr
        >>> vertices, faces, colors = sr.icosphere(1).to_taichi()
        >>> settings = sr.RasterizerSettings(height=8, width=12)
        >>> camera = sr.LookAtCamera(eye=(0, 1, 3))
        >>> sr.render(vertices, faces, colors, camera, settings, light=sr.Light()).shape
        (1, 8, 12, 4)
    """
    check_array("vertices", vertices, ("B or 1", "V", 3))
    check_array("colors", colors, ("B or 1", vertices.shape[1], "C"), dtype_of(vertices))
    faces = check_faces(faces, num_vertices=vertices.shape[1])
    if light is not None:
        colors = shade(colors, vertex_normals(vertices, faces), light)
    face_vertices = gather(project(vertices, camera, settings.aspect), faces)
    return rasterize(face_vertices, gather(colors, faces), settings, **options)


def render_silhouette(
    vertices: Array,
    faces: Array,
    camera: Camera,
    settings: RasterizerSettings,
    *,
    sigma: Array | None = None,
) -> Array:
    """Draw how much of each pixel meshes cover: the alpha of `render`, without its colours.

    Args:
        vertices: (B or 1, V, 3), in the world.
        faces: (F, 3) or (B or 1, F, 3).
        camera: One camera, or B.
        settings: Size of the image, and how faces become pixels.
        sigma: In place of ``settings.sigma``: an array (1,) or (B,).

    Returns:
        Alpha (B, H, W), 0 to 1.

    Raises:
        TypeError: If an array is of the wrong kind or type.
        ValueError: If a shape or device doesn't fit.
    """
    check_array("vertices", vertices, ("B or 1", "V", 3))
    faces = check_faces(faces, num_vertices=vertices.shape[1])
    face_vertices = gather(project(vertices, camera, settings.aspect), faces)
    return rasterize_silhouette(face_vertices, settings, sigma=sigma)


def gather(values: Array, faces: Array) -> Array:
    """Copy what vertices have to the corners of faces.

    Args:
        values: (B or 1, V, K).
        faces: (F, 3) or (B or 1, F, 3).

    Returns:
        (B, F, 3, K).
    """
    check_array("values", values, ("B or 1", "V", "K"))
    faces = check_faces(faces, num_vertices=values.shape[1])
    num_items = check_items(values=values, faces=faces)
    dtype = dtype_of(values)
    shape = (num_items, faces.shape[-2], 3, values.shape[2])
    (corners,) = apply(KernelOperator(gather_kernel(dtype), dtype, (shape,)), (values, faces))
    return corners
