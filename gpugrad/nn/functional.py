"""Losses and other functions of networks. `reduction` is "mean", "sum" or "none"."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .. import random
from ..arguments import as_tensors, wait
from ..backends.devices import Device
from ..base import errors
from ..base.dtypes import computed
from ..base.modes import no_grad
from ..base.shapes import Shape, is_16_bit, is_float, normalize_axes
from ..core.value import Value, held
from ..functions.creation import arange
from ..functions.elementwise import where
from ..functions.indexing import take_along_axis
from ..functions.reductions import log_softmax, max, mean, sum, var
from ..functions.shaping import expand_dims, squeeze
from ..ops import elementwise as ew
from ..ops import structural
from ..tensor import Tensor


def _reduced(loss: Tensor, reduction: str) -> Tensor:
    if reduction == "mean":
        return mean(loss)
    if reduction == "sum":
        return sum(loss)
    if reduction != "none":
        raise errors.bad_value("loss", f"reduction must be 'mean', 'sum' or 'none', not {reduction!r}.")
    return loss


def _pair(name: str, prediction: Any, target: Any) -> tuple[Tensor, Tensor]:
    p, t = as_tensors(prediction, target)
    if p.shape != t.shape:
        raise errors.bad_shape(name, f"prediction {p.shape} and target {t.shape} must have one shape.")
    common = p.dtype if is_float(p.dtype) else np.result_type(p.dtype, t.dtype, np.float32)
    return p if p.dtype == common else p.astype(common), t if t.dtype == common else t.astype(common)


def mse_loss(prediction: Any, target: Any, reduction: str = "mean") -> Tensor:
    """Squared error, (prediction - target)**2.

    >>> import gpugrad as gg
    >>> gg.nn.functional.mse_loss([1.0, 2.0], [1.0, 4.0])
    tensor(2., device='cpu')
    """
    p, t = _pair("mse_loss", prediction, target)
    return _reduced(ew.square(p - t), reduction)


def l1_loss(prediction: Any, target: Any, reduction: str = "mean") -> Tensor:
    """Absolute error, |prediction - target|.

    >>> import gpugrad as gg
    >>> gg.nn.functional.l1_loss([1.0, 2.0], [1.0, 4.0])
    tensor(1., device='cpu')
    """
    p, t = _pair("l1_loss", prediction, target)
    return _reduced(abs(p - t), reduction)


def huber_loss(prediction: Any, target: Any, delta: float = 1.0, reduction: str = "mean") -> Tensor:
    """Quadratic for errors up to delta, linear beyond (Huber 1964).

    >>> import gpugrad as gg
    >>> gg.nn.functional.huber_loss([1.0, 2.0], [1.5, 5.0], reduction="none")
    tensor([0.125, 2.5  ], device='cpu')
    """
    if not delta > 0:
        raise errors.bad_value("huber_loss", f"delta must be positive, not {delta}.")
    p, t = _pair("huber_loss", prediction, target)
    e = abs(p - t)
    return _reduced(where(e <= delta, 0.5 * ew.square(e), delta * (e - 0.5 * delta)), reduction)


def nll_loss(log_probabilities: Any, target: Any, reduction: str = "mean") -> Tensor:
    """Negative log likelihood of class indices: -log_probabilities[n, target[n]] for shapes (N, C, ...) and (N, ...).

    Raises IndexError for a class that is not one of the C.

    >>> import gpugrad as gg
    >>> gg.nn.functional.nll_loss([[-0.1, -2.0], [-3.0, -0.2]], [0, 1], reduction="sum")
    tensor(0.3, device='cpu')
    """
    p, t = _scores_and_target("nll_loss", log_probabilities, target)
    if t.dtype.kind not in "iu":
        raise errors.bad_type(
            "nll_loss", f"needs log probabilities and integer classes, not {t.dtype} of shape {t.shape}."
        )
    axis = 1 if p.ndim > 1 else 0
    return _reduced(-squeeze(take_along_axis(p, expand_dims(t, axis), axis), axis), reduction)


class _Known(NamedTuple):
    """What was found out about a tensor of classes: the smallest and the largest, and the same in int32."""

    low: int
    high: int
    narrow: Value


def _scores_and_target(name: str, scores: Any, target: Any) -> tuple[Tensor, Tensor]:
    """The scores of classes along axis 1 (of one row alone, 0), and what should have been: probabilities, or classes as int32.

    Every class is known to be one of theirs. Those on the host are looked at there: to ask a GPU would be to wait for all that it has to do.
    Those in a tensor are looked at once.
    """
    if type(target) is np.ndarray and target.dtype.kind in "iu":
        (x,) = as_tensors(scores)
        _check_classes(name, x, target.shape, *((int(target.min()), int(target.max())) if target.size else (0, 0)))
        return x, Tensor(held(x.device.backend.from_host(target, np.dtype(np.int32)), x.device, True))
    x, t = as_tensors(scores, target)
    if t.dtype.kind not in "iu":
        if not x.shape:
            raise errors.bad_shape(name, "scores need an axis of classes.")
        return x, t
    v = t._value
    if not v.owned or not hasattr(v, "known"):
        host = t._host()
        low, high = (int(host.min()), int(host.max())) if host.size else (0, 0)
        _check_classes(name, x, t.shape, low, high)
        narrow = t.astype(np.int32)
        wait(narrow)
        if not v.owned:  # somebody else may change what is in it
            return x, narrow
        v.known = _Known(low, high, narrow._value)
    _check_classes(name, x, t.shape, v.known.low, v.known.high)
    return x, Tensor(v.known.narrow)


def _check_classes(name: str, scores: Tensor, shape: Shape, low: int, high: int) -> None:
    """Raise unless there is one class for each row of scores, from the lowest to the highest one of theirs."""
    if not scores.shape:
        raise errors.bad_shape(name, "scores need an axis of classes.")
    axis = 1 if scores.ndim > 1 else 0
    if shape != (*scores.shape[:axis], *scores.shape[axis + 1 :]):
        raise errors.bad_shape(name, f"classes of shape {shape} do not fit scores of shape {scores.shape}.")
    if not 0 <= low <= high < scores.shape[axis] and 0 not in shape:
        raise IndexError(f"{name}: classes must be from 0 to {scores.shape[axis] - 1}, found {low} to {high}.")


def _numbered(count: int, device: Device) -> Tensor:
    """The numbers of so many classes, kept for the next time."""
    found = _numbers.get((count, id(device)))
    if found is None:
        if len(_numbers) >= 16:
            _numbers.clear()
        found = _numbers[count, id(device)] = arange(count, dtype="int32", device=device)
    return found


_numbers: dict[tuple[int, int], Tensor] = {}


def cross_entropy(logits: Any, target: Any, reduction: str = "mean") -> Tensor:
    """Cross entropy of logits (N, C, ...) with class indices (N, ...) or class probabilities (N, C, ...).

    Raises IndexError for a class that is not one of the C. Classes in a NumPy array are checked before they are copied to a GPU, those in
    a tensor the first time that it is used, which waits for the GPU.

    >>> import gpugrad as gg
    >>> gg.nn.functional.cross_entropy([[0.0, 0.0]], [1])
    tensor(0.69314718, device='cpu')
    """
    x, t = _scores_and_target("cross_entropy", logits, target)
    axis = 1 if x.ndim > 1 else 0
    if t.dtype.kind in "iu" and axis == x.ndim - 1 and x.shape[axis]:
        return _reduced(_of_rows(x, t, axis), reduction)
    log_p = log_softmax(x, axis)
    if t.dtype.kind in "iu":
        return _reduced(-squeeze(take_along_axis(log_p, expand_dims(t, axis), axis), axis), reduction)
    if log_p.shape != t.shape:
        raise errors.bad_shape(
            "cross_entropy",
            f"target {t.dtype} of shape {t.shape} fits logits of shape {x.shape} neither as probabilities (the same "
            f"shape) nor as classes (integers).",
        )
    log_p, t = _pair("cross_entropy", log_p, t)
    never = ew.logical_and(t == 0, ew.isinf(log_p))  # 0 log 0 is 0
    loss = -sum(where(never, 0, t * log_p), axis)
    return _reduced(loss, reduction)


def _of_rows(x: Tensor, t: Tensor, axis: int) -> Tensor:
    """log(sum(exp(x))) of each row, less the element that its class names: both without the largest one, so that nothing overflows.

    That element is a sum with one term: so it is part of the kernel that has the row at hand.
    """
    out = x.dtype if is_float(x.dtype) else np.dtype(np.float64)
    x = x if x.dtype == computed(out) else x.astype(computed(out))
    with no_grad():
        top = max(x, axis, keepdims=True)
    of_class = ew.where(expand_dims(t, axis) == _numbered(x.shape[axis], x.device), x, 0)
    whole = sum(ew.exp(ew.difference(x, top)), axis, keepdims=True)
    loss: Tensor = squeeze(ew.log(whole) - ew.difference(sum(of_class, axis, keepdims=True), top), axis)
    return loss if loss.dtype == out else loss.astype(out)


def binary_cross_entropy_with_logits(logits: Any, target: Any, reduction: str = "mean") -> Tensor:
    """Cross entropy of sigmoid(logits) with probabilities, without overflow: softplus(x) - x * target.

    >>> import gpugrad as gg
    >>> gg.nn.functional.binary_cross_entropy_with_logits([1000.0, -1000.0], [1.0, 1.0], reduction="none")
    tensor([   0., 1000.], device='cpu')
    """
    x, t = _pair("binary_cross_entropy_with_logits", logits, target)
    return _reduced(ew.softplus(x) - x * t, reduction)


def linear(x: Any, weight: Any, bias: Any = None) -> Tensor:
    """x @ weight.T + bias, for x of shape (..., in), weight (out, in) and bias (out,). Gradients: g @ weight, g.T @ x, and g summed.

    Raises ShapeError if the last axis of x does not have the length of weight's.

    >>> import gpugrad as gg
    >>> gg.nn.functional.linear([1.0, 2.0], [[3.0, 4.0], [5.0, 6.0]], [0.5, 0.5])
    tensor([11.5, 17.5], device='cpu')
    """
    x, w = as_tensors(x, weight)
    if len(w.shape) != 2:
        raise errors.bad_shape("linear", f"the weight has the shape {w.shape}: expected two axes, (out, in).")
    if x.shape[-1:] != w.shape[1:]:
        raise errors.bad_shape("linear", f"input of shape {x.shape}, expected {w.shape[1]} features last.")
    y: Tensor = structural.linear(x, w) if x.dtype == w.dtype else x @ w.T
    return y if bias is None else y + bias


def dropout(x: Any, p: float = 0.5, training: bool = True) -> Tensor:
    """Each element 0 with probability p, the others divided by 1 - p; unchanged when not training.

    >>> import gpugrad as gg
    >>> gg.nn.functional.dropout(gg.ones(3), training=False)
    tensor([1., 1., 1.], device='cpu')
    """
    if not 0 <= p <= 1:
        raise errors.bad_value("dropout", f"p must be from 0 to 1, not {p}.")
    (x,) = as_tensors(x)
    if not training or p == 0:
        return x
    keep = random.random(x.shape, np.float32) >= p
    return where(keep.to(x.device), x / (1 - p) if p < 1 else x, 0)


def layer_norm(x: Any, axes: tuple[int, ...], weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Tensor:
    """(x - mean) / sqrt(var + eps) over axes, then scaled and shifted (Ba et al. 2016).

    axes: their numbers, as in NumPy, not the lengths that PyTorch takes: what is ``(13,)`` there is ``(-1,)`` here. Raises AxisError for
    one that x does not have.

    >>> import gpugrad as gg
    >>> gg.nn.functional.layer_norm(gg.tensor([1.0, 3.0]), (-1,), eps=0.0)
    tensor([-1.,  1.], device='cpu')
    """
    (x,) = as_tensors(x)
    axes = normalize_axes("layer_norm", axes, x.ndim)
    wide = x.astype(np.float32) if is_16_bit(x.dtype) else x  # squares of 16-bit floats overflow
    y = (wide - mean(wide, axes, keepdims=True)) / ew.sqrt(var(wide, axes, keepdims=True) + eps)
    y = y.astype(x.dtype) if is_16_bit(x.dtype) else y
    y = y if weight is None else y * weight
    return y if bias is None else y + bias


__all__ = [
    "binary_cross_entropy_with_logits",
    "cross_entropy",
    "dropout",
    "huber_loss",
    "l1_loss",
    "layer_norm",
    "linear",
    "mse_loss",
    "nll_loss",
]


def __dir__() -> list[str]:
    return __all__
