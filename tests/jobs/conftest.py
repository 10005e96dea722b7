"""What the jobs need of their surroundings."""

from __future__ import annotations

import os

# scikit-learn asks the system for its cores, with programs that need not be on the path, and warns where it cannot.
os.environ.setdefault("LOKY_MAX_CPU_COUNT", str(os.cpu_count() or 1))
