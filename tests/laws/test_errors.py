"""Bad input: a clear error from the line that caused it, naming what was given and what to do."""

from __future__ import annotations

import traceback
from collections.abc import Callable

import numpy as np
import pytest

import gpugrad as gg


def leaf(data: object) -> gg.Tensor:
    return gg.tensor(data, dtype=float, requires_grad=True)


def freed() -> gg.Tensor:
    y = (leaf([1.0]) ** 2).sum()
    y.backward()
    return y


CASES: list[tuple[str, Callable[[], object], type, str]] = [
    ("shapes", lambda: gg.ones(2) + gg.ones(3), ValueError, r"add: the shapes \(2,\) and \(3,\) do not broadcast"),
    ("matmul", lambda: gg.ones((2, 3)) @ gg.ones((2, 3)), ValueError, r"\(2, 3\) and \(2, 3\) do not fit"),
    ("matmul of a scalar", lambda: gg.ones(()) @ gg.ones(2), ValueError, "at least one axis"),
    ("integers with grad", lambda: gg.tensor([1], requires_grad=True), TypeError, "int64.*astype"),
    ("booleans with grad", lambda: gg.ones(1, dtype=bool).requires_grad_(), TypeError, "bool"),
    ("strings", lambda: gg.tensor(["a"]), TypeError, "expected a number"),
    ("objects", lambda: gg.tensor([object()]), TypeError, "expected a number"),
    ("ragged lists", lambda: gg.tensor([[1], [2, 3]]), TypeError, "nested"),
    ("complex", lambda: gg.tensor([1j]), TypeError, "complex"),
    ("complex operand", lambda: gg.ones(1) * 1j, TypeError, "complex"),
    ("None operand", lambda: gg.ones(1) * None, TypeError, "NoneType"),
    ("dtype", lambda: gg.zeros(1, dtype="datetime64"), TypeError, "datetime64"),
    ("bits of floats", lambda: gg.ones(1) & gg.ones(1), TypeError, "bitwise_and does not take"),
    ("backward of many", lambda: (leaf([1.0, 2.0]) * 2).backward(), RuntimeError, r"shape \(2,\).*gradient="),
    ("backward without graph", lambda: gg.ones(1).backward(), RuntimeError, "requires_grad=True"),
    ("freed graph", lambda: freed().backward(), RuntimeError, "retain_graph=True"),
    ("gradient shape", lambda: (leaf([1.0, 2.0]) * 2).backward(gg.ones(3)), ValueError, r"\(3,\).*\(2,\)"),
    ("gradient dtype", lambda: (leaf([1.0]) * 2).backward(gg.ones(1, dtype="float32")), TypeError, "float32.*float64"),
    ("setting a gradient", lambda: setattr(leaf([1.0]), "grad", gg.ones(3)), ValueError, "shape"),
    ("item", lambda: gg.ones(3).item(), ValueError, r"exactly one element.*\(3,\)"),
    ("bool", lambda: bool(gg.ones(3)), ValueError, "ambiguous"),
    ("index", lambda: [1, 2][gg.tensor(1.0)], TypeError, "0-d integer"),
    ("asarray", lambda: np.asarray(leaf([1.0])), RuntimeError, r"detach\(\).numpy\(\)"),
    ("numpy", lambda: leaf([1.0]).numpy(), RuntimeError, r"detach\(\).numpy\(\)"),
    ("unknown device", lambda: gg.zeros(1, device="tpu"), RuntimeError, "unknown device 'tpu'"),
    ("odd device", lambda: gg.zeros(1, device="cpu:x"), RuntimeError, "unknown device"),
    ("to nowhere", lambda: gg.zeros(1).to("nowhere"), RuntimeError, "unknown device 'nowhere'"),
    ("cupy of a CPU tensor", lambda: gg.zeros(1, device="cpu").cupy(), RuntimeError, r"cuda\(\)"),
    ("index type", lambda: gg.ones(3)[1.5], TypeError, "index must be"),
    ("float index array", lambda: gg.ones(3)[np.ones(2)], TypeError, "integers or booleans"),
    ("index range", lambda: gg.ones(3)[5], IndexError, "out of bounds"),
    ("take range", lambda: gg.take(gg.ones(3), [5]), IndexError, "out of bounds"),
    ("axis", lambda: gg.sum(gg.ones(3), axis=1), ValueError, r"axis 1 is out of range.*-1 to 0"),
    ("axis twice", lambda: gg.sum(gg.ones((2, 2)), axis=(0, -2)), ValueError, "twice"),
    ("axis type", lambda: gg.sum(gg.ones(3), axis=0.5), TypeError, "must be an integer, not 'float'"),
    ("reshape", lambda: gg.ones(6).reshape(4, 2), ValueError, r"6 elements cannot be arranged as \(4, 2\)"),
    ("reshape unknown", lambda: gg.ones(6).reshape(-1, -1), ValueError, "cannot be arranged"),
    ("transpose", lambda: gg.ones((2, 3)).transpose(0, 0), ValueError, "twice"),
    ("squeeze", lambda: gg.squeeze(gg.ones((2, 3)), 0), ValueError, "length 2, not 1"),
    ("broadcast_to", lambda: gg.broadcast_to(gg.ones(3), (2,)), ValueError, "broadcast"),
    ("concatenate", lambda: gg.concatenate([gg.ones((2, 2)), gg.ones((3, 3))]), ValueError, "differ outside axis"),
    ("concatenate nothing", lambda: gg.concatenate([]), ValueError, "at least one"),
    ("stack", lambda: gg.stack([gg.ones(2), gg.ones(3)]), ValueError, "one shape"),
    ("split", lambda: gg.split(gg.ones(5), 2), ValueError, "5 elements do not make 2"),
    ("max of nothing", lambda: gg.max(gg.ones((0, 3)), axis=0), ValueError, "no value"),
    ("argmax of nothing", lambda: gg.argmax(gg.ones(0)), ValueError, "no value"),
    ("einsum operands", lambda: gg.einsum("ij,jk", gg.ones((2, 2))), ValueError, "names 2 operands, 1"),
    ("einsum axes", lambda: gg.einsum("ij", gg.ones(2)), ValueError, "does not name the axes"),
    ("einsum lengths", lambda: gg.einsum("i,i", gg.ones(2), gg.ones(3)), ValueError, "lengths"),
    ("einsum output", lambda: gg.einsum("i->j", gg.ones(2)), ValueError, "output"),
    ("tensordot", lambda: gg.tensordot(gg.ones((2, 3)), gg.ones((2, 3)), 1), ValueError, "do not fit"),
    ("pad", lambda: gg.pad(gg.ones(3), 1, mode="empty"), ValueError, "'empty' is not supported"),
    ("where", lambda: gg.where(gg.ones(1), 1.0), ValueError, "both"),
    ("gelu", lambda: gg.gelu(1.0, approximate="fast"), ValueError, "'none' or 'tanh'"),
    ("retain_grad", lambda: gg.ones(1).retain_grad(), RuntimeError, "does not require grad"),
    ("hook", lambda: gg.ones(1).register_hook(print), RuntimeError, "does not require grad"),
    ("grad input", lambda: gg.autograd.grad(leaf(1.0) * 2, gg.ones(1)), RuntimeError, r"inputs\[0\] does not require"),
    ("grad outputs", lambda: gg.autograd.grad(leaf(1.0) * 2, leaf(1.0), grad_outputs=[None, None]), ValueError, "1 outputs"),
    ("repeat", lambda: gg.repeat(gg.ones(3), [1, 2]), ValueError, "repeats"),
    ("moveaxis", lambda: gg.moveaxis(gg.ones((2, 2)), (0, 0), (0, 1)), ValueError, "distinct"),
    ("take_along_axis", lambda: gg.take_along_axis(gg.ones((2, 2)), [0], 0), ValueError, "2 axes"),
    ("plan of a leaf", lambda: gg.debug.plan_source(leaf(1.0)), RuntimeError, "not made by a region"),
]  # fmt: skip


@pytest.mark.parametrize(("run", "kind", "message"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_message_and_place(run: Callable[[], object], kind: type, message: str) -> None:
    with pytest.raises(kind, match=message) as caught:
        run()
    if kind is not IndexError:  # NumPy's own message says it all
        assert isinstance(caught.value, gg.errors.GpugradError)
    files = [f.filename for f in traceback.extract_tb(caught.value.__traceback__)]
    assert __file__ in files[1:3], "raised from the user's line, not later"


@pytest.mark.usefixtures("on_cpu")
def test_a_bug_in_a_plan_is_reported_with_its_text(monkeypatch: pytest.MonkeyPatch) -> None:
    from gpugrad.ops import elementwise as ew
    from gpugrad.plans.plan import plans

    plans.clear()
    gg.config.cpu = "numpy"
    monkeypatch.setattr(ew.tanh, "numpy", lambda *a, **k: (_ for _ in ()).throw(ValueError("planted")))
    with pytest.raises(gg.errors.InternalError, match=r"planted(.|\n)*def plan\(i0") as caught:
        gg.tanh(gg.ones(3)).tolist()
    assert isinstance(caught.value, RuntimeError)
    plans.clear()


@pytest.mark.parametrize(
    "run",
    [
        lambda: gg.optim.clip_grad_norm_([leaf([1.0])], 0.0),
        lambda: gg.optim.Adam([leaf([1.0])]).load_state_dict({}),
        lambda: gg.optim.Adam([leaf([1.0])]).load_state_dict(gg.optim.SGD([leaf([1.0])], 0.1).state_dict()),
        lambda: gg.matmul(gg.ones((2, 2, 3)), gg.ones((3, 3, 4))),
        lambda: gg.zeros(3).__setitem__(0, [1, 2]),
        lambda: gg.zeros(3).__setitem__(gg.tensor([True, False, True]), [1, 2, 3]),
        lambda: gg.einsum(gg.ones(2), [0, 1]),
        lambda: gg.einsum("...i...->i", gg.ones((2, 2))),
        lambda: gg.einsum("ij"),
        lambda: gg.ones(1).astype("foo"),
        lambda: gg.ones(1).sum(dtype="foo"),
        lambda: leaf([1.0]).sum().backward(inputs=5),
        lambda: gg.autograd.grad(leaf(1.0) * 2, leaf(1.0), grad_outputs=5),
        lambda: gg.concatenate(5),
        lambda: gg.stack(5),
        lambda: leaf([1.0]).register_hook(5),
        lambda: gg.optim.SGD(leaf([1.0]), 0.1),
        lambda: gg.optim.SGD([("w", leaf([1.0]))], 0.1),
        lambda: gg.save(gg.ones(1), "x"),
        lambda: gg.nn.Linear(0, 2),
        lambda: gg.nn.Sequential([gg.nn.ReLU()]),
    ],
)
def test_errors_are_our_own(run: object) -> None:
    with pytest.raises(gg.errors.GpugradError):
        run()
