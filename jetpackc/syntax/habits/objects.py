"""Objects of JavaScript around what this language writes plainly: they are taken apart from outside to inside."""

from __future__ import annotations

import re
from collections.abc import Callable

from jetpackc.records import dataclass
from jetpackc.syntax.habits.model import LITERAL, MACHINE, QUOTED, STATE, TOP, quoted, snake, type_of
from jetpackc.syntax.scan import CLOSING, OPENING, tokens


@dataclass(frozen=True, slots=True)
class Edit:
    """What to write in the place of `start` to `end`, and what is to be said of it."""

    start: int
    end: int
    text: str
    help: str
    title: str
    safe: bool = True
    label: str = "not needed here"


Find = Callable[[str, int], Edit | None]


def closing(text: str, opening: int) -> int | None:
    """The offset of what closes a bracket."""
    depth = 0
    for offset, token in tokens(text[opening:]):
        depth += (token in OPENING) - (token in CLOSING)
        if depth == 0:
            return opening + offset
    return None


def _unwrap(text: str, start: int, brace: int, help: str) -> Edit | None:
    """What stands between two braces in place of all of it."""
    end = closing(text, brace)
    if end is None:
        return None
    behind = re.compile(r"\s*[,;]?").match(text, end + 1)
    inside = text[brace + 1 : end].strip()
    return Edit(start, behind.end() if behind and behind[0].strip() else end + 1, inside, help, "take it apart")


_GROUP = re.compile(r"states\s*[:=]?\s*\{")
_EVENTS = re.compile(r"(?:onEvent|events|transitions)\s*[:=]?\s*\{")
_ON = re.compile(r"\bon\s*\Z")
_OPEN = re.compile(r"[:=]?\s*\{")


def states(text: str, offset: int) -> Edit | None:
    """`states: { … }`."""
    found = _GROUP.match(text, offset)
    return found and _unwrap(text, offset, found.end() - 1, "each state stands in its machine, with the word `state`")


def events(text: str, offset: int) -> Edit | None:
    """`onEvent: { … }` and `on: { … }`."""
    help = "each transition is a line of its own: `on EVENT -> state`"
    found = _EVENTS.match(text, offset)
    if found:
        return _unwrap(text, offset, found.end() - 1, help)
    before, brace = _ON.search(text, max(offset - 50, 0), offset), _OPEN.match(text, offset)
    return _unwrap(text, before.start(), brace.end() - 1, help) if before and brace else None


_INITIAL = re.compile(r"\binitial\s*\Z")
_NAMED = re.compile(rf":\s*(?:{QUOTED}|(?P<name>[a-z]\w*)),?[ \t]*\n?")


def initial(text: str, offset: int) -> Edit | None:
    """`initial: 'pending'`: the word goes to the state."""
    before, found = _INITIAL.search(text, max(offset - 50, 0), offset), _NAMED.match(text, offset)
    if not before or not found:
        return None
    name = quoted(found.groupdict()) or found["name"]
    state = re.compile(rf"(?P<marked>\binitial\s+)?\bstate\s+{name}\b|(?<![\w])['\"]?{name}['\"]?\s*:\s*\{{").search(
        text, found.end()
    )
    if state is None:
        return None
    start = before.start()
    kept = text[found.end() : state.start()]
    blank = text[text.rfind("\n", 0, start) + 1 : start]
    kept = kept.removeprefix(blank) if not blank.strip() else kept
    mark = "" if state["marked"] else "initial "
    return Edit(start, state.start(), f"{kept}{mark}", "`initial` stands before its state", "put it there")


_CONTEXT = re.compile(r"(?:context|data)\s*[:=]\s*\{(?P<fields>[^{}]*)\}[,;]?")
_ENTRY = re.compile(rf"\s*(?P<name>\w+)\s*:\s*{LITERAL}\s*(?:,|\Z)")


def context(text: str, offset: int) -> Edit | None:
    """`context: { iterations: 0 }`."""
    found = _CONTEXT.match(text, offset)
    if found is None:
        return None
    entries, place = [], 0
    fields = found["fields"].rstrip()
    while place < len(fields):
        entry = _ENTRY.match(fields, place)
        if entry is None:
            return None
        entries.append(f"var {snake(entry['name'])}: {type_of(entry['literal'])} = {entry['literal']}")
        place = entry.end()
    indent = "\n" + " " * (offset - text.rfind("\n", 0, offset) - 1)
    return Edit(offset, found.end(), indent.join(entries), "each var is declared, with its type", "declare vars")


_CREATE = re.compile(
    r"(?:export\s+)?(?:const|let|var)\s+(?P<name>\w+)\s*=\s*(?:await\s+)?"
    r"(?P<kind>createMachine|createTaskMachine|Machine|setup\(\w*\)\.createMachine)\(\s*\{"
)
_ATTEMPTS = re.compile(r"[ \t]*maxAttempts\s*:\s*(?P<n>\d+),?[ \t]*\n?")


def machine(text: str, offset: int) -> Edit | None:
    """`const m = createMachine({ … })`."""
    found = _CREATE.match(text, offset)
    end = closing(text, found.end() - 1) if found else None
    if found is None or end is None:
        return None
    name = snake(found["name"])
    inside, base = text[found.end() : end], ""
    if found["kind"] == "createTaskMachine":
        attempts = _ATTEMPTS.search(inside)
        base = f" is task(max_attempts: {attempts['n']})" if attempts else " is task"
        inside = _ATTEMPTS.sub("", inside, count=1)
    behind = re.compile(r"\s*\)[ \t]*;?").match(text, end + 1)
    head = f"machine {name.removesuffix('_machine') or name}{base} {{"
    help = "a machine is declared: `machine name { … }`"
    return Edit(offset, behind.end() if behind else end + 1, f"{head}{inside}}}", help, "declare it")


_SEED = re.compile(r"import\s*\{[^{}]*\}\s*from\s*['\"]@djgrant/jetpack['\"];?|const\s*\{[^{}]*\}\s*=\s*operators;?")
_OTHER = re.compile(r"import\s+[^\n\"';]*\bfrom\s*['\"][^\n\"']*['\"];?|from\s+[\w.]+\s+import\b[^\n]*")
_IMPORT = re.compile(r"\bimport\s*\Z")


def imports(text: str, offset: int) -> Edit | None:
    """Imports of the library whose functions are words here."""
    before = _IMPORT.search(text, max(offset - 50, 0), offset)
    start = before.start() if before else offset
    found = _SEED.match(text, start)
    if found:
        return Edit(start, found.end(), "", "what it brings is part of the language", "take it away")
    other = _OTHER.match(text, start)
    help = "a handler is named by `run`, a file of .jet is imported by its path"
    return Edit(start, other.end(), "", help, "take it away", safe=False) if other else None


OBJECTS: tuple[tuple[frozenset[str], Find], ...] = (
    (TOP, machine),
    (TOP | {"STRING"}, imports),
    (frozenset(("_STATE",)), initial),
    (MACHINE, states),
    (MACHINE, context),
    (STATE | {"EVENT"}, events),
)
