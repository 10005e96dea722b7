"""Order statistics, averages, and sums that leave out NaNs."""

from __future__ import annotations

import builtins
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..arguments import as_tensors
from ..base import errors
from ..base.dtypes import computed
from ..base.shapes import Axis, is_float, normalize_axes
from ..coerce import as_dtype, holds_variables, host_data, on_host
from ..ops import elementwise as ew
from ..tensor import Tensor
from .contraction import matmul
from .creation import tensor
from .differences import cumprod
from .elementwise import clip, where
from .face import public
from .indexing import take_along_axis
from .matrices import diagonal
from .reductions import any, cumsum, max, mean, min, prod, sort, sum, var, variance_of
from .shaping import broadcast_to, concatenate, expand_dims, moveaxis, ravel, reshape, squeeze, transpose


@public()
def ptp(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The range of the elements over axes: maximum minus minimum; ties share the gradient evenly.

    >>> import gpugrad as gg
    >>> gg.ptp([1.0, 5.0, 3.0])
    tensor(4., device='cpu')
    """
    return max(x, axis, keepdims) - min(x, axis, keepdims)


@public()
def average(x: Any, axis: Axis = None, weights: Any = None, returned: bool = False, keepdims: bool = False) -> Any:
    """Weighted mean over axes: sum(weights * x) / sum(weights); the mean if there are no weights.

    weights: of x's shape, or of the shape of its axes `axis`. returned: also the sum of the weights, as (average, sum).
    Raises ShapeError for weights of another shape.

    >>> import gpugrad as gg
    >>> gg.average([1.0, 2.0, 4.0], weights=[3.0, 1.0, 0.0])
    tensor(1.25, device='cpu')
    """
    if weights is None:
        (x,) = as_tensors(x)
        found = mean(x, axis, keepdims=keepdims)
        total: Any = tensor(np.full(found.shape, x.size / builtins.max(found.size, 1)), found.dtype, found.device)
        return (found, total) if returned else found
    x, weights = as_tensors(x, weights)
    axes = normalize_axes("average", axis, x.ndim)
    if weights.shape != x.shape:
        given = () if axis is None else tuple(np.atleast_1d(axis).tolist())
        places = [a % x.ndim for a in given]
        if weights.shape != tuple(x.shape[a] for a in places):
            raise errors.bad_shape(
                "average", f"weights of shape {weights.shape} fit neither the shape {x.shape} nor its axes {axis}."
            )
        order = sorted(range(len(places)), key=places.__getitem__)
        lengths = [x.shape[a] if a in axes else 1 for a in range(x.ndim)]
        weights = broadcast_to(reshape(transpose(weights, order), lengths), x.shape)
    dtype = np.result_type(x.dtype, weights.dtype, *(() if is_float(x.dtype) else (np.float64,)))
    x, weights = x.astype(dtype), weights.astype(dtype)
    total = sum(weights, axis, keepdims=keepdims)
    found = sum(x * weights, axis, keepdims=keepdims) / total
    return (found, total) if returned else found


# ------------------------------------------------------------------------------------------------ order statistics

# How a quantile q of n sorted elements is found, by NumPy's names (after Hyndman and Fan, The American Statistician 50, 1996): its place
# among them, counted from 0. For the continuous ones from (alpha, beta): n q + alpha + q (1 - alpha - beta) - 1.
_CONTINUOUS = {
    "linear": (1.0, 1.0), "interpolated_inverted_cdf": (0.0, 1.0), "hazen": (0.5, 0.5), "weibull": (0.0, 0.0),
    "median_unbiased": (1 / 3, 1 / 3), "normal_unbiased": (3 / 8, 3 / 8),
}  # fmt: skip
_DISCRETE: dict[str, Callable[[Any, Any], Any]] = {
    "inverted_cdf": lambda n, q: np.ceil(n * q) - 1,
    "averaged_inverted_cdf": lambda n, q: np.where(n * q % 1 == 0, n * q - 0.5, np.ceil(n * q) - 1),
    "closest_observation": lambda n, q: np.where(
        ((n * q - 0.5) % 1 == 0) & ((n * q - 0.5) % 2 == 0), n * q - 1.5, np.floor(n * q - 0.5)
    ),
    "lower": lambda n, q: np.floor((n - 1) * q),
    "higher": lambda n, q: np.ceil((n - 1) * q),
    "midpoint": lambda n, q: 0.5 * (np.floor((n - 1) * q) + np.ceil((n - 1) * q)),
    "nearest": lambda n, q: np.rint((n - 1) * q),
}
_CHOOSING = {"inverted_cdf", "closest_observation", "lower", "higher", "nearest"}  # always one of the elements


class _Sorted:
    """Elements sorted along one axis, the last: those of several axes brought together, NaNs at the end.

    skip: NaNs are left out; if not, there is no order where there is one. counts: how many elements are ordered, for each of the others'
    places, on the host. exact: integers stay integers.
    """

    def __init__(self, op: str, x: Any, axis: Axis, skip: bool, exact: bool = False) -> None:
        (x,) = as_tensors(x)
        x = x if is_float(x.dtype) or (exact and x.dtype.kind in "iu" and x.size) else x.astype(np.float64)
        self.axes = normalize_axes(op, axis, x.ndim)
        self.shape = x.shape
        left = tuple(n for a, n in enumerate(x.shape) if a not in self.axes)
        n = math.prod(x.shape[a] for a in self.axes)
        moved = transpose(x, [a for a in range(x.ndim) if a not in self.axes] + list(self.axes))
        self.rows = sort(reshape(moved, (*left, n)), -1)
        missing = ew.isnan(self.rows)
        self.counts = np.broadcast_to(n, left)
        self.lost: Any = any(missing, -1)
        if skip:
            self.counts = n - on_host(sum(missing, -1))
            self.lost = tensor(self.counts == 0, device=x.device)
        elif n == 0:
            self.lost = tensor(np.ones(left, bool), device=x.device)

    def pick(self, places: Any) -> Tensor:
        """Elements at places of every row: one more axis, the last."""
        if not self.rows.shape[-1]:
            return tensor(np.full(places.shape, np.nan), self.rows.dtype, self.rows.device)
        last = np.maximum(self.counts - 1, 0)[..., None]
        return take_along_axis(self.rows, np.clip(places, 0, last).astype(np.intp), -1)

    def result(self, found: Tensor, keepdims: bool) -> Tensor:
        """What was found for every row, in the shape it has as a reduction; NaN where there is no order."""
        if is_float(found.dtype):
            found = where(self.lost, math.nan, found)
        if not keepdims:
            return found
        lead = found.shape[: found.ndim - self.counts.ndim]
        return reshape(found, (*lead, *(1 if a in self.axes else n for a, n in enumerate(self.shape))))


@public()
def median(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The middle element over axes, or the mean of the two in the middle; NaN where there is one.

    Gradient: the upstream one, to the element in the middle, or half of it to each of the two.

    >>> import gpugrad as gg
    >>> gg.median([3.0, 1.0, 2.0, 10.0])
    tensor(2.5, device='cpu')
    """
    return _median("median", x, axis, keepdims, skip=False)


@public()
def nanmedian(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The median of the elements that are not NaN; NaN where all are.

    >>> import gpugrad as gg
    >>> gg.nanmedian([3.0, float("nan"), 1.0])
    tensor(2., device='cpu')
    """
    return _median("nanmedian", x, axis, keepdims, skip=True)


def _median(op: str, x: Any, axis: Axis, keepdims: bool, skip: bool) -> Tensor:
    rows = _Sorted(op, x, axis, skip)
    middle = rows.pick(np.stack([(rows.counts - 1) // 2, rows.counts // 2], -1))
    return rows.result(mean(middle, -1), keepdims)


@public()
def quantile(x: Any, q: Any, axis: Axis = None, method: str = "linear", keepdims: bool = False) -> Tensor:
    """Quantiles over axes, each between two of the sorted elements; NaN where there is one.

    q: between 0 and 1, of any shape, which comes first in the result. method: how the place between the elements is found, one of
    NumPy's. Gradient: the upstream one, to these two elements, by how near the quantile is to each; of q, for the continuous methods, the
    slope between the two.

    Raises InputError for q outside of [0, 1] and for an unknown method.

    >>> import gpugrad as gg
    >>> gg.quantile([1.0, 2.0, 4.0], [0.5, 0.75])
    tensor([2., 3.], device='cpu')
    """
    return _quantile("quantile", x, q, axis, method, keepdims, skip=False)


@public()
def nanquantile(x: Any, q: Any, axis: Axis = None, method: str = "linear", keepdims: bool = False) -> Tensor:
    """Quantiles of the elements that are not NaN; NaN where all are. See `quantile`.

    >>> import gpugrad as gg
    >>> gg.nanquantile([1.0, float("nan"), 3.0], 0.25)
    tensor(1.5, device='cpu')
    """
    return _quantile("nanquantile", x, q, axis, method, keepdims, skip=True)


@public()
def percentile(x: Any, q: Any, axis: Axis = None, method: str = "linear", keepdims: bool = False) -> Tensor:
    """Percentiles over axes: the quantiles q / 100. See `quantile`.

    >>> import gpugrad as gg
    >>> gg.percentile([1.0, 2.0, 4.0], 75)
    tensor(3., device='cpu')
    """
    return _quantile("percentile", x, _hundredth(q), axis, method, keepdims, skip=False)


@public()
def nanpercentile(x: Any, q: Any, axis: Axis = None, method: str = "linear", keepdims: bool = False) -> Tensor:
    """Percentiles of the elements that are not NaN; NaN where all are. See `quantile`.

    >>> import gpugrad as gg
    >>> gg.nanpercentile([1.0, float("nan"), 3.0], 25)
    tensor(1.5, device='cpu')
    """
    return _quantile("nanpercentile", x, _hundredth(q), axis, method, keepdims, skip=True)


def _hundredth(q: Any) -> Any:
    q = _as_tensor_if_it_holds_some(q)
    return q / 100 if isinstance(q, (Tensor, int, float)) else np.asarray(host_data(q)) / 100


def _as_tensor_if_it_holds_some(q: Any) -> Any:
    return as_tensors(q)[0] if isinstance(q, (list, tuple)) and holds_variables(q) else q


def _quantile(op: str, x: Any, q: Any, axis: Axis, method: str, keepdims: bool, skip: bool) -> Tensor:
    if method not in _CONTINUOUS and method not in _DISCRETE:
        raise errors.bad_value(op, f"unknown method {method!r}: use one of {', '.join([*_CONTINUOUS, *_DISCRETE])}.")
    rows = _Sorted(op, x, axis, skip, method in _CHOOSING)
    q = _as_tensor_if_it_holds_some(q)
    moving = ravel(q) if isinstance(q, Tensor) and q.requires_grad and method in _CONTINUOUS else None
    weak = isinstance(q, (int, float)) and not isinstance(
        q, np.floating
    )  # as in NumPy: a number of Python's keeps the dtype of the elements
    q = np.asarray(host_data(q.detach() if isinstance(q, Tensor) else q))
    q = q.astype(np.float64) if weak or q.dtype.kind != "f" else q
    if not np.all((q >= 0) & (q <= 1)):
        raise errors.bad_value(op, "quantiles lie between 0 and 1, percentiles between 0 and 100.")
    n = np.maximum(rows.counts, 1)[..., None]
    place = _place(method, n, q.ravel())
    low = np.floor(place)
    near: Any = place - low
    first, second = rows.pick(low), rows.pick(low + 1)
    if method in _CHOOSING:
        found = moveaxis(first, -1, 0)
        return rows.result(reshape(found, (*q.shape, *found.shape[1:])), keepdims)
    dtype = first.dtype if weak else np.result_type(first.dtype, q.dtype)
    first, second = first.astype(dtype), second.astype(dtype)
    near = (
        near.astype(dtype)
        if moving is None
        else _place(method, tensor(n, dtype), moving.astype(dtype)) - low.astype(dtype)
    )
    step = ew.difference(second, first)
    at_first = near == 0 if moving is None else (place == low)
    found = where(
        at_first & (moving is None), first, where(place - low < 0.5, first + step * near, second - step * (1 - near))
    )
    found = moveaxis(found, -1, 0)
    return rows.result(reshape(found, (*q.shape, *found.shape[1:])), keepdims)


def _place(method: str, n: Any, q: Any) -> Any:
    if method == "linear":
        return (n - 1) * q
    if method in _DISCRETE:
        return _DISCRETE[method](n, q)
    alpha, beta = _CONTINUOUS[method]
    return n * q + (alpha + q * (1 - alpha - beta)) - 1


# ------------------------------------------------------------------------------------------------------ without NaNs


def _without_nans(x: Any, instead: float, chosen: Any = True) -> tuple[Tensor, Any]:
    """x with a number instead of NaNs and of what was not chosen; and where its elements are left, None if all are."""
    (x,) = as_tensors(x)
    left = None if not is_float(x.dtype) else ew.logical_not(ew.isnan(x))
    if chosen is not True:
        mask = broadcast_to(as_tensors(x, chosen)[1].astype(bool), x.shape)
        left = mask if left is None else ew.logical_and(left, mask)
    return (x, None) if left is None else (where(left, x, instead), left)


@public()
def nansum(
    x: Any, axis: Axis = None, dtype: Any = None, keepdims: bool = False, initial: Any = None, where: Any = True
) -> Tensor:
    """Sum over axes of the elements that are not NaN; 0 where all are.

    >>> import gpugrad as gg
    >>> gg.nansum([1.0, float("nan"), 2.0])
    tensor(3., device='cpu')
    """
    return sum(_without_nans(x, 0)[0], axis, dtype, keepdims, initial, where)


@public()
def nanprod(
    x: Any, axis: Axis = None, dtype: Any = None, keepdims: bool = False, initial: Any = None, where: Any = True
) -> Tensor:
    """Product over axes of the elements that are not NaN; 1 where all are.

    >>> import gpugrad as gg
    >>> gg.nanprod([1.0, float("nan"), 2.0])
    tensor(2., device='cpu')
    """
    return prod(_without_nans(x, 1)[0], axis, dtype, keepdims, initial, where)


@public()
def nancumsum(x: Any, axis: int | None = None, dtype: Any = None) -> Tensor:
    """Running sum along an axis, NaNs as 0.

    >>> import gpugrad as gg
    >>> gg.nancumsum([1.0, float("nan"), 2.0])
    tensor([1., 1., 3.], device='cpu')
    """
    return cumsum(_without_nans(x, 0)[0], axis, dtype)


@public()
def nancumprod(x: Any, axis: int | None = None, dtype: Any = None) -> Tensor:
    """Running product along an axis, NaNs as 1.

    >>> import gpugrad as gg
    >>> gg.nancumprod([1.0, float("nan"), 2.0])
    tensor([1., 1., 2.], device='cpu')
    """
    return cumprod(_without_nans(x, 1)[0], axis, dtype)


def _nan_extreme(op: Any, worst: float, x: Any, axis: Axis, keepdims: bool, initial: Any, chosen: Any) -> Tensor:
    (x,) = as_tensors(x)
    if chosen is not True and not is_float(x.dtype):
        return op(x, axis, keepdims, initial, chosen)
    filled, numbers = _without_nans(x, worst, chosen)
    found = op(filled, axis, keepdims, initial)
    if numbers is None or initial is not None:
        return found
    # where all numbers are the worst one they share the gradient among themselves, not with what stands for NaNs
    count = sum(numbers, axis, keepdims=keepdims).astype(filled.dtype)
    shared = sum(where(numbers, filled, 0), axis, keepdims=keepdims) / where(count == 0, 1, count)
    return where(count == 0, math.nan, where(found == worst, shared, found))


@public()
def nanmax(x: Any, axis: Axis = None, keepdims: bool = False, initial: Any = None, where: Any = True) -> Tensor:
    """The maximum over axes of the elements that are not NaN; NaN where all are. Ties share the gradient evenly.

    >>> import gpugrad as gg
    >>> gg.nanmax([1.0, float("nan"), 2.0])
    tensor(2., device='cpu')
    """
    return _nan_extreme(max, -math.inf, x, axis, keepdims, initial, where)


@public()
def nanmin(x: Any, axis: Axis = None, keepdims: bool = False, initial: Any = None, where: Any = True) -> Tensor:
    """The minimum over axes of the elements that are not NaN; NaN where all are. Ties share the gradient evenly.

    >>> import gpugrad as gg
    >>> gg.nanmin([1.0, float("nan"), 2.0])
    tensor(1., device='cpu')
    """
    return _nan_extreme(min, math.inf, x, axis, keepdims, initial, where)


@public()
def nanmean(x: Any, axis: Axis = None, dtype: Any = None, keepdims: bool = False, where: Any = True) -> Tensor:
    """Arithmetic mean over axes of the elements that are not NaN; NaN where all are. where: of these alone.

    >>> import gpugrad as gg
    >>> gg.nanmean([1.0, float("nan"), 2.0])
    tensor(1.5, device='cpu')
    """
    filled, numbers = _without_nans(x, 0, where)
    if numbers is None or not is_float(filled.dtype):
        return mean(filled, axis, dtype, keepdims, where)
    out = filled.dtype if dtype is None else as_dtype(dtype)
    found = sum(filled, axis, computed(out), keepdims) / sum(numbers, axis, keepdims=keepdims).astype(computed(out))
    return found if found.dtype == out else found.astype(out)


@public()
def nanvar(
    x: Any,
    axis: Axis = None,
    ddof: float = 0,
    keepdims: bool = False,
    where: Any = True,
    correction: float | None = None,
    dtype: Any = None,
) -> Tensor:
    """Variance over axes of the elements that are not NaN; NaN where no more than `ddof` of them are. where: of these alone.

    >>> import gpugrad as gg
    >>> gg.nanvar([1.0, float("nan"), 3.0])
    tensor(1., device='cpu')
    """
    (x,) = as_tensors(x)
    ddof = ddof if correction is None else correction
    filled, numbers = _without_nans(x if dtype is None else x.astype(dtype), 0, where)
    if numbers is None or not is_float(filled.dtype):
        return var(filled, axis, ddof, keepdims, where)
    found = variance_of(filled.astype(computed(filled.dtype)), numbers, axis, ddof, keepdims)
    return found if found.dtype == filled.dtype else found.astype(filled.dtype)


@public()
def nanstd(
    x: Any,
    axis: Axis = None,
    ddof: float = 0,
    keepdims: bool = False,
    where: Any = True,
    correction: float | None = None,
    dtype: Any = None,
) -> Tensor:
    """Standard deviation over axes of the elements that are not NaN. Its derivative is 0, by convention, where all are equal.

    >>> import gpugrad as gg
    >>> gg.nanstd([1.0, float("nan"), 3.0])
    tensor(1., device='cpu')
    """
    (x,) = as_tensors(x)
    x = x if dtype is None else x.astype(dtype)
    ddof = ddof if correction is None else correction
    variance = nanvar(x if not is_float(x.dtype) else x.astype(computed(x.dtype)), axis, ddof, keepdims, where)
    found = ew.root(variance)
    return found.astype(x.dtype) if is_float(x.dtype) else found


# ----------------------------------------------------------------------------------------------------- of two variables


@public()
def cov(m: Any, y: Any = None, rowvar: bool = True, bias: bool = False, ddof: int | None = None) -> Tensor:
    """Covariance matrix of variables, one in each row (each column if `rowvar` is False); those of y are added to those of m.

    Divided by n - 1; by n with `bias`; by n - ddof if that is given. Other than NumPy's, it keeps float32.

    >>> import gpugrad as gg
    >>> gg.cov([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]])
    tensor([[ 1., -1.],
            [-1.,  1.]], device='cpu')
    """
    rows, out = _variables("cov", m, y, rowvar)
    n = rows.shape[1] - (ddof if ddof is not None else 0 if bias else 1)
    off = rows - mean(rows, 1, keepdims=True)
    found = matmul(off, transpose(off))
    return squeeze((found / float(builtins.max(n, 0))).astype(out))


@public()
def corrcoef(x: Any, y: Any = None, rowvar: bool = True) -> Tensor:
    """Correlation coefficients of variables, one in each row: the covariances, divided by both standard deviations.

    >>> import gpugrad as gg
    >>> gg.corrcoef([1.0, 2.0, 3.0], [3.0, 2.0, 2.0])
    tensor([[ 1.       , -0.8660254],
            [-0.8660254,  1.       ]], device='cpu')
    """
    rows, out = _variables("corrcoef", x, y, rowvar)
    c = cov(rows)
    if not c.ndim:
        return (c / c).astype(out)
    spread = ew.sqrt(diagonal(c))
    return clip(c / expand_dims(spread, 1) / spread, -1, 1).astype(out)


def _variables(op: str, m: Any, y: Any, rowvar: bool) -> tuple[Tensor, Any]:
    """The variables as rows, in the dtype that is computed in, and the dtype of the result."""
    parts = []
    for x in as_tensors(*([m] if y is None else [m, y])):
        if x.ndim > 2:
            raise errors.bad_shape(op, f"takes variables as rows of a matrix, or one vector, not shape {x.shape}.")
        parts.append(reshape(x, (1, x.size)) if x.ndim < 2 else x if rowvar else transpose(x))
    both = concatenate(parts)
    out = both.dtype if is_float(both.dtype) else np.dtype(np.float64)
    return both.astype(computed(out)), out
