"""Make Taichi compile every kernel of the package for CUDA. `report` runs it, with a stub driver.

Nothing that is compiled runs: arrays hold zeros, before and after. The driver writes the PTX of
each module to a file; this program writes down, in kernels.json beside them, which call made
which file, and which number in the names of the PTX stands for which kernel.
"""

import contextlib
import gc
import itertools
import json
import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import taichi as ti
from taichi.lang.kernel_impl import Kernel

import taichi_softras as sr
from taichi_softras.arrays.calls import apply
from taichi_softras.arrays.taichi_bridge import unrecorded
from taichi_softras.bench.kernels import rates
from taichi_softras.cameras import vertex_stage
from taichi_softras.cameras.clipping import cut_faces
from taichi_softras.rasterizer import _lists
from taichi_softras.rasterizer._inputs import Inputs
from taichi_softras.rasterizer._operator import RasterizeOperator
from taichi_softras.reconstruction.hull import _Carver
from taichi_softras.reconstruction.kernels.sampling import sample_kernel

DTYPES = {"float32": ti.f32, "float64": ti.f64}
SETTINGS = sr.RasterizerSettings(height=4, width=4)
TETRAHEDRON = np.array([[0, 1, 2], [0, 2, 3], [0, 3, 1], [1, 3, 2]], dtype=np.int32)
NUM_FACES, NUM_VERTICES = len(TETRAHEDRON), 4
PLACES = ((1.0, 0.9, 0.8), (1.0, 2.0, 3.0))

Calls = Iterator[tuple[str, Callable[[ti.Ndarray], object]]]
"""Names of calls, and the calls: functions of the loss of the tape that records them."""


def array(dtype, *shape: int, grad: bool = True) -> ti.Ndarray:
    """Make an array of zeros that wants a gradient, or doesn't."""
    return ti.ndarray(dtype, shape, needs_grad=grad)


def rasterizer_calls(dtype) -> Calls:
    """Draw faces, with gradients to everything or to vertices alone."""

    def draw(_, channels: int = 3, grad: bool = True, texture: str = "vertex", **options) -> None:
        uvs = array(dtype, 1, NUM_FACES, 3, 2)
        colors = {
            "vertex": array(dtype, 1, NUM_FACES, 3, channels, grad=grad),
            "surface": sr.SurfaceTexture(array(dtype, 1, NUM_FACES, 4, channels)),
            "uv": sr.UVTexture(uvs, array(dtype, 1, 2, 2, channels)),
            "mipmapped": sr.UVTexture(uvs, array(dtype, 1, 2, 2, channels), mipmaps=True),
        }[texture]
        sr.rasterize(
            array(dtype, 1, NUM_FACES, 3, 3),
            colors,
            sr.RasterizerSettings(**{"height": 4, "width": 4, **options}),
            background=array(dtype, 1, 1, 1, channels, grad=grad),
            **{name: array(dtype, 1, grad=grad) for name in ("sigma", "gamma", "eps")},
        )

    def draw_silhouette(_, grad: bool = True, **options) -> None:
        sigma = array(dtype, 1, grad=grad)
        settings = sr.RasterizerSettings(height=4, width=4, **options)
        sr.rasterize_silhouette(array(dtype, 1, NUM_FACES, 3, 3), settings, sigma=sigma)

    def draw_by_autodiff(_, channels: int) -> None:
        operator = RasterizeOperator(SETTINGS, dtype, channels, 1, autodiff=True)
        one = {
            "colors": (1, NUM_FACES, 3, max(channels, 1)),
            "varyings": (1, 1, 3, 1),
            "attributes": (1, 1, 3, 1),
            "background": (1, 1, 1, max(channels, 1)),
            "lighting": (1, 1),
            **dict.fromkeys(("sigma", "gamma", "eps"), (1,)),
        }
        whole = {"face_items": (1,), "face_sources": (1, 1), "face_maps": (1,), "maps": (1, 4)}
        inputs = {name: array(dtype, *shape) for name, shape in one.items()}
        inputs |= {name: array(ti.i32, *shape, grad=False) for name, shape in whole.items()}
        apply(operator, Inputs(face_vertices=array(dtype, 1, NUM_FACES, 3, 3), **inputs))

    def draw_long_lists(_) -> None:
        """So long that they are counted before they are made."""
        with patched(_lists, FEW_ENTRIES=0, GPU_ENTRIES=0):
            draw(_)

    yield "3 channels, long lists", draw_long_lists
    for channels in (0, 3):
        name = f"{channels} channels, by autodiff"
        yield name, partial(draw_by_autodiff, channels=channels)
    for channels in (1, 3, 4):
        yield f"{channels} channels", partial(draw, channels=channels)
    yield "3 channels, to vertices", partial(draw, grad=False)
    yield "3 channels, affine", partial(draw, perspective_correct=False)
    yield "3 channels, orthographic", partial(draw, orthographic=True)
    for texture in ("surface", "uv", "mipmapped"):
        yield f"3 channels, {texture} texture", partial(draw, texture=texture)
    for option, value in (
        ("interpolation", "clipped"),
        ("coverage", "barycentric"),
        ("coverage", "hard"),
        ("alpha", "sum"),
        ("alpha", "hard"),
        ("color", "hard"),
        ("supersampling", 2),
    ):
        yield f"3 channels, {option} {value}", partial(draw, **{option: value})
    faces = array(dtype, 1, NUM_FACES, 3, 3)
    yield "coverage of a face", lambda _: sr.face_coverage(faces, 0, SETTINGS)
    yield "silhouette", draw_silhouette
    yield "silhouette, to vertices", partial(draw_silhouette, grad=False)
    yield "silhouette, supersampling 2", partial(draw_silhouette, supersampling=2)
    faces = array(dtype, 1, NUM_FACES, 3, 3)
    yield "coverage of a face", lambda _: sr.face_coverage(faces, 0, SETTINGS)


@contextlib.contextmanager
def patched(module, **values: object) -> Iterator[None]:
    """Give numbers of a module other values for a while."""
    before = {name: getattr(module, name) for name in values}
    vars(module).update(values)
    yield
    vars(module).update(before)


def scene_calls(dtype) -> Calls:
    """Draw lit meshes, with gradients to everything: normals, light, camera, gather."""

    def place(_, clip: bool) -> None:
        """Place a mesh through a lens that wants no gradient, on a GPU."""
        vertices, faces = array(dtype, 1, NUM_VERTICES, 3), sr.from_numpy(TETRAHEDRON)
        with patched(vertex_stage, on_gpu=lambda: True):
            camera = sr.LookAtCamera(array(dtype, 1, 3))
            sr.render_silhouette(vertices, faces, camera, SETTINGS, clip=clip)

    for clip in (True, False):
        yield f"mesh, plain camera, clip={clip}", partial(place, clip=clip)

    def draw(_, faces: np.ndarray) -> None:
        camera = sr.LookAtCamera(
            *(array(dtype, 1, 3) for _ in range(3)), fov_degrees=array(dtype, 1)
        )
        sr.render(
            array(dtype, 1, NUM_VERTICES, 3),
            sr.from_numpy(faces),
            array(dtype, 1, 1, 3),
            camera,
            SETTINGS,
            light=sr.Light(*(array(dtype, 1, 3) for _ in range(3))),
        )

    def draw_all(_, shading: str, texture: str) -> None:
        """Every channel there is, of a textured mesh through the near plane, with highlights."""
        lights = (sr.AmbientLight(array(dtype, 1, 3)), sr.DirectionalLight(*PLACES[:2]))
        lighting = sr.Lighting(
            lights=(*lights, sr.PointLight(*PLACES)), specular=PLACES[0], shading=shading
        )
        uvs = array(dtype, 1, NUM_FACES, 3, 2)
        colors = {
            "surface": sr.SurfaceTexture(array(dtype, 1, NUM_FACES, 4, 3)),
            "uv": sr.UVTexture(uvs, array(dtype, 1, 2, 2, 3)),
            "vertex": array(dtype, 1, NUM_VERTICES, 3),
        }[texture]
        sr.render(
            *(array(dtype, 1, NUM_VERTICES, 3), sr.from_numpy(TETRAHEDRON), colors),
            sr.LookAtCamera(eye=array(dtype, 1, 3)),
            SETTINGS,
            light=lighting,
            attributes=array(dtype, 1, NUM_VERTICES, 2),
            depth=True,
            normals="view",
        )

    for shading, texture in (
        ("fragment", "vertex"),
        ("fragment", "uv"),
        ("face", "surface"),
        ("face", "vertex"),
    ):
        name = f"everything, {texture} colours lit by {shading}"
        yield name, partial(draw_all, shading=shading, texture=texture)
    yield "mesh", partial(draw, faces=TETRAHEDRON)
    yield "mesh, faces per item", partial(draw, faces=TETRAHEDRON[None])


def light_calls(dtype) -> Calls:
    """Light vertices and faces by every kind of light, with gradients to everything."""

    def lighting(two_sided: bool) -> sr.Lighting:
        color, place = array(dtype, 1, 3), array(dtype, 1, 3)
        lights = (
            sr.AmbientLight(color),
            sr.DirectionalLight(color, place),
            sr.PointLight(color, place, array(dtype, 1, 3)),
            sr.SphericalHarmonicsLight(array(dtype, 1, 9, 3)),
        )
        return sr.Lighting(
            lights=lights,
            specular=array(dtype, 1, 3),
            shininess=array(dtype, 1),
            two_sided=two_sided,
        )

    def shade(_, two_sided: bool) -> None:
        vertices = array(dtype, 1, NUM_VERTICES, 3)
        eye = array(dtype, 1, 3)
        sr.shade(vertices, vertices, lighting(two_sided), positions=vertices, eye=eye)

    def shade_faces(_, two_sided: bool) -> None:
        face_points = array(dtype, 1, NUM_FACES, 3, 3)
        sr.shade_faces(face_points, face_points, lighting(two_sided), eye=array(dtype, 1, 3))

    for name, two_sided in (("one-sided", False), ("two-sided", True)):
        yield f"light on vertices, {name}", partial(shade, two_sided=two_sided)
        yield f"light on faces, {name}", partial(shade_faces, two_sided=two_sided)
    yield "face normals", lambda _: sr.face_normals(array(dtype, 1, NUM_FACES, 3, 3))


def camera_calls(dtype) -> Calls:
    """See points by every pose and lens, with gradients to everything."""

    def see(*shape: int) -> None:
        angles = [array(dtype, 1) for _ in range(3)]
        eye = sr.orbit_eyes(*angles)
        other = ti.f32 if dtype == ti.f64 else ti.f64
        matrix = array(dtype, 1, 3, 3)
        lenses = [
            sr.Intrinsics(matrix, 4, 4, array(dtype, 1, count)) for count in (4, 5, 8, 12, 14)
        ]
        lenses.append(sr.Fisheye(array(other, 3, 3), 4, 4, array(other, 4)))
        lenses.append(sr.MatrixCamera(array(dtype, 1, 4, 4), array(dtype, 1, 4, 4)))
        for pose in (
            sr.Look(eye, array(dtype, 1, 3), sr.orbit_ups(*angles[1:])),
            sr.Extrinsics(array(dtype, 1, 3, 3), array(dtype, 1, 3)),
        ):
            sr.to_view(array(dtype, 1, NUM_VERTICES, 3), pose)
        for camera in (*lenses, sr.Orthographic(array(other, 1))):
            sr.view_to_ndc(array(dtype, *shape), camera, 1.0)

    yield "cameras", lambda _: see(1, NUM_VERTICES, 3)
    yield "cameras, corners of faces", lambda _: see(1, NUM_FACES, 3, 3)


def clipping_calls(dtype) -> Calls:
    """Cut faces at the near plane, and what belongs to their corners."""

    def clip(_) -> None:
        points = array(dtype, 1, NUM_FACES, 3, 3)
        sr.count_clipped(points, 1.0)
        sr.clip_attributes(array(dtype, 1, NUM_FACES, 3, 3), cut_faces(points, 1.0))

    yield "clipping", clip


def loss_calls(dtype) -> Calls:
    """Compare images and regularise meshes, and add the terms up."""

    def compare(loss: ti.Ndarray) -> None:
        alpha, image = array(dtype, 1, 4, 4), array(dtype, 1, 4, 4, 3)
        sr.add_to_loss(loss, sr.silhouette_loss(alpha, array(dtype, 1, 4, 4)))
        sr.add_to_loss(loss, sr.image_loss(image, array(dtype, 1, 4, 4, 3)))
        views = [array(dtype, 2, 4, 4), array(dtype, 2, 4, 4)]
        sr.add_to_loss(loss, sr.multiview_silhouette_loss(views, views))
        several = array(dtype, 1, 2, 4, 4)
        sr.add_to_loss(loss, sr.silhouette_loss(several, array(dtype, 1, 2, 4, 4)))

    def compare_photos(loss: ti.Ndarray) -> None:
        planes = [array(dtype, 1, 4, 4, grad=False) for _ in range(3)]
        image, photo = array(dtype, 1, 4, 4, 4), array(dtype, 1, 4, 4, 3, grad=False)
        sr.add_to_loss(loss, sr.photo_loss(image, photo, *planes, array(dtype, 1, grad=False)))

    def regularise(loss: ti.Ndarray) -> None:
        vertices = array(dtype, 1, NUM_VERTICES, 3)
        topology = sr.mesh_topology(TETRAHEDRON, vertices)
        sr.add_to_loss(loss, sr.laplacian_loss(vertices, topology))
        sr.add_to_loss(loss, sr.laplacian_loss(vertices, topology, weights="cotangent"))
        sr.add_to_loss(loss, sr.flattening_loss(vertices, topology))
        sr.add_to_loss(loss, sr.normal_consistency_loss(vertices, topology))
        sr.add_to_loss(loss, sr.edge_length_loss(vertices, topology, 0.5))
        colors = array(dtype, 1, NUM_FACES, 3)
        sr.add_to_loss(loss, sr.color_laplacian_loss(colors, topology))

    def measure_points(loss: ti.Ndarray) -> None:
        points = array(dtype, 1, 5, 3)
        for squared in (True, False):
            distance = sr.chamfer_distance(points, array(dtype, 1, 4, 3), squared=squared)
            sr.add_to_loss(loss, distance)

    def subdivide(_) -> None:
        vertices = array(dtype, 1, NUM_VERTICES, 3)
        sr.mesh_subdivision(TETRAHEDRON, vertices).matrix @ vertices

    yield "image losses", compare
    yield "photographs", compare_photos
    yield "mesh losses", regularise
    yield "distances of points", measure_points
    yield "subdivision", subdivide
    steps = sr.LargeSteps(TETRAHEDRON, NUM_VERTICES)
    yield "large steps", lambda _: steps.decode(array(dtype, 1, NUM_VERTICES, 3))


def inspection_calls(dtype) -> Calls:
    """Tell what pixels are made of."""
    faces = array(dtype, 1, NUM_FACES, 3, 3, grad=False)
    colors = array(dtype, 1, NUM_FACES, 3, 3, grad=False)
    texture = sr.UVTexture(faces, array(dtype, 1, 4, 4, 3, grad=False))
    weights = array(dtype, 1, 4, 4, grad=False)
    yield "texels filled in", lambda _: sr.fill_texels(texture, weights)
    yield "summary", lambda _: sr.summarize_fragments(faces, SETTINGS)
    yield "list", lambda _: sr.list_fragments(faces, colors, SETTINGS, 0, 0)


def optimizer_calls(dtype) -> Calls:
    """Step."""
    for uniform in (False, True):
        step = sr.Adam([array(dtype, 1, NUM_VERTICES, 3)], uniform=uniform).step
        yield f"optimiser, uniform {uniform}", lambda _, step=step: step()


def voxel_calls(dtype) -> Calls:
    """Voxelise: in float64, whatever came."""
    yield "voxels", lambda _: sr.voxelize(array(dtype, 1, NUM_VERTICES, 3), TETRAHEDRON, 4)


def photo_calls(dtype) -> Calls:
    """Carve, and look colours up: in float32, whatever came."""
    ones = np.ones((2, 3, 4), np.float32)
    carver = _Carver(ones > 0, ones > 0, ones, np.ones(2), 0, 1)
    yield "carving", lambda _: carver.carve(np.zeros(3), 1.0, (2, 2, 2))
    points, color = np.ones((5, 3), np.float32), np.zeros((5, 4), np.float32)
    pixels, numbers = np.ones((2, 4, 4, 3), np.uint8), np.ones(2, np.float32)
    photos = (pixels, pixels[..., 0].copy(), ones, ones, points[:2], numbers, numbers)
    yield (
        "colours of photographs",
        lambda _: unrecorded(
            lambda: sample_kernel()(points, points, *photos, points, 0.1, 1.0, color)
        ),
    )


def rate_calls(dtype) -> Calls:
    """Measure what a machine can do: in float32, whatever came."""
    numbers = [array(ti.f32, 4, grad=False) for _ in range(2)]
    yield "copying", lambda _: rates.copy(*numbers)
    yield "arithmetic", lambda _: rates.multiply_add(0.5, 2, numbers[0])


FAMILIES = {
    rasterizer_calls: True,
    scene_calls: True,
    light_calls: True,
    camera_calls: True,
    clipping_calls: True,
    loss_calls: True,
    inspection_calls: False,
    optimizer_calls: False,
    voxel_calls: False,
    photo_calls: False,
    rate_calls: False,
}
"""Families of calls, and whether a tape records them: add those of new kernels here."""


def package_kernels() -> dict[int, str]:
    """Name the package's kernels by the numbers that Taichi gave them."""
    return {
        kernel.kernel_counter: f"{module}.{kernel.func.__name__}"
        for kernel in gc.get_objects()
        if isinstance(kernel, Kernel)
        for package, _, module in [kernel.func.__module__.partition(".")]
        if package == "taichi_softras"
    }


def main() -> None:
    folder = Path(os.environ["STUB_PTX_FOLDER"])
    sr.init("cuda", offline_cache=False)
    made_by = {path.name: ("", "Taichi") for path in folder.glob("*.ptx")}
    for (dtype_name, dtype), family in itertools.product(DTYPES.items(), FAMILIES):
        for name, call in family(dtype):
            loss = array(dtype, 1)
            # What a tape records need not lead to its loss: no number is looked at here.
            with ti.ad.Tape(loss) if FAMILIES[family] else contextlib.nullcontext():
                call(loss)
            for path in folder.glob("*.ptx"):
                made_by.setdefault(path.name, (dtype_name, name))
    manifest = {"made_by": made_by, "kernels": package_kernels()}
    (folder / "kernels.json").write_text(json.dumps(manifest, indent=2))


if __name__ == "__main__":
    main()
