"""What `dev` shows: lines that scroll, and below them the board, redrawn in place on a terminal."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Sequence
from typing import TextIO


class Screen:
    """Prints on `stream`. Lines may come from any thread."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._live = stream.isatty()
        self._board: list[str] = []
        self._lock = threading.Lock()

    def line(self, text: str) -> None:
        """Print above the board."""
        with self._lock:
            self._write(self._erased() + text + "\n" + (self._drawn() if self._live else ""))

    def board(self, lines: Sequence[str]) -> None:
        """Show the board, where it changed."""
        with self._lock:
            if list(lines) == self._board:
                return
            erased = self._erased()
            self._board = list(lines)
            self._write(erased + self._drawn())

    def _erased(self) -> str:
        """What takes the board from the terminal."""
        return f"\x1b[{len(self._board)}A\x1b[J" if self._live and self._board else ""

    def _drawn(self) -> str:
        width = shutil.get_terminal_size().columns if self._live else None
        return "".join(line[:width] + "\n" for line in self._board)

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()
