"""`torch.compile` round the package: it calls what ends in kernels, with one break each."""

import inspect
import pickle
from collections import Counter

import pytest
import scenes
import torch
import torch._dynamo as dynamo

import taichi_softras as sr
from taichi_softras import soft_renderer
from taichi_softras.nn import SoftRenderer

SETTINGS = sr.RasterizerSettings(height=6, width=7, near=1.0, far=10.0, sigma=1e-2, gamma=0.1)
CAMERA = sr.LookAtCamera((1.0, 2.0, 4.0))

# The compiler itself looks at the gradients of what it hands on after a break.
pytestmark = pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")


@pytest.fixture
def mesh(rng):
    return scenes.bumpy_octahedron(rng)


@pytest.fixture(autouse=True)
def _forget_what_was_compiled():
    dynamo.reset()
    dynamo.utils.counters.clear()
    yield
    dynamo.reset()


def draw(vertices, faces):
    return sr.render(1.1 * vertices, faces, vertices.sin(), CAMERA, SETTINGS).square()


def draw_in_light(vertices, faces):
    return sr.render(vertices, faces, vertices, CAMERA, SETTINGS, light=sr.Light()).square()


def draw_by_a_camera_made_there(vertices, faces):
    eye = vertices.mean(1) + torch.tensor([1.0, 2.0, 4.0], dtype=vertices.dtype)
    return sr.render_silhouette(vertices, faces, sr.LookAtCamera(eye), SETTINGS)


def compare(vertices, faces):
    alpha = sr.render_silhouette(vertices, faces, CAMERA, SETTINGS)
    topology = sr.mesh_topology(faces, vertices)
    loss = sr.silhouette_loss(alpha, torch.ones_like(alpha))
    return loss + sr.laplacian_loss(vertices, topology) * 2


SOFTRAS_CAMERA = soft_renderer.LookAt(eye=[1.0, 2.0, -4.0])


def project_as_softras(vertices, faces):
    seen = SOFTRAS_CAMERA(vertices * 2)
    return soft_renderer.functional.look_at(vertices, (1.0, 2.0, 3.0)) + seen


PROGRAMS = {  # with the number of calls of the package
    "render": (draw, 1),
    "render in light": (draw_in_light, 2),
    "a camera": (draw_by_a_camera_made_there, 2),
    "losses": (compare, 4),
    "SoftRas's modules and functions": (project_as_softras, 2),
}


@pytest.mark.parametrize(("program", "num_calls"), PROGRAMS.values(), ids=PROGRAMS)
def test_each_call_breaks_the_graph_once(program, num_calls, mesh):
    found = {}
    compiled = torch.compile(program, backend="eager")
    for name, run in {"compiled": compiled, "again": compiled, "eager": program}.items():
        vertices = mesh[0].clone().requires_grad_()
        image = run(vertices, mesh[1])
        image.sum().backward()
        found[name] = image.detach(), vertices.grad
    breaks = Counter(dynamo.utils.counters["graph_break"])
    assert 0 < breaks.total() <= num_calls, breaks
    for name in ("compiled", "again"):
        for actual, expected in zip(found[name], found["eager"]):
            torch.testing.assert_close(actual, expected, rtol=1e-9, atol=1e-12)
    assert found["eager"][1].any()


def test_a_module_breaks_the_graph_once(mesh):
    renderer = SoftRenderer(SETTINGS, learn_softness=True)

    def run(vertices, faces):
        return renderer(2 * vertices, faces, CAMERA, colors=vertices) + 1

    image = torch.compile(run, backend="eager")(*mesh)
    assert Counter(dynamo.utils.counters["graph_break"]).total() == 1
    image.sum().backward()
    gradient = renderer.log_softness.grad.clone()
    renderer.zero_grad()
    expected = run(*mesh)
    expected.sum().backward()
    torch.testing.assert_close(image, expected, rtol=0, atol=0)
    torch.testing.assert_close(gradient, renderer.log_softness.grad, rtol=0, atol=0)
    whole = torch.compile(renderer, backend="eager")(*mesh, CAMERA)
    torch.testing.assert_close(whole, renderer(*mesh, CAMERA), rtol=0, atol=0)


@pytest.mark.parametrize("name", [n for n in sr.__all__ if inspect.isfunction(getattr(sr, n))])
def test_functions_are_themselves_from_outside(name):
    function = getattr(sr, name)
    original = inspect.unwrap(function)
    assert function is not original
    assert pickle.loads(pickle.dumps(function)) is function
    assert (function.__name__, function.__doc__) == (name, original.__doc__)
    assert inspect.signature(function) == inspect.signature(original)
