# Every field of a pglast node may be None.
# mypy: disable-error-code="union-attr, index, arg-type, misc, operator"
"""The text of everything emitted: Postgres's own parser reads it, it keeps the house rules, and any runner takes it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pglast
import psycopg
import pytest
from corpus import program, texts
from pglast import ast, enums
from pglast.visitors import Ancestor, Visitor
from queue_client import Db
from test_db_hostile import MACHINES as HOSTILE

from jetpackc.emit import emit
from jetpackc.emit.sql import qualified
from jetpackc.migrate.build import build
from jetpackc.migrate.lock import loads

TEXTS = {name: text for name, text in texts().items() if name != "hygiene"}


@pytest.fixture(params=TEXTS)
def text(request: pytest.FixtureRequest) -> str:
    return TEXTS[request.param]


@cache
def script(text: str) -> str:
    """All of a program's SQL."""
    return "\n\n".join(one.create for one in emit(program(text)) if not one.within)


@cache
def tops(sql: str) -> tuple[str, ...]:
    """Its statements, each by itself: what programs have in common is then looked at once, and the parser takes a time
    that grows with the square of a text that is not ASCII."""
    return tuple(pglast.split(sql))


@cache
def parsed(statement: str) -> ast.Node:
    (found,) = pglast.parse_sql(statement)
    return found.stmt


# ---------------------------------------------------------------- what is inside of functions


@cache
def functions(sql: str) -> tuple[tuple[ast.CreateFunctionStmt, str], ...]:
    """Every function with its text, those that a `do` block creates too."""
    found = []
    for text in tops(sql):
        statement = parsed(text)
        if isinstance(statement, ast.CreateFunctionStmt):
            found.append((statement, text))
        elif isinstance(statement, ast.DoStmt):
            inner = "\n".join(query for query, mode in expressions(text) if mode == 0)
            found += functions(";\n".join(re.findall(r"(?ms)^create (?:or replace )?function .*?^ *\$body\$", inner)))
    return tuple(found)


@cache
def expressions(text: str) -> tuple[tuple[str, int], ...]:
    """The SQL inside of a PL/pgSQL function or block, with how it is to be parsed."""
    parts = [part["PLpgSQL_expr"] for part in walk(plpgsql(text)) if "PLpgSQL_expr" in part]
    return tuple((part["query"], part.get("parseMode", 0)) for part in parts)


@cache
def plpgsql(text: str) -> Any:
    """The tree of a PL/pgSQL function. The parser knows Postgres's own types only: ours become text."""
    return pglast.parse_plpgsql(ENUM.sub("text", ROW.sub("record", text)))


ROW = re.compile(r"\bjet\.sent\b|(?<= v_message )jet\.inbox\b")


ENUM = re.compile(
    "|".join(
        rf"(?<=[ :]){re.escape(qualified(module.name, enum.name))}(?![\w(])"
        for text in TEXTS.values()
        for module in program(text).modules
        for enum in module.enums
    )
)


def walk(tree: Any) -> Iterator[dict[str, Any]]:
    if isinstance(tree, dict):
        yield tree
        for value in tree.values():
            yield from walk(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from walk(value)


def option(function: ast.CreateFunctionStmt, name: str) -> Any:
    return next((one.arg for one in function.options if one.defname == name), None)


def statements(sql: str) -> Iterator[str]:
    """Every SQL statement: the script's own, and those inside of functions, an expression as a `select`."""
    yield from tops(sql)
    for function, text in functions(sql):
        if option(function, "language").sval == "plpgsql":
            for query, mode in expressions(text):
                yield query if mode == 0 else f"select {query.partition(':=')[2] if mode >= 3 else query}"
        else:
            yield from tops(option(function, "as")[0].sval)


# ---------------------------------------------------------------- the rules


class Unqualified(Visitor):
    """Names of tables, functions and types that have no schema: the search path would have to find them."""

    def __init__(self, sql: str) -> None:
        super().__init__()
        self.found = set[str]()
        self.local = {"n", "o"} | set(_ctes(parsed(sql)))
        self(parsed(sql))

    def visit_RangeVar(self, ancestors: Ancestor, node: ast.RangeVar) -> None:
        target = ancestors.node
        is_index_of_its_own = isinstance(target, ast.IndexStmt) and node is not target.relation
        if node.schemaname is None and node.relname not in self.local and not is_index_of_its_own:
            self.found.add(f"table {node.relname}")

    def visit_FuncCall(self, ancestors: Ancestor, node: ast.FuncCall) -> None:
        if len(node.funcname) == 1:
            self.found.add(f"function {node.funcname[-1].sval}")

    def visit_CreateFunctionStmt(self, ancestors: Ancestor, node: ast.CreateFunctionStmt) -> None:
        if len(node.funcname) == 1:
            self.found.add(f"new function {node.funcname[0].sval}")

    def visit_TypeName(self, ancestors: Ancestor, node: ast.TypeName) -> None:
        if node.names and len(node.names) == 1:
            self.found.add(f"type {node.names[0].sval}")


@cache
def unqualified(statement: str) -> frozenset[str]:
    return frozenset(Unqualified(statement).found)


def _ctes(tree: Any) -> Iterator[str]:
    found: list[str] = []

    class Names(Visitor):
        def visit_CommonTableExpr(self, ancestors: Ancestor, node: ast.CommonTableExpr) -> None:
            found.append(node.ctename)

    Names()(tree)
    return iter(found)


@pytest.fixture
def builtin(db: Db) -> frozenset[str]:
    """What `pg_catalog`, which is in every search path, has of functions and types."""
    query = "select '{2} ' || {0}name from pg_{1} where {0}namespace = 'pg_catalog'::regnamespace"
    parts = (("pro", "proc", "function"), ("typ", "type", "type"))
    return frozenset(row[0] for part in parts for row in db.rows(query.format(*part)))


MACHINES = "module m\nmachine w { initial state a { on GO -> b } final state b }\n"


def test_every_statement_parses_and_names_everything_with_its_schema(text: str, builtin: frozenset[str]) -> None:
    allowed = builtin | {"type record", "type trigger"}
    assert {(name, one) for one in statements(script(text)) for name in unqualified(one) - allowed} == set()


def test_the_visitor_sees_what_has_no_schema(builtin: frozenset[str]) -> None:
    query = "with c as (select 1) select f(x::t), now() from b, s.b, c where exists (select s.f())"
    assert unqualified(query) - builtin == {"function f", "type t", "table b"}
    assert unqualified("create function f() returns s.t language sql as 'select 1'") == {"new function f"}
    assert unnamed("create table s.t (a int check (a > 0), b int primary key)") == 2
    assert unnamed("create index on s.t (a)") == 1


class Unnamed(Visitor):
    """Constraints and indexes without a name of their own."""

    KINDS = (
        enums.ConstrType.CONSTR_PRIMARY,
        enums.ConstrType.CONSTR_UNIQUE,
        enums.ConstrType.CONSTR_CHECK,
        enums.ConstrType.CONSTR_FOREIGN,
        enums.ConstrType.CONSTR_EXCLUSION,
    )

    def __init__(self, sql: str) -> None:
        super().__init__()
        self.found: list[Any] = []
        self(parsed(sql))

    def visit_Constraint(self, ancestors: Ancestor, node: ast.Constraint) -> None:
        if node.contype in self.KINDS and not node.conname:
            self.found.append(node)

    def visit_IndexStmt(self, ancestors: Ancestor, node: ast.IndexStmt) -> None:
        if not node.idxname:
            self.found.append(node)


@cache
def unnamed(statement: str) -> int:
    return len(Unnamed(statement).found)


def test_constraints_and_indexes_have_names(text: str) -> None:
    assert [one for one in statements(script(text)) if unnamed(one)] == []


def test_nothing_is_executed_that_was_put_together_at_run_time(text: str) -> None:
    for function, body in functions(script(text)):
        if option(function, "language").sval == "plpgsql":
            kinds = {key for part in walk(plpgsql(body)) for key in part}
            assert not {"PLpgSQL_stmt_dynexecute", "PLpgSQL_stmt_dynfors"} & kinds
            assert "query_dynamic" not in json.dumps(plpgsql(body)).lower()


def test_definer_functions_pin_their_search_path_and_row_triggers_set_nothing(text: str) -> None:
    seen = 0
    for function, body in functions(script(text)):
        settings = [one.arg for one in function.options if one.defname == "set"]
        paths = [[part.val.sval for part in one.args] for one in settings if one.name == "search_path"]
        if option(function, "security"):
            seen += 1
            assert paths == [["pg_catalog", "pg_temp"]], body[:200]
        if ".".join(part.sval for part in function.funcname).endswith("_step"):
            assert settings == []
    assert seen > 5


RUNNERS = {
    "a percent sign (psycopg, Django)": re.compile("%"),
    "a bound name (SQLAlchemy, Alembic)": re.compile(r"(?<![:\w]):[A-Za-z_]"),
    "a substitution (Flyway)": re.compile(r"\$\{"),
    "a placeholder (JDBC, Django)": re.compile(r"\?"),
    "a backslash": re.compile(r"\\"),
    "a dollar tag of another name": re.compile(r"\$\$|\$(?!jet\$|body\$)\w+\$"),
    "a tab or a carriage return": re.compile(r"[\t\r]"),
    "white space at the end of a line": re.compile(r"[ ]+$", re.MULTILINE),
}


@pytest.mark.parametrize("trap", RUNNERS)
def test_any_migration_runner_takes_the_text_as_it_is(text: str, trap: str) -> None:
    sql = script(text)
    assert [sql[max(0, hit.start() - 40) : hit.end() + 40] for hit in RUNNERS[trap].finditer(sql)] == []


def test_keywords_are_lower_case(text: str) -> None:
    code = re.sub(r"'[^']*'|\"[^\"]*\"|--[^\n]*|\$\w+\$", " ", script(text))
    shouting = set(
        re.findall(r"\b(?:SELECT|FROM|WHERE|INSERT|UPDATE|DELETE|CREATE|TABLE|BEGIN|END|IF|NULL|AND)\b", code)
    )
    assert shouting == set()


def test_the_same_program_gives_the_same_bytes_whatever_the_hash_seed(tmp_path: Path) -> None:
    for name, text in TEXTS.items():
        (tmp_path / f"{name.replace('/', '_')}.jet").write_text(text, encoding="utf-8")
    code = (
        "import sys, hashlib, pathlib\n"
        "from jetpackc.check import compile_sources\n"
        "from jetpackc.emit import emit\n"
        "from jetpackc.source import Source\n"
        "for path in sorted(pathlib.Path(sys.argv[1]).glob('*.jet')):\n"
        "    program = compile_sources([Source('workflows.jet', path.read_text(encoding='utf-8'))]).program\n"
        "    print(path.name, hashlib.sha256('\\n'.join(one.create for one in emit(program)).encode()).hexdigest())\n"
    )
    runs = [
        subprocess.Popen(
            [sys.executable, "-P", "-c", code, str(tmp_path)],
            env={"PYTHONHASHSEED": seed, "PYTHONUTF8": "1"},
            stdout=subprocess.PIPE,
            text=True,
        )
        for seed in ("0", "1", "4242")
    ]
    told = {run.communicate()[0] for run in runs}
    assert [run.returncode for run in runs] == [0, 0, 0]
    (one,) = told
    assert len(one.splitlines()) == len(TEXTS)


def test_a_source_comment_leads_back_to_its_line(text: str) -> None:
    lines = [int(line) for line in re.findall(r"-- workflows\.jet line (\d+)", script(text))]
    assert lines
    assert max(lines) <= len(text.splitlines())


# ---------------------------------------------------------------- squawk, on migrations

SQUAWK_EXCLUDES = {
    "ban-create-domain-with-constraint": "an enum is a domain over text: its check can change in one transaction",
    "prefer-bigint-over-int": "counters of one task's attempts and hops; a param's type is the author's choice",
    "prefer-robust-stmts": "a migration is applied once, in one transaction, and recorded with its checksum",
    "require-concurrent-index-creation": "the table was made in the same file and is empty",
    "require-lock-timeout": "the runner's to set, for all its migrations",
    "require-statement-timeout": "the runner's to set, for all its migrations",
}


CHANGE_EXCLUDES = {
    "ban-drop-constraint": "a state more is another check of the states",
    "ban-drop-default": "it only filled the rows that were there",
    "ban-drop-function": "one with another signature takes its place in the same file",
}


def squawk(files: dict[str, str], folder: Path, *excludes: str) -> str:
    for name, sql in files.items():
        (folder / name).write_text(sql, encoding="utf-8")
    command = Path(sys.executable).with_name("squawk")
    run = subprocess.run(
        [command, f"--exclude={','.join((*SQUAWK_EXCLUDES, *excludes))}", "--pg-version=15", "--reporter=gcc", *files],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    return run.stdout + run.stderr if run.returncode else ""


def test_squawk_finds_nothing_in_a_first_migration(text: str, tmp_path: Path) -> None:
    made = build(program(text), None, first_number=1, version="1", sources=["workflows.jet"])
    assert squawk(made.migrations, tmp_path) == ""


def test_squawk_finds_nothing_in_a_migration_that_adds_things(tmp_path: Path) -> None:
    first = "module m\nmachine w(n: int) { initial state a { on GO -> b } final state b }\n"
    then = (
        "module m\nmachine w(n: int) { var x: int = 5"
        "  initial state a { on GO -> c { set x = n } } state c { on BACK -> b }"
        ' final state b }\nmachine job is task { state running { run "x:y" } }\n'
    )
    before = build(program(first), None, first_number=1, version="1", sources=["workflows.jet"])
    made = build(program(then), loads(before.lock), first_number=3, version="1", sources=["workflows.jet"])
    assert made.diagnostics == ()
    assert made.migrations
    assert squawk(made.migrations, tmp_path, *CHANGE_EXCLUDES) == ""


# ---------------------------------------------------------------- what Postgres itself says of the functions

FOUND = """
select p.oid::regprocedure::text as function, f.found from pg_proc p, lateral plpgsql_check_function(
  p.oid, coalesce((select min(tgrelid::oid) from pg_trigger where tgfoid = p.oid), 0),
  oldtable => case when p.proname like '%%\\_log' then 'o' end,
  newtable => case when p.proname like '%%\\_log' or p.proname like '%%\\_born' then 'n' end) f (found)
where p.pronamespace = any(%s::regnamespace[]) and p.prolang = (select oid from pg_language where lanname = 'plpgsql')
"""


def test_plpgsql_finds_nothing_in_any_function(fresh: Any, text: str) -> None:
    """Extra checks of every version, and plpgsql_check where the server has it."""
    with Db(fresh()) as db:
        # In the hostile program params are named like variables, which shadow them; that is its point.
        db.run(f"set plpgsql.extra_errors = '{'none' if text == HOSTILE else 'all'}'")
        db.connection.execute(script(text).encode())
        if db.value("select exists (select from pg_available_extensions where name = 'plpgsql_check')"):
            db.run("create extension plpgsql_check")
            schemas = ["jet", *(psycopg.sql.Identifier(one.name).as_string() for one in program(text).modules)]
            # A param may be called `into`; the functions name it in full.
            found = [row for row in db.rows(FOUND, schemas) if "reserved keyword" not in row.found]
            assert [row for row in found if text != HOSTILE or row.found.startswith("error")] == []
