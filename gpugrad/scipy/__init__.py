"""SciPy's names over tensors: ``from gpugrad.scipy import special, stats``. Code written for `autograd.scipy` moves by changing its imports.

`scipy.special`'s elementwise functions take tensors as they are. The other functions of SciPy make NumPy arrays of what they are given, which
would lose a gradient, and so raise; those that are here compute the same with tensors.
"""

import importlib
from typing import TYPE_CHECKING

_MODULES = ("integrate", "interpolate", "linalg", "ndimage", "signal", "spatial", "special", "stats")

if TYPE_CHECKING:
    from . import integrate as integrate
    from . import interpolate as interpolate
    from . import linalg as linalg
    from . import ndimage as ndimage
    from . import signal as signal
    from . import spatial as spatial
    from . import special as special
    from . import stats as stats
else:

    def __getattr__(name: str) -> object:
        """The modules, imported when they are first used."""
        if name in _MODULES:
            return importlib.import_module(f"{__name__}.{name}")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}: it has {', '.join(_MODULES)}")


def __dir__() -> list[str]:
    return sorted(_MODULES)
