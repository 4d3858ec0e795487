"""Starting Taichi. It starts once a process, so these tests have processes of their own."""

import numpy as np
import pytest
from programs import WITH_TORCH, WITHOUT_TORCH, run

import taichi_softras as sr
from taichi_softras.arrays import runtime
from taichi_softras.backend import ti

# --- Importing and starting -------------------------------------------------------------------


def test_import_starts_nothing_and_prints_nothing():
    printed = run(
        """
        import sys
        import taichi_softras
        from taichi_softras.arrays import runtime
        assert not runtime.is_running()
        heavy = {"imageio", "matplotlib", "rich", "scipy.linalg", "scipy.ndimage", "scipy.sparse"}
        heavy |= {"torch", "trimesh", "viser"}
        from taichi_softras.backend import BACKEND
        if BACKEND == "quadrants":
            heavy.remove("torch")  # which it imports itself
        assert not heavy & set(sys.modules), heavy & set(sys.modules)
        """,
        setup="",
    )
    assert printed == ""


def test_taichi_programs_never_import_torch():
    printed = run(
        """
        import sys
        losses = fit()
        assert losses[-1] < losses[0], losses
        from taichi_softras.backend import BACKEND
        assert BACKEND == "quadrants" or "torch" not in sys.modules
        """,
        setup=WITHOUT_TORCH,
    )
    assert printed == ""


def test_init_starts_once():
    run(
        """
        sr.init("cpu", cpu_max_num_threads=1)
        from taichi_softras.arrays import runtime
        assert runtime.is_running() and runtime.running_arch() in ("x64", "arm64")
        draw_little()
        assert ti.cfg.cpu_max_num_threads == 1
        try:
            sr.init()
        except RuntimeError as error:
            assert "Taichi runs already, on" in str(error)
        else:
            raise SystemExit("init twice")
        """
    )


def test_users_own_init_is_left_alone():
    """Before the first use, and after: PyTorch's tensors outlive a second start."""
    run(
        """
        ti.init(arch=ti.cpu, log_level=ti.ERROR, random_seed=7)
        field = ti.field(ti.f32, 3)
        field.fill(5)
        image, grad = draw_little()
        assert ti.cfg.random_seed == 7
        assert field.to_numpy().tolist() == [5, 5, 5]

        faces = torch.rand(1, 4, 3, 3, requires_grad=True)
        pending = sr.rasterize_silhouette(faces + 1, SETTINGS)
        ti.init(arch=ti.cpu, log_level=ti.ERROR)
        pending.sum().backward()
        assert faces.grad.isfinite().all()
        again, grad_again = draw_little()
        assert (again == image).all()
        torch.testing.assert_close(grad_again, grad, rtol=1e-4, atol=1e-6)
        """
    )


@pytest.mark.slow
def test_compiled_kernels_are_kept(tmp_path, monkeypatch):
    """For the next process: also where PyTorch's graph outlives the interpreter."""
    monkeypatch.setenv("TI_OFFLINE_CACHE_FILE_PATH", str(tmp_path))
    program = "results = draw()"
    run(program)
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.tic")}
    assert len(kept) > 10
    run(program)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.tic")} == kept


@pytest.mark.slow
def test_users_default_types_change_nothing(tmp_path):
    """Bit by bit: no literal, and no division by an integer, takes its type from ``ti.init``."""
    paths = {
        x: tmp_path / x for x in ("default_fp=ti.f32", "default_fp=ti.f64", "default_ip=ti.i64")
    }
    for default, path in paths.items():
        run(
            f"""
            ti.init(arch=ti.cpu, log_level=ti.ERROR, {default}, cpu_max_num_threads=1)
            results = [*draw(torch.float32), *draw_texture(), *draw(torch.float64)]
            np.savez(r"{path}", *(x.numpy() for x in results), np.array(fit()))
            """,
            setup=WITHOUT_TORCH + WITH_TORCH,
        )
    drawn = [np.load(f"{path}.npz") for path in paths.values()]
    assert [x.dtype.name for x in drawn[0].values()] == ["float32"] * 5 + ["float64"] * 3
    for name in drawn[0]:
        for other in drawn[1:]:
            np.testing.assert_array_equal(other[name], drawn[0][name])


@pytest.mark.slow
def test_debug_mode_finds_no_index_out_of_bounds():
    run(
        """
        sr.init(debug=True)
        draw()
        faces = torch.rand(2, 30, 3, 3, requires_grad=True)
        colors = torch.rand(1, 30, 3, 5, requires_grad=True)
        settings = sr.RasterizerSettings(height=13, width=9, sigma=0.1)
        image = sr.rasterize(3 * faces - 1, colors, settings, background=torch.rand(2, 13, 1, 5))
        image.sum().backward()
        empty = sr.rasterize(faces[:, :0], colors[:, :0], settings)
        empty.sum().backward()
        """
    )


# --- Refusals ---------------------------------------------------------------------------------


@pytest.mark.parametrize("arch", ["vulkan", "gpu", "metal", None])
def test_init_refuses_other_backends(arch):
    with pytest.raises(ValueError, match="arch must be 'cpu' or 'cuda', got"):
        sr.init(arch)


@pytest.mark.parametrize("arch", ["vulkan", "metal"])
def test_running_on_other_backends_is_refused(arch, monkeypatch):
    runtime.ensure_running()
    running = type("Config", (), {"arch": getattr(ti, arch)})
    monkeypatch.setattr(runtime.impl, "current_cfg", lambda: running)
    with pytest.raises(ValueError, match=f"Taichi runs on {arch}, where its ndarrays have no grad"):
        runtime.ensure_running("cpu")


def test_arrays_where_taichi_does_not_run_are_refused(monkeypatch):
    runtime.ensure_running()
    with pytest.raises(ValueError, match="arrays must be on cpu or cuda, got mps"):
        runtime.ensure_running("mps")
    running = type("Config", (), {"arch": ti.cuda})
    monkeypatch.setattr(runtime.impl, "current_cfg", lambda: running)
    with pytest.raises(ValueError, match="arrays are on cpu, but Taichi was started on cuda"):
        runtime.ensure_running("cpu")


def test_cuda_without_a_device_is_refused():
    run(
        """
        import os
        if torch.cuda.is_available():
            raise SystemExit(0)
        try:
            sr.init("cuda")
        except RuntimeError as error:
            assert "no CUDA device" in str(error)
        else:
            raise SystemExit("started")
        draw_little()  # nothing is left half started
        """
    )
