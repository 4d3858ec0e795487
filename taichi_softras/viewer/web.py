"""The viewer in a browser, by viser: for those whose GPU is in another room."""

import math
import queue
import tempfile
import threading
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from taichi_softras.viewer._server import page_server
from taichi_softras.viewer.controls import Action, Choice, Control, Slider, Toggle
from taichi_softras.viewer.session import Session
from taichi_softras.viewer.state import Orbit

IDLE_SECONDS = 0.01
"""How long to sleep between looks at what users did."""

JPEG_QUALITY = 88


def serve(
    make_session: Callable[[Path], Session],
    host: str,
    port: int,
    *,
    height: int = 720,
    stop: threading.Event | None = None,
    on_start: Callable[[str], None] = lambda url: None,
) -> None:
    """Show a session to each browser that connects, until stopped.

    Every browser has a session of its own. All pictures are drawn in the thread that calls this.

    Args:
        make_session: Makes the session of a browser, which saves its files in the folder given:
            they are sent to the browser.
        host: Address to listen at; ``"127.0.0.1"`` is reached from this machine alone.
        port: Where to listen; the next free one is taken if it is in use.
        height: Rows of the pictures sent at most.
        stop: Ends it when set; None to go on until interrupted.
        on_start: Called with the address of the page.

    Raises:
        RuntimeError: If viser is not installed.
    """
    stop = threading.Event() if stop is None else stop
    with page_server(host, port, "softras view") as server:
        _serve(
            server,
            make_session,
            height,
            stop,
            lambda: on_start(f"http://{host}:{server.get_port()}"),
        )


def _serve(
    server: Any,
    make_session: Callable[[Path], Session],
    height: int,
    stop: threading.Event,
    on_start: Callable[[], None],
) -> None:
    pages: dict[int, _Page] = {}
    arrivals: queue.SimpleQueue[Any] = queue.SimpleQueue()
    departures: queue.SimpleQueue[int] = queue.SimpleQueue()
    server.scene.set_up_direction("+y")
    server.on_client_connect(arrivals.put)
    server.on_client_disconnect(lambda client: departures.put(client.client_id))
    on_start()
    try:
        while not stop.is_set():
            while not arrivals.empty():
                client = arrivals.get()
                pages[client.client_id] = _Page(client, make_session, height)
            while not departures.empty():
                page = pages.pop(departures.get(), None)
                if page is not None:
                    page.close()
            with warnings.catch_warnings():
                # A page may be closed while its picture is made: the next turn hears of it.
                warnings.filterwarnings("ignore", "Queued a .* on a closed connection")
                for page in list(pages.values()):
                    page.update()
            time.sleep(IDLE_SECONDS)
    finally:
        for page in pages.values():
            page.close()


class _Page:
    """One browser's controls and picture."""

    def __init__(self, client: Any, make_session: Callable[[Path], Session], height: int) -> None:
        self._client = client
        self._height = height
        self._folder = tempfile.TemporaryDirectory()
        self._session = make_session(Path(self._folder.name))
        self._events: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._widgets: list[tuple[Control, Any]] = []
        self._told: dict[str, Any] = {}
        self._sent: np.ndarray | None = None
        self._seen: tuple[float, ...] = ()
        self._orbit = self._session.state.orbit
        for group in self._session.groups():
            with client.gui.add_folder(group.title):
                for control in group.controls:
                    self._add(control)
        self._message = client.gui.add_markdown("")
        client.scene.on_click()(self._on_click)
        self._push_camera()

    def close(self) -> None:
        """Forget the files that were not sent."""
        self._folder.cleanup()

    def update(self) -> None:
        """Do what the user asked for, and send the picture if it has changed."""
        while not self._events.empty():
            self._events.get()()
        self._follow_camera()
        picture = self._session.picture(*self._size())
        if picture is not self._sent:
            self._client.scene.set_background_image(
                picture, format="jpeg", jpeg_quality=JPEG_QUALITY
            )
            self._sent = picture
        self._show_values()
        for path in Path(self._folder.name).iterdir():
            content = path.read_bytes()
            self._client.send_file_download(path.name, content, save_immediately=True)
            path.unlink()

    def _add(self, control: Control) -> None:
        """Add the widget of a control."""
        gui, shown = self._client.gui, self._shown(control)
        if isinstance(control, Slider):
            widget = gui.add_slider(
                control.label + (", log10" if control.logarithmic else ""),
                min=_to_widget(control, control.low),
                max=max(_to_widget(control, control.high), _to_widget(control, control.low) + 1)
                if control.integer
                else _to_widget(control, control.high),
                step=1 if control.integer else 0.01,
                initial_value=shown,
            )
        elif isinstance(control, Choice):
            widget = gui.add_dropdown(
                control.label or control.name, control.options, initial_value=shown
            )
        elif isinstance(control, Toggle):
            widget = gui.add_checkbox(control.label, shown)
        else:
            widget = gui.add_button(control.label)
            widget.on_click(lambda _: self._events.put(lambda: self._session.act(control.name)))
            return
        widget.on_update(lambda _: self._events.put(lambda: self._read(control, widget)))
        self._widgets.append((control, widget))
        self._told[control.name] = shown

    def _shown(self, control: Control) -> Any:
        """What the widget of a control is to show."""
        if isinstance(control, Action):
            return None
        value = self._session.get(control.name)
        return _to_widget(control, value) if isinstance(control, Slider) else value

    def _read(self, control: Control, widget: Any) -> None:
        """Take what the user set a widget to."""
        asked = value = widget.value
        if asked == self._shown(control):
            return
        if isinstance(control, Slider):
            value = min(max(_from_widget(control, asked), control.low), control.high)
        self._session.set(control.name, value)
        # What was refused, it is told again in a moment.
        self._told[control.name] = asked

    def _show_values(self) -> None:
        """Have widgets show what was changed otherwise than by them.

        A widget that shows something else than it was told may have been moved this moment: it
        will be read.
        """
        for control, widget in self._widgets:
            shown = self._shown(control)
            if shown != self._told[control.name]:
                widget.value = self._told[control.name] = shown
        if self._message.content != self._session.message:
            self._message.content = self._session.message

    def _on_click(self, event: Any) -> None:
        x, y = event.screen_pos
        self._events.put(lambda: self._session.click(x, y, self._size()))

    def _size(self) -> tuple[int, int]:
        """Height and width of the pictures: those of the browser's canvas, or smaller."""
        height = max(min(self._client.camera.image_height, self._height), 16)
        return height, max(round(height * self._client.camera.aspect), 16)

    def _follow_camera(self) -> None:
        """Take over where the user moved the camera, or move it where a control put it."""
        if self._session.state.orbit != self._orbit:
            self._push_camera()
            return
        seen = self._camera()
        if not np.allclose(seen, self._seen, rtol=0, atol=1e-5):
            self._seen = seen
            orbit = Orbit.at_eye(np.array(seen[:3]), np.array(seen[3:6]), math.degrees(seen[6]))
            self._orbit = orbit
            self._session.show(replace(self._session.state, orbit=orbit))

    def _push_camera(self) -> None:
        self._orbit = orbit = self._session.state.orbit
        camera = self._client.camera
        with self._client.atomic():
            camera.up_direction = (0.0, 1.0, 0.0)
            camera.position = tuple(orbit.eye)
            camera.look_at = orbit.center
            camera.fov = math.radians(orbit.fov)
        self._seen = self._camera()

    def _camera(self) -> tuple[float, ...]:
        camera = self._client.camera
        return (*map(float, camera.position), *map(float, camera.look_at), float(camera.fov))


def _to_widget(slider: Slider, value: float | None) -> float:
    """What a browser's slider shows for a value: its logarithm, to two digits, if so."""
    if value is None:
        return slider.low
    value = min(max(value, slider.low), slider.high)
    if slider.integer:
        return round(value)
    return round(math.log10(value) if slider.logarithmic else value, 2)


def _from_widget(slider: Slider, shown: float) -> float:
    return 10.0**shown if slider.logarithmic else shown
