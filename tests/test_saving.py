"""Files of tensors: one format, under its own name, with every bit of every dtype."""

from __future__ import annotations

import pickle
import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import DTYPES
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import gpugrad as gg

pytest.importorskip("safetensors")


def bits(t: gg.Tensor) -> bytes:
    return t.detach().numpy().tobytes()


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: d.name)
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_every_bit_of_every_dtype_comes_back(dtype: np.dtype[Any], tmp_path: Path, data: st.DataObject) -> None:
    shape = tuple(data.draw(st.lists(st.integers(0, 3), max_size=3)))
    size = int(np.prod(shape)) * dtype.itemsize
    raw = data.draw(st.binary(min_size=size, max_size=size))
    if dtype.kind == "b":
        raw = bytes(b & 1 for b in raw)
    kept = gg.tensor(np.frombuffer(raw, dtype).reshape(shape))
    path = tmp_path / "w.safetensors"
    gg.save({"a": kept, "turned": kept.T, "b\0": 1.5}, path)
    back = gg.load(path)
    assert sorted(back) == ["a", "b\0", "turned"]
    assert (back["a"].dtype, back["a"].shape, bits(back["a"])) == (dtype, shape, bits(kept))
    assert (back["turned"].shape, bits(back["turned"])) == (kept.T.shape, bits(kept.T))
    assert not list(tmp_path.glob("*.part"))


def test_bfloat16_of_every_pattern(tmp_path: Path) -> None:
    (dtype,) = (d for d in DTYPES if d.name == "bfloat16")
    every = np.arange(1 << 16, dtype=np.uint16)
    gg.save({"w": gg.tensor(every.view(dtype))}, tmp_path / "w.safetensors")
    back = gg.load(tmp_path / "w.safetensors")["w"]
    assert back.dtype == dtype
    np.testing.assert_array_equal(back.numpy().view(np.uint16), every)  # NaNs and signed zeros, too


def test_bfloat16_without_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (dtype,) = (d for d in DTYPES if d.name == "bfloat16")
    gg.save({"w": gg.ones(2).astype(dtype)}, tmp_path / "w.safetensors")
    monkeypatch.setitem(sys.modules, "ml_dtypes", None)
    with pytest.raises(ImportError, match=r"'w' in .* is bfloat16.*pip install ml_dtypes"):
        gg.load(tmp_path / "w.safetensors")


@pytest.mark.parametrize("name", ["w.txt", "w.npz", "w.pt", "w.pkl", "w", "w.safetensors.bak", ".safetensors", "v1.0"])
def test_another_ending_is_an_error_and_nothing_is_written(name: str, tmp_path: Path) -> None:
    for write in (
        lambda: gg.save({"w": gg.ones(2)}, tmp_path / name),
        lambda: gg.nn.Linear(1, 1).save(str(tmp_path / name)),
    ):
        with pytest.raises(gg.errors.InputError, match=r"must end in \.safetensors.*: write '.*\.safetensors'"):
            write()
    assert not list(tmp_path.iterdir())


def test_large_letters_are_the_same_ending(tmp_path: Path) -> None:
    gg.save({"w": gg.ones(2)}, tmp_path / "W.SafeTensors")
    assert gg.load(tmp_path / "W.SafeTensors")["w"].tolist() == [1, 1]


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"\ud800": 1.0}, r"'\\ud800' is not Unicode"), ({"__metadata__": 1.0}, "'__metadata__'"), ({3: 1.0}, "must be strings, not 3: write '3'"),
        ({"w": np.ones(2, np.longdouble)}, r"'w' is .*float64"), ([1.0], "expected a dictionary"),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("on_cpu")
def test_what_the_format_does_not_have(tensors: Any, message: str, tmp_path: Path) -> None:
    if np.dtype(np.longdouble) == np.dtype(np.float64) and "float64" in message:
        pytest.skip("longdouble is float64 here")
    path = tmp_path / "w.safetensors"
    gg.save({"old": 1.0}, path)
    with pytest.raises(gg.errors.GpugradError, match=message):
        gg.save(tensors, path)
    assert list(gg.load(path)) == ["old"]


@pytest.mark.usefixtures("on_cpu")
def test_values_of_another_byte_order_are_kept(tmp_path: Path) -> None:
    gg.save({"w": np.array([1.0, -2.5], ">f4")}, tmp_path / "w.safetensors")
    back = gg.load(tmp_path / "w.safetensors")["w"]
    assert (back.dtype, back.tolist()) == (np.float32, [1.0, -2.5])


class Trap:
    def __reduce__(self) -> Any:
        return pytest.fail, ("a pickle was run",)


def test_pickles_are_refused_whatever_they_are_called(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes(pickle.dumps({"w": Trap()}))
    with pytest.raises(gg.errors.InputError, match=r"not a readable safetensors file.*pickle can run anything"):
        gg.load(path)
    with path.open("wb") as f:
        np.savez(f, w=np.array([Trap()], object), allow_pickle=True)
    with pytest.raises(gg.errors.InputError, match=r"NumPy, PyTorch or pickle.*gg\.save"):
        gg.load(path)
    with path.open("wb") as f:
        np.save(f, np.ones(2))
    with pytest.raises(gg.errors.InputError, match="NumPy"):
        gg.load(path)


def test_dtypes_that_tensors_do_not_have(tmp_path: Path) -> None:
    header = b'{"w":{"dtype":"F8_E4M3","shape":[2],"data_offsets":[0,2]}}'
    path = tmp_path / "w.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header + b"\0\0")
    with pytest.raises(gg.errors.DTypeError, match=r"'w' in .* is of dtype F8_E4M3.*BF16"):
        gg.load(path)


@pytest.mark.parametrize(
    "content", [b"", b"\0" * 7, b"\xff" * 20, struct.pack("<Q", 2) + b"[]", struct.pack("<Q", 1 << 60) + b"{}"]
)
def test_damaged_files(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "w.safetensors").write_bytes(content)
    with pytest.raises(gg.errors.InputError, match="not a readable safetensors file"):
        gg.load(tmp_path / "w.safetensors")
