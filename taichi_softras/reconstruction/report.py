"""What is said of a reconstruction: a page with pictures, and the same as JSON."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taichi_softras.captures.captures import Captures
from taichi_softras.files.paths import whole_file
from taichi_softras.files.pictures import WHITE, composite, to_bytes, write_animation
from taichi_softras.meshes.intersections import self_intersections
from taichi_softras.meshes.mesh import Mesh
from taichi_softras.reconstruction.drawing import draw_captures
from taichi_softras.reconstruction.measuring import Agreement, measure_agreement
from taichi_softras.reconstruction.views import draw_around

MEASURES = ("iou", "psnr", "psnr_white", "ssim")
TITLES = {
    "iou": "IoU",
    "psnr": "PSNR in the mask, dB",
    "psnr_white": "PSNR over white, dB",
    "ssim": "SSIM",
}

SIDES, FRAMES = 8, 24
"""Of the mesh on the page, and of the turntable."""

WIDEST = 640
"""Columns of a photograph on the page, at most."""

MOST_SHOWN = 8
"""Photographs beside drawings on the page."""

STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem;"
    "color:#222;background:#fff}table{border-collapse:collapse;margin:1rem 0}"
    "th,td{padding:.25rem .75rem;border-bottom:1px solid #ddd;text-align:right}"
    "th:first-child,td:first-child{text-align:left}img{max-width:100%;display:block}"
    "figure{margin:1rem 0}figcaption{color:#555}"
    ".sides{display:grid;grid-template-columns:repeat(auto-fill,minmax(22rem,1fr));gap:.5rem}"
)


def write_report(
    folder: Path,
    mesh: Mesh,
    *,
    fitted: Captures,
    held_out: Captures | None,
    facts: Mapping[str, Any],
) -> dict[str, Any]:
    """Measure, draw, and write ``report.json``, ``report.html`` and ``turntable.gif``.

    Args:
        folder: Where to, which exists.
        mesh: What was found.
        fitted: The photographs that it was fitted to.
        held_out: Those that it was not; None if all were fitted.
        facts: What else is to be said, by name: numbers, text, and settings.

    Returns:
        What is in ``report.json``.
    """
    groups = {"fitted": fitted} if held_out is None else {"held out": held_out, "fitted": fitted}
    found = {name: measure_agreement(mesh, captures) for name, captures in groups.items()}
    numbers: dict[str, Any] = {
        "vertices": mesh.num_vertices,
        "faces": mesh.num_faces,
        "pairs of faces that go through each other": len(self_intersections(mesh)),
        **facts,
    }
    for name, agreements in found.items():
        numbers[name] = {"mean": means(agreements), "photographs": [asdict(a) for a in agreements]}
    around = list(draw_around(mesh, fitted, FRAMES, 256))
    write_animation(folder / "turntable.gif", around, 12)
    page = _page(mesh, groups, found, numbers, around)
    with whole_file(folder / "report.html") as unfinished:
        unfinished.write_text(page, "utf-8")
    with whole_file(folder / "report.json") as unfinished:
        unfinished.write_text(json.dumps(numbers, indent=2), "utf-8")
    return numbers


def means(agreements: Sequence[Agreement]) -> dict[str, float]:
    """Average what was measured of photographs."""
    return {m: float(np.mean([getattr(a, m) for a in agreements])) for m in MEASURES}


def _page(
    mesh: Mesh,
    groups: Mapping[str, Captures],
    found: Mapping[str, Sequence[Agreement]],
    numbers: Mapping[str, Any],
    around: Sequence[NDArray[Any]],
) -> str:
    first = next(iter(groups))
    shown = groups[first].select(range(min(len(groups[first]), MOST_SHOWN)))
    sides = [around[i * FRAMES // SIDES] for i in range(SIDES)]
    parts = [
        "<h1>Reconstruction</h1>",
        f"<p>{mesh.num_vertices} vertices, {mesh.num_faces} faces.</p>",
        _summary(found),
        f"<h2>Photographs {html.escape(first)}, drawings beside them</h2>",
        *_comparisons(mesh, shown, found[first]),
        "<h2>From eight sides</h2>",
        '<div class="sides">',
        *(_image(side, f"side {i + 1} of {SIDES}") for i, side in enumerate(sides)),
        "</div>",
        '<figure><img src="turntable.gif" alt="turntable"></figure>',
        *(_table(f"Photographs {name}", agreements) for name, agreements in found.items()),
        "<h2>Settings</h2>",
        _settings(numbers),
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Reconstruction</title>'
        '<meta name="viewport" content="width=device-width">'
        f"<style>{STYLE}</style></head><body>{''.join(parts)}</body></html>"
    )


def _summary(found: Mapping[str, Sequence[Agreement]]) -> str:
    rows = [
        (f"mean of {len(agreements)} {name}", means(agreements))
        for name, agreements in found.items()
    ]
    return _rows(rows)


def _table(title: str, agreements: Sequence[Agreement]) -> str:
    rows = [(a.name, {m: getattr(a, m) for m in MEASURES}) for a in agreements]
    return f"<h2>{html.escape(title)}</h2>{_rows(rows)}"


def _rows(rows: Sequence[tuple[str, Mapping[str, float]]]) -> str:
    heads = "".join(f"<th>{TITLES[m]}</th>" for m in MEASURES)
    body = "".join(
        f"<tr><td>{html.escape(name)}</td>"
        + "".join(f"<td>{values[m]:.{3 if m in ('iou', 'ssim') else 1}f}</td>" for m in MEASURES)
        + "</tr>"
        for name, values in rows
    )
    return f"<table><tr><th></th>{heads}</tr>{body}</table>"


def _settings(numbers: Mapping[str, Any]) -> str:
    plain = {k: v for k, v in numbers.items() if k not in ("held out", "fitted")}
    return f"<pre>{html.escape(json.dumps(plain, indent=2))}</pre>"


def _comparisons(mesh: Mesh, captures: Captures, agreements: Sequence[Agreement]) -> list[str]:
    """Photographs, drawings, and what they differ by, three times as strong."""
    assert captures.masks is not None, "measure_agreement has looked"
    step = max(1, -(-captures.pictures.shape[2] // WIDEST))
    found = []
    for i, drawing in enumerate(draw_captures(mesh, captures)):
        cover = captures.masks[i][..., None] / 255
        photo = captures.pictures[i] / 255 * cover + 1 - cover
        ours = composite(drawing, WHITE)
        away = np.clip(3 * np.abs(ours - photo), 0, 1) * captures.known[i][..., None]
        row = np.concatenate([photo, ours, 1 - away], axis=1)[::step, ::step]
        a = agreements[i]
        caption = f"{a.name}: IoU {a.iou:.3f}, {a.psnr:.1f} dB in the mask"
        found.append(_image(row, caption, caption=True))
    return found


def _image(image: NDArray[Any], text: str, *, caption: bool = False) -> str:
    import imageio.v3 as iio

    content = iio.imwrite("<bytes>", to_bytes(image), extension=".jpg", quality=88)
    source = base64.b64encode(content).decode()
    below = f"<figcaption>{html.escape(text)}</figcaption>" if caption else ""
    return (
        f'<figure><img src="data:image/jpeg;base64,{source}" alt="{html.escape(text)}">'
        f"{below}</figure>"
    )
