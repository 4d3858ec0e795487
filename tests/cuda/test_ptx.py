"""Every kernel, forward and gradient, compiles for CUDA: on any machine, with or without a GPU.

Where the tools are missing these tests fail, rather than skip: CI must have them.
"""

import platform
import sys

import pytest
import report

FORWARD_ONLY = {
    "kernels.adam.adam",
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
    "kernels.face_gradient.add_to_vertices",
    "kernels.face_gradient.add_to_corners",
    "kernels.face_gradient.add_to_softness",
    "kernels.lights.find_finite_faces",
    "kernels.lights.find_finite_vertices",
    "kernels.mesh_losses.weigh_by_cotangents",
    "kernels.rasterize.forward",
    "kernels.scan.exclusive_scan",
    "kernels.silhouette.add_terms",
    "kernels.silhouette.finish",
    "kernels.vertices.find_finite",
    "kernels.voxels.mark_surface",
}
"""Kernels that are never differentiated."""

GRADIENT_ONLY = {
    "kernels.rasterize.surrogate",
    "kernels.rasterize.background_surrogate",
}
"""Kernels that are only ever differentiated."""

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


@pytest.mark.parametrize("arch", report.ARCHS)
def test_every_module_assembles(modules, arch):
    needs = report.assemble(modules, arch)  # raises if ptxas refuses one
    report.print_table(report.table_of(modules, {arch: needs}))  # shown by pytest -rP
    assert all(n.registers > 0 for n in needs)


def _names(forms):
    return ", ".join(
        sorted(kernel + (".grad" if is_gradient else "") for kernel, is_gradient in forms)
    )
