"""Every kernel, forward and gradient, compiles for CUDA: on any machine, with or without a GPU.

Where the tools are missing these tests fail, rather than skip: CI must have them.
"""

import platform
import sys

import pytest
import report

FORWARD_ONLY = {
    "bench.kernels.rates.copy",
    "bench.kernels.rates.multiply_add",
    "fitting.kernels.adam.adam",
    "fitting.kernels.adam.uniform_adam",
    "rasterizer.kernels.background_gradient.add_to_background",
    "rasterizer.kernels.background_gradient.add_to_eps",
    "rasterizer.kernels.background_gradient.add_to_gamma",
    "rasterizer.kernels.background_gradient.sum_rows",
    "rasterizer.kernels.boxes.find_boxes",
    "rasterizer.kernels.tiles.count",
    "rasterizer.kernels.tiles.fill",
    "rasterizer.kernels.tiles.sort",
    "rasterizer.kernels.tiles.list_few",
    "cameras.kernels.clipping.count_touched",
    "cameras.kernels.clipping.find_finite_faces",
    "meshes.kernels.normals.find_finite_faces",
    "cameras.kernels.clipping.lay_out",
    "cameras.kernels.clipping.plan",
    "cameras.kernels.clipping.count_outside",
    "cameras.kernels.vertex_stage.place_and_count",
    "cameras.kernels.vertex_stage.place_uncounted",
    "cameras.kernels.vertex_stage.place_backward",
    "cameras.kernels.vertex_stage.view_backward",
    "rasterizer.kernels.chunks.list_chunks",
    "rasterizer.kernels.chunk_sums.sum_chunks",
    "rasterizer.kernels.pixel_planes.weigh_pixels",
    "rasterizer.kernels.corner_sums.add_to_vertices",
    "rasterizer.kernels.corner_sums.add_to_corners",
    "rasterizer.kernels.corner_sums.add_to_softness",
    "rasterizer.kernels.filling.fill_level",
    "rasterizer.kernels.filling.fill_texels",
    "rasterizer.kernels.filling.weigh_texels",
    "rasterizer.kernels.inspection.list_fragments",
    "rasterizer.kernels.inspection.summarize",
    "rasterizer.kernels.pyramids.copy_texels",
    "rasterizer.kernels.pyramids.gather_level",
    "rasterizer.kernels.pyramids.halve",
    "rasterizer.kernels.softness.find_workable",
    "lights.kernels.shading.find_finite_vertices",
    "losses.kernels.image_losses.measure_overlap",
    "losses.kernels.image_losses.differentiate_overlap",
    "losses.kernels.image_losses.measure_error",
    "losses.kernels.image_losses.differentiate_error",
    "losses.kernels.mesh_losses.weigh_by_cotangents",
    "losses.kernels.sums.add_parts",
    "losses.kernels.sums.add_scaled",
    "losses.kernels.sums.spread_scaled",
    "meshes.kernels.normals.find_normals",
    "meshes.kernels.normals.find_normals_backward",
    "meshes.kernels.incidence.gather",
    "meshes.kernels.incidence.gather_backward",
    "losses.kernels.laplacian.laplacian",
    "losses.kernels.laplacian.laplacian_backward",
    "meshes.kernels.incidence.list_corners",
    "rasterizer.kernels.draw.forward",
    "arrays.kernels.scan.exclusive_scan",
    "arrays.kernels.broadcast.add_copies",
    "arrays.kernels.broadcast.repeat",
    "arrays.kernels.conversion.add_gradients",
    "arrays.kernels.conversion.convert",
    "arrays.kernels.items.find_one",
    "arrays.kernels.items.find_two",
    "arrays.kernels.items.find_three",
    "arrays.kernels.points.find_finite",
    "meshes.kernels.voxels.mark_surface",
    "reconstruction.kernels.hull.carve",
    "reconstruction.kernels.sampling.sample",
}
"""Kernels that are never differentiated."""

GRADIENT_ONLY = {
    "rasterizer.kernels.surrogate.surrogate",
    "rasterizer.kernels.surrogate.background_surrogate",
}
"""Kernels that are only ever differentiated."""

MOST_REGISTERS = {
    "rasterizer.kernels.tiles.fill": 64,
    "rasterizer.kernels.boxes.find_boxes": 64,
    "rasterizer.kernels.tiles.sort": 64,
    "rasterizer.kernels.chunk_sums.sum_chunks": 128,
    "meshes.kernels.incidence.gather": 64,
    "meshes.kernels.incidence.gather_backward": 64,
    "rasterizer.kernels.draw.forward": 128,
}
"""Registers a thread that the hot kernels may need in float32. With 128, 16 warps fit a core."""

MORE_REGISTERS = {
    ("rasterizer.kernels.chunk_sums.sum_chunks", "3 channels, uv texture"): 167,
    ("rasterizer.kernels.chunk_sums.sum_chunks", "3 channels, mipmapped texture"): 241,
}
"""Uses that need more, for now: to be lowered, never raised."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        (sys.platform, platform.machine()) != ("linux", "x86_64"),
        reason="Taichi has CUDA, and ptxas is packaged, for Linux on x86-64",
    ),
]


@pytest.fixture(scope="module")
def modules(tmp_path_factory):
    return report.emit_ptx(tmp_path_factory.mktemp("ptx"))


def test_every_kernel_compiles_to_ptx(modules):
    kernels = report.source_kernels()
    gone = (FORWARD_ONLY | GRADIENT_ONLY) - kernels
    assert not gone, f"listed here, but in the package no more: {sorted(gone)}"
    wanted = {(kernel, False) for kernel in kernels - GRADIENT_ONLY}
    wanted |= {(kernel, True) for kernel in kernels - FORWARD_ONLY}
    compiled = {(m.kernel, m.is_gradient) for m in modules if m.kernel is not None}
    surprising, missing = _names(compiled - wanted), _names(wanted - compiled)
    assert not surprising, f"compiled, but listed as never used in this form: {surprising}"
    assert not missing, f"never compiled; have compile_kernels.py call: {missing}"


@pytest.fixture(scope="module", params=report.ARCHS)
def assembled(request, modules):
    """What each module needs on one architecture; raises if ptxas refuses one."""
    return {request.param: report.assemble(modules, request.param)}


def test_every_module_assembles(modules, assembled):
    report.print_table(report.table_of(modules, assembled))  # shown by pytest -rP
    assert all(n.registers > 0 for needs in assembled.values() for n in needs)


def test_hot_kernels_stay_in_registers(modules, assembled):
    hot = report.hot_needs(modules, assembled)
    assert {kernel for kernel, _ in hot} == set(MOST_REGISTERS) == set(report.HOT_KERNELS)
    wrong = []
    for (kernel, use), by_arch in hot.items():
        most = MORE_REGISTERS.get((kernel, use), MOST_REGISTERS[kernel])
        for arch, needs in by_arch.items():
            if needs.registers > most or needs.stack or needs.spill_stores or needs.spill_loads:
                wrong.append(f"{kernel} ({use}) on {arch}: {needs}, at most {most} registers")
    assert not wrong, "\n".join(wrong)


def _names(forms):
    return ", ".join(
        sorted(kernel + (".grad" if is_gradient else "") for kernel, is_gradient in forms)
    )
