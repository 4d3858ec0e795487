"""What a measurement was made on: versions, processor, backend."""

import importlib.metadata
import os
import platform
from pathlib import Path

from taichi.lang import impl

import taichi_softras
from taichi_softras.arrays.runtime import ensure_running, running_arch


def describe_machine() -> dict[str, str]:
    """Collect what matters for a bug report or a benchmark."""
    ensure_running()
    config = impl.current_cfg()
    cache = Path(config.offline_cache_file_path)
    size = sum(f.stat().st_size for f in cache.rglob("*") if f.is_file()) if cache.is_dir() else 0
    return {
        "taichi_softras": taichi_softras.__version__,
        "python": platform.python_version(),
        **{name: _version(name) for name in ("taichi", "torch", "numpy", "trimesh")},
        "machine": f"{platform.system()} {platform.machine()}, {_processor()}",
        "cores": f"{os.cpu_count()}; Taichi's threads: {config.cpu_max_num_threads}",
        "backend": running_arch(),
        "compiled kernels": f"{cache} ({size / 2**20:.1f} MiB)",
    }


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown processor"
