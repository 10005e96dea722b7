"""What gpugrad does with a function of NumPy or SciPy, told by the software: `support`, and the page docs/functions.md.

Everything is read from the tables and from the functions themselves: which function of gpugrad runs, what its docstring says of its gradient,
where it runs. A test compares it with what happens.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import protocols
from .functions.face import PUBLIC
from .ops.op import NAMES, SPECIAL, Op
from .scipy import integrate, interpolate, ndimage, signal, special, stats
from .scipy import linalg as scipy_linalg
from .scipy.spatial import distance

_SCIPY = {
    "special": special, "linalg": scipy_linalg, "stats": stats, "signal": signal, "ndimage": ndimage, "integrate": integrate,
    "interpolate": interpolate, "spatial.distance": distance,
}  # fmt: skip

_PLACES = {
    "numpy.linalg": "np.linalg",
    "numpy.lib.stride_tricks": "np.lib.stride_tricks",
    "numpy.lib.scimath": "np.emath",
}
_COMPLEX = "needs complex numbers, which tensors do not have yet"
# What people ask for and does not work, and why.
REFUSED = {
    "np.roots": _COMPLEX,
    "np.sort_complex": _COMPLEX,
    "np.linalg.eig": f"{_COMPLEX}; np.linalg.eigh of symmetric matrices is there",
    "np.linalg.eigvals": f"{_COMPLEX}; np.linalg.eigvalsh of symmetric matrices is there",
    **{f"np.fft.{n}": _COMPLEX for n in ("fft", "ifft", "fft2", "ifft2", "fftn", "ifftn", "rfft", "irfft", "rfft2", "irfft2", "rfftn", "irfftn", "hfft", "ihfft")},
    "scipy.linalg.null_space": "its basis is one of many and has no derivative; use a projector, gg.eye(n) - gg.linalg.pinv(a) @ a",
    "scipy.linalg.orth": "its basis is one of many and has no derivative; use a projector, a @ gg.linalg.pinv(a)",
}  # fmt: skip


# Their results are booleans, integers or new data, which have no gradient, though their docstrings need not say so.
_WITHOUT = {
    "all", "allclose", "any", "arange", "argmax", "argmin", "argpartition", "argsort", "argwhere", "array_equal", "array_equiv", "bitwise_and",
    "bitwise_or", "bitwise_xor", "bitwise_count", "bitwise_invert", "bitwise_not", "count_nonzero", "digitize", "empty", "empty_like", "equal",
    "eye", "flatnonzero", "from_dlpack", "fromiter", "greater", "greater_equal", "identity", "invert", "isclose", "iscomplex", "isfinite",
    "isin", "isinf", "isnan", "isneginf", "isposinf", "isreal", "ix_", "left_shift", "less", "less_equal", "lexsort", "logical_and",
    "logical_not", "logical_or", "logical_xor", "matrix_rank", "nanargmax", "nanargmin", "nonzero", "not_equal", "ones", "ones_like",
    "ravel_multi_index", "right_shift", "searchsorted", "signbit", "tri", "tril_indices", "triu_indices", "unravel_index", "zeros", "zeros_like",
}  # fmt: skip


@dataclass(frozen=True)
class Support:
    """What is known of one function.

    name: as it is called by its library. works: whether it takes tensors. function: what runs, by its name in gpugrad. differentiable:
    whether its result can require grad. gradient: the formula, and what holds where it has none. fuses: whether it is computed together with
    what is around it. devices: where it runs. note: what falls short.
    """

    name: str
    works: bool
    function: str = ""
    summary: str = ""
    differentiable: bool = False
    gradient: str = ""
    fuses: bool = False
    devices: tuple[str, ...] = ()
    note: str = ""

    def __str__(self) -> str:
        if not self.works:
            return f"{self.name}: not there. {self.note}"
        lines = [f"{self.name}: {self.function}", f"    {self.summary}"]
        lines.append(
            f"    gradient: {self.gradient.removeprefix('Gradient: ')}" if self.differentiable else "    no gradient"
        )
        lines.append(f"    devices:  {', '.join(self.devices)}{'; fuses with what is around it' if self.fuses else ''}")
        if self.note:
            lines.append(f"    note:     {self.note}")
        return "\n".join(lines)

    __repr__ = __str__


def _paragraphs(function: Any) -> list[str]:
    doc = inspect.getdoc(function) or ""
    return [" ".join(p.split()) for p in doc.split(">>>")[0].split("\n\n") if p.strip()]


def _gradient(text: list[str]) -> str:
    """What a docstring says of derivatives: its sentences that speak of them."""
    found = []
    for paragraph in text:
        if paragraph.startswith("Local gradients"):
            found.append(re.sub(r" (dy/d)", r"; \1", paragraph.removeprefix("Local gradients, y being the result: ")))
        else:
            sentences = re.split(r"(?<=[.;]) (?=[A-Z])", paragraph)
            found += [s for s in sentences if re.search(r"[Gg]radient|derivative|[Tt]ies share", s)]
    return " ".join(found) or "through what it is made of"


def _of_function(name: str, function: Callable[..., Any]) -> Support:
    text = _paragraphs(function)
    op = NAMES.get(function.__name__) or SPECIAL.get(function.__name__)
    is_row = op is not None and function.__module__ in ("gpugrad.functions.table", "gpugrad.scipy.special_table")
    lost = function.__name__ in _WITHOUT or any(re.search(r"[Hh]a(s|ve) no gradient", p) for p in text)
    module = function.__module__.removeprefix("gpugrad.")
    ours = f"gg.{function.__name__}"
    if module == "numpy.emath":
        ours = f"gpugrad.{module}.{function.__name__}"
    elif module.startswith(("scipy.", "linalg.")):
        package = module.split(".")[0]
        ours = f"gg.linalg.{function.__name__}" if package == "linalg" else f"gpugrad.{name}"
    alone = is_row and isinstance(op, Op) and op.alone
    notes = []
    if is_row and op is not None and op.home == "special":
        notes.append(
            "SciPy's alone: a region of its own, on the CPU."
            if alone
            else "On the CPU where NumPy runs it, SciPy computes it."
        )
    return Support(
        name, True, ours, text[0] if text else "", not lost, "" if lost else _gradient(text[1:] if is_row else text), is_row and not alone,
        ("cpu",) if alone else ("cpu", "cuda"), " ".join(notes),
    )  # fmt: skip


def _all() -> Iterator[Support]:
    for table in (protocols.UFUNCS, protocols.FUNCTIONS):
        for theirs, ours in table.items():
            module = getattr(theirs, "__module__", "numpy") or "numpy"
            if isinstance(theirs, np.ufunc):
                module = "numpy" if getattr(np, theirs.__name__, None) is theirs else ""
            if module.startswith("numpy") and inspect.isfunction(ours):
                yield _of_function(f"{_PLACES.get(module, 'np')}.{theirs.__name__}", ours)
    for package, module in _SCIPY.items():
        for name in module.__all__:
            thing = getattr(module, name)
            full = f"scipy.{package}.{name}"
            if full in REFUSED or (isinstance(thing, type) and issubclass(thing, Exception)):
                continue
            if inspect.isfunction(thing):
                yield _of_function(full, thing)
            else:
                text = _paragraphs(type(thing) if package == "stats" else thing)
                yield Support(
                    full, True, f"gpugrad.{full}", text[0], True, "through what it is made of", False, ("cpu", "cuda")
                )
    for theirs in protocols._QUESTIONS:
        yield Support(
            f"np.{theirs.__name__}",
            True,
            "NumPy's own",
            "A question of shape or dtype, which NumPy answers itself.",
            devices=("cpu", "cuda"),
        )
    for name, why in REFUSED.items():
        yield Support(name, False, note=f"It {why}." if not why.startswith("its") else why[0].upper() + why[1:] + ".")


def catalogue() -> dict[str, Support]:
    """Everything, by name, in order."""
    found = {s.name: s for s in _all()}
    for name, function in PUBLIC.items():
        if not any(s.function == f"gg.{function.__name__}" for s in found.values()):
            found[f"gg.{name}"] = _of_function(f"gg.{name}", function)
    return dict(sorted(found.items()))


def support(name: Any = None) -> Any:
    """What gpugrad does with a function: its gradient and conventions, devices, and what falls short. Without a name, a dictionary of all.

    name: as one writes it, "np.median", "scipy.special.gammaln", "gg.relu", or the function itself.

    >>> import gpugrad as gg
    >>> print(gg.support("np.median"))
    np.median: gg.median
        The middle element over axes, or the mean of the two in the middle; NaN where there is one.
        gradient: the upstream one, to the element in the middle, or half of it to each of the two.
        devices:  cpu, cuda
    >>> gg.support("np.fft.fft").works
    False
    """
    every = catalogue()
    if name is None:
        return every
    if isinstance(name, np.ufunc) or callable(name):
        wanted = [s for s in every.values() if _resolved(s.name) is name]
        text = wanted[0].name if wanted else getattr(name, "__name__", repr(name))
    else:
        text = (
            str(name)
            .replace("numpy.", "np.")
            .replace("gpugrad.scipy.", "scipy.")
            .replace("gpugrad.", "gg.")
            .replace("np.lib.scimath.", "np.emath.")
        )
    for candidate in (text, f"np.{text}", f"np.linalg.{text}", f"scipy.special.{text}", f"gg.{text}"):
        if candidate in every:
            return every[candidate]
    if text.startswith("gg."):
        same = [s for s in every.values() if s.function == text]
        if same:
            return same[0]
    import difflib

    near = difflib.get_close_matches(text, every, 3, 0.7)
    return Support(
        text, False, note=f"gpugrad has no such function{': did you mean ' + ', '.join(near) + '?' if near else '.'}"
    )


def _resolved(name: str) -> Any:
    """The function of a name, where its library is NumPy."""
    thing: Any = np if name.startswith("np.") else None
    for part in name.split(".")[1:]:
        thing = getattr(thing, part, None)
    return thing


def page() -> str:
    """The page docs/functions.md."""
    lines = [
        "# Functions",
        "",
        "Every function of NumPy and SciPy that takes tensors, what runs, and what is known of its gradient. Written by the software",
        "(`python tests/laws/test_catalogue.py`); `gg.support(name)` says the same of one. `y` is the result, `g` the upstream gradient. Where",
        "nothing else is said, a function runs on the CPU and on CUDA GPUs, and is differentiated through what it is made of, to any order and in",
        "both modes.",
        "",
    ]
    groups: dict[str, list[Support]] = {}
    for s in catalogue().values():
        if s.function != "NumPy's own":
            groups.setdefault(s.name.rsplit(".", 1)[0], []).append(s)
    titles = {"np": "numpy", "gg": "gpugrad alone"}
    for group in sorted(groups, key=lambda g: (not g.startswith("np"), g)):
        lines += [
            f"## {titles.get(group, group.replace('np.', 'numpy.'))}",
            "",
            "| function | what it is | gradient |",
            "| --- | --- | --- |",
        ]
        for s in groups[group]:
            words = "not there: " + s.note if not s.works else s.summary + (" *" + s.note + "*" if s.note else "")
            gradient = (
                ""
                if not s.works
                else "none"
                if not s.differentiable
                else ""
                if s.gradient == "through what it is made of"
                else s.gradient
            )
            if s.differentiable and gradient == words:
                gradient = "as said"
            lines.append(f"| `{s.name}` | {_cell(words)} | {_cell(gradient)} |")
        lines.append("")
    return "\n".join(lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")
