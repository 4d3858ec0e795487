import os as _os

_os.environ.setdefault("ENABLE_TAICHI_HEADER_PRINT", "0")
