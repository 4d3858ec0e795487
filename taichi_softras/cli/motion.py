"""Cameras for folders of photographs that have none, kept beside what is made of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from taichi_softras.captures import Background, MotionOptions, estimate_cameras, photographs_in
from taichi_softras.captures.given_masks import without_masks
from taichi_softras.files.paths import whole_file

MADE_OF = "made_of.json"
"""The file that says which photographs and options a model is of."""


def find_cameras(
    folder: Path,
    output: Path,
    options: MotionOptions,
    mask: Background | None,
    on_stage: Callable[[str, int, int], None],
) -> Path:
    """Find the cameras of photographs, unless an earlier run has found them.

    Args:
        folder: Photographs.
        output: The folder of results, which is made if need be; the model is in ``sparse`` there.
        options: How.
        mask: What is behind the object; None if there are masks.
        on_stage: As of `estimate_cameras`.

    Returns:
        The folder of the model.

    Raises:
        ValueError: If pictures have no masks, of which then no mesh could be made; or as
            `estimate_cameras` says.
    """
    pictures = photographs_in(folder)
    if mask is None and (missing := without_masks(folder, pictures)):
        raise ValueError(
            "photographs must have masks: alpha, files in masks/, or a plain ground, which --mask "
            f"dark, bright or green takes away; got none for {', '.join(missing):.200}"
        )
    model = output / "sparse"
    made_of = _made_of(pictures, options, mask)
    if _said(model) == made_of:
        return model
    new = not output.exists()
    output.mkdir(parents=True, exist_ok=True)
    (model / MADE_OF).unlink(missing_ok=True)
    try:
        estimate_cameras(folder, model, options, mask=mask, on_stage=on_stage)
    except BaseException:
        if new and not any(output.iterdir()):
            output.rmdir()
        raise
    with whole_file(model / MADE_OF) as unfinished:
        unfinished.write_text(json.dumps(made_of, indent=1) + "\n")
    return model


def _made_of(
    pictures: list[Path], options: MotionOptions, mask: Background | None
) -> dict[str, Any]:
    """What a model must have been made of to be used again."""
    asked = {name: value for name, value in asdict(options).items() if name != "threads"}
    return {
        "options": asked,
        "mask": mask if options.turntable else None,
        "pictures": {path.name: path.stat().st_size for path in pictures},
    }


def _said(model: Path) -> Any:
    try:
        return json.loads((model / MADE_OF).read_text())
    except (OSError, ValueError):
        return None
