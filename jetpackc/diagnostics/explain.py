"""The page of a code, for `jetpackc explain`. The pages are those of docs/errors, shipped as `jetpackc.errors`."""

from __future__ import annotations

from importlib import resources

from jetpackc.diagnostics.registry import RULES
from jetpackc.diagnostics.suggest import did_you_mean


class UnknownCodeError(LookupError):
    """No rule has this code or name; the text says which one may have been meant."""


def page(code: str) -> str:
    """The Markdown text on a code (`J101`) or a rule's name (`unknown-state`), in any case.

    Raises UnknownCodeError where there is none.
    """
    by_name = {rule.name: rule.code for rule in RULES.values()}
    wanted = by_name.get(code.lower(), code.upper())
    if wanted not in RULES:
        near = did_you_mean(code.lower(), by_name.keys()) or did_you_mean(wanted, RULES.keys())
        raise UnknownCodeError(f"no diagnostic has the code `{code}`" + (f", did you mean `{near}`?" if near else ""))
    return resources.files("jetpackc.errors").joinpath(f"{wanted}.md").read_text(encoding="utf-8")
