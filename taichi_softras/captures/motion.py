"""Cameras found from the photographs alone: structure from motion, by ``pycolmap``.

Source:
    Schönberger and Frahm, Structure-from-Motion Revisited, CVPR 2016, which COLMAP implements.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, get_args

import numpy as np
from PIL import Image

from taichi_softras.arrays.options import check_choice, check_flag, check_integer, keep_checked
from taichi_softras.arrays.user_warnings import warn_user
from taichi_softras.captures._colmap import MODELS, image_folder, import_pycolmap
from taichi_softras.captures._shot import pictures_in
from taichi_softras.captures.given_masks import given_mask, mask_file, without_masks
from taichi_softras.captures.masks import Background, mask_object
from taichi_softras.files.photographs import photograph_size, read_photograph

FEW = 50
"""Features with which a picture is hardly ever placed."""

MOST_READERS = 4
"""Pictures whose features are found at a time, at most: each takes half a gigabyte."""

FAINTEST = 0.003
"""Contrast of features: with COLMAP's own bound, which is higher, small pictures have too few."""

TOLERANCE = 1 / 400
"""How far a feature that places a point may be from where that is seen in the end, as a share of
the longer side; but not less than a pixel, nor more than COLMAP's 4, which suit large pictures."""

MODEL_FILES = tuple(
    f"{part}{suffix}"
    for part in ("cameras", "images", "points3D", "rigs", "frames")
    for suffix in (".bin", ".txt")
)
"""What a sparse model is made of."""

OnStage = Callable[[str, int, int], None]


@dataclass(frozen=True, kw_only=True)
class MotionOptions:
    """How cameras are found from photographs alone.

    Attributes:
        lens: COLMAP's model of the lens, such as SIMPLE_RADIAL, PINHOLE, OPENCV, OPENCV_FISHEYE.
        one_lens: Whether all photographs are through one lens, whose focal length didn't change.
        turntable: Whether the object was turned before a camera that stood still: then only what
            masks show counts, as all the rest didn't move.
        features: How many places of a picture are compared with others, at most. At least 64.
        longest: Pixels of the longer side of pictures in which they are looked for. At least 64.
        fewest: Pictures whose cameras must be found. At least 2.
        seed: Of samples that are drawn.
        threads: How many there are; 0 for all of the machine.

    Raises:
        TypeError: If a value is of the wrong type.
        ValueError: If a value is outside the range given for it.
    """

    lens: str = "SIMPLE_RADIAL"
    one_lens: bool = True
    turntable: bool = False
    features: int = 8192
    longest: int = 1600
    fewest: int = 3
    seed: int = 0
    threads: int = 0

    def __post_init__(self) -> None:
        check_choice("lens", self.lens, tuple(MODELS))
        keep_checked(self, ("one_lens", "turntable"), check_flag)
        keep_checked(self, ("features", "longest"), check_integer, at_least=64)
        keep_checked(self, ("fewest",), check_integer, at_least=2)
        keep_checked(self, ("seed", "threads"), check_integer, at_least=0)


def estimate_cameras(
    folder: str | PathLike[str],
    model: str | PathLike[str],
    options: MotionOptions | None = None,
    *,
    mask: Background | None = None,
    on_stage: OnStage | None = None,
) -> int:
    """Find the cameras of photographs by structure from motion, and write them as COLMAP does.

    Features of all pictures are found, those of each pair are matched, and pictures are placed one
    after the other, by ``pycolmap``. Pictures alone tell neither where the world's origin is nor
    how large it is: here the middle of the points that were found is the origin, cameras are at a
    distance of 1 on average, and y is up, if most pictures were taken upright. The same call gives
    the same bits on the same machine.

    Args:
        folder: Photographs, in ``images``, ``image`` or the folder itself.
        model: The folder to write, for `read_captures`, once all is found. Of one that is there
            the files of a model are replaced, and others stay.
        options: How; the defaults if None.
        mask: As of `read_captures`; for ``turntable``.
        on_stage: Called with what is being done, how many pictures are done, and of how many.

    Returns:
        How many pictures have a camera now.

    Raises:
        FileNotFoundError: If there is no such folder, or no place for ``model``.
        RuntimeError: If ``pycolmap`` is not installed.
        TypeError: If an argument is of the wrong kind.
        ValueError: If there are too few pictures, they can't be read, or no cameras are found: it
            says why, by the pictures' names.

    Warns:
        UserWarning: If pictures fall into groups that show nothing in common: the largest is taken.
    """
    options = MotionOptions() if options is None else options
    if mask is not None:
        check_choice("mask", mask, get_args(Background))
    pycolmap = import_pycolmap("structure from motion needs")
    folder, target = Path(folder), Path(model)
    pictures = _pictures(folder, options, mask)
    if not target.parent.is_dir():
        raise FileNotFoundError(f"model must be in a folder that exists, got {str(target)!r}")
    if target.exists() and not target.is_dir():
        raise ValueError(f"model must be a folder, got {str(target)!r}, which is a file")
    tell = on_stage or (lambda *_: None)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".") as name, _quiet(pycolmap):
        work = Path(name)
        finder = _Finder(pycolmap, pictures, options, work)
        if options.turntable:
            _write_masks(folder, pictures, mask, work / "masks")
        tell("features", 0, len(pictures))
        finder.extract()
        tell("matches", 0, len(pictures))
        finder.match()
        found = finder.place(lambda count: tell("cameras", count, len(pictures)))
        _settle(pycolmap, found)
        (work / "model").mkdir()
        found.write_binary(str(work / "model"))
        if target.exists():
            for part in MODEL_FILES:
                (target / part).unlink(missing_ok=True)
            for file in (work / "model").iterdir():
                file.replace(target / file.name)
        else:
            (work / "model").replace(target)
    return int(found.num_reg_images())


def photographs_in(folder: Path) -> list[Path]:
    """List the pictures of a folder, in ``images``, ``image`` or the folder itself, by name.

    Raises:
        FileNotFoundError: If there is no such folder.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"folder must be one that exists, got {str(folder)!r}")
    return pictures_in(image_folder(folder))


def _pictures(folder: Path, options: MotionOptions, mask: Background | None) -> list[Path]:
    """List the pictures, and refuse those of which nothing can be made."""
    pictures = photographs_in(folder)
    if len(pictures) < options.fewest:
        raise ValueError(
            f"there must be at least {options.fewest} pictures to find cameras of, got "
            f"{len(pictures)} in {str(image_folder(folder))!r}"
        )
    # All of each, so that those that are damaged are named now, and not by what reads them first.
    sizes = [read_photograph(path).shape[:2] for path in pictures]
    other = next((i for i, size in enumerate(sizes) if size != sizes[0]), None)
    if options.one_lens and other is not None:
        (a, b), (c, d) = sizes[0], sizes[other]
        raise ValueError(
            f"pictures through one lens must be of one size, got {pictures[0].name!r} of {b} x {a} "
            f"pixels and {pictures[other].name!r} of {d} x {c}; without one_lens each has its own"
        )
    if options.turntable and mask is None and (missing := without_masks(folder, pictures)):
        raise ValueError(f"turntable needs masks, got none of {', '.join(missing):.200}")
    return pictures


def _write_masks(
    folder: Path, pictures: Sequence[Path], mask: Background | None, place: Path
) -> None:
    """Write masks where COLMAP looks for them."""
    place.mkdir()
    for path in pictures:
        pixels = read_photograph(path)
        if mask is None:
            beside = mask_file(folder, path.name) if pixels.shape[2] == 3 else None
            inside = given_mask(path.name, path, beside, pixels)
            assert inside is not None, "without_masks has looked"
        else:
            inside = mask_object(np.ascontiguousarray(pixels[..., :3]), mask)[0].astype(np.uint8)
        Image.fromarray((inside > 0).astype(np.uint8) * np.uint8(255)).save(
            place / f"{path.name}.png"
        )


@contextmanager
def _quiet(pycolmap: Any) -> Iterator[None]:
    """Keep COLMAP from writing to the terminal: what matters is said in words."""
    level = pycolmap.logging.minloglevel
    pycolmap.logging.minloglevel = int(pycolmap.logging.FATAL)
    try:
        yield
    finally:
        pycolmap.logging.minloglevel = level


class _Finder:
    """COLMAP's pipeline.

    Args:
        pycolmap: The module.
        pictures: All in one folder.
        options: How.
        work: A folder for files that are not kept, in which ``masks`` may be.
    """

    def __init__(
        self, pycolmap: Any, pictures: Sequence[Path], options: MotionOptions, work: Path
    ) -> None:
        self._pycolmap, self._options, self._work = pycolmap, options, work
        self._folder = pictures[0].parent
        self._names = [path.name for path in pictures]
        self._database = work / "database.db"
        self._threads = options.threads or -1
        self._features: dict[str, int] = {}
        longer = max(photograph_size(pictures[0]))
        self._tolerance = min(max(longer * TOLERANCE, 1.0), 4.0)

    def extract(self) -> None:
        """Find features."""
        pycolmap, options = self._pycolmap, self._options
        reader = pycolmap.ImageReaderOptions()
        reader.camera_model = options.lens
        if options.turntable:
            reader.mask_path = str(self._work / "masks")
        mode = pycolmap.CameraMode.SINGLE if options.one_lens else pycolmap.CameraMode.PER_IMAGE
        places = str(self._database), str(self._folder), mode
        # First the pictures alone, in order: with threads their numbers would be as they finish.
        pycolmap.Database.open(places[0]).close()
        pycolmap.import_images(*places, image_names=self._names, options=reader)
        extraction = pycolmap.FeatureExtractionOptions()
        extraction.use_gpu = False
        extraction.max_image_size = options.longest
        extraction.num_threads = min(options.threads or MOST_READERS, MOST_READERS)
        extraction.sift.max_num_features = options.features
        extraction.sift.peak_threshold = FAINTEST
        pycolmap.extract_features(
            *places[:2], self._names, mode, reader_options=reader, extraction_options=extraction
        )
        with pycolmap.Database.open(str(self._database)) as database:
            for image in database.read_all_images():
                self._features[image.name] = database.num_keypoints_for_image(image.image_id)
        if unread := [name for name in self._names if name not in self._features]:
            raise ValueError(f"COLMAP can't read {', '.join(unread):.200}")

    def match(self) -> None:
        """Compare the features of each pair of pictures."""
        pycolmap = self._pycolmap
        matching = pycolmap.FeatureMatchingOptions()
        matching.use_gpu = False
        matching.num_threads = self._threads
        verification = pycolmap.TwoViewGeometryOptions()
        verification.ransac.random_seed = self._options.seed
        pycolmap.match_exhaustive(
            str(self._database), matching_options=matching, verification_options=verification
        )

    def place(self, on_picture: Callable[[int], None]) -> Any:
        """Place picture after picture, and return the largest model."""
        pycolmap, options = self._pycolmap, self._options
        counted = iter(range(2, len(self._names) + 1))
        models = pycolmap.incremental_mapping(
            str(self._database),
            str(self._folder),
            str(self._work),
            options=self._mapping(),
            initial_image_pair_callback=lambda: on_picture(next(counted, len(self._names))),
            next_image_callback=lambda: on_picture(next(counted, len(self._names))),
        )
        groups = sorted(map(_names_of, models.values()), key=len, reverse=True)
        if not groups or len(groups[0]) < options.fewest:
            raise ValueError(self._reason(len(groups[0]) if groups else 0))
        apart = [len(group) for group in groups[1:] if not group & groups[0]]
        if apart:
            warn_user(
                f"of the pictures, {' and '.join(map(str, apart))} show nothing that the others "
                f"show, too: the largest group, of {len(groups[0])}, is taken"
            )
        return max(models.values(), key=lambda model: len(_names_of(model)))

    def _mapping(self) -> Any:
        mapping = self._pycolmap.IncrementalPipelineOptions()
        mapping.min_model_size = self._options.fewest
        mapping.extract_colors = False
        mapping.num_threads = mapping.mapper.num_threads = 1  # sums in one order
        mapping.random_seed = mapping.mapper.random_seed = self._options.seed
        mapping.triangulation.random_seed = self._options.seed
        mapping.mapper.init_max_error = mapping.mapper.filter_max_reproj_error = self._tolerance
        mapping.triangulation.merge_max_reproj_error = self._tolerance
        mapping.triangulation.complete_max_reproj_error = self._tolerance
        return mapping

    def _reason(self, found: int) -> str:
        """Say why too few cameras were found."""
        poor = [f"{n!r} ({self._features[n]})" for n in self._names if self._features[n] < FEW]
        if poor:
            why = f"too few features, of at least {FEW}, are in {', '.join(poor):.200}"
        else:
            why = "too few show the same places from sides that are not too different"
        return (
            f"cameras were found for {found} of {len(self._names)} pictures, of at least "
            f"{self._options.fewest}: {why}"
        )


def _names_of(model: Any) -> set[str]:
    return {image.name for image in model.images.values() if image.has_pose}


def _settle(pycolmap: Any, found: Any) -> None:
    """Choose a frame: y up, the points round the origin, cameras at a distance of 1."""
    poses = [image.cam_from_world() for image in found.images.values() if image.has_pose]
    rotations = np.stack([pose.rotation.matrix() for pose in poses])
    translations = np.stack([pose.translation for pose in poses])
    eyes = -np.einsum("nji,nj->ni", rotations, translations)
    middle = np.median([point.xyz for point in found.points3D.values()], axis=0)
    scale = 1 / np.linalg.norm(eyes - middle, axis=1).mean()
    turn = _upright(-rotations[:, 1])  # OpenCV's y is down
    rotation = pycolmap.Rotation3d(turn)
    found.transform(pycolmap.Sim3d(scale, rotation, -scale * turn @ middle))


def _upright(ups: np.ndarray) -> np.ndarray:
    """Find the smallest rotation that brings the mean of directions (N, 3) to y."""
    up = ups.mean(axis=0)
    length = np.linalg.norm(up)
    if length < 0.1:  # they were held in all ways
        return np.eye(3)
    x, y, z = up / length
    if y < -0.999:
        return np.diag([1.0, -1.0, -1.0])
    cross = np.array([[0, -x, 0], [x, 0, z], [0, -z, 0]])  # with the cross product of up and y
    return np.asarray(np.eye(3) + cross + cross @ cross / (1 + y))
