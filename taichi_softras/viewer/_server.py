"""The server of a page in a browser, by viser."""

import contextlib
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def page_server(host: str, port: int, label: str) -> Iterator[Any]:
    """Serve a page, dark and with its controls at the right, for as long as a block lasts.

    Args:
        host: Address to listen at.
        port: Where to listen; the next free one is taken if it is in use.
        label: Title of the page.

    Yields:
        The ``viser.ViserServer``.

    Raises:
        RuntimeError: If viser is not installed.
    """
    try:
        import viser
    except ImportError as error:
        raise RuntimeError(
            "the viewer in a browser needs viser: pip install 'taichi_softras[web]'"
        ) from error
    with contextlib.redirect_stdout(None):  # it prints a banner
        server = viser.ViserServer(host=host, port=port, label=label, verbose=False)
    server.gui.configure_theme(dark_mode=True, show_share_button=False)
    server.gui.main_panel.dock_right()  # beside the picture, not over it
    try:
        yield server
    finally:
        with contextlib.redirect_stdout(None):
            server.stop()
