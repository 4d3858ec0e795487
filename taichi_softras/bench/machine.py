"""What a measurement was made on: versions, processor, backend."""

import importlib.metadata
import os
import platform
from pathlib import Path

import taichi_softras
from taichi_softras.arrays.runtime import ensure_running, init, is_running, on_gpu, running_arch
from taichi_softras.backend import BACKEND, impl
from taichi_softras.bench.gpu import device_name


def start_taichi(arch: str) -> None:
    """Start Taichi on a backend, unless it runs there already.

    Raises:
        RuntimeError: If it runs on another.
    """
    if not is_running():
        init(arch)
    elif on_gpu() != (arch == "cuda"):
        raise RuntimeError(f"Taichi runs already, on {running_arch()}, not on {arch}")


def describe_machine() -> dict[str, str]:
    """Collect what a benchmark or a bug report must say of versions and of the machine."""
    ensure_running()
    num_threads = impl.current_cfg().cpu_max_num_threads
    return {
        "taichi_softras": taichi_softras.__version__,
        "python": platform.python_version(),
        **{name: _version(name) for name in (BACKEND, "torch", "numpy", "trimesh")},
        "machine": f"{platform.system()} {platform.machine()}, {_processor()}",
        "cores": f"{os.cpu_count()}; {BACKEND.title()}'s threads: {num_threads}",
        "backend": f"{running_arch()}, {device_name()}" if on_gpu() else running_arch(),
        # PyTorch's threads wait busily by default, on cores that Taichi's want.
        "OMP_WAIT_POLICY": os.environ.get("OMP_WAIT_POLICY", "not set"),
    }


def describe_kernel_cache() -> str:
    """Say where compiled kernels are kept, and how much room they take."""
    ensure_running()
    cache = Path(impl.current_cfg().offline_cache_file_path)
    size = sum(f.stat().st_size for f in cache.rglob("*") if f.is_file()) if cache.is_dir() else 0
    return f"{cache} ({size / 2**20:.1f} MiB)"


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


def has_avx512() -> bool:
    """Tell whether this machine's processor has AVX-512, as far as Linux says."""
    return processor_has("avx512f")


def processor_has(feature: str) -> bool:
    """Tell whether this machine's processor has a feature, by the name that Linux gives it."""
    cpuinfo = Path("/proc/cpuinfo")
    return cpuinfo.exists() and f" {feature} " in cpuinfo.read_text()
