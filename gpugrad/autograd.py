"""Gradients as values: `gg.autograd.grad`, with PyTorch's names and meaning."""

from .tensor import grad

__all__ = ["grad"]
