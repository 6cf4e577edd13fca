"""What handlers answer in a test."""

from __future__ import annotations

from dataclasses import field

from jetpackc.records import dataclass


@dataclass(frozen=True, slots=True)
class Answer:
    """How a handler ends: an event with its payload as JSON text, or (an empty event) not at all, for it hangs, or
    `dies` with its worker."""

    event: str
    payload: str = "{}"
    dies: bool = False


@dataclass
class Stubs:
    """The answers of each work (machine, leaf): those that are counted first, in the order they were given, then the
    one given last without a number."""

    _counted: dict[tuple[str, str], list[Answer]] = field(default_factory=dict)
    _standing: dict[tuple[str, str], Answer] = field(default_factory=dict)

    def add(self, work: tuple[str, str], answer: Answer, times: int | None) -> None:
        """From now on, or so many times."""
        if times is None:
            self._standing[work] = answer
        else:
            self._counted.setdefault(work, []).extend([answer] * times)

    def take(self, work: tuple[str, str]) -> Answer | None:
        """The next answer; None where no stub says one."""
        counted = self._counted.get(work)
        return counted.pop(0) if counted else self._standing.get(work)

    def may_die(self, machine: str) -> bool:
        """Whether a worker may die at the work of a machine."""
        counted = (one for (name, _), answers in self._counted.items() if name == machine for one in answers)
        standing = (one for (name, _), one in self._standing.items() if name == machine)
        return any(one.dies for one in (*counted, *standing))
