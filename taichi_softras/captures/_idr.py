"""Cameras of IDR and NeuS: ``cameras*.npz``, beside the folders ``image`` and ``mask``.

``world_mat_i`` projects the world to the pixels of picture i, in the order of names, with their
centres at 0. ``scale_mat_i``, which says where the object is, is not needed.

Source:
    Yariv et al., IDR, ``DATA_CONVENTION.md``; Wang et al., NeuS, "Data convention".
"""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from taichi_softras.captures._shot import Shot, numbers_of, pictures_in
from taichi_softras.files.photographs import photograph_size

FILES = ("cameras_sphere.npz", "cameras.npz")
"""Names of the file, in the order in which they are looked for."""


def find_idr(folder: Path) -> list[Shot] | None:
    """Find the shots of a folder; None if it is of another kind.

    Raises:
        ValueError: If the file is not as it should be, or there are not as many cameras as
            pictures.
    """
    paths = [folder / name for name in FILES if (folder / name).is_file()]
    paths = paths or sorted(folder.glob("cameras*.npz"))
    if not paths:
        return None
    path = paths[0]
    pictures = next(filter(None, (pictures_in(folder / n) for n in ("image", "images"))), [])
    masks = next(filter(None, (pictures_in(folder / n) for n in ("mask", "masks"))), [])
    matrices = _matrices(path)
    if len(pictures) != len(matrices):
        raise ValueError(
            f"{path.name} must have as many cameras as there are pictures, "
            f"got {len(matrices)} for {len(pictures)}"
        )
    if masks and len(masks) != len(pictures):
        raise ValueError(
            f"there must be as many masks as pictures, got {len(masks)} for {len(pictures)}"
        )
    return [
        Shot(
            picture.name,
            picture,
            *_decomposed(matrices[i], f"world_mat_{i} of {path.name}"),
            size=photograph_size(picture),
            mask=masks[i] if masks else None,
        )
        for i, picture in enumerate(pictures)
    ]


def _matrices(path: Path) -> list[NDArray[Any]]:
    """Read the matrices, which are numbered from 0."""
    try:
        with path.open("rb") as file, np.load(file) as arrays:
            found = {name: arrays[name] for name in arrays.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile):
        raise ValueError(f"{path.name} must be a file of NumPy arrays") from None
    names = [name for name in found if name.startswith("world_mat_") and "inv" not in name]
    wanted = [f"world_mat_{i}" for i in range(len(names))]
    if not names or set(names) != set(wanted):
        raise ValueError(f"{path.name} must have world_mat_0 and so on, got {sorted(found)[:8]}")
    shape = (4, 4) if found[names[0]].shape == (4, 4) else (3, 4)
    return [numbers_of(f"{name} of {path.name}", found[name], *shape)[:3] for name in wanted]


def _decomposed(
    projection: NDArray[np.float64], name: str
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Split a projection matrix (3, 4) into rotation, translation and intrinsic matrix.

    Source:
        Hartley and Zisserman, Multiple View Geometry, section 6.2.4.
    """
    sign = np.linalg.det(projection[:, :3])
    if not np.isfinite(projection).all() or sign == 0:
        raise ValueError(f"{name} must be a projection, got {projection.tolist()}")
    projection = projection * np.sign(sign)
    upper, rotation = scipy.linalg.rq(projection[:, :3])
    signs = np.sign(np.diag(upper))
    upper, rotation = upper * signs, rotation * signs[:, None]
    matrix = upper / upper[2, 2]
    translation = np.linalg.solve(upper, projection[:, 3])
    matrix[[1, 2, 2], [0, 0, 1]] = 0
    return rotation, translation, matrix
