"""The TextMate grammar, which VS Code, GitHub, Sublime Text and the JetBrains editors read."""

from __future__ import annotations

from typing import Any

from jetpackc.highlight.classes import classes
from jetpackc.highlight.rules import CONTEXTS, LISTS, Rule

Json = dict[str, Any]


def grammar() -> Json:
    """The grammar as plain data. Each context and each list of rules is an entry of its repository."""
    lists = {name: {"patterns": _patterns(rules)} for name, rules in LISTS.items()}
    contexts = {name: {"patterns": _patterns(context.rules)} for name, context in CONTEXTS.items() if context.rules}
    return {
        "$comment": "generated from grammar/tokens.toml and jetpackc/highlight/rules.py by editors/generate.py",
        "name": "jet",
        "scopeName": "source.jet",
        "fileTypes": ["jet"],
        "patterns": [{"include": "#top"}],
        "repository": lists | contexts,
    }


def scope(name: str) -> str:
    """The scope of a class."""
    return f"{classes()[name].textmate}.jet"


def _patterns(rules: tuple[Rule | str, ...]) -> list[Json]:
    return [{"include": f"#{rule}"} if isinstance(rule, str) else _pattern(rule) for rule in rules]


def _pattern(rule: Rule) -> Json:
    if rule.into is None:
        return {"match": rule.pattern} | _captures("captures", rule)
    context = CONTEXTS[rule.into]
    return (
        ({"name": scope(context.inside)} if context.inside else {})
        | {"begin": rule.pattern}
        | _captures("beginCaptures", rule)
        | {"end": context.end.pattern}
        | _captures("endCaptures", context.end)
        | {"patterns": [{"include": f"#{rule.into}"}]}
    )


def _captures(key: str, rule: Rule) -> Json:
    found = {str(number): {"name": scope(name)} for number, name in enumerate(rule.classes, start=1)}
    return {key: found} if found else {}
