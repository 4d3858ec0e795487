"""What the CUDA driver says of the GPU: its name, and the memory that is in use there."""

import ctypes
import sys
from typing import Any


def device_name() -> str:
    """Name the GPU that Taichi runs on, the first one.

    Raises:
        RuntimeError: If there is no driver, or it refuses.
    """
    driver = _load_driver()
    name = ctypes.create_string_buffer(256)
    _call(driver, "cuDeviceGetName", name, len(name), _first_device(driver))
    return name.value.decode(errors="replace")


def memory_in_use() -> int:
    """Count the bytes of the GPU's memory that are in use, by all processes together.

    Raises:
        RuntimeError: As `device_name` does.
    """
    driver = _load_driver()
    device = _first_device(driver)
    context, popped = ctypes.c_void_p(), ctypes.c_void_p()
    free, total = ctypes.c_size_t(), ctypes.c_size_t()
    # The context that Taichi and PyTorch use, too: made anew it would be in use itself.
    _call(driver, "cuDevicePrimaryCtxRetain", ctypes.byref(context), device)
    try:
        _call(driver, "cuCtxPushCurrent_v2", context)
        try:
            _call(driver, "cuMemGetInfo_v2", ctypes.byref(free), ctypes.byref(total))
        finally:
            _call(driver, "cuCtxPopCurrent_v2", ctypes.byref(popped))
    finally:
        _call(driver, "cuDevicePrimaryCtxRelease_v2", device)
    return total.value - free.value


def _load_driver() -> Any:
    try:
        driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        raise RuntimeError("no CUDA driver was found here") from None
    _call(driver, "cuInit", 0)
    return driver


def _first_device(driver: Any) -> ctypes.c_int:
    device = ctypes.c_int()
    _call(driver, "cuDeviceGet", ctypes.byref(device), 0)
    return device


def _call(driver: Any, name: str, *arguments: Any) -> None:
    status = getattr(driver, name)(*arguments)
    if status:
        raise RuntimeError(f"the CUDA driver's {name} failed, with status {status}")
