"""Where things are kept that take longer to make than to read."""

from __future__ import annotations

import os
from pathlib import Path


def folder() -> Path | None:
    """A folder of this user's own, which may not be there yet: what stands in a shared one could be anybody's. None
    for a user without a home."""
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "jetpackc"
    except RuntimeError:
        return None
