"""What a command said, and how tests call one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Told:
    """Exit code and texts."""

    code: int
    out: str
    err: str


Cli = Callable[..., Told]
