"""Values never change, names do: writes, views, ownership, borrowed memory, conversion, protocols, copies."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gpugrad as gg


def leaf(data: object) -> gg.Tensor:
    return gg.tensor(data, dtype=float, requires_grad=True)


def test_a_write_points_the_name_to_a_new_value() -> None:
    x = leaf([1.0, 2.0])
    y = x * 3
    before = y * y
    y += 1
    y *= 2
    after = y.sum()
    (before.sum() + after).backward()
    assert before.tolist() == [9, 36]
    assert y.tolist() == [8, 14]
    assert x.grad.tolist() == [18 + 6, 36 + 6]


def test_what_was_pending_keeps_the_old_value() -> None:
    x = gg.tensor([1.0, 2.0])
    y = gg.exp(x)
    x[0] = 100.0
    np.testing.assert_allclose(y.numpy(), np.exp([1, 2]))
    assert x.tolist() == [100, 2]


def test_gradients_are_those_of_the_values_that_were_used() -> None:
    w = leaf([2.0])
    y = w * w
    with gg.no_grad():
        w -= 1.5
    z = w * 10
    (y + z).sum().backward()
    assert w.tolist() == [0.5]
    assert w.requires_grad
    assert w.is_leaf
    assert w.grad.tolist() == [4 + 10]  # the older value's gradient goes to the same slot


def test_setitem_is_differentiable() -> None:
    x, v = leaf([1.0, 2.0, 3.0]), leaf([10.0, 20.0])
    y = x * 1
    y[1:] = v * 2
    (y * gg.tensor([1.0, 2.0, 3.0])).sum().backward()
    assert x.grad.tolist() == [1, 0, 0]
    assert v.grad.tolist() == [4, 6]


def test_setitem_with_duplicates_keeps_the_last_and_so_do_gradients() -> None:
    v = leaf([1.0, 2.0, 3.0])
    y = gg.zeros(3)
    y[[0, 0, 2]] = v
    assert y.tolist() == [2, 0, 3]
    y.sum().backward()
    assert v.grad.tolist() == [0, 1, 1]


def test_setitem_broadcasts_and_masks() -> None:
    v = leaf(2.0)
    y = gg.zeros((2, 3))
    y[:, 1] = v
    y[gg.tensor([[True, False, False], [False, False, True]])] = v * 3
    y.sum().backward()
    assert v.grad.item() == 2 + 6
    z = gg.arange(4)
    z[...] = 7
    assert z.tolist() == [7] * 4


def test_in_place_only_where_nobody_can_tell() -> None:
    x = gg.zeros(4)
    x[0] = 1.0
    kept = x.numpy()
    alias = x.detach()
    pending = x + 1
    x[1] = 5.0
    assert kept.tolist() == alias.tolist() == [1, 0, 0, 0]
    assert pending.tolist() == [2, 1, 1, 1]
    assert x.tolist() == [1, 5, 0, 0]


@pytest.mark.usefixtures("on_cpu")
def test_each_way_of_holding_a_value_protects_it() -> None:
    holders = [
        lambda x: x.numpy(),
        lambda x: x.detach(),
        lambda x: x + 0,
        lambda x: np.asarray(x),
        lambda x: np.from_dlpack(x),
        lambda x: gg.reshape(x, (4, 1)),
        lambda x: x.T,
        lambda x: iter([x._value]),
    ]
    for hold in holders:
        x = gg.zeros(4)
        x[0] = 1.0
        kept = hold(x)
        x[1] = 5.0
        got = next(kept).array if hasattr(kept, "__next__") else kept
        assert np.asarray(got).ravel().tolist() == [1, 0, 0, 0]


@pytest.mark.usefixtures("on_cpu")
def test_numpy_is_a_read_only_view() -> None:
    x = gg.tensor([1.0, 2.0])
    a = x.numpy()
    with pytest.raises(ValueError, match="read-only"):
        a[0] = 9
    assert np.shares_memory(a, x._value.array)


def test_asarray_shares_and_tensor_copies() -> None:
    a = np.array([1.0, 2.0])
    shared, copied = gg.asarray(a), gg.tensor(a)
    a[0] = 5
    assert shared.tolist() == [5, 2]
    assert copied.tolist() == [1, 2]
    shared[1] = 7.0  # never written in place
    assert a.tolist() == [5, 2]
    assert shared.tolist() == [5, 7]


def test_arrays_used_as_operands_are_copied_at_the_call() -> None:
    a = np.array([1.0, 2.0])
    y = gg.ones(2) * a
    a[:] = 0
    assert y.tolist() == [1, 2]
    index = np.array([0, 1])
    x = leaf([1.0, 2.0])
    z = x[index]
    index[:] = 0
    z.sum().backward()
    assert x.grad.tolist() == [1, 1]


# ---------------------------------------------------------------------------------------------------------- views


@pytest.mark.parametrize(
    "make",
    [lambda x: x[0], lambda x: x.reshape(4), lambda x: x.T, lambda x: next(iter(x)), lambda x: x[0][1:], lambda x: x.T[0],
     lambda x: x.ravel(), lambda x: gg.expand_dims(x, 0)],
)  # fmt: skip
def test_writing_to_what_numpy_would_have_made_a_view_is_an_error(make: object) -> None:
    x = gg.ones((2, 2))
    v = make(x)
    with pytest.raises(gg.errors.WriteError, match=r"x\[i, j\] = v"):
        v += 1
    with pytest.raises(gg.errors.WriteError):
        v[...] = 0
    w = v.copy()
    w += 1
    del x
    v = make(gg.ones((2, 2)))
    v += 1  # the original is gone: nobody can miss the write
    assert v.tolist() == w.tolist()


def test_fancy_indexing_makes_copies_that_can_be_written() -> None:
    x = gg.ones((2, 2))
    y = x[[0, 1]]
    y += 1
    assert x.tolist() == [[1, 1], [1, 1]]


def test_a_small_slice_does_not_keep_its_base_alive() -> None:
    x = gg.zeros(100_000)
    assert x[3:5]._value.array.base is None


def test_loops_of_views_do_not_collect_ancestors() -> None:
    x = gg.ones((2, 2))
    for _ in range(100):
        x = x.T
    assert len(x._views) <= 3


def test_writes_to_leaves() -> None:
    x = leaf([1.0])
    with pytest.raises(gg.errors.WriteError, match="no_grad"):
        x += 1
    with pytest.raises(gg.errors.WriteError, match="no_grad"):
        x[0] = 1.0
    with gg.no_grad():
        x[0] = 3.0
    assert x.tolist() == [3]
    assert x.requires_grad


def test_writes_check_shape_and_dtype() -> None:
    x = gg.arange(3)
    with pytest.raises(gg.errors.DTypeError, match="same_kind"):
        x += 0.5
    with pytest.raises(gg.errors.DTypeError, match="same_kind"):
        x[0] = gg.tensor(0.5)
    with pytest.raises(gg.errors.ShapeError, match="cannot be written"):
        x += gg.ones((2, 3), dtype=int)
    with pytest.raises(gg.errors.ShapeError, match="cannot be written"):
        x[:2] = [1, 2, 3]
    with pytest.raises(IndexError):
        x[7] = 1
    x += gg.tensor([1], dtype="int8")
    assert x.dtype == np.int64


# --------------------------------------------------------------------- random programs against functional rewrites


@given(
    st.lists(
        st.tuples(st.sampled_from(["add", "mul", "set", "slice", "row"]), st.integers(0, 3), st.floats(-2, 2)),
        max_size=8,
    )
)
def test_random_writes_against_a_functional_rewrite(program: list[tuple[str, int, float]]) -> None:
    def imperative(x: gg.Tensor) -> gg.Tensor:
        y = x * 1.0
        for op, i, c in program:
            if op == "add":
                y += c * y[i]
            elif op == "mul":
                y *= c
            elif op == "set":
                y[i] = y[3 - i] * c
            elif op == "slice":
                y[i:] = y[i:] + c
            else:
                y[[i, 0]] = gg.stack([y[i] * c, y[0]])
        return y

    def functional(x: gg.Tensor) -> gg.Tensor:
        y = x * 1.0
        for op, i, c in program:
            parts = [y[k] for k in range(4)]
            if op == "add":
                parts = [p + c * y[i] for p in parts]
            elif op == "mul":
                parts = [p * c for p in parts]
            elif op == "set":
                parts[i] = y[3 - i] * c
            elif op == "slice":
                parts = [p + c if k >= i else p for k, p in enumerate(parts)]
            else:
                first, old = y[i] * c, y[0]
                parts[i] = first
                parts[0] = old
            y = gg.stack(parts)
        return y

    data = [0.5, -1.0, 2.0, 1.5]
    a, b = leaf(data), leaf(data)
    ya, yb = imperative(a), functional(b)
    np.testing.assert_allclose(ya.tolist(), yb.tolist(), rtol=1e-12)
    weights = gg.tensor([1.0, 2.0, 3.0, 4.0])
    (ya * ya * weights).sum().backward()
    (yb * yb * weights).sum().backward()
    np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=1e-10, atol=1e-10)


# ------------------------------------------------------------------------------------------------- the face


def test_numpy_protocols() -> None:
    x = leaf([1.0, 2.0])
    a = np.array([3.0, 4.0])
    assert isinstance(a * x, gg.Tensor)
    assert isinstance(np.float64(2) * x, gg.Tensor)
    assert isinstance(np.sin(x), gg.Tensor)
    (a / x + np.power(x, 2) + np.float64(2) ** x).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), -a / np.array([1, 4]) + [2, 4] + np.log(2) * np.array([2, 4]))
    assert (np.ones((2, 2)) @ x).tolist() == [3, 3]
    np.testing.assert_array_equal(np.asarray(gg.ones(2, device="cpu")), [1, 1])
    assert np.array(gg.ones(2, device="cpu"), dtype=np.float32).dtype == np.float32


def test_other_numpy_functions_are_refused_by_name() -> None:
    x = leaf([1.0, 2.0])
    with pytest.raises(TypeError, match=r"numpy.sum .* use gg.sum"):
        np.sum(x)
    with pytest.raises(TypeError, match=r"numpy\.histogram"):
        np.histogram(x)
    with pytest.raises(TypeError, match=r"'add'\.reduce"):
        np.add.reduce(x)
    with pytest.raises(TypeError, match=r"numpy\.linalg\.norm"):
        np.linalg.norm(x)
    with pytest.raises(TypeError, match="out="):
        np.sin(np.ones(2), out=x)
    with pytest.raises(TypeError, match="'frexp'"):
        np.frexp(x)
    a = np.ones(2)
    with pytest.raises(TypeError, match="'add' with out="):
        a += x


@pytest.mark.usefixtures("on_cpu")
def test_description() -> None:
    x = gg.tensor([[1.0, 2.0]], dtype="float32", requires_grad=True)
    assert repr(x) == "tensor([[1., 2.]], dtype=float32, device='cpu', requires_grad=True)"
    assert str(x) == "[[1. 2.]]"
    assert f"{gg.tensor(0.123456):.2f}" == "0.12"
    assert f"{x}" == str(x)
    assert (x.shape, x.ndim, x.size, x.nbytes, len(x), x.device.name) == ((1, 2), 2, 2, 8, 1, "cpu")
    assert [row.tolist() for row in x] == [[1, 2]]
    assert x[0, 1].item() == 2
    assert int(gg.tensor(3)) == 3
    assert float(gg.tensor(3)) == 3
    assert [10, 20, 30][gg.tensor(1)] == 20
    assert bool(gg.tensor(0.0)) is False
    assert {x: 1}[x] == 1
    with pytest.raises(TypeError, match="0-d"):
        len(gg.tensor(1))
    with pytest.raises(TypeError, match="0-d"):
        iter(gg.tensor(1))


def test_copies() -> None:
    x = leaf([1.0, 2.0])
    (x * 2).sum().backward()
    twin = copy.deepcopy(x)
    assert twin.tolist() == x.tolist()
    assert twin.grad.tolist() == [2, 2]
    assert twin.requires_grad
    again = pickle.loads(pickle.dumps(x))
    assert again.tolist() == [1, 2]
    assert again.requires_grad
    with pytest.raises(gg.errors.GraphError, match="leaves"):
        copy.deepcopy(x * 2)
    y = x.copy()
    assert y.requires_grad
    assert not y.is_leaf
    b = gg.tensor([True]).copy()
    b[0] = False
    assert b.tolist() == [False]


def test_casts_bring_gradients_back() -> None:
    x = gg.tensor([1.5], dtype="float32", requires_grad=True)
    y = x.astype("float64") * gg.tensor([2.0])
    assert y.dtype == np.float64
    y.sum().backward()
    assert x.grad.dtype == np.float32
    assert x.astype(int).tolist() == [1]
    assert not x.astype(int).requires_grad
    assert x.to("float64").dtype == np.float64
    assert x.to(np.float32) is x


def test_requires_grad_is_for_leaves() -> None:
    x = gg.tensor([1.0])
    y = x * 2
    x.requires_grad_()
    z = x * 3
    assert not y.requires_grad
    assert z.requires_grad
    assert x.is_leaf
    with pytest.raises(gg.errors.GraphError, match="detach"):
        z.requires_grad_(False)
    x.requires_grad_(False)
    assert not x.requires_grad


@pytest.mark.usefixtures("on_cpu")
def test_dlpack() -> None:
    x = gg.tensor([1.0, 2.0])
    np.testing.assert_array_equal(np.from_dlpack(x), [1, 2])
    x[0] = 9.0
    with pytest.raises(gg.errors.GraphError):
        np.from_dlpack(leaf([1.0]))


def test_creation_follows_numpy() -> None:
    for name, args in [
        ("zeros", ((2, 3),)),
        ("ones", (3,)),
        ("full", ((2,), 7)),
        ("arange", (1, 5, 2)),
        ("linspace", (0, 1, 5)),
        ("eye", (3,)),
    ]:
        ours, theirs = getattr(gg, name)(*args), getattr(np, name)(*args)
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours.numpy(), theirs)
    x = gg.ones((2, 2), dtype="float32", requires_grad=True)
    assert gg.zeros_like(x).dtype == np.float32
    assert gg.full_like(x, 3).tolist() == [[3, 3], [3, 3]]
    assert gg.ones_like(x, dtype=int).dtype == np.int64
    assert gg.empty_like(x).shape == gg.empty((2, 2)).shape
    assert gg.tensor([1, 2.5]).dtype == np.float64
    assert gg.array([1]).dtype == np.int64
    assert gg.tensor([True]).dtype == bool


# --------------------------------------------------------------------------------------------------- devices


@pytest.mark.usefixtures("on_cpu")
def test_devices_do_not_mix_silently() -> None:
    x = gg.tensor([1.0], requires_grad=True)
    y = gg.tensor([2.0], device="cpu:1")
    for f in (lambda: x + y, lambda: x @ y, lambda: gg.concatenate([x, y]), lambda: x.backward(y)):
        with pytest.raises(gg.errors.DeviceError, match=r"'cpu' and 'cpu:1'|'cpu:1' and 'cpu'"):
            f()
    z = x.to("cpu:1") * y
    assert z.device == "cpu:1"
    z.sum().backward()
    assert x.grad.tolist() == [2]
    assert x.grad.device is x.device
    with gg.device("cpu:1"):
        assert gg.zeros(1).device == "cpu:1"
    assert gg.zeros(1).device == gg.get_device("cpu")
    assert (y + np.ones(1)).device == "cpu:1"
    assert copy.deepcopy(y).device == "cpu:1"


def test_default_device_can_be_set() -> None:
    gg.set_default_device("cpu:1")
    assert gg.ones(1).device == "cpu:1"
    assert gg.config.device == "cpu:1"
    gg.config.device = "cpu"
    assert gg.ones(1).device == "cpu"
    with pytest.raises(gg.errors.DeviceError, match="unknown device"):
        gg.config.device = "tpu"


def test_augmented_assignment_to_an_element() -> None:
    x = leaf([1.0, 2.0])
    y = gg.zeros((3, 2))
    y[0] += x
    y[1:, 1] -= x[0] * 2
    y.sum().backward()
    assert y.tolist() == [[1, 2], [0, -2], [0, -2]]
    assert x.grad.tolist() == [1 - 4, 1]
    counts = gg.arange(3)
    with pytest.raises(gg.errors.DTypeError, match="same_kind"):
        counts[0] += 0.5
    row = y[0]
    with pytest.raises(gg.errors.WriteError):
        row += 1  # has a name: the write would be lost
    with pytest.raises(gg.errors.WriteError):
        y[0][1] += 1  # what it would be stored to is a slice
    assert y[0].tolist() == [1, 2]


def test_comparison_with_none() -> None:
    assert (gg.ones(2) == None) is False  # noqa: E711  # what this is about
    assert (gg.ones(2) != None) is True  # noqa: E711
