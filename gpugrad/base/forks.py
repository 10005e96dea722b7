"""What must be so that a forked process can go on."""

from __future__ import annotations

import os
from typing import Any


def survive_fork(lock: Any) -> None:
    """Take a lock before a fork and give it back after it: a child must not wait for a thread it does not have."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(before=lock.acquire, after_in_parent=lock.release, after_in_child=lock.release)
