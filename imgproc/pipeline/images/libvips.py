"""libvips of pyvips-binary, started once, for the modules that call its C functions (ADR 17)."""

from __future__ import annotations

import os
from functools import cache
from threading import Lock
from typing import Any

from cffi import FFI

from imgproc.core.errors import CompressError

_starting = Lock()
_ffi = FFI()
_ffi.cdef("""
    int vips_init(const char *program);
    void vips_concurrency_set(int threads);
    void vips_cache_set_max(int operations);
""")


def functions_of(ffi: FFI) -> Any:
    """The functions of libvips that `ffi` declares.

    The library starts under a lock: vips_init does not wait for a call of another thread.

    Raises:
        CompressError: `encode_failed`, where libvips does not start.
    """
    with _starting:
        file = _start()
    return _opened(ffi, file)


@cache
def _start() -> str:
    """Load libvips at first use, and name its file: most workers never need it or its memory.

    The extension module of pyvips-binary is linked to libvips, so its handle finds the functions.
    """
    import _libvips  # noqa: PLC0415 - see above

    os.environ.setdefault("VIPS_WARNING", "off")  # any value keeps warnings about damaged files off stderr
    lib: Any = _opened(_ffi, _libvips.__file__)
    if lib.vips_init(b"imgproc"):
        raise CompressError("libvips does not start; reinstall pyvips-binary.", code="encode_failed")
    lib.vips_concurrency_set(1)  # Other images keep the cores busy.
    lib.vips_cache_set_max(0)
    return str(_libvips.__file__)


@cache
def _opened(ffi: FFI, file: str) -> Any:
    return ffi.dlopen(file)
