"""Arguments and results of functions: lists, tuples and dictionaries, nested, of tensors or of plain data."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ..backends.cpu.pool import is_whole
from ..coerce import on_host
from ..core.closing import close
from ..tensor import Tensor


def tree_leaves(tree: Any) -> list[Any]:
    """What nested lists, tuples and dictionaries hold, in order."""
    found: list[Any] = []
    _gather(tree, found)
    return found


def _gather(tree: Any, found: list[Any]) -> None:
    if isinstance(tree, dict):
        tree = tree.values()
    elif not isinstance(tree, (list, tuple)):
        found.append(tree)
        return
    for branch in tree:
        _gather(branch, found)


def tree_rebuilt(tree: Any, leaves: Iterator[Any]) -> Any:
    """The same nesting with other leaves."""
    if not isinstance(tree, (dict, list, tuple)):
        return next(leaves)
    if isinstance(tree, dict):
        return {k: tree_rebuilt(branch, leaves) for k, branch in tree.items()}
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return type(tree)(*(tree_rebuilt(branch, leaves) for branch in tree))
    return type(tree)(tree_rebuilt(branch, leaves) for branch in tree)


def tree_map(function: Callable[[Any], Any], tree: Any) -> Any:
    if not isinstance(tree, (dict, list, tuple)):
        return function(tree)
    return tree_rebuilt(tree, map(function, tree_leaves(tree)))


def is_plain(trees: Any) -> bool:
    """Whether arguments hold no tensor: what is computed of them is handed back as plain data, too."""
    return all(not isinstance(a, Tensor) for a in tree_leaves(trees))


def as_plain(t: Any, on_gpu: bool) -> Any:
    """A tensor as an array of NumPy's, or of CuPy's, or as NumPy's number; as it is, if a gradient would be lost."""
    if not isinstance(t, Tensor) or t.requires_grad:
        return t
    if t.device.name.startswith("cuda"):
        array = t.cupy() if on_gpu else on_host(t)
        return array if on_gpu or array.ndim else array[()]
    array = close(t._value)
    if not array.ndim:
        return array[()]
    if t._value.owned and is_whole(array):  # nobody else has it, or will: the caller may write to it
        t._value.owned = False
        return array
    return array.copy()
