"""Work that makes many objects and no rubbish."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_collection() -> Iterator[None]:
    """Trees hold no cycles: looking for some while they grow takes a third of the time, and finds nothing.

    Neither does it pay to look at all of them as soon as they stand: they leave as old objects, which Python looks at
    when there are many more.
    """
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.unfreeze()
        if was:
            gc.enable()
