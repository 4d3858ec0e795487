"""``softras view``: a window on soft coverage; or a page in a browser, or a picture."""

import contextlib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro

from taichi_softras.arrays.options import check_integer
from taichi_softras.cli.options import (
    CameraArguments,
    CameraOptions,
    MeshArgument,
    SoftnessArguments,
    SoftnessOptions,
    load_mesh,
    picture_size,
)
from taichi_softras.files.pictures import STILLS, check_picture_path, write_picture
from taichi_softras.meshes.mesh import Mesh
from taichi_softras.viewer import (
    LiveFit,
    Orbit,
    Session,
    ViewedMesh,
    ViewerState,
    open_window,
    serve,
)
from taichi_softras.viewer.panel import WIDTH as PANEL_WIDTH
from taichi_softras.viewer.screen import Screen
from taichi_softras.viewer.state import ViewName


@dataclass(frozen=True, kw_only=True)
class ViewCommand:
    """Look at a mesh through the soft rasterizer, in a window.

    Drag to turn, with the right button or the wheel to zoom, with the middle button or Shift to
    move; click on a pixel to see which faces it is made of.

    Attributes:
        mesh: File (OBJ, PLY, OFF, STL, GLB or AC3D), or teapot, sphere, torus or cube.
        textures: Whether to show the materials and images that the file has; else their colours at
            vertices.
        target: What the mesh can be fitted to: another mesh, whose silhouettes from all round
            are wanted, or a picture (.png, .jpg), whose alpha or brightness is wanted, seen from
            where the camera is at first.
        view: What to show at first.
        face: The face whose coverage is shown.
        pixel: Row and column of the pixel to inspect.
        wireframe: Draw the edges of faces.
        blend: Lay colours over the background by alpha; else show them as they were mixed.
        eps: How much the background weighs in the softmax over depths: as much as a face that is
            so far in front of the far plane, as a share of the mesh's depth.
        background: Brightness of the background, 0 to 1.
        size: Height and width of the picture, in pixels; the controls come beside it.
        height: Height of the picture, where it is not the size.
        width: Width of the picture, where it is not the size.
        steps: Steps of the optimiser to take before anything is shown.
        screenshot: Write a picture to this file in place of opening a window; needs no display.
        controls: Draw the controls into the screenshot too.
        web: Serve the viewer to browsers in place of opening a window.
        host: Address to serve at; 0.0.0.0 lets other machines in.
        port: Where to serve.
        output: Folder for pictures and recordings.
        camera: Where the camera is.
        softness: How soft the picture is.
    """

    mesh: MeshArgument = "teapot"
    textures: bool = True
    target: str | None = None
    view: ViewName = "color"
    face: int | None = None
    pixel: tuple[int, int] | None = None
    wireframe: bool = False
    blend: bool = True
    eps: float = 1e-3
    background: float = 0.25
    size: int = 680
    height: int | None = None
    width: int | None = None
    steps: int = 0
    screenshot: Path | None = None
    controls: bool = False
    web: bool = False
    host: str = "127.0.0.1"
    port: int = 8080
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = Path()
    camera: CameraArguments = field(default_factory=CameraOptions)
    softness: SoftnessArguments = field(default_factory=SoftnessOptions)

    def run(self) -> None:
        """Open the window, serve the page, or write the picture."""
        height, width = self._size()
        check_integer("steps", self.steps, at_least=0)
        if self.screenshot is not None:
            check_picture_path(self.screenshot, STILLS)
            session = self.make_session(self.output)
            write_picture(self.screenshot, self._picture(session))
            print(f"wrote {self.screenshot}")
        elif self.web:
            self.make_session(self.output)  # what is wrong is said before anyone connects
            with contextlib.suppress(KeyboardInterrupt):
                serve(self.make_session, self.host, self.port, height=height, on_start=_announce)
        else:
            open_window(self.make_session(self.output.resolve()), height, width)

    def make_session(self, folder: Path) -> Session:
        """Load the mesh and the target, and set up what is shown at first.

        Args:
            folder: For pictures and recordings.

        Raises:
            OSError: If a file can't be read.
            ValueError: If a setting is out of range, or there is no such face or pixel.
        """
        mesh = load_mesh(self.mesh, textures=self.textures)
        state = self._state(mesh)
        viewed = ViewedMesh(mesh)
        viewed.shot(state, *self._size())  # refuses a face that does not exist
        fit = None
        if self.target is not None:
            if Path(self.target).suffix.lower() in STILLS:
                fit = LiveFit.to_picture(mesh, Path(self.target), state.orbit)
            else:
                fit = LiveFit.to_mesh(mesh, load_mesh(self.target))
        elif self.view == "gradient" or self.steps:
            raise ValueError("a target must be given to see gradients of, or to step towards")
        session = Session(viewed, state, fit=fit, folder=folder)
        for _ in range(self.steps):
            session.step()
        return session

    def _state(self, mesh: Mesh) -> ViewerState:
        height, width = self._size()
        camera = self.camera.cameras(mesh, width / height, np.zeros(1))
        pixel = None
        if self.pixel is not None:
            row, col = self.pixel
            if not (0 <= row < height and 0 <= col < width):
                raise ValueError(
                    f"pixel must be inside the picture of {height} rows and {width} "
                    f"columns, got {row} {col}"
                )
            pixel = ((col + 0.5) / width, (row + 0.5) / height)
        return ViewerState(
            view=self.view,
            orbit=Orbit.at_eye(camera.eye[0], camera.at[0], self.camera.fov),
            settings=replace(self.softness.settings(1, 1), eps=self.eps),
            background=self.background,
            blend=self.blend,
            wireframe=self.wireframe,
            face=self.face,
            pixel=pixel,
        )

    def _picture(self, session: Session) -> np.ndarray:
        height, width = self._size()
        if self.controls:
            return Screen(session).image(height, width + PANEL_WIDTH)
        return session.picture(height, width)

    def _size(self) -> tuple[int, int]:
        height, width = picture_size(self.size, self.height, self.width)
        check_integer("height", height, at_least=1)
        check_integer("width", width, at_least=1)
        return height, width


def _announce(url: str) -> None:
    print(f"serving at {url}; Ctrl+C ends it", flush=True)
