"""The drop-in, the module, and short fits."""

import functools
from dataclasses import replace
from typing import Any

import numpy as np
import torch

import taichi_softras as sr
import taichi_softras.soft_renderer as softras
from digest_cases.cameras import LOOK_AT, look_at, mesh, shape
from digest_cases.cases import HEIGHT, WIDTH, Arrays, Case, Cases, Numbers, taken, uniform
from digest_cases.faces import settings
from digest_cases.lights import LIGHT, short_light
from taichi_softras.backend import ti
from taichi_softras.nn import SoftRenderer


def soft_renderer_cases() -> Cases:
    x = {**shape(2), "faces": mesh()["faces"][None].repeat(2, axis=0)}
    soft: Arrays = {"image_size": 24, "sigma_val": 1e-2, "gamma_val": 1e-2}
    placed = {"camera_mode": "look_at", "eye": (0.5, 1.0, -4.0)}
    other = {"camera_mode": "look", "eye": (0.1, 0.2, -4.0), "perspective": False}
    other |= {"anti_aliasing": True, "fill_back": False, "aggr_func_rgb": "hard"}
    other |= {"dist_func": "barycentric", "aggr_func_alpha": "sum"}
    matrix = [[[60.0, 0, 32, 128], [0, 60, 30, 120], [0, 0, 1, 4]]]
    bent = [[1e-5, 1e-9, 1e-5, 1e-5, 0]]
    given = {"P": np.array(matrix, np.float32), "dist_coeffs": np.array(bent, np.float32)}
    for name, texture_type, options, texels in (
        ("surface", "surface", placed, (1, 80, 4, 3)),
        ("vertex", "vertex", placed, (1, 42, 3)),
        ("other options", "surface", other, (1, 80, 1, 3)),
        ("projection", "vertex", {**given, "orig_size": 64}, (1, 42, 3)),
    ):
        renderer = softras.SoftRenderer(**{**soft, **options})
        compute = functools.partial(renderer, texture_type=texture_type)
        case = Case(compute, {**x, "textures": uniform(*texels)})
        unordered = ("textures",) if texture_type == "surface" else ()
        yield f"soft_renderer: {name}", replace(case, unordered=unordered)

    def measured(vertices: Any, faces: Any) -> Arrays:
        made = softras.Mesh(vertices, faces)
        return {
            "laplacian": softras.LaplacianLoss(vertices[0], faces[0])(vertices),
            "flatten": softras.FlattenLoss(faces[0])(vertices),
            "normals of faces": made.surface_normals,
            "normals of vertices": made.vertex_normals,
            "voxels": softras.Mesh(vertices / 3, faces).voxelize(12),
        }

    yield "soft_renderer: meshes", Case(measured, x)


def module_cases() -> Cases:
    renderer = SoftRenderer(settings(), light=sr.Light(), background=0.2, learn_softness=True)

    def draw(log_softness: Any, vertices: Any, faces: Any, colors: Any = None, **x: Any) -> Any:
        arguments, colored = (vertices, faces, look_at(x)), {"colors": colors}
        softness = {"log_softness": log_softness}
        return torch.func.functional_call(renderer, softness, arguments, colored)

    softness = {"log_softness": np.log([1e-2, 0.1])}
    yield "nn.SoftRenderer", Case(draw, {**mesh(), **LOOK_AT, **softness})
    yield "nn.SoftRenderer, silhouettes", Case(draw, {**shape(), **LOOK_AT, **softness})
    yield "fit in torch", Case(fit_in_torch, {})
    yield "fit in taichi", Case(fit_in_taichi, {})


def fit_inputs() -> Numbers:
    x = {**mesh(), **LOOK_AT, **LIGHT, "target": uniform(1, HEIGHT, WIDTH, 4)}
    x["mask"] = uniform(1, HEIGHT, WIDTH)
    return {name: x[name].astype(np.float32) for name in x if name != "faces"}


def fit_terms(x: Arrays, faces: Any, topology: sr.MeshTopology) -> list[Any]:
    x = dict(x)
    vertices, targets = x["vertices"], taken(x, "target", "mask")
    camera, light = look_at(x), short_light(x)
    drawn = sr.render(**x, faces=faces, camera=camera, settings=settings(), light=light)
    alpha = sr.render_silhouette(vertices, faces, camera, settings())
    return [
        sr.image_loss(drawn, targets["target"]),
        sr.silhouette_loss(alpha, targets["mask"]),
        sr.laplacian_loss(vertices, topology),
        sr.flattening_loss(vertices, topology),
    ]


def fit_in_torch() -> Arrays:
    x = {name: torch.tensor(values, requires_grad=True) for name, values in fit_inputs().items()}
    faces = torch.tensor(mesh()["faces"])
    topology = sr.mesh_topology(faces, x["vertices"])
    optimizer = torch.optim.Adam(x.values(), lr=0.01)
    for _ in range(3):
        optimizer.zero_grad()
        torch.autograd.backward(fit_terms(x, faces, topology))
        optimizer.step()
    return {**x, **{f"last gradient of {name}": array.grad for name, array in x.items()}}


def fit_in_taichi() -> Arrays:
    x = {name: sr.from_numpy(values, needs_grad=True) for name, values in fit_inputs().items()}
    faces = sr.from_numpy(mesh()["faces"])
    topology = sr.mesh_topology(faces, x["vertices"])
    loss = sr.from_numpy(np.zeros(1, np.float32), needs_grad=True)
    optimizer = sr.Adam(list(x.values()), 0.01)
    for _ in range(3):
        optimizer.zero_grad()
        with ti.ad.Tape(loss):
            for term in fit_terms(x, faces, topology):
                sr.add_to_loss(loss, term)
        optimizer.step()
    return {**x, **{f"last gradient of {name}": array.grad for name, array in x.items()}}
