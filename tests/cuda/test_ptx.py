"""Every kernel, forward and gradient, compiles for CUDA: on any machine, with or without a GPU.

Where the tools are missing these tests fail, rather than skip: CI must have them.
"""

import platform
import sys

import pytest
import report

FORWARD_ONLY = {
    "kernels.adam.adam",
    "kernels.background_gradient.add_to_background",
    "kernels.background_gradient.add_to_eps",
    "kernels.background_gradient.add_to_gamma",
    "kernels.background_gradient.sum_rows",
    "kernels.binning.find_boxes",
    "kernels.binning.count",
    "kernels.binning.fill",
    "kernels.binning.sort",
    "kernels.clipping.count_touched",
    "kernels.clipping.count_second_parts",
    "kernels.clipping.find_finite_faces",
    "kernels.clipping.largest_count",
    "kernels.clipping.plan",
    "kernels.clipping.count_nearer",
    "kernels.chunks.count_chunks",
    "kernels.chunks.list_chunks",
    "kernels.face_gradient.sum_chunks",
    "kernels.face_gradient.weigh_pixels",
    "kernels.face_gradient.add_to_vertices",
    "kernels.face_gradient.add_to_corners",
    "kernels.face_gradient.add_to_softness",
    "kernels.inspection.list_fragments",
    "kernels.inspection.summarize",
    "kernels.lights.find_finite_faces",
    "kernels.lights.find_finite_vertices",
    "kernels.mesh_losses.weigh_by_cotangents",
    "kernels.sums.add_parts",
    "kernels.sums.add_scaled",
    "kernels.sums.spread_scaled",
    "kernels.fragments.count_fragments",
    "kernels.incidence.add_normals",
    "kernels.incidence.add_normals_backward",
    "kernels.incidence.count_corners",
    "kernels.incidence.gather",
    "kernels.incidence.gather_backward",
    "kernels.incidence.laplacian",
    "kernels.incidence.laplacian_backward",
    "kernels.incidence.list_corners",
    "kernels.rasterize.forward",
    "kernels.scan.exclusive_scan",
    "kernels.sharing.add_copies",
    "kernels.sharing.repeat",
    "kernels.vertices.find_finite",
    "kernels.voxels.mark_surface",
}
"""Kernels that are never differentiated."""

GRADIENT_ONLY = {
    "kernels.rasterize.surrogate",
    "kernels.rasterize.background_surrogate",
}
"""Kernels that are only ever differentiated."""

MOST_REGISTERS = {
    "kernels.binning.fill": 64,
    "kernels.binning.find_boxes": 64,
    "kernels.binning.sort": 64,
    "kernels.face_gradient.sum_chunks": 128,
    "kernels.incidence.gather": 64,
    "kernels.incidence.gather_backward": 64,
    "kernels.rasterize.forward": 128,
}
"""Registers a thread that the hot kernels may need in float32. With 128, 16 warps fit a core."""

MORE_REGISTERS = {
    ("kernels.face_gradient.sum_chunks", "3 channels, uv texture"): 181,
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
