"""How to tell the class of each token of .jet: regular expressions in contexts that open and close each other.

Clause words are names elsewhere, so a list of words does not do. What a word is follows from what came before it: a
context knows whether a clause, an operand, a name or a type is due. From these contexts the TextMate grammar and the
Pygments lexer are made, so they hold to what both can do: a pattern sees one line and looks back one character at
most; a context ends by a pattern of its own, never because of what it contained. At each place a context's end is tried
first, then its rules in their order; a character that nothing takes is passed over.
"""

from __future__ import annotations

import re

from jetpackc.highlight.classes import of_word, words
from jetpackc.records import dataclass

RESERVED = words("statement", "word_operator", "constant")
"""The words that are no names anywhere; the other words of the grammar are keywords only where they are due."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A pattern, the class of each of its groups, and the context that begins behind it, if one does."""

    pattern: str
    classes: tuple[str, ...] = ()
    into: str | None = None


@dataclass(frozen=True, slots=True)
class Context:
    """What may come, by rules or the name of a list of rules, until the end; `inside` is the class of all else."""

    end: Rule
    rules: tuple[Rule | str, ...]
    inside: str | None = None


def _word(*given: str, after: str = "", into: str | None = None) -> Rule:
    """One of some words, which must be of one class, and what must follow."""
    (found,) = {of_word(word) for word in given}
    return Rule(rf"\b({'|'.join(sorted(given))})\b{after}", (found,), into)


def _named(word: str, name: str, into: str) -> Rule:
    """A word and the name behind it, of which the word's context knows no more."""
    return Rule(rf"\b({word})\b[ \t]+{_REFERENCE}", (of_word(word), *_reference(name)), into)


def _reference(name: str) -> tuple[str, str, str]:
    """The classes of a name and of the module before it."""
    return "namespace", "punctuation", name


def _end(pattern: str, *classes: str) -> Rule:
    """The end of a long context, also at a line that begins a top-level block: above it somebody is still typing."""
    return Rule(rf"{pattern}|^(?={_TOP})", classes)


_NAME = rf"\b(?!(?:{'|'.join(RESERVED)})\b)[a-z][a-z0-9_]*\b"
_REFERENCE = rf"(?:({_NAME})(\.))?({_NAME})"
_STATE = rf"({_NAME})(?:(\.)({_NAME}))?"
_STATE_CLASSES = ("state", "punctuation", "state")
_TOP = r'test[ \t]+"|(?:machine|template|operator|module|enum|schedule)[ \t]+[a-z]|import[ \t]+"|event[ \t]+[A-Z]'
_OPERAND = (
    (r"\b((?:[0-9]+(?:ms|s|m|h|d))+)\b", "duration"),
    (r"\b([0-9]+\.[0-9]+)\b", "number"),
    (r"\b([0-9]+)\b", "number"),
    (rf"\b({'|'.join(words('constant'))})\b", "constant"),
    (rf"({_NAME})(?=[ \t]*\()", "function"),
)
_CALLED = r"(?=[ \t]*\()"
_NEXT_IS_NAME = r"(?=[ \t]+[a-z]|[ \t]*$)"
_NEXT_IS_EVENT = r"(?=[ \t]+[A-Z]|[ \t]*$)"
_OTHERWISE = r"(?=[^\s/])"
_OTHERWISE_NOT_BRACKET = r"(?=[^\s/(])"
_OPERATORS = r"==|!=|<=|>=|<|>|\+\+|\+|-|\*|/|%|\?\?|="

LISTS: dict[str, tuple[Rule | str, ...]] = {
    "comment": (Rule(r"(///(?!/).*)", ("doc",)), Rule(r"(//.*)", ("comment",))),
    "literal": (
        Rule(r'(")', ("string",), "string"),
        *(Rule(pattern, (name,)) for pattern, name in _OPERAND),
    ),
    # Inside of brackets, where no clause can begin.
    "expression": (
        "comment",
        _word("as", into="type_name"),
        _word(*(word for word in words("word_operator") if word != "as")),
        _word(*words("statement")),
        "literal",
        Rule(rf"({_NAME})(?=[ \t]*:)", ("parameter",)),
        Rule(rf"({_NAME})", ("name",)),
        Rule(r"(\.\.)", ("operator",)),
        Rule(r"(\.)", ("punctuation",), "member"),
        Rule(rf"({_OPERATORS}|\?)", ("operator",)),
        "bracket",
        Rule(r"([,:])", ("punctuation",)),
    ),
    "bracket": (Rule(r"(\()", ("punctuation",), "arguments"), Rule(r"(\[)", ("punctuation",), "index")),
    # Outside of them, where an operand may be the last of its clause.
    "flow": (
        Rule(r"(->)", ("arrow",), "target"),
        Rule(rf"({_OPERATORS})", ("operator",), "operand"),
        _word("as", into="type_name"),
        _word(*(word for word in words("word_operator") if word != "as"), into="operand"),
        Rule(r"(\.)", ("punctuation",), "member"),
        Rule(r"(\?)", ("operator",)),
        "literal",
        "bracket",
        Rule(r"([A-Z][A-Z0-9_]*)\b", ("event",)),
        Rule(r"([,:])", ("punctuation",)),
    ),
    # A word that asks for nothing special has its colour wherever a clause may begin.
    "words": tuple(
        Rule(rf"\b({'|'.join(words(name))})\b", (name,)) for name in ("declaration", "modifier", "clause", "statement")
    ),
}

CONTEXTS: dict[str, Context] = {
    "top": Context(
        Rule(r"(?!)"),
        (
            "comment",
            _word("module", into="namespace_name"),
            _named("enum", "type", "enum"),
            _named("operator", "function", "operator"),
            _word("machine", "template", into="machine_name"),
            _word("was", into="machine_name"),
            _named("is", "machine", "base"),
            Rule(rf"\b(schedule)\b[ \t]+({_NAME})", (of_word("schedule"), "name"), "schedule"),
            _word("test", into="test"),
            Rule(r"\b(J[0-9]{3})\b", ("code",)),
            Rule(r"(\{)", ("punctuation",), "members"),
            Rule(r"(\()", ("punctuation",), "fields"),
            "words",
            "flow",
        ),
    ),
    "enum": Context(_end(r"(?=[^\s/{])"), ("comment", Rule(r"(\{)", ("punctuation",), "enum_values"))),
    "enum_values": Context(
        _end(r"(\})", "punctuation"), ("comment", Rule(rf"({_NAME})", ("name",)), Rule("(,)", ("punctuation",)))
    ),
    "operator": Context(
        _end(r"(?=[^\s/{(])"),
        (
            "comment",
            Rule(r"(\()", ("punctuation",), "fields"),
            Rule(r"(\{)", ("punctuation",), "block"),
        ),
    ),
    # It has no brackets around it, so what comes next ends it.
    "schedule": Context(
        Rule(rf"(?=\b(?:{_TOP}))"),
        (
            "comment",
            _word("missed", into="name"),
            _word("for", into="name"),
            _word("every", into="operand"),
            _word("spawn", into="spawn"),
            Rule(r"\b(J[0-9]{3})\b", ("code",)),
            "words",
            "flow",
        ),
    ),
    "base": Context(_end(r"(?=[^\s/(])"), ("comment", "bracket")),
    # The members of a machine, a template or a state.
    "members": Context(
        _end(r"(\})", "punctuation"),
        (
            "comment",
            Rule(rf"\b(state)\b[ \t]+{_STATE}", (of_word("state"), *_STATE_CLASSES), "state"),
            _named("step", "state", "state"),
            Rule(r"\b(removed)\b[ \t]+(state)\b", (of_word("removed"), of_word("state")), "target"),
            _word("unique", into="unique"),
            _word("on", "enter", into="head"),
            Rule(r"(?=\bwhen\b)", into="condition"),
            Rule(r"(?=\b(?:after|at)\b)", into="timer"),
            _word("timeout", "return", "priority", "per", into="operand"),
            _word("by", "keep", "was", into="name"),
            _word("var", into="name"),
            Rule(r"\b(J[0-9]{3})\b", ("code",)),
            "words",
            Rule(r"(:)", ("punctuation",), "type_name"),
            Rule(r"(\{)", ("punctuation",), "block"),
            "flow",
        ),
    ),
    "state": Context(
        _end(r"(?!was\b)(?=[^\s/,({])"),
        (
            "comment",
            _word("was", into="target"),
            Rule(r"(,)", ("punctuation",), "target"),
            Rule(r"(\()", ("punctuation",), "arguments"),
            Rule(r"(\{)", ("punctuation",), "members"),
        ),
    ),
    "unique": Context(
        Rule(r"\b(return|error)\b|(?!(?:while|in|or)\b)(?=[^\s/(])", (of_word("return"),)),
        (
            "comment",
            _word("while"),
            Rule(r"\b(in)\b[ \t]*(\()", (of_word("in"), "punctuation"), "state_names"),
            _word("or"),
            "bracket",
        ),
    ),
    "state_names": Context(
        _end(r"(\))", "punctuation"), ("comment", Rule(_STATE, _STATE_CLASSES), Rule(r"(,)", ("punctuation",)))
    ),
    # What stands before a clause's arrow or block: events, then a guard; or an operator in their place.
    "head": Context(
        _end(rf"\b(reenter)\b|{_REFERENCE}|(?=[^\s/A-Z,(])", of_word("reenter"), *_reference("function")),
        (
            "comment",
            Rule(r"([A-Z][A-Z0-9_]*)\b", ("event",)),
            Rule(r"(,)", ("punctuation",)),
            Rule(r"(\()", ("punctuation",), "fields"),
        ),
    ),
    "condition": Context(
        _end(rf"\b(reenter)\b|{_REFERENCE}|(?=->|[{{}}])", of_word("reenter"), *_reference("function")),
        ("comment", _word("when", into="operand"), "flow"),
    ),
    "timer": Context(
        _end(
            rf"\b(reenter)\b|(?!(?:after|at)\b){_REFERENCE}|(?=->|[{{}}]|\bwhen\b)",
            *(of_word("reenter"), *_reference("function")),
        ),
        ("comment", _word("after", "at", into="operand"), "flow"),
    ),
    "block": Context(
        _end(r"(\})", "punctuation"),
        (
            "comment",
            _word("set", "increment", "for", into="name"),
            _word("send", "fail", "when", into="operand"),
            _word("spawn", into="spawn"),
            _word("else"),
            _word("reenter"),
            _word("raise", after=_NEXT_IS_EVENT),
            Rule(r"(\{)", ("punctuation",), "block"),
            "flow",
            Rule(_REFERENCE, _reference("function")),
        ),
    ),
    "spawn": Context(
        _end(
            rf"(\))(?:[ \t]+(as)[ \t]+({_NAME}))?|(?=[^\s\w(/.])",
            *("punctuation", of_word("as"), "name"),
        ),
        (
            "comment",
            _word("root", after=_NEXT_IS_NAME),
            Rule(_REFERENCE, _reference("machine")),
            Rule(r"(\()", ("punctuation",), "spawn_arguments"),
        ),
    ),
    "spawn_arguments": Context(_end(r"(?=\))"), ("expression",)),
    "fields": Context(
        _end(r"(\))", "punctuation"),
        (
            "comment",
            Rule(r"(:)", ("punctuation",), "type_name"),
            Rule(r"(=)", ("operator",), "default"),
            "expression",
        ),
    ),
    "default": Context(_end(r"(?=[,)])"), ("expression",)),
    "arguments": Context(_end(r"(\))", "punctuation"), ("expression",)),
    "index": Context(_end(r"(\])", "punctuation"), ("expression",)),
    "test": Context(
        _end(r'(?=[^\s/"{])'),
        ("comment", Rule(r'(")', ("string",), "string"), Rule(r"(\{)", ("punctuation",), "story")),
    ),
    # The statements of a test.
    "story": Context(
        _end(r"(\})", "punctuation"),
        (
            "comment",
            _named("create", "machine", "created"),
            _named("spawned", "machine", "found"),
            Rule(rf"\b(send)\b[ \t]+({_NAME})(?=[ \t]+[A-Z])", (of_word("send"), "name")),
            Rule(
                r"\b(stub)\b[ \t]+([A-Za-z_]\w*)(?:(\.)([A-Za-z_]\w*))?",
                (of_word("stub"), "member", "punctuation", "member"),
            ),
            Rule(
                rf"\b(expect)\b[ \t]+(?:({_NAME})[ \t]+)?(state)\b[ \t]+{_STATE}",
                (of_word("expect"), "name", of_word("state"), *_STATE_CLASSES),
            ),
            Rule(
                r"\b(expect)\b[ \t]+(sent)\b[ \t]+(applied|ignored|refused)\b",
                (of_word("expect"), of_word("sent"), of_word("applied")),
            ),
            Rule(r'\b(expect)\b[ \t]+(error)\b(?=[ \t]*")', (of_word("expect"), of_word("error"))),
            _word("expect", "advance", into="operand"),
            _word("send"),
            _word("create", "spawned", "stub", "returns", "raises", "hangs", "dies", "once", "twice", "times"),
            "flow",
        ),
    ),
    "created": Context(
        Rule(rf"\b(as)\b[ \t]+({_NAME})|{_OTHERWISE_NOT_BRACKET}", (of_word("as"), "name")), ("comment", "bracket")
    ),
    "found": Context(
        Rule(rf"\b(as)\b[ \t]+({_NAME})|(?!of\b){_OTHERWISE}", (of_word("as"), "name")),
        ("comment", Rule(rf"\b(of)\b[ \t]+({_NAME})", (of_word("of"), "name"))),
    ),
    # One thing that is due, and no longer.
    "operand": Context(
        Rule(
            "|".join([*(pattern for pattern, _ in _OPERAND), rf"({_NAME})", r"(?!not\b)(?=->|[^\s/-])"]),
            (*(name for _, name in _OPERAND), "name"),
        ),
        ("comment", _word("not"), Rule(r"(-)", ("operator",))),
    ),
    "target": Context(Rule(rf"{_STATE}|{_OTHERWISE}", _STATE_CLASSES), ("comment",)),
    "namespace_name": Context(Rule(rf"({_NAME})|{_OTHERWISE}", ("namespace",)), ("comment",)),
    "machine_name": Context(Rule(rf"({_NAME})|{_OTHERWISE}", ("machine",)), ("comment",)),
    "type_name": Context(Rule(rf"{_REFERENCE}|{_OTHERWISE}", _reference("type")), ("comment",)),
    "name": Context(Rule(rf"({_NAME})|{_OTHERWISE}", ("name",)), ("comment",)),
    "member": Context(
        Rule(
            rf"\b([A-Za-z_][A-Za-z0-9_]*){_CALLED}|\b([A-Za-z_][A-Za-z0-9_]*)|{_OTHERWISE}",
            ("function", "member"),
        ),
        ("comment",),
    ),
    "string": Context(
        Rule(r'(")|$', ("string",)), (Rule(r"(\\(?:u\{[0-9A-Fa-f]*\}|.))", ("escape",)),), inside="string"
    ),
}


def expanded(rules: tuple[Rule | str, ...]) -> tuple[Rule, ...]:
    """The rules with those of the named lists in place of the names."""
    parts = (expanded(LISTS[each]) if isinstance(each, str) else (each,) for each in rules)
    return tuple(rule for part in parts for rule in part)


def check() -> None:
    """Raise `ValueError` where a pattern has not one class a group."""
    for context in CONTEXTS.values():
        for rule in (context.end, *expanded(context.rules)):
            if re.compile(rule.pattern).groups != len(rule.classes):
                raise ValueError(f"not one class a group: {rule}")
