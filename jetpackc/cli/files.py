"""A source written back: whole or not at all, and only where it still is what was read."""

from __future__ import annotations

import os
import tempfile
from codecs import BOM_UTF8
from pathlib import Path

from jetpackc.cli.errors import Failure
from jetpackc.syntax.nodes import BYTE_ORDER_MARK


def rewrite(path: Path, before: str, after: str) -> None:
    """Put `after` in the place of `before`, what the file held when it was read.

    Keeps mode and links, and a byte order mark that neither text has. Raises Failure where another program changed the
    file meanwhile, OSError.
    """
    target = path.resolve()
    if not os.access(target, os.W_OK):
        raise Failure(f"`{path}` may not be written", "change its rights")
    held = target.read_bytes()
    mark = BOM_UTF8 if held.startswith(BOM_UTF8) and not before.startswith(BYTE_ORDER_MARK) else b""
    if held != mark + before.encode():
        raise Failure(f"`{path}` has changed meanwhile, and is left as it is", "run the command again")
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(mark + after.encode())
        temporary.chmod(target.stat().st_mode)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
