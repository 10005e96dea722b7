"""Settings take what makes sense, and say so."""

from __future__ import annotations

import pytest

import gpugrad as gg


@pytest.mark.usefixtures("fused")
def test_fuse_and_other_settings_are_checked() -> None:
    for name, bad in (("fuse", 0), ("fuse", 65), ("debug", 7), ("threads", 0)):
        with pytest.raises(ValueError, match=f"config.{name}"):
            setattr(gg.config, name, bad)
