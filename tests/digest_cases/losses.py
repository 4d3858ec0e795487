"""Losses, geometry, and what inspection tells."""

import functools
from dataclasses import replace
from typing import Any

import numpy as np

import taichi_softras as sr
from digest_cases.cameras import mesh, shape
from digest_cases.cases import Arrays, Case, Cases, Compute, both, chosen, uniform
from digest_cases.faces import faces_in_ndc, settings


def of_mesh(loss: Compute, of: str = "vertices", **options: Any) -> Compute:
    """Call a loss that takes a topology."""
    return lambda **x: loss(x[of], sr.mesh_topology(x["faces"], x["vertices"]), **options)


def mesh_loss_cases() -> Cases:
    for name, loss in {
        "laplacian": functools.partial(of_mesh, sr.laplacian_loss),
        "cotangents": functools.partial(of_mesh, sr.laplacian_loss, weights="cotangent"),
        "flattening": functools.partial(of_mesh, sr.flattening_loss),
        "normal consistency": functools.partial(of_mesh, sr.normal_consistency_loss),
        "edge length": functools.partial(of_mesh, sr.edge_length_loss, target_length=0.2),
    }.items():
        case = Case(loss(), shape(2))
        yield from both(f"loss: {name}", case)
        yield f"loss: {name}, float64", replace(case, dtype=np.float64)
        yield f"loss: {name} of items", Case(loss(reduction="none"), shape(2))
    inputs = {**shape(2), "face_colors": uniform(2, 80, 4)}
    case = Case(of_mesh(sr.color_laplacian_loss, of="face_colors"), inputs, constant=("vertices",))
    yield from both("loss: colours of faces", case)


def loss_cases() -> Cases:
    images = {"image": uniform(3, 9, 11, 4), "target": uniform(1, 9, 11, 4, seed=5)}
    yield from both("loss: image", Case(sr.image_loss, images))
    masks = {"alpha": uniform(3, 9, 11), "target": uniform(1, 9, 11, seed=5)}
    yield from both("loss: silhouette", Case(sr.silhouette_loss, masks))
    of_items = functools.partial(sr.silhouette_loss, reduction="none")
    views = {"alpha": uniform(3, 2, 9, 11), "target": uniform(1, 2, 9, 11, seed=5)}
    yield "loss: silhouettes of views", Case(of_items, views)

    def multiview(target: Any, other: Any, **alphas: Any) -> Any:
        return sr.multiview_silhouette_loss([*alphas.values()], [target, other])

    views = {**masks, "other_alpha": uniform(3, 6, 7), "other": uniform(3, 6, 7, seed=5)}
    yield from both("loss: multiview", Case(multiview, views))
    points = {"points": uniform(2, 50, 3), "others": uniform(1, 40, 3, seed=5)}
    yield from both("loss: chamfer", Case(sr.chamfer_distance, points))
    chamfer = functools.partial(sr.chamfer_distance, squared=False, two_sided=False)
    yield "loss: chamfer, one-sided", Case(chamfer, points)
    finer = mesh(subdivisions=2)
    inputs = {**shape(2), "other_vertices": finer["vertices"], "other_faces": finer["faces"]}
    chamfer = functools.partial(sr.mesh_chamfer_distance, num_points=200, seed=7)
    yield "loss: chamfer of meshes", Case(chamfer, inputs, unordered=("output", "*"))
    sample = functools.partial(sr.sample_surface, num_points=100)
    yield "points on a surface", Case(sample, shape(2), unordered=("output", "*"))


def geometry_cases() -> Cases:
    def finer(vertices: Any, faces: Any, scheme: Any) -> Arrays:
        subdivision = sr.mesh_subdivision(faces, vertices, scheme=scheme, times=2)
        return {"vertices": subdivision.matrix @ vertices, "faces": subdivision.faces}

    def voxels(vertices: Any, faces: Any) -> Arrays:
        options: dict[str, Any] = {"resolution": 12, "bounds": (-1.2, 1.2)}
        solid = sr.voxelize(vertices, faces, **options)
        shell = sr.voxelize(vertices, faces, fill=False, **options)
        return {"solid": solid, "shell": shell, "iou": sr.voxel_iou(solid, shell)}

    for scheme in ("midpoint", "loop"):
        compute = functools.partial(finer, scheme=scheme)
        yield f"subdivision: {scheme}", Case(compute, shape(2), unordered=("vertices",))
        subdivide = functools.partial(sr.subdivide, sr.cube(), scheme=scheme)
        yield f"mesh: {scheme}", Case(lambda make=subdivide: of_host(make()), {})
    yield "voxels", Case(voxels, shape(2))


def of_host(made: sr.Mesh) -> Arrays:
    return chosen(vars(made), "vertices", "faces", "colors")


def inspection_cases() -> Cases:
    options = settings(cull="back", cull_alpha=False)
    faces = chosen(faces_in_ndc("tilted"), "face_vertices", "colors")
    alone = chosen(faces, "face_vertices")
    coverage = functools.partial(sr.face_coverage, face=3, settings=settings(supersampling=2))
    yield "coverage of a face", Case(coverage, alone)
    yield (
        "summary",
        Case(lambda face_vertices: vars(sr.summarize_fragments(face_vertices, options)), alone),
    )

    def fragments(face_vertices: Any, colors: Any) -> Arrays:
        found = sr.list_fragments(face_vertices, colors, options, 10, 13, item=1)
        return {**vars(found), "mix": found.mix(0.3)}

    yield "fragments", Case(fragments, faces)
    yield "fragments, float64", Case(fragments, faces, np.float64)
