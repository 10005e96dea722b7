"""`scipy.spatial` over tensors: its distances."""

from . import distance

__all__ = ["distance"]
