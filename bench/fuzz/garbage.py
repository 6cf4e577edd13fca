"""Texts that are no `.jet`, or almost: random characters, words of the language in no order, programs with a slip."""

from __future__ import annotations

import ast
import random
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent

WORDS = """
    module import enum event operator template machine schedule allow because was var unique while limit per fair by
    priority keep removed state step enter exit on after at run timeout ignore defer return cron every missed raise root
    initial final failure reenter error and or not null true false in is as when else set increment spawn send fail for
    task self subtree children parent attempts ready running done now id length a b x event param tier
""".split()
TYPES = (
    "int",
    "bigint",
    "text",
    "bool",
    "numeric",
    "float",
    "uuid",
    "timestamptz",
    "date",
    "interval",
    "json",
    "bytes",
)
SIGNS = r"{ } ( ) [ ] -> = == != < <= > >= + - * / % ++ ?? ? . .. : , ; => @ # $ & | ~ ` ' \ /// // /*".split(" ")
EVENTS = (
    "GO",
    "PAID",
    "LOCKED_BY_WORKER",
    "SUCCESS",
    "ERROR",
    "RELEASED",
    "TIMEOUT",
    "ABANDONED",
    "CANCEL",
    "A",
    "J101",
)
VALUES = (
    *("0", "1", "007", "2147483648", "9223372036854775808", "1" + "0" * 400, "0.1", "1.", ".5", "1e5", "-1"),
    *("30s", "1h30m", "0ms", "99999999999d", "5m..2s"),
    *(
        '""',
        '"x"',
        '"it\'s"',
        '"$jet$"',
        '"$$"',
        '"{{ x }}"',
        '"--% if"',
        '"\\""',
        '"\\n"',
        '"\\u0000"',
        '"\\q"',
        '"open',
    ),
    *(
        '"\U0001f600"',
        '"e\u0301\u202e\u05d0"',
        '"x:y"',
        '"a.b:c"',
        "[1, 2]",
        "[]",
        "é",
        "\u00a0",
        "\u2028",
        "\ud7ff",
        "\x7f",
    ),
)
TOKENS = (*WORDS, *TYPES, *SIGNS, *EVENTS, *VALUES)

_TOKEN = re.compile(r'"(?:\\.|[^"\\\n])*"|//[^\n]*|\s+|[A-Za-z_0-9]+|->|\.\.|[=!<>]=|\+\+|\?\?|.', re.DOTALL)
_KINDS = [
    re.compile(kind)
    for kind in (
        "|".join(TYPES),
        "[=!<>]=|[<>]|and|or",
        r"\+\+|[-+*/%]|\?\?",
        "[A-Z][A-Z_]+",
        "[a-z][a-z_]+",
        r"[0-9]\w*|\".*\"",
    )
]
_BLOCK = re.compile(r"^```jet\n(.*?)^```", re.MULTILINE | re.DOTALL)


def corpus() -> tuple[str, ...]:
    """Every program of the project: files, blocks of the documents, and what the tests of the database work on."""
    files = [path for folder in ("tests", "examples", "grammar") for path in sorted((ROOT / folder).rglob("*.jet"))]
    found = [path.read_text(encoding="utf-8") for path in files]
    for path in sorted((ROOT / "docs").rglob("*.md")):
        found += _BLOCK.findall(path.read_text(encoding="utf-8"))
    for path in sorted((ROOT / "tests" / "database").glob("*.py")):
        found += _constants(path)
    return tuple(dict.fromkeys(found))


def _constants(path: Path) -> Iterator[str]:
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield from [node.value.value] if "machine" in node.value.value else []


class Garbage:
    """One text after the other; the same ones for the same seed and corpus."""

    def __init__(self, seed: int, programs: Sequence[str]) -> None:
        self._chance = random.Random(seed)
        self._programs = programs
        self._kinds = {
            self._bytes: 1,
            self._characters: 1,
            self._stream: 3,
            self._blocks: 3,
            self._edited: 4,
            self._mild: 14,
            self._scratched: 3,
            self._renamed: 3,
            self._spliced: 3,
        }

    def next(self) -> tuple[str, bytes]:
        """The kind of the text, and the text."""
        (make,) = self._chance.choices(list(self._kinds), list(self._kinds.values()))
        made = make()
        return make.__name__[1:], made if isinstance(made, bytes) else str(made).encode("utf-8", "surrogatepass")

    def _bytes(self) -> bytes:
        return self._chance.randbytes(self._chance.randint(0, 400))

    def _characters(self) -> str:
        ranges = (
            (0, 0x7F),
            (0x20, 0x7E),
            (0xA0, 0x2FF),
            (0x300, 0x36F),
            (0x590, 0x6FF),
            (0x2000, 0x206F),
            (0x1F300, 0x1F6FF),
        )
        picked = (self._chance.choice(ranges) for _ in range(self._chance.randint(0, 300)))
        return "".join(chr(self._chance.randint(*one)) for one in picked)

    def _stream(self) -> str:
        """Words of the language, in no order."""
        return " ".join(self._chance.choice(TOKENS) for _ in range(self._chance.randint(0, 300)))

    def _blocks(self) -> str:
        """The same with brackets that close, behind the words that begin a block."""
        head = self._chance.choice(("machine m", "operator o()", "template t", "enum e", "event E", "schedule s"))
        return f"module m {head} {self._nest(self._chance.randint(1, 6))}\n"

    def _nest(self, depth: int) -> str:
        inner = [self._chance.choice(TOKENS) for _ in range(self._chance.randint(0, 12))]
        if depth:
            inner.insert(self._chance.randint(0, len(inner)), self._nest(depth - 1))
        opened, closed = self._chance.choice(("{}", "{}", "()", "[]"))
        return f"{opened} {' '.join(inner)} {closed}"

    def _program(self) -> str:
        return self._chance.choice(self._programs)

    def _edited(self) -> str:
        """A program with some of its tokens deleted, doubled, swapped, replaced or put in."""
        tokens = _TOKEN.findall(self._program())
        for _ in range(self._chance.randint(1, 6)):
            self._edit(tokens)
        return "".join(tokens)

    def _edit(self, tokens: list[str]) -> None:
        if not tokens:
            return
        at, other = (self._chance.randrange(len(tokens)) for _ in range(2))
        match self._chance.randrange(7):
            case 0:
                del tokens[at]
            case 1:
                tokens.insert(at, tokens[at])
            case 2:
                tokens[at], tokens[other] = tokens[other], tokens[at]
            case 3:
                tokens.insert(at, f" {self._chance.choice(TOKENS)} ")
            case 4:
                tokens[at] = self._chance.choice(TOKENS)
            case 5:
                tokens[at] = tokens[other]
            case _:
                start, end = sorted((at, other))
                tokens[start:start] = tokens[start : min(end, start + 40)]

    def _mild(self) -> str:
        """A program in which a word stands for another of its kind, or a line is missing: often it still compiles."""
        tokens = _TOKEN.findall(self._program())
        for _ in range(self._chance.randint(1, 3)):
            at = self._chance.randrange(len(tokens)) if tokens else 0
            kinds = [kind for kind in _KINDS if tokens and kind.fullmatch(tokens[at])]
            if kinds:
                alike = [token for token in (*tokens, *TOKENS) if kinds[0].fullmatch(token)]
                tokens[at] = self._chance.choice(alike)
        lines = "".join(tokens).splitlines(keepends=True)
        if lines and self._chance.random() < 0.3:
            del lines[self._chance.randrange(len(lines))]
        return "".join(lines)

    def _scratched(self) -> str:
        """A program with some of its characters lost, doubled or changed."""
        characters = list(self._program())
        for _ in range(self._chance.randint(1, 12)):
            at = self._chance.randrange(len(characters) + 1)
            characters[at : at + self._chance.randint(0, 2)] = self._chance.choice(
                ("", "\n", '"', "\0", "\u0301", "{", "}", "é", "9")
            )
        return "".join(characters)

    def _renamed(self) -> str:
        """A program in which one word is another everywhere: mostly it still parses."""
        program = self._program()
        words = sorted(set(re.findall(r"[a-z_][a-z0-9_]*|[A-Z][A-Z_]+", program)))
        for _ in range(self._chance.randint(1, 3)):
            if words:
                old, new = self._chance.choice(words), self._chance.choice((*words, *WORDS, *EVENTS))
                program = re.sub(rf"\b{old}\b", new, program)
        return program

    def _spliced(self) -> str:
        """The beginning of one program and the end of another, or lines of both."""
        one, other = self._program().splitlines(keepends=True), self._program().splitlines(keepends=True)
        if self._chance.random() < 0.5:
            return "".join(one[: self._chance.randint(0, len(one))] + other[self._chance.randint(0, len(other)) :])
        lines = one + other
        self._chance.shuffle(lines)
        return "".join(lines)
