"""Templates as Jinja compiled them, kept between runs: to compile them takes longer than all else in most builds."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from jinja2 import BytecodeCache, __version__
from jinja2.bccache import Bucket

from jetpackc.cache import folder


class Compiled(BytecodeCache):
    """One file a template, in the user's cache folder. A bucket knows the text that it was compiled from; what cannot be
    read or written costs only time."""

    def load_bytecode(self, bucket: Bucket) -> None:
        """Read a template, where it is kept."""
        path = _path(bucket)
        if path is None or not path.exists():
            return
        try:
            bucket.bytecode_from_string(path.read_bytes())
        except Exception:  # cut off, written by another version: whatever it is, compile anew
            bucket.reset()

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep a template, whole or not at all."""
        path = _path(bucket)
        if path is None:
            return
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            new = path.with_suffix(f".{os.getpid()}")
            new.write_bytes(bucket.bytecode_to_string())
            new.replace(path)


def _path(bucket: Bucket) -> Path | None:
    base = folder()
    return base / f"templates-{__version__}" / f"{bucket.key}.bin" if base else None
