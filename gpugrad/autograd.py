"""Gradients as values, with PyTorch's names and meaning."""

from __future__ import annotations

from typing import Any, Literal, overload

from .base import errors
from .differentiable import gradients_in, tensor_list
from .tensor import Tensor
from .transforms.custom import Function

__all__ = ["Function", "grad"]


@overload
def grad(
    outputs: Any, inputs: Any, grad_outputs: Any = None, retain_graph: bool | None = None, create_graph: bool = False,
    allow_unused: Literal[False] = False,
) -> tuple[Tensor, ...]: ...  # fmt: skip
@overload
def grad(
    outputs: Any, inputs: Any, grad_outputs: Any = None, retain_graph: bool | None = None, create_graph: bool = False,
    allow_unused: bool = False,
) -> tuple[Tensor | None, ...]: ...  # fmt: skip
def grad(
    outputs: Any, inputs: Any, grad_outputs: Any = None, retain_graph: bool | None = None, create_graph: bool = False,
    allow_unused: bool = False,
) -> tuple[Tensor | None, ...]:  # fmt: skip
    """The gradients of `outputs` in `inputs`, returned instead of added to `.grad`.

    inputs may be leaves or computed tensors. grad_outputs: upstream gradients, one per output. Raises GraphError for
    an input that was not used, unless allow_unused.

    >>> import gpugrad as gg
    >>> x = gg.tensor(3.0, requires_grad=True)
    >>> (dy,) = gg.autograd.grad(x**2, x, create_graph=True)
    >>> gg.autograd.grad(dy, x)
    (tensor(2., device='cpu'),)
    """
    outs, ins = tensor_list("outputs", outputs), tensor_list("inputs", inputs)
    seeds = [None] * len(outs) if grad_outputs is None else tensor_list("grad_outputs", grad_outputs)
    if len(seeds) != len(outs):
        raise errors.bad_shape("grad", f"{len(outs)} outputs but {len(seeds)} grad_outputs; give one for each.")
    roots = [(t._value, t._seed(s), None) for t, s in zip(outs, seeds, strict=True)]
    found = gradients_in(roots, ins, create_graph if retain_graph is None else retain_graph, create_graph)
    for n, g in enumerate(found):
        if g is None and not allow_unused:
            raise errors.GraphError(
                f"inputs[{n}] was not used to compute the outputs, so its gradient would be None. Pass allow_unused=True "
                f"to get None for it."
            )
    return tuple(None if g is None else Tensor(g) for g in found)
