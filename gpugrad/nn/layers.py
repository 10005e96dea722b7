"""Layers: modules with parameters, and activations."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..arguments import as_tensors, elementwise
from ..base import errors
from ..functions.creation import ones, zeros
from ..functions.elementwise import gelu
from ..ops import elementwise as ew
from ..tensor import Tensor
from . import functional as F
from . import init
from .module import Module


class Linear(Module):
    """x @ weight.T + bias, with weight (out_features, in_features), both uniform within 1 / sqrt(in_features).

    >>> import gpugrad as gg
    >>> gg.nn.Linear(3, 2)(gg.ones((5, 3), dtype="float32")).shape
    (5, 2)
    """

    def __init__(self, in_features: int, out_features: int, bias: bool = True, dtype: Any = np.float32) -> None:
        super().__init__()
        if in_features < 1 or out_features < 1:
            raise errors.bad_value("Linear", f"features must be positive, not {in_features} and {out_features}.")
        bound = 1 / math.sqrt(in_features)
        self.weight = init.uniform((out_features, in_features), -bound, bound, dtype)
        self.bias = init.uniform((out_features,), -bound, bound, dtype) if bias else None

    def forward(self, x: Any) -> Tensor:
        return F.linear(x, self.weight, self.bias)

    def describe(self) -> str:
        return f"{self.weight.shape[1]}, {self.weight.shape[0]}, bias={self.bias is not None}"


class Sequential(Module):
    """Modules one after the other.

    >>> import gpugrad as gg
    >>> net = gg.nn.Sequential(gg.nn.Linear(2, 3), gg.nn.Tanh())
    >>> [name for name, _ in net.named_parameters()]
    ['0.weight', '0.bias']
    """

    def __init__(self, *layers: Module) -> None:
        super().__init__()
        for layer in layers:
            if not isinstance(layer, Module):
                raise errors.bad_type(
                    "Sequential", f"expected modules, Sequential(a, b), not {type(layer).__name__!r}."
                )
        self.layers = layers

    def children(self) -> Iterator[tuple[str, Module]]:
        """The layers, named by their place."""
        return ((str(n), layer) for n, layer in enumerate(self.layers))

    def forward(self, x: Any) -> Any:
        for layer in self.layers:
            x = layer(x)
        return x

    def __getitem__(self, n: int) -> Module:
        return self.layers[n]

    def __len__(self) -> int:
        return len(self.layers)


class Dropout(Module):
    """While training, each element is 0 with probability p and the others are divided by 1 - p.

    >>> import gpugrad as gg
    >>> gg.nn.Dropout(0.5).eval()(gg.ones(2))
    tensor([1., 1.], device='cpu')
    """

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        if not 0 <= p <= 1:
            raise errors.bad_value("Dropout", f"p must be from 0 to 1, not {p}.")
        self.p = p

    def forward(self, x: Any) -> Tensor:
        return F.dropout(x, self.p, self.training)

    def describe(self) -> str:
        return f"p={self.p}"


class LayerNorm(Module):
    """Normalized over the last axes (those of `shape`), then scaled and shifted by parameters.

    >>> import gpugrad as gg
    >>> gg.nn.LayerNorm(4)(gg.arange(8, dtype="float32").reshape(2, 4)).shape
    (2, 4)
    """

    def __init__(self, shape: int | tuple[int, ...], eps: float = 1e-5, dtype: Any = np.float32) -> None:
        super().__init__()
        extent = (shape,) if isinstance(shape, int) else tuple(shape)
        self.eps = eps
        self.weight = ones(extent, dtype, requires_grad=True)
        self.bias = zeros(extent, dtype, requires_grad=True)

    def forward(self, x: Any) -> Tensor:
        (x,) = as_tensors(x)
        n = self.weight.ndim
        if x.shape[-n:] != self.weight.shape:
            raise errors.bad_shape("LayerNorm", f"input of shape {x.shape} does not end in {self.weight.shape}.")
        return F.layer_norm(x, tuple(range(-n, 0)), self.weight, self.bias, self.eps)

    def describe(self) -> str:
        return f"{self.weight.shape}"


class Embedding(Module):
    """Rows of a table by index; an index used twice sums its gradients exactly.

    >>> import gpugrad as gg
    >>> gg.nn.Embedding(10, 4)(gg.tensor([1, 1, 3])).shape
    (3, 4)
    """

    def __init__(self, count: int, features: int, dtype: Any = np.float32) -> None:
        super().__init__()
        self.weight = init.normal((count, features), dtype=dtype)

    def forward(self, index: Any) -> Tensor:
        return self.weight[index]

    def describe(self) -> str:
        return f"{self.weight.shape[0]}, {self.weight.shape[1]}"


class _Activation(Module):
    """A module without parameters: one op."""

    op: Any = None

    def forward(self, x: Any) -> Tensor:
        return elementwise(self.op, (x,))


class ReLU(_Activation):
    """max(x, 0).

    >>> import gpugrad as gg
    >>> gg.nn.ReLU()(gg.tensor([-1.0, 2.0]))
    tensor([0., 2.], device='cpu')
    """

    op = ew.relu


class Sigmoid(_Activation):
    """1 / (1 + exp(-x)).

    >>> import gpugrad as gg
    >>> gg.nn.Sigmoid()(gg.tensor(0.0))
    tensor(0.5, device='cpu')
    """

    op = ew.sigmoid


class Tanh(_Activation):
    """Hyperbolic tangent.

    >>> import gpugrad as gg
    >>> gg.nn.Tanh()(gg.tensor(0.0))
    tensor(0., device='cpu')
    """

    op = ew.tanh


class SiLU(_Activation):
    """x * sigmoid(x).

    >>> import gpugrad as gg
    >>> gg.nn.SiLU()(gg.tensor(0.0))
    tensor(0., device='cpu')
    """

    op = ew.silu


class Softplus(_Activation):
    """log(1 + exp(x)).

    >>> import gpugrad as gg
    >>> gg.nn.Softplus()(gg.tensor(0.0))
    tensor(0.69314718, device='cpu')
    """

    op = ew.softplus


class GELU(Module):
    """Gaussian error linear unit; approximate="tanh" for its tanh form.

    >>> import gpugrad as gg
    >>> gg.nn.GELU()(gg.tensor(0.0))
    tensor(0., device='cpu')
    """

    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        self.approximate = approximate

    def forward(self, x: Any) -> Tensor:
        return gelu(x, self.approximate)


class LeakyReLU(Module):
    """x where positive, negative_slope * x elsewhere.

    >>> import gpugrad as gg
    >>> gg.nn.LeakyReLU(0.1)(gg.tensor(-1.0))
    tensor(-0.1, device='cpu')
    """

    def __init__(self, negative_slope: float = 0.01) -> None:
        super().__init__()
        self.negative_slope = negative_slope

    def forward(self, x: Any) -> Tensor:
        return ew.leaky_relu(x, float(self.negative_slope))


class ELU(Module):
    """x where positive, alpha * (exp(x) - 1) elsewhere.

    >>> import gpugrad as gg
    >>> gg.nn.ELU()(gg.tensor(1.0))
    tensor(1., device='cpu')
    """

    def __init__(self, alpha: float = 1.0) -> None:
        super().__init__()
        self.alpha = alpha

    def forward(self, x: Any) -> Tensor:
        return ew.elu(x, float(self.alpha))
