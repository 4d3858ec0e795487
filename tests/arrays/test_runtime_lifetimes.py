"""Taichi in several threads and processes, and after it was reset."""

import os

import pytest
from programs import WITH_TORCH, WITHOUT_TORCH, run

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
