"""Find out what a CUDA device makes of the package: right, repeatable, and how fast.

    python tests/cuda/probe.py quick|tests|bench|profile [--device cuda|cpu] [--small]
                               [--output gpu-out] [--seconds 470] [--patience 1]

A phase is a list of programs, each in a process of its own, with a limit of its own. After each,
what is known so far is written to ``OUTPUT/PHASE.json``: the end of what it printed, how it ended,
the seconds it took, and the numbers it reported. What does not fit into the seconds of the phase
is left out, and said to be. It ends with 1 if a program failed.

Everything runs on the CPU too, to be tried before a device is at hand: ``--device cpu --small``.
"""

import argparse
import json
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
DIGEST = HERE.parent / "digest.py"
STEPS = HERE / "probe_steps.py"

QUICK_CASES = {
    "family": "euclidean, prod, softmax",
    "texture": "texture: uv, ",
    "light": "lights: vertex, one-sided",
    "camera": "camera without gradient",
    "tape": "packed silhouettes, taichi",
}
"""Cases of `digest.py` that stand for all of a kind; the phase of tests runs all of them."""

LEAST_SECONDS = 5
"""With less left of a phase, no program is begun."""

LAST_CHARACTERS = 6000
"""How much is kept of what a program prints."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """How a phase is run: see the command."""

    device: str
    small: bool
    output: Path
    patience: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Program:
    """One program of a phase.

    Attributes:
        name: What it finds out.
        command: Its arguments.
        seconds: After which it is ended.
        needs: A tool without which it is left out.
    """

    name: str
    command: list[str]
    seconds: float
    needs: str = ""


@dataclass(kw_only=True)
class Outcome:
    """What became of a program: ``"done"``, ``"failed"``, ``"too long"`` or ``"left out"``."""

    name: str
    status: str
    seconds: float = 0.0
    numbers: dict[str, Any] = field(default_factory=dict)
    printed: str = ""


def python(*arguments: object) -> list[str]:
    return [sys.executable, *map(str, arguments)]


def step(options: Options, name: str) -> list[str]:
    small = ["--small"] if options.small else []
    return python(STEPS, name, "--device", options.device, *small)


def quick(options: Options) -> Iterator[Program]:
    """Does it run, is it right, the same again, and how long is a step?"""
    kinds = dict(list(QUICK_CASES.items())[:1]) if options.small else QUICK_CASES
    scratch = Path(tempfile.mkdtemp())  # arrays, which nobody is to carry back
    for kind, text in kinds.items():
        cpu, there = (scratch / f"{where}-{kind}.json" for where in ("cpu", "there"))
        on_device = python(DIGEST, "--arch", options.device, "--only", text)
        write = python(DIGEST, "--write", cpu, "--only", text)
        yield Program(name=f"{kind}: on the CPU", command=write, seconds=90)
        compare = [*on_device, "--against", str(cpu), "--close", "--write", str(there)]
        yield Program(name=f"{kind}: close to the CPU", command=compare, seconds=90)
        again = [*on_device, "--against", str(there)]
        yield Program(name=f"{kind}: the same again", command=again, seconds=90)
    yield Program(name="small steps", command=_bench(options, "--small"), seconds=60)
    yield Program(name="streams", command=step(options, "streams"), seconds=60)
    for tool in ("memcheck", "racecheck"):
        check = ["compute-sanitizer", "--tool", tool, *step(options, "once")]
        name = f"compute-sanitizer, {tool}"
        yield Program(name=name, command=check, seconds=90, needs="compute-sanitizer")


def tests(options: Options) -> Iterator[Program]:
    """All that is marked `gpu`; on a CPU what stands for it there."""
    chosen = ["-m", "gpu"] if options.device == "cuda" else [str(HERE / "test_digest_cases.py")]
    command = python("-m", "pytest", "-q", "--maxfail=20", "-p", "no:cacheprovider", *chosen)
    yield Program(name="pytest", command=[*command, "--durations=10"], seconds=460)


def bench(options: Options) -> Iterator[Program]:
    """Times, floors, memory, growth."""
    if not options.small:  # cases of half a million faces
        report = options.output / "bench-report.json"
        yield Program(
            name="cases, and PyTorch's dense rasterizer",
            command=_bench(options, "--against", "torch", "--json", str(report)),
            seconds=200,
        )
    yield Program(name="small steps", command=_bench(options, "--small"), seconds=60)
    yield Program(name="2,000 steps", command=step(options, "memory"), seconds=60)
    yield Program(name="many faces", command=step(options, "many_faces"), seconds=60)
    yield Program(name="DDP", command=step(options, "ddp"), seconds=60)
    growth = python("-m", "taichi_softras.cli", "scaling", options.output / "scaling")
    few = ["--quick", "--runs", "1"] if options.small else ["--runs", "3"]
    yield Program(name="growth", command=[*growth, "--arch", options.device, *few], seconds=200)


def profile(options: Options) -> Iterator[Program]:
    """Which kernel takes the time."""
    yield Program(name="kernels", command=step(options, "kernels"), seconds=120)
    yield Program(name="PyTorch's profiler", command=step(options, "torch_profile"), seconds=120)
    longest = ["ncu", "--set", "basic", "--launch-count", "40", *step(options, "once")]
    yield Program(name="Nsight Compute", command=longest, seconds=150, needs="ncu")


PHASES = {"quick": quick, "tests": tests, "bench": bench, "profile": profile}


def _bench(options: Options, *more: str) -> list[str]:
    runs = "1" if options.small else "10"
    command = python("-m", "taichi_softras.cli", "bench", "--arch", options.device)
    return [*command, "--runs", runs, *more]


def run(program: Program, seconds: float) -> Outcome:
    """Run a program for so long at most."""
    if program.needs and shutil.which(program.needs) is None:
        return Outcome(name=program.name, status="left out", printed=f"no {program.needs} here")
    if seconds < LEAST_SECONDS:
        return Outcome(name=program.name, status="left out", printed="no time is left")
    start = time.perf_counter()
    try:
        done = subprocess.run(
            program.command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=min(seconds, program.seconds),
            check=False,
        )
        status, printed = "failed" if done.returncode else "done", done.stdout
    except subprocess.TimeoutExpired as error:
        status, printed = "too long", error.stdout or b""
    text = printed.decode(errors="replace")
    return Outcome(
        name=program.name,
        status=status,
        seconds=time.perf_counter() - start,
        numbers=reported(text),
        printed=text[-LAST_CHARACTERS:],
    )


def reported(text: str) -> dict[str, Any]:
    """Collect the numbers that a program of `probe_steps.py` printed, each line an object."""
    numbers: dict[str, Any] = {}
    for line in text.splitlines():
        if line.startswith("{") and line.endswith("}"):
            numbers |= json.loads(line)
    return numbers


def run_phase(name: str, options: Options, seconds: float) -> list[Outcome]:
    """Run a phase, and write down what is known after each program."""
    options.output.mkdir(parents=True, exist_ok=True)
    end = time.perf_counter() + seconds
    outcomes: list[Outcome] = []
    for program in PHASES[name](options):
        program = replace(program, seconds=program.seconds * options.patience)
        outcome = run(program, end - time.perf_counter())
        outcomes.append(outcome)
        last = outcome.numbers or outcome.printed.strip().splitlines()[-1:]
        sys.stdout.write(f"{outcome.status} ({outcome.seconds:.0f} s): {outcome.name}: {last}\n")
        sys.stdout.flush()
        about = {"device": options.device, "python": platform.python_version()}
        content = {"phase": name, **about, "programs": [asdict(x) for x in outcomes]}
        unfinished = options.output / f"{name}.json.part"
        unfinished.write_text(json.dumps(content, indent=1) + "\n")
        unfinished.replace(options.output / f"{name}.json")
    return outcomes


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("phase", choices=PHASES)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--small", action="store_true", help="tiny shapes, to try the programs")
    parser.add_argument("--output", type=Path, default=Path("gpu-out"))
    parser.add_argument("--seconds", type=float, default=470.0, help="for all programs together")
    parser.add_argument(
        "--patience", type=float, default=1.0, help="times the limit of each program"
    )
    args = parser.parse_args()
    options = Options(
        device=args.device, small=args.small, output=args.output, patience=args.patience
    )
    outcomes = run_phase(args.phase, options, args.seconds)
    sys.exit(any(outcome.status in ("failed", "too long") for outcome in outcomes))


if __name__ == "__main__":
    main()
