"""Where in the user's program a call comes from, and what happens to its result."""

from __future__ import annotations

import os
import sys
from opcode import opmap
from types import FrameType

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
Place = tuple[str, int]  # a file and a line


def user_place() -> Place:
    """The file and line of the nearest caller outside this package."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith((_PACKAGE, "<gpugrad")):
        frame = frame.f_back
    return frame.f_code.co_filename, frame.f_lineno


def user_line() -> str:
    """The same, as messages show it."""
    return "{}:{}".format(*user_place())


def asking_library() -> tuple[str, str] | None:
    """The public module and the function of SciPy, pandas or scikit-learn through which a tensor was asked for its array; None for others."""
    frame: FrameType | None = sys._getframe(1)
    found = None
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        parts = module.split(".")
        if parts[0] in ("scipy", "pandas", "sklearn"):
            name = frame.f_code.co_name
            found = found or (parts[0], "a function")
            if len(parts) > 1 and not parts[1].startswith("_") and not name.startswith(("_", "<")):
                public = ".".join(part for part in parts[:3] if not part.startswith("_"))
                found = public, "a function" if name.endswith("wrapper") else name
        elif parts[0] not in ("numpy", "gpugrad"):  # the user's own, perhaps called by a library's solver
            break
        frame = frame.f_back
    return found


_STORES = {opmap[name] for name in ("STORE_SUBSCR", "STORE_SLICE") if name in opmap}
_SWAPS = {0, opmap["SWAP"]}  # what stands before it, and the inline caches of the operator itself


def is_item_update(frame: FrameType) -> bool:
    """Whether an in-place operator that a frame is executing belongs to ``x[i] += v``: what it returns is then written to x[i].

    Python asks x[i] to add v to itself and hands the answer to ``x.__setitem__``; with ``row += v`` it only gives it a name.
    """
    code, at = frame.f_code.co_code, frame.f_lasti
    if code[at] != opmap["BINARY_OP"]:
        return False
    at += 2
    while at < len(code) and code[at] in _SWAPS:
        at += 2
    return at < len(code) and code[at] in _STORES


def _self_test() -> bool:
    seen: list[bool] = []

    class Probe:
        def __iadd__(self, other: int) -> Probe:
            seen.append(is_item_update(sys._getframe(1)))
            return self

        def __getitem__(self, index: object) -> Probe:
            return self

        def __setitem__(self, index: object, value: Probe) -> None:
            pass

    x = Probe()
    x[0] += 1
    x[0:1] += 1
    named = x[0]
    named += 1
    return seen == [True, True, False]


KNOWS_ITEM_UPDATES = _self_test()  # an interpreter with other instructions: then every such write is refused, not lost
