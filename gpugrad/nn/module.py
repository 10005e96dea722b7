"""`Module`: parameters by name."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from ..base import errors
from ..base.modes import no_grad, scoped
from ..functions.creation import tensor
from ..serialize import load, save
from ..tensor import Tensor

T = TypeVar("T")


def _find(name: str, value: Any, kind: type[T]) -> Iterator[tuple[str, T]]:
    """What is of a kind in an attribute: itself, or in a list, tuple or dictionary."""
    if isinstance(value, kind):
        yield name, value
    elif isinstance(value, (list, tuple)):
        for n, v in enumerate(value):
            yield from _find(f"{name}.{n}", v, kind)
    elif isinstance(value, dict):
        for k, v in value.items():
            yield from _find(f"{name}.{k}", v, kind)


class Module:
    """A part of a model: write `forward`, call the module.

    A tensor that requires grad when it is set as an attribute is a parameter, and stays one when it is frozen with
    `requires_grad_(False)`. Other tensors are buffers: saved, not trained. Modules are children. All of them are also
    found in lists, tuples and dictionaries.

    >>> import gpugrad as gg
    >>> class Scale(gg.nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.factor = gg.tensor(2.0, requires_grad=True)
    ...     def forward(self, x):
    ...         return x * self.factor
    >>> [name for name, _ in Scale().named_parameters()]
    ['factor']
    """

    def __init__(self) -> None:
        self.training = True

    def __setattr__(self, name: str, value: Any) -> None:
        known: set[int] = self.__dict__.setdefault("_trained", set())
        tensors = [t for _, t in _find(name, value, Tensor) if t.requires_grad]
        known.update(map(id, tensors))
        object.__setattr__(self, name, value)
        if any(t.is_leaf for t in tensors) or next(_find(name, value, Module), None) is not None:
            self.__dict__["_renamed"] = True

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the module computes."""
        raise NotImplementedError(f"{type(self).__name__} does not define forward(...)")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.__dict__.get("_renamed", False):
            self._give_paths()
        with scoped(self.__dict__.get("_path", "")):
            return self.forward(*args, **kwargs)

    def _give_paths(self) -> None:
        """Tell parameters and modules their paths, for pictures of the graph: in the outermost module that was called."""
        prefix = self.__dict__.get("_path", "")
        for path, m in self.named_modules(f"{prefix}." if prefix else ""):
            m.__dict__.update(_path=path, _renamed=False)
        for path, p in self.named_parameters(f"{prefix}." if prefix else ""):
            if p._slot is not None:
                p._slot.path = path

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_renamed": True}  # a copy has parameters of its own

    def children(self) -> Iterator[tuple[str, Module]]:
        """The modules among the attributes, by name, in the order they were set."""
        for name, value in vars(self).items():
            yield from _find(name, value, Module)

    def _own(self) -> Iterator[tuple[str, Tensor]]:
        for name, value in vars(self).items():
            yield from _find(name, value, Tensor)

    def _is_parameter(self, t: Tensor) -> bool:
        return t.requires_grad or id(t) in self.__dict__.get("_trained", ())

    def named_parameters(self, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
        """The parameters of this module and its children, with their paths; frozen ones among them."""
        yield from ((prefix + name, t) for name, t in self._own() if self._is_parameter(t))
        for name, child in self.children():
            yield from child.named_parameters(f"{prefix}{name}.")

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """This module and those in it, with their paths; its own is empty."""
        yield prefix.rstrip("."), self
        for name, child in self.children():
            yield from child.named_modules(f"{prefix}{name}.")

    def named_buffers(self, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
        """The tensors of this module and its children that are saved but not trained, with their paths."""
        yield from ((prefix + name, t) for name, t in self._own() if not self._is_parameter(t))
        for name, child in self.children():
            yield from child.named_buffers(f"{prefix}{name}.")

    def parameters(self) -> list[Tensor]:
        """The parameters, in the order of `named_parameters`; one that is shared appears once."""
        return list(dict.fromkeys(p for _, p in self.named_parameters()))

    def train(self, mode: bool = True) -> Module:
        """Switch what behaves differently while training (dropout) on or off. Returns the module."""
        self.training = mode
        for _, child in self.children():
            child.train(mode)
        return self

    def eval(self) -> Module:
        """`train(False)`."""
        return self.train(False)

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        for p in self.parameters():
            p.zero_grad()

    def state_dict(self) -> dict[str, Tensor]:
        """Copies of all parameters and buffers, by path."""
        return {name: tensor(t) for name, t in self._named()}

    def _named(self) -> Iterator[tuple[str, Tensor]]:
        yield from self.named_parameters()
        yield from self.named_buffers()

    def load_state_dict(self, state: Mapping[str, Any], strict: bool = True) -> None:
        """Take over values by path.

        Raises ShapeError, and changes nothing, if names are missing or unexpected (unless strict=False) or a shape or
        dtype differs.
        """
        own = dict(self._named())
        missing, unexpected = own.keys() - state.keys(), state.keys() - own.keys()
        if strict and (missing or unexpected):
            raise errors.InputError(
                f"load_state_dict: missing names {sorted(missing)}, unexpected names {sorted(unexpected)}; nothing was loaded. "
                f"Pass strict=False to load what fits."
            )
        new = {name: tensor(state[name], device=p.device) for name, p in own.items() if name in state}
        for name, value in new.items():
            if value.shape != own[name].shape or value.dtype != own[name].dtype:
                raise errors.bad_shape(
                    "load_state_dict",
                    f"{name} is {value.dtype} of shape {value.shape}, expected {own[name].dtype} of shape "
                    f"{own[name].shape}; nothing was loaded.",
                )
        with no_grad():
            for name, value in new.items():
                own[name][...] = value

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write parameters and buffers to a safetensors file (extra: demo)."""
        save(self.state_dict(), path)

    def load(self, path: str | os.PathLike[str]) -> None:
        """Read parameters and buffers from a safetensors file written by `save`."""
        self.load_state_dict(load(path))

    def __repr__(self) -> str:
        lines = [f"  ({name}): {child!r}".replace("\n", "\n  ") for name, child in self.children()]
        inside = "\n" + "\n".join(lines) + "\n" if lines else self.describe()
        return f"{type(self).__name__}({inside})"

    def describe(self) -> str:
        """What `repr` shows between the brackets."""
        return ""
