"""Starting Taichi. It starts once a process, so these tests have processes of their own."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import taichi as ti

import taichi_softras as sr
from taichi_softras.arrays import runtime

SCENE = """
import warnings
warnings.filterwarnings("ignore", category=DeprecationWarning)
import numpy as np
import taichi_softras as sr
import taichi as ti  # after: alone it prints a banner

SETTINGS = sr.RasterizerSettings(height=8, width=9, near=1.0, far=10.0, sigma=1e-3, gamma=1e-2)
VERTICES = np.array(
    [[[1, 0, 0], [-1, 0, 0.2], [0, 1.1, 0], [0, -1, 0], [0, 0.3, 1], [0, 0, -1]]], np.float32
)
FACES = np.array(
    [[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4], [2, 0, 5], [1, 2, 5], [3, 1, 5], [0, 3, 5]],
    np.int32,
)
CAMERA = sr.LookAtCamera((1, 2, 4))
LIGHT = sr.Light()
"""

WITH_TORCH = (
    SCENE
    + """
import torch

def draw_little():
    vertices = torch.tensor(VERTICES, requires_grad=True)
    alpha = sr.render_silhouette(vertices, torch.tensor(FACES), CAMERA, SETTINGS)
    alpha.sum().backward()
    return alpha.detach(), vertices.grad

def draw(dtype=torch.float32):
    vertices = torch.tensor(VERTICES, dtype=dtype, requires_grad=True)
    faces = torch.tensor(FACES)
    image = sr.render(vertices, faces, vertices, CAMERA, SETTINGS, light=LIGHT)
    topology = sr.mesh_topology(FACES, vertices)
    loss = sr.image_loss(image, torch.zeros_like(image)) + sr.silhouette_loss(
        image[..., 3].contiguous(), torch.ones_like(image[..., 3]))
    loss = loss + sr.laplacian_loss(vertices, topology) + sr.flattening_loss(vertices, topology)
    loss.backward()
    return image.detach(), vertices.grad

def draw_texture():
    rng = torch.Generator().manual_seed(0)
    texels = torch.rand(1, 4, 5, 3, generator=rng, requires_grad=True)
    uvs = torch.rand(1, 8, 3, 2, generator=rng, requires_grad=True)
    vertices = torch.tensor(VERTICES, requires_grad=True)
    colors = sr.UVTexture(uvs, texels)
    image = sr.render(vertices, torch.tensor(FACES), colors, CAMERA, SETTINGS, normals="view")
    image.square().sum().backward()
    return image.detach(), vertices.grad, uvs.grad
"""
)

WITHOUT_TORCH = (
    SCENE
    + """
def fit(steps=3):
    vertices = sr.from_numpy(VERTICES, needs_grad=True)
    faces = sr.from_numpy(FACES)
    colors = sr.from_numpy(np.full((1, 6, 3), 0.5, np.float32), needs_grad=True)
    target = sr.from_numpy(np.zeros((1, 8, 9, 4), np.float32))
    outline = sr.from_numpy(np.ones((1, 8, 9), np.float32))
    topology = sr.mesh_topology(FACES, vertices)
    adam = sr.Adam([vertices, colors], 0.01)
    losses = []
    for _ in range(steps):
        adam.zero_grad()
        loss = sr.from_numpy(np.zeros(1, np.float32), needs_grad=True)
        with ti.ad.Tape(loss):
            image = sr.render(vertices, faces, colors, CAMERA, SETTINGS, light=LIGHT)
            alpha = sr.render_silhouette(vertices, faces, CAMERA, SETTINGS)
            sr.add_to_loss(loss, sr.image_loss(image, target))
            sr.add_to_loss(loss, sr.silhouette_loss(alpha, outline), 0.1)
            sr.add_to_loss(loss, sr.laplacian_loss(vertices, topology), 0.1)
            sr.add_to_loss(loss, sr.flattening_loss(vertices, topology), 0.01)
        adam.step()
        losses.append(float(loss.to_numpy()[0]))
    return losses
"""
)


def run(program: str, *, setup: str = WITH_TORCH) -> str:
    """Run a program in a Python of its own; return what it printed."""
    environment = {**os.environ, "PYTHONWARNINGS": "ignore"}
    environment.pop("ENABLE_TAICHI_HEADER_PRINT", None)
    root = str(Path(sr.__file__).parents[1])
    environment["PYTHONPATH"] = os.pathsep.join(
        filter(None, [root, os.environ.get("PYTHONPATH", "")])
    )
    done = subprocess.run(
        [sys.executable, "-c", setup + textwrap.dedent(program)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


# --- Importing and starting -------------------------------------------------------------------


def test_import_starts_nothing_and_prints_nothing():
    printed = run(
        """
        import sys
        import taichi_softras
        from taichi_softras.arrays import runtime
        assert not runtime.is_running()
        assert "torch" not in sys.modules
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
        assert "torch" not in sys.modules
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


@pytest.mark.parametrize("arch", ["vulkan", "opengl", "metal"])
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


# --- Threads ----------------------------------------------------------------------------------


def test_first_use_in_another_thread():
    printed = run(
        """
        import threading
        results = []
        thread = threading.Thread(target=lambda: results.append(draw_little()))
        thread.start(), thread.join()
        assert (results[0][0] == draw_little()[0]).all()
        faces = torch.rand(1, 4, 3, 3, dtype=torch.float64)  # compiled in this one
        assert sr.rasterize_silhouette(faces, SETTINGS).isfinite().all()
        """
    )
    assert printed == ""


def test_first_use_in_another_thread_than_the_users_init():
    """Taichi can't run there; the error says how, and nothing is left half started."""
    run(
        """
        import threading
        ti.init(arch=ti.cpu, log_level=ti.CRITICAL)
        errors = []

        def work():
            try:
                draw_little()
            except RuntimeError as error:
                errors.append(str(error))

        def in_thread():
            thread = threading.Thread(target=work)
            thread.start(), thread.join()

        in_thread()
        assert len(errors) == 1 and "call ti.sync() there after ti.init" in errors[0], errors
        ti.sync()
        in_thread()
        assert len(errors) == 1, errors
        """
    )


def test_several_threads_at_once():
    """Each compiles kernels of its own, and launches those of the others."""
    run(
        """
        import threading
        faces = [torch.rand(1, 40, 3, 3, generator=torch.Generator().manual_seed(i)) * 2 - 0.5
                 for i in range(4)]

        def work(i):
            leaf = (faces[i] + torch.tensor([0.0, 0.0, 2.0])).requires_grad_()
            colors = torch.ones(1, 40, 3, i + 1) * (i + 1)
            image = sr.rasterize(leaf, colors, SETTINGS)
            image.square().sum().backward()
            return image.detach(), leaf.grad

        results = [None] * 4
        errors = []

        def target(i):
            try:
                for _ in range(5):
                    results[i] = work(i)
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=target, args=(i,)) for i in range(4)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        assert not errors, errors
        for i in range(4):
            image, grad = work(i)
            assert (results[i][0] == image).all()
            torch.testing.assert_close(results[i][1], grad, rtol=1e-3, atol=1e-3)
        """
    )


# --- Processes --------------------------------------------------------------------------------


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
def test_forked_processes_are_told_to_be_spawned():
    """After the first use, where they would hang. Before it they start Taichi for themselves."""
    run(
        """
        import os

        def in_child(function):
            child = os.fork()
            if child == 0:
                try:
                    function()
                except RuntimeError as error:
                    os._exit(7 if 'get_context("spawn")' in str(error) else 1)
                os._exit(0)
            return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

        assert in_child(sr.init) == 0
        array = sr.from_numpy(VERTICES, needs_grad=True)
        adam = sr.Adam([array], 0.1)
        leaf = torch.tensor(VERTICES, requires_grad=True)
        alpha = sr.render_silhouette(leaf, torch.tensor(FACES), CAMERA, SETTINGS)
        calls = [
            draw_little, fit, sr.init, adam.step, alpha.sum().backward,
            lambda: sr.from_numpy(VERTICES),
            lambda: sr.voxelize(VERTICES, FACES, resolution=2),
        ]
        for i, call in enumerate(calls):
            assert in_child(call) == 7, i
        assert draw_little()[0].isfinite().all()
        """,
        setup=WITHOUT_TORCH + WITH_TORCH,
    )


# --- After Taichi was reset -------------------------------------------------------------------


@pytest.mark.parametrize("again", ["", "ti.init(arch=ti.cpu, log_level=ti.ERROR)"])
def test_backward_after_a_reset(again):
    """PyTorch's tensors are not Taichi's: what was drawn is differentiated."""
    run(
        f"""
        leaf = torch.tensor(VERTICES, requires_grad=True)
        alpha = sr.render_silhouette(leaf, torch.tensor(FACES), CAMERA, SETTINGS)
        ti.reset()
        {again}
        alpha.sum().backward()
        assert (leaf.grad == draw_little()[1]).all()
        """
    )


@pytest.mark.parametrize("again", ["", "ti.init(arch=ti.cpu, log_level=ti.ERROR)"])
def test_ndarrays_of_before_a_reset_are_refused(again):
    """Their memory is gone: Taichi itself would read what is there by then."""
    run(
        f"""
        vertices, faces = sr.from_numpy(VERTICES, needs_grad=True), sr.from_numpy(FACES)
        raw = ti.ndarray(ti.f32, VERTICES.shape)
        raw.from_numpy(VERTICES)
        sr.render_silhouette(raw, faces, CAMERA, SETTINGS)
        alpha = sr.render_silhouette(vertices, faces, CAMERA, SETTINGS)
        adam = sr.Adam([vertices], 0.1)
        ti.reset()
        {again}

        calls = {{
            "of from_numpy": lambda: sr.render_silhouette(vertices, faces, CAMERA, SETTINGS),
            "of the user": lambda: sr.to_view(raw, CAMERA),
            "of a kernel": lambda: sr.silhouette_loss(alpha, alpha),
            "to the host": lambda: sr.mesh_topology(faces, vertices),
            "adam": adam.step,
            "zero_grad": adam.zero_grad,
            "sample": lambda: sr.sample_surface(vertices, FACES, 3),
        }}
        for name, call in calls.items():
            try:
                call()
            except RuntimeError as error:
                assert "made before Taichi was reset or started again" in str(error), name
            else:
                raise SystemExit(name)
        fit()
        """,
        setup=WITHOUT_TORCH,
    )
