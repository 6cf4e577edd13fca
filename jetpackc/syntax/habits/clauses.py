"""Habits in states, clauses and statements: JavaScript, XState, UML, Python and SQL."""

from __future__ import annotations

from jetpackc.syntax.habits.model import (
    ANYWHERE,
    CLAUSE,
    LONE,
    QUOTED,
    STATE,
    STATEMENT,
    Groups,
    Habit,
    habit,
    quoted,
    snake,
)

_ENTER = r"(?:onEnter|on_enter|onEntry|on_entry|onentry|onenter|entry|always|transient)\b"
_EXIT = r"(?:onExit|on_exit|onexit|onLeave|on_leave|leave)\b"
_CONDITION = (
    r"\{\s*type:\s*'cond(?:ition)?',\s*when:\s*\{\s*type:\s*'(?P<op>lte|lt|gte|gt|eq)',\s*"
    r"left:\s*\{\s*type:\s*'context',\s*path:\s*'(?P<path>\w+)',?\s*\},\s*right:\s*(?P<right>[\w.]+),?\s*\},\s*"
    r"then:\s*'(?P<then>\w+)',?\s*\},?"
)
_COMPARE = {"lte": "<=", "lt": "<", "gte": ">=", "gt": ">", "eq": "=="}
_TARGET = rf"\{{\s*target:\s*(?:{QUOTED}|(?P<name>[a-z]\w*))\s*,?\s*\}},?"
_ARROW_HELP = "`->` leads to a state"
_ENTER_HELP = "`enter` begins what happens on entering a state, and `->` leads on"
_END = r"(?=\s*(?:\}|//|\n|\bon\b))"


def _target(groups: Groups) -> str:
    return quoted(groups) or groups["name"]


ENTERS: tuple[Habit, ...] = (
    habit(
        STATE,
        rf"{_ENTER}\s*:\s*{_CONDITION}",
        lambda g: f"enter when {g['path']} {_COMPARE[g['op']]} {g['right']} -> {snake(g['then'])}",
        "a guard is written out: `enter when … -> state`",
        title="write the guard out",
    ),
    habit(STATE, rf"{_ENTER}\s*:\s*{_TARGET}", lambda g: f"enter -> {_target(g)}", _ENTER_HELP),
    habit(STATE, rf"{_ENTER}\s*:\s*{QUOTED}[,;]?", lambda g: f"enter -> {quoted(g)}", _ENTER_HELP),
    habit(STATE, rf"{_ENTER}(?:\s*:)?", "enter", _ENTER_HELP),
    habit(STATE, rf"{_EXIT}(?:\s*:)?", "exit", "`exit` begins what happens on leaving a state"),
    habit(CLAUSE, rf":\s*{QUOTED}[,;]?", lambda g: f" -> {quoted(g)}", _ARROW_HELP),
    habit(CLAUSE, rf":\s*{_TARGET}", lambda g: f" -> {_target(g)}", _ARROW_HELP),
    habit(STATE, r"(?:default|otherwise|else)\b(?:\s*:)?", "enter", "`enter` leads on at once", safe=False),
    habit(STATE, r"(?:when|if)\b", "enter when", "a guard alone is no trigger: `enter when` is tried on entering"),
)

EVENTS: tuple[Habit, ...] = (
    habit(
        STATE,
        rf"(?P<event>[A-Z][A-Z0-9_]*)\s*:\s*{QUOTED},?",
        lambda g: f"on {g['event']} -> {quoted(g)}",
        "`on EVENT -> state` is one transition",
    ),
    habit(
        STATE,
        rf"(?P<event>[A-Z][A-Z0-9_]*)\s*:\s*{_TARGET}",
        lambda g: f"on {g['event']} -> {_target(g)}",
        "`on EVENT -> state` is one transition",
    ),
    habit(
        STATE, r"(?P<event>[A-Z][A-Z0-9_]*)\b(?=\s*(?:->|=>|:|when\b))", "on {event}", "a transition begins with `on`"
    ),
    habit(frozenset(("EVENT",)), QUOTED, lambda g: quoted(g).upper(), "an event is a name, in upper case"),
    habit(CLAUSE, rf"(?:=>|-->|==>|~>|→|⇒|➜)\s*{QUOTED}", lambda g: f"-> {quoted(g)}", _ARROW_HELP),
    habit(CLAUSE, r"(?:=>(?!\s*\d)|-->|==>|~>|→|⇒|➜)", "->", _ARROW_HELP),
    habit(CLAUSE, r"[:=]\s*(?P<name>[a-z]\w*)\b[,;]?", " -> {name}", _ARROW_HELP, before=r"\s*"),
    habit(CLAUSE, r"\[(?P<guard>[^\[\]\n]+)\]", "when {guard}", "a guard begins with `when`"),
    habit(
        CLAUSE,
        rf"(?P<statement>(?:set|increment|fail|spawn|raise)\b[^\n{{}}]*?){_END}",
        "{{ {statement} }}",
        "what a clause does stands in braces",
    ),
)

ARROWS: tuple[Habit, ...] = (
    habit(
        LONE,
        rf"(?:then|goto|go\s+to|transition(?:\s+to)?|transition_to|target|become)\b\s*:?\s*{QUOTED}[,;]?",
        lambda g: f"-> {quoted(g)}",
        _ARROW_HELP,
    ),
    habit(
        LONE,
        r"(?:then|goto|go\s+to|transition(?:\s+to)?|transition_to|target|become)\b(?:\s*:)?",
        "->",
        _ARROW_HELP,
    ),
    habit(LONE, r"return\b(?=\s*[a-z]\w*\s*(?:\}|//|\n|;))", "->", _ARROW_HELP),
    habit(STATE, rf":\s*{QUOTED}[,;]?", lambda g: f"-> {quoted(g)}", _ARROW_HELP, before=r"->\s*target\s*"),
    habit(STATE, r":\s*(?P<name>[a-z]\w*)", "-> {name}", _ARROW_HELP, before=r"->\s*target\s*"),
)

_CALLED = r"\((?P<guard>(?:[^()\n{}]|\([^()\n{}]*\))*)\)\s*"
_LEADS = r"(?=\{|->)"
_WHEN_HELP = "`when` begins a guard, which needs no parentheses"

BRANCHES: tuple[Habit, ...] = (
    habit(
        ANYWHERE,
        _LEADS,
        "else when {guard} ",
        "`else when` begins another guard",
        before=rf"\b(?:elif|elseif|elsif|else\s+if)\s*{_CALLED}",
        title="write `else when`",
    ),
    habit(ANYWHERE, _LEADS, "when {guard} ", _WHEN_HELP, before=rf"\bif\s*{_CALLED}", title="write `when`"),
    habit(LONE, r"(?:elif|elseif|elsif)\b", "else when", "`else when` begins another guard"),
    habit(LONE, r"(?:if|cond|guard|provided|where)\b(?:\s*:)?", "when", "`when` begins a guard"),
    habit(LONE, r"unless\b", "when not", "`when not` is a guard that must not hold", safe=False),
    habit(LONE, r"(?:otherwise|default)\b(?:\s*:)?", "else", "`else` is what remains"),
    habit(LONE, r"(?:equals|eq)\b", "==", "`==` compares"),
    habit(
        frozenset(("LBRACE",)),
        r":\s*(?=\{|->)",
        " ",
        "nothing stands between a head and its block",
        title="take `:` away",
    ),
    habit(
        frozenset(("LBRACE",)), r"=\s*(?=\{)", "", "nothing stands between a head and its block", title="take `=` away"
    ),
)

_SET_HELP = "`set` assigns"
_EQUAL_HELP = "`=` sets, and gives a default"

_SCHEDULE = r"(?:scheduleTask|createTask)\((?:\{[^{}]*?machine:\s*(?P<inner>\w+)[^{}]*\}|\s*(?P<machine>\w+)\s*)\)[,;]?"


def _spawned(groups: Groups) -> str:
    name = snake(groups["inner"] or groups["machine"])
    return name.removesuffix("_machine") or name


STATEMENTS: tuple[Habit, ...] = (
    habit(LONE, r"(?:let|const|var|set)\s+(?P<name>[a-z]\w*)\s*:?=(?!=)", "set {name} =", _SET_HELP),
    habit(LONE, r"(?P<name>[a-z]\w*)\s*\+\+", "increment {name}", "`increment` adds one"),
    habit(LONE, r"(?P<name>[a-z]\w*)\s*--", "set {name} = {name} - 1", _SET_HELP),
    habit(LONE, r"(?P<name>[a-z]\w*)\s*(?P<op>[-+*/])=", "set {name} = {name} {op}", _SET_HELP),
    habit(LONE, r"(?P<name>[a-z]\w*)\s*:?=(?!=)", "set {name} =", _SET_HELP),
    habit(LONE, r"(?:inc|incr)\s+(?=[a-z])", "increment ", "`increment` adds one"),
    habit(LONE, r"(?:throw|raise|error|panic|abort)\s+(?=[\"'])", "fail ", "`fail` undoes the dispatch"),
    habit(
        frozenset(("EQUAL",)),
        r"(?P<op>[-+*/])=",
        "set {name} = {name} {op}",
        _SET_HELP,
        before=r"set\s+(?P<name>[a-z]\w*)\s*",
    ),
    habit(frozenset(("EQUAL",)), r":=|to\b|:(?!=)", "=", _EQUAL_HELP, before=r"(?<=\s)"),
    habit(frozenset(("EQUAL",)), r":=|to\b|:(?!=)", " =", _EQUAL_HELP),
    habit(STATEMENT, _SCHEDULE, lambda g: f"spawn {_spawned(g)}()", "`spawn` creates a task"),
    habit(CLAUSE, _SCHEDULE, lambda g: f"{{ spawn {_spawned(g)}() }}", "`spawn` creates a task, in braces"),
    habit(
        frozenset(("LPAR",)),
        r"(?!\()",
        "{head}() ",
        "a spawn has parentheses, though they be empty",
        before=r"(?P<head>\bspawn(?:\s+root)?\s+[a-z]\w*)\s*",
        title="add `()`",
    ),
)

SETTINGS: tuple[Habit, ...] = (
    habit(
        ANYWHERE, r":\s*", "{word} ", "a clause has no `:`", before=r"\b(?P<word>run|timeout|after|at|ignore|defer)\s*"
    ),
    habit(
        ANYWHERE,
        r"(?P<module>[a-z_][\w.]*)[.:](?P<function>[a-z_]\w*)",
        'run "{module}:{function}"',
        'a handler is `"module:function"`',
        before=r"\brun\s+",
    ),
    habit(STATE, r"(?:invoke|handler|onRunning)\b(?:\s*:)?", "run", "`run` names what a worker calls"),
)

CLAUSES = (*BRANCHES[:2], *SETTINGS, *ENTERS, *EVENTS, *ARROWS, *BRANCHES[2:], *STATEMENTS)
