"""Colours of the text format, as SGR escape sequences of ECMA-48; none when colour is off."""

from __future__ import annotations

from jetpackc.diagnostics.model import Severity
from jetpackc.records import dataclass

_SEVERITY = {Severity.ERROR: "1;31", Severity.WARNING: "1;33"}


@dataclass(frozen=True, slots=True)
class Paint:
    """Paints by role, so that the layout knows no colour."""

    on: bool

    def severity(self, text: str, severity: Severity) -> str:
        """The headline's first word and the carets."""
        return self._sgr(text, _SEVERITY[severity])

    def strong(self, text: str) -> str:
        """The message."""
        return self._sgr(text, "1")

    def gutter(self, text: str) -> str:
        """Line numbers, bars and secondary marks."""
        return self._sgr(text, "1;34")

    def removed(self, text: str) -> str:
        """A line that a fix takes away."""
        return self._sgr(text, "31")

    def added(self, text: str) -> str:
        """A line that a fix puts in."""
        return self._sgr(text, "32")

    def _sgr(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.on and text else text
