"""Reading folders of photographs whose cameras are known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from os import PathLike
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from taichi_softras.arrays.options import check_integer
from taichi_softras.arrays.user_warnings import warn_user
from taichi_softras.cameras.camera import PosedCamera
from taichi_softras.cameras.intrinsics import Intrinsics
from taichi_softras.cameras.poses import Extrinsics
from taichi_softras.captures._colmap import find_colmap, is_model
from taichi_softras.captures._idr import find_idr
from taichi_softras.captures._middlebury import find_middlebury
from taichi_softras.captures._shot import Shot, pictures_in
from taichi_softras.captures._transforms import find_transforms
from taichi_softras.captures.captures import Captures
from taichi_softras.captures.given_masks import given_mask, mask_file
from taichi_softras.captures.masks import Background, mask_object
from taichi_softras.captures.undistortion import undistort
from taichi_softras.files.photographs import read_photograph

READERS: tuple[Callable[[Path], list[Shot] | None], ...] = (
    find_transforms,
    find_middlebury,
    find_idr,
    find_colmap,
)
"""What finds cameras, each in files of one kind: the first that finds some counts."""


def read_captures(
    folder: str | PathLike[str],
    *,
    mask: Background | None = None,
    longest: int | None = None,
    model: str | PathLike[str] | None = None,
) -> Captures:
    """Read photographs and their cameras from a folder.

    The folder tells what it is by its files: ``transforms.json`` or ``transforms_train.json`` of
    NeRF, instant-ngp or nerfstudio; ``*_par.txt`` of Middlebury's multi-view stereo;
    ``cameras*.npz`` of IDR and NeuS, beside ``image``; or a sparse model of COLMAP's, of text or
    binary files, in ``sparse/0``, ``sparse`` or the folder itself, beside ``images``: in this
    order, if there are several.

    Masks are those that the files name, the alpha of pictures, or ``masks/NAME.png``, where NAME
    is that of the picture with its suffix or without; or they are found by ``mask``.

    Pictures through lenses that bend straight lines are undistorted, into lenses with the same
    matrix.

    Args:
        folder: The folder.
        mask: What is behind the object, for `mask_object` to find it. None takes the masks that
            are there.
        longest: Pixels of the longer side of pictures. Larger ones are scaled down.
        model: The folder of a sparse model of COLMAP's, such as `estimate_cameras` writes, to take
            cameras from in place of those that the folder has.

    Returns:
        The pictures, in the order of the file that has their cameras; COLMAP's by name.

    Raises:
        FileNotFoundError: If there is no such folder.
        RuntimeError: If the extra ``photos`` is needed, and not installed.
        TypeError: If an argument is of the wrong kind.
        ValueError: If the folder has no cameras, or what is in it is damaged or does not fit
            together: it says which file or picture, and how.

    Warns:
        UserWarning: Of pictures that have no camera, and are left out.
    """
    path = Path(folder)
    if not path.is_dir():
        raise FileNotFoundError(f"folder must be one that exists, got {str(path)!r}")
    if longest is not None:
        longest = check_integer("longest", longest, at_least=1)
    shots = _find_shots(path, None if model is None else Path(model))
    _warn_of_strays(shots)
    loaded = [_load(path, shot, mask, longest) for shot in shots]
    masks = [mask for _, _, mask, _ in loaded if mask is not None]
    have = [mask is not None for _, _, mask, _ in loaded]
    if any(have) and not all(have):
        without = ", ".join(repr(shot.name) for shot, found in zip(shots, have) if not found)
        raise ValueError(f"all pictures must have a mask, or none, got none for {without:.200}")
    height, width = (max(known.shape[axis] for *_, known in loaded) for axis in (0, 1))
    shots = [shot for shot, *_ in loaded]
    return Captures(
        tuple(shot.name for shot in shots),
        np.stack([_padded(picture, height, width) for _, picture, _, _ in loaded]),
        # Alpha of 255 everywhere is no mask: programs write it to pictures that have none.
        np.stack([_padded(mask, height, width) for mask in masks])
        if any((mask < 255).any() for mask in masks)
        else None,
        np.stack([_padded(known, height, width) for *_, known in loaded]),
        PosedCamera(
            Extrinsics(
                np.stack([shot.rotation for shot in shots]),
                np.stack([shot.translation for shot in shots]),
            ),
            Intrinsics(np.stack([shot.matrix for shot in shots]), height, width),
        ),
    )


def _find_shots(folder: Path, model: Path | None) -> list[Shot]:
    if model is not None and not is_model(model):
        raise ValueError(f"model must be a sparse model of COLMAP's, got {str(model)!r}")
    readers = READERS if model is None else (partial(find_colmap, model=model),)
    for reader in readers:
        shots = reader(folder)
        if shots is None:
            continue
        if not shots:
            raise ValueError(f"folder must have pictures with cameras, got none in {str(folder)!r}")
        names = [shot.name for shot in shots]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"pictures must have one camera each, got several for {twice[0]!r}")
        return shots
    raise ValueError(
        "folder must have cameras: transforms.json, *_par.txt, cameras*.npz or COLMAP's sparse/0, "
        f"got none of these in {str(folder)!r}; estimate_cameras, or --sfm, finds them"
    )


def _warn_of_strays(shots: Sequence[Shot]) -> None:
    """Say which pictures lie beside those that have cameras, but have none themselves."""
    taken = {shot.path.resolve() for shot in shots} | {
        shot.mask.resolve() for shot in shots if shot.mask is not None
    }
    folders = sorted({shot.path.parent for shot in shots})
    strays = [p.name for f in folders for p in pictures_in(f) if p.resolve() not in taken]
    if strays:
        more = f" and {len(strays) - 5} more" if len(strays) > 5 else ""
        warn_user(f"pictures without a camera are left out: {', '.join(strays[:5])}{more}")


Loaded = tuple[Shot, NDArray[np.uint8], NDArray[np.uint8] | None, NDArray[np.bool_]]


def _load(folder: Path, shot: Shot, background: Background | None, longest: int | None) -> Loaded:
    """Read a picture and its mask, scaled and undistorted, and where they are known."""
    pixels = read_photograph(shot.path, longest)
    shot = shot.scaled(*pixels.shape[:2])
    picture = np.ascontiguousarray(pixels[..., :3])
    known = np.ones(picture.shape[:2], np.bool_)
    mask: NDArray[np.uint8] | None
    if background is not None:
        inside, known = mask_object(picture, background)
        mask = inside.astype(np.uint8) * np.uint8(255)
    else:
        found = shot.mask
        if found is None and pixels.shape[2] == 3:
            found = mask_file(folder, shot.name)
        mask = given_mask(shot.name, shot.path, found, pixels, longest)
    if not shot.is_distorted:
        return shot, picture, mask, known
    doubt = np.where(known, 0, 255).astype(np.uint8)
    layers = (doubt,) if mask is None else (doubt, mask)
    picture, (doubt, *masks), seen = undistort(shot, picture, *layers)
    return shot, picture, masks[0] if masks else None, seen & (doubt == 0)


def _padded(image: NDArray[np.generic], height: int, width: int) -> NDArray[np.generic]:
    """Add rows below and columns to the right, of zeros, which stand for what is not known."""
    rows, cols = height - image.shape[0], width - image.shape[1]
    return np.pad(image, [(0, rows), (0, cols), *[(0, 0)] * (image.ndim - 2)])
