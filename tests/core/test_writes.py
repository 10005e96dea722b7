"""Values never change, names do: writes, views, and who may be written to in place."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import leaf
from hypothesis import given
from hypothesis import strategies as st

import gpugrad as gg


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
        lambda x: gg.reshape(x, (4, 1)) * 1,
        lambda x: x.T + 0,
        lambda x: iter([x._value]),
    ]
    for hold in holders:
        x = gg.zeros(4)
        x[0] = 1.0
        kept = hold(x)
        x[1] = 5.0
        got = next(kept).array if hasattr(kept, "__next__") else kept
        assert np.asarray(got).ravel().tolist() == [1, 0, 0, 0]


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
    assert len(x._origin[2]) <= 3


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


# ------------------------------------------------------------------------------------------------------- found by attacking


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


def test_writing_a_value_with_more_axes() -> None:
    x = gg.zeros((2, 3))
    v = leaf([[2.0]])
    x[0] = v
    (x * x).sum().backward()
    assert v.grad.tolist() == [[12]]


def test_results_are_never_the_argument_itself() -> None:
    x = gg.tensor([1, 2])
    for f in (gg.round, gg.clip, lambda t: gg.pad(t, 0, mode="edge"), lambda t: gg.roll(t, 0), lambda t: t**1):
        y = f(x)
        y += 1
        assert x.tolist() == [1, 2]
