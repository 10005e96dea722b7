"""Which devices there are, by name. Asks for a GPU only when a name asks for one."""

from __future__ import annotations

import ctypes
import functools
import importlib.util
import os
from typing import Any

from . import errors


@functools.cache
def why_no_cuda() -> str:
    """Why no GPU can be used, in words, with what to do about it; empty if one can. Asked once, and not while importing."""
    extras = "pip install 'gpugrad[cuda13]' (or cuda12, as your driver is)"
    try:
        ctypes.CDLL("libcuda.so.1" if os.name == "posix" else "nvcuda.dll")
        driver = ""
    except OSError:
        driver = "no NVIDIA driver is installed"
    if importlib.util.find_spec("cupy") is None:
        return f"CuPy is not installed: {extras}" + (f"; and {driver}" if driver else "") + "."
    if driver:
        return f"CuPy is installed, but {driver}."
    try:
        import cupy

        if not cupy.cuda.runtime.getDeviceCount():
            return "the driver finds no GPU (is CUDA_VISIBLE_DEVICES empty?)."
        cupy.cuda.Device(0).compute_capability  # noqa: B018  # a driver may know a GPU that does not work
        cupy.empty(1).data.ptr  # noqa: B018
    except Exception as e:  # whatever is raised where something is missing or broken is the answer
        return f"CuPy is installed, but found no working GPU: {type(e).__name__}: {e}."
    return ""


def device_count() -> int:
    """How many GPUs there are; 0 where none can be used."""
    if why_no_cuda():
        return 0
    import cupy

    return int(cupy.cuda.runtime.getDeviceCount())


def device_name(name: Any) -> str:
    """The name of a device as it is kept: "cpu", "cpu:1", "cuda:0".

    Raises DeviceError for a name that is not one, and for a GPU that is not there, saying what is missing.
    """
    kind, _, index = name.partition(":") if isinstance(name, str) else ("", "", "")
    if kind not in ("cpu", "cuda") or (":" in name and not index.isdecimal()):
        raise errors.unknown_device(name)
    number = int(index or 0)
    if kind == "cpu":
        return f"cpu:{number}" if number else "cpu"
    if why := why_no_cuda():
        raise errors.no_cuda(name, why)
    count = device_count()
    if number >= count:
        raise errors.no_cuda(name, f"there {'is 1 GPU' if count == 1 else f'are {count} GPUs'}, counted from 0.")
    return f"cuda:{number}"


def best_device() -> str:
    """The device that new tensors go to if nobody says otherwise."""
    return "cpu" if why_no_cuda() else "cuda:0"
