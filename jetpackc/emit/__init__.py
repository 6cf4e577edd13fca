"""From the IR to SQL objects. Pure: the same program gives the same text, byte for byte."""

from jetpackc.emit.manifest import manifest
from jetpackc.emit.objects import SqlObject
from jetpackc.emit.program import emit

__all__ = ["SqlObject", "emit", "manifest"]
