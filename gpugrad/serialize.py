"""Tensors on disk, in the safetensors format (extra: demo)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from .base import errors
from .functions.creation import tensor
from .tensor import Tensor


def _safetensors() -> Any:
    try:
        import safetensors.numpy
    except ImportError:
        raise errors.missing_extra("saving and loading weights", "safetensors", "demo") from None
    return safetensors.numpy


def save(tensors: Mapping[str, Any], path: str | os.PathLike[str]) -> None:
    """Write tensors by name to a safetensors file: all of it or, after an error, nothing (the old file stays).

    >>> import gpugrad as gg, tempfile, os
    >>> path = os.path.join(tempfile.mkdtemp(), "weights.safetensors")
    >>> gg.save({"w": gg.ones(2)}, path)
    >>> gg.load(path)
    {'w': tensor([1., 1.], device='cpu')}
    """
    library = _safetensors()
    if not isinstance(tensors, Mapping):
        raise errors.bad_type("save", f"expected a dictionary of tensors by name, not {type(tensors).__name__!r}.")
    data = library.save(
        {name: (t.detach() if isinstance(t, Tensor) else tensor(t)).numpy() for name, t in tensors.items()}
    )
    folder, file = os.path.split(os.path.abspath(path))
    if not os.path.isdir(folder):
        raise FileNotFoundError(f"cannot save to {os.fspath(path)!r}: the folder {folder!r} does not exist.")
    temporary = os.path.join(folder, f".{file}.{os.getpid()}.part")
    try:
        with open(temporary, "wb") as f:
            f.write(data)
        os.replace(temporary, path)
    except BaseException:
        if os.path.exists(temporary):
            os.unlink(temporary)
        raise


def load(path: str | os.PathLike[str], device: Any = None) -> dict[str, Tensor]:
    """Read tensors by name from a safetensors file. Raises ShapeError for a file that is damaged.

    >>> import gpugrad as gg, tempfile, os
    >>> path = os.path.join(tempfile.mkdtemp(), "weights.safetensors")
    >>> gg.save({"w": gg.zeros(1)}, path)
    >>> gg.load(path)["w"]
    tensor([0.], device='cpu')
    """
    library = _safetensors()
    with open(path, "rb") as f:
        data = f.read()
    try:
        arrays = library.load(data)
    except Exception as e:  # the library has one error type for every kind of damage, defined in Rust
        raise errors.bad_value("load", f"{os.fspath(path)!r} is not a readable safetensors file: {e}.") from e
    return {name: tensor(a, device=device) for name, a in arrays.items()}
