"""Print what each kernel needs on CUDA: registers, stack, spills. No GPU is needed.

    python tests/cuda/report.py [--markdown] [sm_86 ...]

Taichi compiles every kernel to PTX, with a stub in place of the CUDA driver (`stub_libcuda.c`),
and NVIDIA's ptxas assembles it. That proves that the kernels compile for CUDA, and nothing about
what they compute.
"""

import argparse
import ast
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from rich import box
from rich.console import Console
from rich.table import Column, Table

HERE = Path(__file__).parent
ARCHS = ("sm_80", "sm_86", "sm_90")
COMPUTE_CAPABILITY = "80"  # PTX for one serves all later ones; Taichi 1.7 emits at most that of 86.

HOT_KERNELS = (
    "rasterizer.kernels.tiles.fill",
    "rasterizer.kernels.boxes.find_boxes",
    "rasterizer.kernels.tiles.sort",
    "rasterizer.kernels.chunk_sums.sum_chunks",
    "meshes.kernels.incidence.gather",
    "meshes.kernels.incidence.gather_backward",
    "rasterizer.kernels.draw.forward",
)
"""Kernels that do the work of a step: per pixel, per face, or per corner."""

# Such as surrogate_c93_0_reverse_grad_kernel_1_range_for: the second task of kernel 93's gradient.
ENTRY_NAME = re.compile(r"\w+_c(?P<number>\d+)_\d+_(?P<grad>reverse_grad_)?kernel_\d+_\w+")
ENTRY_REPORT = re.compile(
    r"Compiling entry function '(?P<entry>\w+)'.*?"
    r"Function properties for (?P=entry)\n\s*"
    r"(?P<stack>\d+) bytes stack frame, "
    r"(?P<stores>\d+) bytes spill stores, (?P<loads>\d+) bytes spill loads.*?"
    r"Used (?P<registers>\d+) registers",
    re.DOTALL,
)


@dataclass(frozen=True, kw_only=True)
class Module:
    """PTX of one compiled kernel, or of Taichi's own runtime."""

    path: Path
    kernel: str | None  # "rasterizer.kernels.draw.forward"; None if it isn't the package's
    is_gradient: bool
    made_by: tuple[str, str]  # the type and name of the first call that needed it


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What a module needs on one architecture: the most that any of its tasks does."""

    registers: int
    stack: int  # bytes a thread
    spill_stores: int  # bytes
    spill_loads: int  # bytes


def source_kernels() -> set[str]:
    """Name every kernel in the package's source, as `Module.kernel` does."""
    (package,) = importlib.util.find_spec("taichi_softras").submodule_search_locations
    return {
        ".".join((*path.relative_to(package).with_suffix("").parts, function.name))
        for path in Path(package).rglob("*.py")
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(function, ast.FunctionDef)
        for decorator in map(ast.unparse, function.decorator_list)
        if decorator.partition("(")[0] in ("ti.kernel", "kernel")
    }


def find_compiler() -> str:
    path = shutil.which("cc") or shutil.which("gcc")
    if path is None:
        raise FileNotFoundError("no C compiler: install gcc")
    return path


def find_ptxas() -> str:
    """Find ptxas in PATH, or else in the wheels that hold it."""
    nvidia = importlib.util.find_spec("nvidia")
    wheels = (nvidia and nvidia.submodule_search_locations) or ()
    in_wheels = (str(p) for wheel in wheels for p in sorted(Path(wheel).glob("*/bin/ptxas")))
    path = shutil.which("ptxas") or next(in_wheels, None)
    if path is None:
        raise FileNotFoundError("no ptxas: pip install nvidia-cuda-nvcc-cu12")
    return path


def build_stub(folder: Path) -> dict[str, str]:
    """Build the stub driver in a folder; return an environment in which programs load it."""
    library = folder / "libcuda.so"
    command = [find_compiler(), "-std=c11", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]
    _run([*command, "-o", str(library), str(HERE / "stub_libcuda.c")])
    paths = [str(folder), os.environ.get("LD_LIBRARY_PATH", "")]
    return {
        **os.environ,
        "LD_LIBRARY_PATH": os.pathsep.join(filter(None, paths)),
        "STUB_COMPUTE_CAPABILITY": COMPUTE_CAPABILITY,
        "STUB_PTX_FOLDER": str(folder),
    }


def emit_ptx(folder: Path) -> list[Module]:
    """Have every kernel compiled; the PTX goes to an empty folder."""
    _run([sys.executable, str(HERE / "compile_kernels.py")], env=build_stub(folder))
    manifest = json.loads((folder / "kernels.json").read_text())
    modules = []
    for path in sorted(folder.glob("*.ptx")):
        name = ENTRY_NAME.search(path.read_text())
        modules.append(
            Module(
                path=path,
                kernel=manifest["kernels"].get(name["number"]) if name else None,
                is_gradient=bool(name and name["grad"]),
                made_by=tuple(manifest["made_by"][path.name]),
            )
        )
    return modules


def assemble(modules: Sequence[Module], arch: str) -> list[Needs]:
    """Assemble modules for an architecture.

    Raises:
        RuntimeError: If ptxas refuses one.
    """
    ptxas = find_ptxas()

    def needs_of(module: Module) -> Needs:
        log = _run([ptxas, f"-arch={arch}", "-v", str(module.path), "-o", os.devnull])
        tasks = list(ENTRY_REPORT.finditer(log))
        if not tasks:
            raise RuntimeError(f"ptxas reported nothing on {module.path.name}:\n{log}")
        return Needs(
            registers=max(int(task["registers"]) for task in tasks),
            stack=max(int(task["stack"]) for task in tasks),
            spill_stores=max(int(task["stores"]) for task in tasks),
            spill_loads=max(int(task["loads"]) for task in tasks),
        )

    with ThreadPoolExecutor(max_workers=2) as pool:
        return list(pool.map(needs_of, modules))


def table_of(modules: Sequence[Module], needs: dict[str, Sequence[Needs]]) -> Table:
    """Lay out what the package's kernels need on each architecture, the hungriest first."""
    table = Table(
        *(Column(name, no_wrap=True) for name in ("kernel", "type", "first used by")),
        title="Kernels on CUDA: registers, bytes of stack, bytes of spills (stores/loads)",
        box=box.SIMPLE_HEAD,
    )
    for arch in needs:
        for column in (f"{arch} registers", "stack", "spills"):
            table.add_column(column, justify="right", no_wrap=True)
    rows = zip(modules, zip(*needs.values()))
    for module, by_arch in sorted(rows, key=lambda row: -row[1][0].registers):
        if module.kernel is None:
            continue
        name = module.kernel.removeprefix("kernels.") + (".grad" if module.is_gradient else "")
        cells = [(n.registers, n.stack, f"{n.spill_stores}/{n.spill_loads}") for n in by_arch]
        table.add_row(name, *module.made_by, *(str(cell) for row in cells for cell in row))
    return table


def hot_needs(
    modules: Sequence[Module], needs: dict[str, Sequence[Needs]], dtype: str = "float32"
) -> dict[tuple[str, str], dict[str, Needs]]:
    """Pick the kernels that do the work: what they need, by kernel and first use, then arch."""
    return {
        (module.kernel, module.made_by[1]): dict(zip(needs, by_arch))
        for module, by_arch in zip(modules, zip(*needs.values()))
        if module.kernel in HOT_KERNELS and module.made_by[0] == dtype
    }


def markdown_of(hot: dict[tuple[str, str], dict[str, Needs]]) -> str:
    """Lay out what kernels need as a table in Markdown, as the docs have it.

    Uses of a kernel that need the same share a row.
    """
    archs = list(next(iter(hot.values())))
    uses: dict[tuple, list[str]] = {}
    for (kernel, made_by), by_arch in sorted(hot.items()):
        uses.setdefault((kernel, *(by_arch[arch] for arch in archs)), []).append(made_by)
    columns = ("kernel", "used by", *(f"registers, {arch}" for arch in archs))
    lines = [_markdown_row((*columns, "stack, bytes", "spills, bytes"))]
    lines.append(_markdown_row(["---"] * (len(columns) + 2)))
    for (kernel, *needs), made_by in uses.items():
        stack = max(n.stack for n in needs)
        spills = max(n.spill_stores + n.spill_loads for n in needs)
        registers = (n.registers for n in needs)
        name = kernel.removeprefix("kernels.")
        lines.append(_markdown_row((name, "; ".join(made_by), *registers, stack, spills)))
    return "\n".join(lines)


def _markdown_row(cells: Iterable[object]) -> str:
    return "| " + " | ".join(map(str, cells)) + " |"


def print_table(table: Table) -> None:
    Console(width=150).print(table)


def _run(command: Sequence[str], env: dict[str, str] | None = None) -> str:
    """Run a program; return what it wrote.

    Raises:
        RuntimeError: If it fails.
    """
    done = subprocess.run(
        command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} exited with {done.returncode}:\n{done.stdout}")
    return done.stdout


def main(arguments: Iterable[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("archs", nargs="*", default=ARCHS, help="such as sm_86")
    parser.add_argument(
        "--markdown", action="store_true", help="print the table of the docs: the hot kernels alone"
    )
    options = parser.parse_args(arguments)
    with TemporaryDirectory() as folder:
        modules = emit_ptx(Path(folder))
        needs = {arch: assemble(modules, arch) for arch in options.archs}
    if options.markdown:
        sys.stdout.write(markdown_of(hot_needs(modules, needs)) + "\n")
    else:
        print_table(table_of(modules, needs))


if __name__ == "__main__":
    main()
