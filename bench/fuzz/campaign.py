"""Many texts, one after the other, and what came of them."""

from __future__ import annotations

import hashlib
import time
import traceback
from collections import Counter
from pathlib import Path

import pglast
from garbage import Garbage, corpus
from trial import HangError, Judge, attempt, products


class Campaign:
    """One run: what went in, what came of it."""

    def __init__(self, seed: int, judge: Judge, folder: Path, keep: Path) -> None:
        self._garbage = Garbage(seed, corpus())
        self._judge, self._file, self._keep = judge, folder / "workflows.jet", keep
        self._installed: set[bytes] = set()
        self._told: set[str] = set()
        self.texts: Counter[str] = Counter()
        self.programs: Counter[str] = Counter()
        self.found = 0
        self.slowest = 0.0

    @property
    def installed(self) -> int:
        """How many different programs Postgres was asked about."""
        return len(self._installed)

    def step(self) -> None:
        """One text."""
        kind, data = self._garbage.next()
        self.texts[kind] += 1
        began = time.process_time()
        try:
            program = attempt(data, self._file)
            sql = None if program is None else products(program)
        except HangError:
            self._report("hang", data)
            return
        except Exception:
            self._report(traceback.format_exc(), data)
            return
        self.slowest = max(self.slowest, time.process_time() - began)
        if sql is not None:
            self.programs[kind] += 1
            self._install(sql, data)

    def _install(self, sql: str, data: bytes) -> None:
        digest = hashlib.sha256(sql.encode()).digest()
        if digest in self._installed:
            return
        self._installed.add(digest)
        try:
            pglast.parse_sql(sql)
        except pglast.parser.ParseError as error:
            self._report(f"pglast: {error}", data)
            return
        refused = self._judge.refusal(sql)
        if refused is not None:
            self._report(f"Postgres: {refused}", data)

    def _report(self, what: str, data: bytes) -> None:
        """Once for each last line of what is wrong."""
        self.found += 1
        last = [line for line in what.strip().splitlines() if line.strip()][-1]
        if last not in self._told:
            self._told.add(last)
            self._keep.mkdir(parents=True, exist_ok=True)
            (self._keep / f"{len(self._told)}.jet").write_bytes(data)
            print(f"--- {self._keep}/{len(self._told)}.jet\n{what}", flush=True)

    def summary(self, seconds: float) -> str:
        """Figures, as a line of Markdown."""
        return (
            f"{self.texts.total():,} texts in {seconds:.0f} s; {self.programs.total():,} of them compiled to "
            f"{self.installed:,} different programs, all put to Postgres; {self.found} findings; "
            f"slowest text {self.slowest:.2f} s of processor time"
        )
