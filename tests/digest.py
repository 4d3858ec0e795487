"""Print a digest of every image and gradient of many uses of the package.

    python tests/digest.py [--write FILE.json] [--against FILE.json] [--close]
                           [--arch cpu|cuda] [--threads N] [--only TEXT]

It shows that a change of the code changes no bit of any result: write the digests down before it,
and compare after it.

    python tests/digest.py --write before.json
    python tests/digest.py --against before.json

With ``--close`` arrays may differ by rounding: by 1e-10 of the largest number of an array in
float64, 1e-4 in float32. So a GPU is compared with the CPU:

    python tests/digest.py --write cpu.json
    python tests/digest.py --arch cuda --against cpu.json --close

and likewise Quadrants with Taichi, by ``TAICHI_SOFTRAS_BACKEND=quadrants`` before the second.

Inputs are seeded, and only the public interface is used, so that modules may move. To run another
copy of the package, put its folder into PYTHONPATH; the first line says which one is used.

A line is printed for each array: the case and the array, the first 16 hexadecimal digits of the
SHA-256 of its bytes, its type and shape, the sum of its numbers and the largest absolute one. With
``--write`` the same goes into the file, and the arrays into ``FILE.npz`` beside it. ``--against``
lists the arrays that differ, and by how much; then it exits with 1. Without the ``.npz`` it knows
of the earlier ones only what the file says.

Digests belong to one machine and one version of Taichi: other processors have other instructions.
To arrays whose names end in ``~``, threads add in any order: gradients of texels, those that Taichi
itself takes of the rasterizer (``docs/determinism.md``), and products with sparse matrices. With
more than one thread their last bits may vary from run to run. So the default is one thread.
"""

import argparse
import hashlib
import itertools
import json
import platform
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from digest_cases.cases import Numbers
from digest_cases.faces import family_cases, option_cases, scene_cases, texture_cases
from digest_cases.fitting import fitting_cases, photograph_cases
from digest_cases.lights import light_cases
from digest_cases.losses import geometry_cases, inspection_cases, loss_cases, mesh_loss_cases
from digest_cases.programs import module_cases, soft_renderer_cases
from digest_cases.registered import registered_cases
from digest_cases.views import camera_cases, clipping_cases, lens_cases, render_cases

import taichi_softras as sr
from taichi_softras.backend import BACKEND, ti

CLOSE = {"float32": 1e-4, "float64": 1e-10}
"""How far arrays may be apart that are to be close, as a share of the largest number."""

GROUPS = (
    family_cases,
    scene_cases,
    option_cases,
    texture_cases,
    camera_cases,
    lens_cases,
    render_cases,
    clipping_cases,
    light_cases,
    mesh_loss_cases,
    loss_cases,
    geometry_cases,
    inspection_cases,
    fitting_cases,
    photograph_cases,
    registered_cases,
    soft_renderer_cases,
    module_cases,
)


def run_cases(only: str, device: str) -> Iterator[tuple[str, np.ndarray]]:
    """Run all cases that have a text in their names: "case | array", and the array."""
    seen = set()
    for name, case in itertools.chain.from_iterable(cases() for cases in GROUPS):
        assert name not in seen, f"two cases are called {name}"
        seen.add(name)
        if only in name:
            for part, array in case.run(device).items():
                yield f"{name} | {part}", np.ascontiguousarray(array)


def describe(array: np.ndarray) -> dict[str, Any]:
    """Make what is written down of an array."""
    numbers = array.astype(np.float64)
    return {
        "digest": hashlib.sha256(array.tobytes()).hexdigest()[:16],
        "type": f"{array.dtype}{list(array.shape)}",
        "sum": float(numbers.sum()),
        "largest": float(np.abs(numbers).max(initial=0.0)),
    }


def difference(old: Mapping[str, Any], new: Mapping[str, Any], arrays: tuple[Any, Any]) -> str:
    """Say how an array that is written down differs from one now; the old array may be None."""
    if old["type"] != new["type"]:
        return f"was {old['type']}, is {new['type']}"
    if arrays[0] is None:
        words = (f"{word} was {old[word]:.17g}, is {new[word]:.17g}" for word in ("sum", "largest"))
        return "; ".join(words)
    before, after = (array.astype(np.float64) for array in arrays)
    change = np.abs(after - before)
    is_changed = change > 0
    relative = change[is_changed] / np.maximum(np.abs(before[is_changed]), 1e-300)
    return (
        f"{is_changed.sum()} of {change.size} numbers, by at most {change.max(initial=0):.3g}, "
        f"relatively {relative.max(initial=0):.3g}; the largest number was {old['largest']:.3g}"
    )


def is_close(old: np.ndarray, new: np.ndarray) -> bool:
    """Tell whether an array is another but for rounding: integers must be equal."""
    if old.shape != new.shape or old.dtype != new.dtype:
        return False
    before, after = old.astype(np.float64), new.astype(np.float64)
    apart = np.abs(after - before).max(initial=0.0)
    return bool(apart <= CLOSE.get(str(old.dtype), 0.0) * np.abs(before).max(initial=0.0))


def find_differences(
    path: Path, found: Mapping[str, Any], arrays: Numbers, only: str, *, close: bool = False
) -> dict[str, str]:
    """Compare with what is written down: what differs, and how.

    Raises:
        ValueError: If arrays are to be close, and only their digests are written down.
    """
    written = json.loads(path.read_text())["arrays"]
    written = {name: x for name, x in written.items() if only in name.split(" | ")[0]}
    beside = path.with_suffix(".npz")
    numbers = dict(np.load(beside)) if beside.exists() else {}
    if close and not numbers:
        raise ValueError(f"{beside} is needed, with the numbers of the arrays")
    differences = {}
    for name in {**written, **found}:
        if name not in found or name not in written:
            differences[name] = "is new" if name in found else "is no more"
        elif written[name] != found[name]:
            pair = numbers.get(name), arrays[name]
            if close and is_close(*pair):
                continue
            differences[name] = difference(written[name], found[name], pair)
    return differences


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--write", type=Path, help="write the digests there, as JSON")
    parser.add_argument("--against", type=Path, help="compare with what was written there")
    parser.add_argument("--close", action="store_true", help="let numbers differ by rounding")
    parser.add_argument("--arch", choices=("cpu", "cuda"), default="cpu", help="where to run")
    parser.add_argument("--threads", type=int, default=1, help="of Taichi and of PyTorch")
    parser.add_argument("--only", default="", help="run only cases with this text in their names")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    sr.init(args.arch, cpu_max_num_threads=args.threads)
    versions = {BACKEND: ti.__version__, "torch": torch.__version__, "numpy": np.__version__}
    about = {**versions, "machine": platform.machine(), "threads": args.threads}
    about["arch"] = args.arch
    about[BACKEND] = ".".join(map(str, ti.__version__))
    say(f"{Path(sr.__file__).parent}, {json.dumps(about)}")
    found, arrays = {}, {}
    for name, array in run_cases(args.only, args.arch):
        arrays[name], found[name] = array, describe(array)
        say("  ".join(map(str, (name, *found[name].values()))))
    say(f"{len(found)} arrays of {len({name.split(' | ')[0] for name in found})} cases")
    if args.write:
        args.write.write_text(json.dumps({"about": about, "arrays": found}, indent=1) + "\n")
        np.savez_compressed(args.write.with_suffix(".npz"), **arrays)  # type: ignore[arg-type]
    if args.against:
        written_about = json.loads(args.against.read_text())["about"]
        if written_about != about:
            say(f"written in other circumstances: {json.dumps(written_about)}")
        differences = find_differences(args.against, found, arrays, args.only, close=args.close)
        for name, how in differences.items():
            say(f"differs: {name}: {how}")
        cases = {name.split(" | ")[0] for name in differences}
        say(f"{len(differences)} arrays of {len(cases)} cases differ")
        sys.exit(bool(differences))


if __name__ == "__main__":
    main()
