"""Habits in declarations: machines, states, vars and types as other languages write them."""

from __future__ import annotations

from jetpackc.diagnostics.suggest import CONFUSED
from jetpackc.syntax.habits.model import (
    ANYWHERE,
    LITERAL,
    MACHINE,
    QUOTED,
    TOP,
    TYPE,
    Groups,
    Habit,
    habit,
    quoted,
    snake,
    type_of,
)

_UNION = r"(?:type|union)\s+(?P<name>[a-z]\w*)\s*=\s*(?P<values>['\"\w]+(?:\s*\|\s*['\"\w]+)*);?"
_TYPES = (
    r"(?P<type>bool|int|bigint|float|numeric|text|uuid|timestamptz|date|interval|json|bytes|string|integer|boolean)"
)
_DECLARES = r"\b(?:machine|state|step|var|enum|template|operator|module)\s+"
_COLON = frozenset(("COLON",))
_STATES = frozenset(("_STATE",))
_TYPE_HELP = "the types are in docs/types.md; all of them are one word"
_LENGTH_HELP = "a type has no length; a guard can ask for one"


def _var(groups: Groups) -> str:
    return f"var {snake(groups['name'])}: {type_of(groups['literal'])} = {groups['literal']}"


def _enum(groups: Groups) -> str:
    values = (snake(value.strip(" '\"\n")) for value in groups["values"].split("|"))
    return f"enum {groups['name']} {{ {', '.join(values)} }}"


BLOCKS: tuple[Habit, ...] = (
    habit(TOP, r"(?:function|def|fn|func|fun|macro|proc)\b", "operator", "a block with a name is an `operator`"),
    habit(
        TOP,
        r"(?:workflow|state_machine|statemachine|stateMachine|fsm|class|statechart|process)\b(?=\s+\w)",
        "machine",
        "a `machine` holds states",
    ),
    habit(TOP, r"export\s+(?:default\s+)?", "", "all that is declared can be used", title="take `export` away"),
    habit(TOP, r"(?:package|namespace|schema)\b", "module", "a file begins with `module`"),
    habit(TOP, _UNION, _enum, "an `enum` lists its values"),
    habit(TOP, r"(?:signal|message|Event)\b(?=\s+[A-Z])", "event", "an `event` is declared once for its module"),
    habit(
        TOP,
        r"(?:extends|inherits|implements|:)\s*(?=[a-z])",
        " is ",
        "a machine `is` a template",
        before=r"(?<=[\w)])\s*",
        title="write `is`",
    ),
    habit(TOP, r"-(?P<rest>\w+)", "{head}_{rest}", "a name has `_` for `-`", before=rf"(?P<head>{_DECLARES}[a-z]\w*)"),
    habit(
        ANYWHERE,
        r"-(?P<rest>[a-z]\w*)",
        "{head}_{rest}",
        "a name has `_` for `-`",
        before=r"(?P<head>\bstate\s+[a-z]\w*)",
    ),
    habit(
        frozenset(("LPAR",)),
        r"\{(?P<fields>[^{}]*)\}",
        "({fields})",
        "an event's fields stand in parentheses",
        before=r"(?<=\w)(?<!\breturn)\s*",
    ),
    habit(frozenset(("_PER",)), r"(?:by|for|each)\b", "per", "`limit 5 per tenant`: so many of each value"),
    habit(frozenset(("_BY",)), r"(?:per|for|over|across|among)\b", "by", "`fair by tenant`: the values take turns"),
    habit(
        MACHINE,
        r"while\s+in\s*(?P<states>\([^()\n]*\))",
        "while in {states} or {verdict}",
        "`while in` stands before what happens to a second one",
        before=r"\bor\s+(?P<verdict>return|error)\s+",
    ),
    habit(
        frozenset(("_SPAWN",)),
        r'in\s*(?P<zone>"[^"\n]*")',
        "in {zone} missed {way}",
        "the zone belongs to `cron`, and stands before `missed`",
        before=r"\bmissed\s+(?P<way>\w+)\s+",
    ),
    habit(
        frozenset(("COMMA",)), r"[;|](?!\s*(?:->|\n|\{|when\b))", ",", "commas part what a list holds", before=r"\s*"
    ),
    habit(
        frozenset(("COMMA",)),
        r"(?=[a-z])",
        ", ",
        "commas part what a list holds",
        before=r"(?<=\w)\s+",
        title="put a comma between",
    ),
)

STATES: tuple[Habit, ...] = (
    habit(_STATES, r"states\s*(?=[a-z])", "state ", "each `state` says so, or several in one: `state a, b`"),
    habit(
        _STATES,
        rf"(?:{QUOTED}|(?P<name>[A-Za-z]\w*))\s*:\s*\{{\s*type:\s*['\"]final['\"],?\s*\}},?",
        lambda g: f"final state {quoted(g) or snake(g['name'])}",
        "what kind a state is stands before it",
    ),
    habit(
        _STATES,
        rf"(?:{QUOTED}|(?P<name>[A-Za-z]\w*))\s*:\s*\{{\s*\}},?",
        lambda g: f"final state {quoted(g) or snake(g['name'])}",
        "a state that nothing leaves is final, and says so",
        before=r"(?<!initial )",
    ),
    habit(
        _STATES,
        rf"(?:{QUOTED}|(?P<name>[A-Za-z]\w*))\s*:\s*\{{\s*\}},?",
        lambda g: f"state {quoted(g) or snake(g['name'])}",
        "`state` begins a state",
    ),
    habit(
        _STATES,
        rf"(?:{QUOTED}|(?P<name>[a-z]\w*))\s*:?\s*\{{",
        lambda g: f"state {quoted(g) or snake(g['name'])} {{",
        "`state` begins a state",
        title="write `state`",
    ),
    habit(
        _STATES,
        r"(?P<name>[a-z]\w*)",
        " state {name}",
        "`state` begins a state",
        before=r"(?<=initial|failure)\s+|(?<=final)\s+",
    ),
    habit(_STATES, r":\s*(?=[a-z])", " state ", "`state` begins a state", before=r"(?<=initial|failure)|(?<=final)"),
    habit(TYPE, r":\s*(?=[a-z])", "state ", "`state` begins a state", before=r"\bstate\s*"),
    habit(
        frozenset(("LBRACE",)),
        r"[:=]\s*(?=\{)",
        "{head}",
        "nothing stands between a head and its block",
        before=r"(?P<head>\bstate\s+\w+\s*)",
        title="take it away",
    ),
    habit(
        _STATES,
        r"type\s*:\s*['\"]final['\"],?",
        "final {head}",
        "what kind a state is stands before it",
        before=r"(?P<head>\bstate\s+\w+\s*\{\s*)",
        title="write `final` before it",
    ),
    habit(
        MACHINE | frozenset(("_ENTER",)),
        r"(?P<key>id|name|description|version)\s*:\s*(?:\"(?P<d>[^\"\n]*)\"|'(?P<s>[^'\n]*)'),?",
        lambda g: f"// {g['key']}: {g.get('d') or g.get('s') or ''}\n",
        "a machine's name stands in its head; the rest is for comments",
        title="make it a comment",
    ),
)

VARS: tuple[Habit, ...] = (
    habit(MACHINE, rf"(?:let|const|val|mut|dim)\s+(?P<name>\w+)\s*=\s*{LITERAL}", _var, "a var has a type"),
    habit(MACHINE, r"(?:let|const|val|mut|dim)\b", "var", "`var` declares what a task remembers"),
    habit(MACHINE, rf"{_TYPES}\s+(?P<name>[a-z]\w*)", "var {name}: {type}", "the name comes first: `var name: type`"),
    habit(
        MACHINE, rf"(?P<name>[a-z]\w*)\s*:\s*{_TYPES}\b", "var {name}: {type}", "`var` declares what a task remembers"
    ),
    habit(
        _COLON,
        rf"=\s*{LITERAL}",
        lambda g: f"{g['head']}: {type_of(g['literal'])} = {g['literal']}",
        "a var has a type",
        before=r"(?<=\bvar )(?P<head>\w+)\s*",
    ),
    habit(_COLON, r"\?\s*:\s*(?P<type>[a-z]\w*)", ": {type}?", "`?` stands behind the type"),
    habit(
        _COLON, r"(?=[a-z])", ": ", "a `:` stands between name and type", before=r"(?<=\w)\s+", title="put `:` between"
    ),
    habit(
        _COLON, r"(?=\s*[,)])", ": text", "a field has a type", before=r"(?<=\w)", title="give it a type", safe=False
    ),
)

TYPES: tuple[Habit, ...] = (
    habit(ANYWHERE, r"precision\b", "float", _TYPE_HELP, before=r"\bdouble\s+"),
    habit(ANYWHERE, r"with\s+time\s+zone\b", "timestamptz", _TYPE_HELP, before=r"\btimestamp\s+"),
    habit(
        ANYWHERE,
        r"without\s+time\s+zone\b",
        "timestamptz",
        "a moment has its time zone",
        before=r"\btimestamp\s+",
        safe=False,
    ),
    habit(ANYWHERE, r"varying\b(?:\s*\(\s*\d+\s*\))?", "text", _LENGTH_HELP, before=r"\bcharacter\s+", safe=False),
    habit(
        ANYWHERE,
        r"\(\s*\d+\s*\)",
        "text",
        _LENGTH_HELP,
        before=r"\b(?:varchar|nvarchar|char|character|bpchar|string|text)\s*",
        safe=False,
    ),
    habit(
        ANYWHERE,
        r"\(\s*\d+\s*(?:,\s*\d+\s*)?\)",
        "numeric",
        "a numeric has no precision; `round` gives one",
        before=r"\b(?:numeric|decimal|number)\s*",
        safe=False,
    ),
    habit(TYPE, r"(?:VARCHAR|CHAR)\s*\(\s*\d+\s*\)", "text", _LENGTH_HELP, safe=False),
    habit(
        TYPE,
        r"(?P<type>(?=\w*[A-Z])(?i:varchar|string|str|char|integer|int\d?|smallint|bigint|number|numeric|decimal|boolean|bool"
        r"|float\d?|double|real|timestamptz|timestamp|datetime|date|time|interval|jsonb?|uuid|bytea|bytes|text|serial))\b",
        lambda g: CONFUSED.get(g["type"].lower(), g["type"].lower()),
        "types are lower case, one word each",
    ),
    habit(
        frozenset(("OPTIONAL",)),
        r"(?:not\s+null|NOT\s+NULL)\b",
        "",
        "a type without `?` has a value always",
        before=r"\s*",
        title="take `not null` away",
    ),
    habit(
        frozenset(("OPTIONAL",)),
        r"(?:\|\s*)?(?:null|NULL|None|undefined)\b",
        "?",
        "`?` says that there may be no value",
        before=r"(?<=\w)\s*",
    ),
    habit(frozenset(("EQUAL",)), r"(?:default|DEFAULT)\b|:=", "=", "a default stands behind `=`"),
    habit(TYPE, r"\?\s*(?P<type>[a-z]\w*)", "{type}?", "`?` stands behind the type"),
    habit(TYPE, r"\[\s*\]\s*(?P<type>[a-z]\w*)", "{type}[]", "`[]` stands behind the type"),
    habit(
        TYPE,
        r"(?:Option|Optional|Maybe)\s*[<\[]\s*(?P<type>[a-z]\w*)\s*[>\]]",
        "{type}?",
        "`?` says that there may be no value",
    ),
    habit(TYPE, r"(?:Array|List|Vec|Sequence)\s*[<\[]\s*(?P<type>[a-z]\w*)\s*[>\]]", "{type}[]", "`[]` makes an array"),
    habit(ANYWHERE, r"\[\s*(?P<type>[a-z]\w*)\s*\]", "{type}[]", "`[]` makes an array", before=r"\b(?:list|array)\s*"),
)

DECLARATIONS = (*TYPES, *STATES, *VARS, *BLOCKS)
