"""Tensors on disk, in the safetensors format (extra: demo)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from .base import errors
from .functions.creation import tensor
from .tensor import Tensor

ENDING = ".safetensors"
_DTYPES = {  # as the format calls them; bfloat16 is not NumPy's
    "BOOL": "bool", "I8": "int8", "I16": "int16", "I32": "int32", "I64": "int64", "U8": "uint8", "U16": "uint16", "U32": "uint32",
    "U64": "uint64", "F16": "float16", "BF16": "bfloat16", "F32": "float32", "F64": "float64",
}  # fmt: skip


def _safetensors() -> Any:
    try:
        import safetensors.numpy
    except ImportError:
        raise errors.missing_extra("saving and loading weights", "safetensors", "demo") from None
    return safetensors


def save(tensors: Mapping[str, Any], path: str | os.PathLike[str]) -> None:
    """Write tensors by name to a safetensors file: all of it or, after an error, nothing (the old file stays).

    path: its name ends in .safetensors. Bits are kept, those of bfloat16 as well; of other byte orders, values are.
    Raises InputError for another ending, and for a name or a dtype that the format does not have.

    >>> import gpugrad as gg, tempfile, os
    >>> path = os.path.join(tempfile.mkdtemp(), "weights.safetensors")
    >>> gg.save({"w": gg.ones(2)}, path)
    >>> gg.load(path)
    {'w': tensor([1., 1.], device='cpu')}
    """
    given = os.fsdecode(path)
    if not isinstance(tensors, Mapping):
        raise errors.bad_type("save", f"expected a dictionary of tensors by name, not {type(tensors).__name__!r}.")
    if os.path.splitext(given)[1].lower() != ENDING:
        raise errors.bad_value(
            "save",
            f"the name of the file must end in {ENDING}, the format that is written, and it is {given!r}: write "
            f"{os.path.splitext(given)[0] + ENDING!r}.",
        )
    library = _safetensors()
    arrays = {_checked(name): _array(name, t) for name, t in tensors.items()}
    data = library.numpy.save(arrays)
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


def _checked(name: Any) -> str:
    if not isinstance(name, str):
        raise errors.bad_type("save", f"the names of tensors must be strings, not {name!r}: write {str(name)!r}.")
    try:
        name.encode()
    except UnicodeEncodeError:
        raise errors.bad_value(
            "save", f"the name {name!r} is not Unicode (half of a surrogate pair): choose another."
        ) from None
    if name == "__metadata__":
        raise errors.bad_value(
            "save", "a tensor cannot be called '__metadata__', which has a meaning in the format: choose another."
        )
    return name


def _array(name: str, t: Any) -> np.ndarray[Any, Any]:
    """A tensor as an array in one piece, of a dtype that the format has."""
    a = np.asarray((t.detach() if isinstance(t, Tensor) else tensor(t)).numpy(), order="C")
    if a.dtype.name not in _DTYPES.values():
        raise errors.bad_type(
            "save",
            f"{name!r} is {a.dtype.name}, which the safetensors format does not have: convert it, t.astype('float64').",
        )
    return a


def load(path: str | os.PathLike[str], device: Any = None) -> dict[str, Tensor]:
    """Read tensors by name from a safetensors file; nothing in it is ever run, as it can be with a pickle.

    Raises InputError for a file that is damaged or of another format, and ImportError for bfloat16 without the package ml_dtypes.

    >>> import gpugrad as gg, tempfile, os
    >>> path = os.path.join(tempfile.mkdtemp(), "weights.safetensors")
    >>> gg.save({"w": gg.zeros(1)}, path)
    >>> gg.load(path)["w"]
    tensor([0.], device='cpu')
    """
    library = _safetensors()
    with open(path, "rb") as f:
        data = f.read()
    shown = os.fsdecode(path)
    try:
        found = library.deserialize(data)
    except Exception as e:  # the library has one error type for every kind of damage, defined in Rust
        hint = ""
        if data[:2] == b"PK" or data[:1] == b"\x80" or data[:6] == b"\x93NUMPY":
            hint = (
                f" It looks like a file of NumPy, PyTorch or pickle, which are not read here, since reading a pickle can run "
                f"anything. Read it with the library that wrote it, and write it with gg.save({{...}}, 'name{ENDING}')."
            )
        raise errors.bad_value("load", f"{shown!r} is not a readable safetensors file: {e}.{hint}") from e
    result = {}
    for name, part in found:
        a = np.frombuffer(part["data"], _dtype(part["dtype"], name, shown)).reshape(part["shape"])
        result[name] = tensor(a, device=device)
    return result


def _dtype(given: str, name: str, path: str) -> Any:
    if given not in _DTYPES:
        raise errors.bad_type(
            "load",
            f"{name!r} in {path!r} is of dtype {given}, and tensors are of {', '.join(_DTYPES)}: convert it where it was made.",
        )
    if given != "BF16":
        return np.dtype(_DTYPES[given]).newbyteorder("<")
    try:
        import ml_dtypes
    except ImportError:
        raise ImportError(
            f"load: {name!r} in {path!r} is bfloat16, which NumPy does not have without the package 'ml_dtypes': pip install ml_dtypes."
        ) from None
    return np.dtype(ml_dtypes.bfloat16)
