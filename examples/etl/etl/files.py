"""The delivered CSV files, which lie beside this package."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from pathlib import Path

DATA = Path(__file__).resolve().parent.parent / "data"


class BrokenFile(Exception):  # noqa: N818 - what happened
    """A file does not hold what was agreed."""


def rows(file: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Each row by column, with its line in the file."""
    with (DATA / file).open(newline="", encoding="utf-8") as lines:
        reader = csv.DictReader(lines)
        for row in reader:
            yield reader.line_num, row


def price(text: str, where: str) -> Decimal:
    """Raises BrokenFile."""
    try:
        return Decimal(text)
    except InvalidOperation:
        raise BrokenFile(f"{where}: the price `{text}` is no number") from None
