"""A page that shows how a mesh of photographs grows, among the cameras that took them."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taichi_softras.captures import Captures
from taichi_softras.files.mesh_files import write_mesh
from taichi_softras.meshes.mesh import Mesh
from taichi_softras.reconstruction import Progress
from taichi_softras.viewer._server import page_server

MESH_SECONDS, TEXT_SECONDS = 2.0, 0.5
"""How often the mesh and the text are sent."""

LONGEST = 160
"""Pixels of the longer side of the photographs in the cameras."""

FRUSTUM, LINE = 0.07, 0.0015
"""Size of a camera, and width of its lines, as shares of its distance from the mesh."""

GREY = (130, 130, 130)


@contextlib.contextmanager
def growing_page(captures: Captures, host: str, port: int) -> Iterator[GrowingPage]:
    """Serve a page on which a mesh grows, for as long as a block lasts.

    Args:
        captures: The photographs that it is made of.
        host: Address to listen at; ``"127.0.0.1"`` is reached from this machine alone.
        port: Where to listen; the next free one is taken if it is in use.

    Yields:
        What is told how the mesh is.

    Raises:
        RuntimeError: If viser is not installed.
    """
    with page_server(host, port, "softras reconstruct") as server:
        yield GrowingPage(server, captures, f"http://{host}:{server.get_port()}")


class GrowingPage:
    """What a page shows; made by `growing_page`.

    Attributes:
        url: Its address.
    """

    def __init__(self, server: Any, captures: Captures, url: str) -> None:
        self.url = url
        self._server, self._captures = server, captures
        self._mesh_sent = self._text_sent = -np.inf
        self._is_framed = False
        up = -captures.rotations[:, 1].mean(axis=0)  # OpenCV's y is down
        self._up = up / max(np.linalg.norm(up), 1e-9)
        server.scene.set_up_direction(tuple(map(float, self._up)))
        # Colours hold the light of the photographs: no lamp of the page's own.
        server.scene.configure_default_lights(enabled=False)
        server.scene.add_light_ambient("/light", intensity=2.0)
        self._text = server.gui.add_markdown("Carving the hull")
        self._shown = server.gui.add_checkbox("cameras", True)

    def show(self, progress: Progress) -> None:
        """Show how far a fit has come: its text, and the mesh every few seconds."""
        now = time.monotonic()
        if now - self._text_sent >= TEXT_SECONDS or progress.step == 0:
            self._text.content = _text(progress)
            self._text_sent = now
        if now - self._mesh_sent >= MESH_SECONDS:
            self._send(progress.mesh())
            self._mesh_sent = time.monotonic()

    def finish(self, mesh: Mesh) -> None:
        """Show the mesh in the end, with its texture."""
        self._send(mesh)
        self._text.content = f"**Done**\n\n{mesh.num_vertices} vertices, {mesh.num_faces} faces"

    def _send(self, mesh: Mesh) -> None:
        if not self._is_framed:
            self._frame(mesh.vertices)
        with TemporaryDirectory() as folder:
            path = Path(folder) / "mesh.glb"
            write_mesh(mesh, path)
            self._server.scene.add_glb("/mesh", path.read_bytes())

    def _frame(self, vertices: NDArray[Any]) -> None:
        """Put up the cameras, and look at the mesh from behind one of them, and above."""
        self._is_framed = True
        middle = (vertices.min(axis=0) + vertices.max(axis=0)).astype(np.float64) / 2
        distance = float(np.linalg.norm(self._captures.eyes - middle, axis=1).mean())
        self._add_cameras(distance)
        eye = middle + 1.2 * (self._captures.eyes[0] - middle) + 0.9 * distance * self._up
        for camera in (
            self._server.initial_camera,
            *(client.camera for client in self._server.get_clients().values()),
        ):
            camera.position = tuple(map(float, eye))
            camera.look_at = tuple(map(float, middle))

    def _add_cameras(self, distance: float) -> None:
        import viser.transforms

        captures = self._captures
        _, height, width = captures.known.shape
        step = max(1, -(-max(height, width) // LONGEST))
        frame = self._server.scene.add_frame("/cameras", show_axes=False)
        self._shown.on_update(lambda _: setattr(frame, "visible", self._shown.value))
        for i, name in enumerate(captures.names):
            self._server.scene.add_camera_frustum(
                f"/cameras/{i} {Path(name).stem}",
                fov=float(2 * np.arctan(height / 2 / captures.matrices[i, 1, 1])),
                aspect=width / height,
                scale=FRUSTUM * distance,
                thickness=LINE * distance,
                color=GREY,
                image=captures.pictures[i, ::step, ::step],
                wxyz=viser.transforms.SO3.from_matrix(captures.rotations[i].T).wxyz,
                position=captures.eyes[i],
            )


def _text(progress: Progress) -> str:
    loss = "" if progress.loss is None else f"\n\nloss {progress.loss:.4f}"
    return (
        f"**Stage {progress.number + 1} of {progress.stages}: {progress.stage}**\n\n"
        f"step {progress.step} of {progress.steps}{loss}"
    )
