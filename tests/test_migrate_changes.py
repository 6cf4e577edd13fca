# ruff: noqa: E501 - tables of programs and of queries
"""Builds one after the other: what adds to a program reaches a database with live tasks, what does not is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import psycopg
import pytest
from checking import program

from jetpackc.diagnostics.model import Diagnostic
from jetpackc.migrate import lock as locks
from jetpackc.migrate.build import Build, build

BASE = """
module shop
enum tier { free, pro }
event PAID(amount: numeric)

machine order(number: bigint, tier: tier = free) {
  var paid: numeric = 0
  initial state cart { on PAID when amount > 0 -> sent { set paid = amount } }
  state sent { on LOCKED_BY_WORKER -> sending }
  state sending { run "shop.mail:send"  on SUCCESS -> done  on ERROR -> refused }
  final state done
  failure state refused
}
"""


def built(text: str, old: str | None = None, **options: str) -> Build:
    """A build of `text` on top of one of `old`, which went through its file's text."""
    before = locks.loads(built(old).lock) if old is not None else None
    return build(program(text), before, first_number=1, version="1.2.3", sources=["workflows.jet"], **options)


def changed(old: str, new: str) -> str:
    """BASE with a piece replaced; fails if it is not there."""
    assert old in BASE
    return BASE.replace(old, new)


def messages(diagnostics: tuple[Diagnostic, ...]) -> list[str]:
    return [diagnostic.message for diagnostic in diagnostics]


# ---------------------------------------------------------------- what comes out


def test_the_first_build_gives_the_support_schema_and_the_module() -> None:
    first = built(BASE)
    assert list(first.migrations) == ["0001_jet.sql", "0002_shop.sql"]
    assert first.migrations["0002_shop.sql"].startswith(
        "-- 0002_shop.sql, made by jetpackc 1.2.3 from workflows.jet.\n--   adds machine shop.order\n"
    )


def test_nothing_changed_gives_no_migration_and_the_same_lock() -> None:
    again = built(BASE, BASE)
    assert again.migrations == {}
    assert again.lock == built(BASE).lock


def test_moved_lines_and_comments_are_no_change() -> None:
    assert built(BASE.replace("machine order", "\n\n// moved\nmachine order"), BASE).migrations == {}
    entered = changed("state sent {", "state sent { enter { set paid = 0 }")
    assert built(entered.replace("machine order", "\n\n// moved\nmachine order"), entered).migrations == {}


def test_what_looks_like_a_comment_or_space_in_a_string_is_neither() -> None:
    def failing(text: str) -> str:
        return BASE.replace("final state done", f'final state done {{ enter {{ fail "{text}" }} }}')

    for before, after in (("a -- b", "a -- c"), ("a  b", "a b")):
        (name,) = built(failing(after), failing(before)).migrations.values()
        assert f"'{after}'" in name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (BASE + "machine mail(to: text) is task { state running { run \"m:s\" } }", "add_mail"),
        (changed("final state done", "final state done, lost").replace("-> done", "-> done on PAID -> lost"), "change_order"),
        ("module shop", "shop"),
    ],
)  # fmt: skip
def test_a_migration_is_named_after_what_it_does(text: str, name: str) -> None:
    old = BASE if name != "shop" else None
    assert list(built(text, old).migrations)[-1].partition("_")[2] == f"{name}.sql"


def test_a_name_that_is_given_replaces_the_derived_one() -> None:
    text = BASE + 'machine mail(to: text) is task { state running { run "m:s" } }'
    assert list(built(text, BASE, name="receipts").migrations) == ["0001_receipts.sql"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        '{"lock": 2}',
        '{"lock": 1}',
        "[]",
        '{"lock": 1, "objects": {"a": 1}}',
        '{"lock": 1, "objects": {}, "ir": 99}',
        "<<<<<<< HEAD",
    ],
)
def test_a_damaged_lock_is_an_error_of_its_own(text: str) -> None:
    with pytest.raises(locks.LockError):
        locks.loads(text)


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("module other", "module `shop` was removed"),
        ("module shop machine x { initial state a { on GO -> b } final state b }", "machine `order` of module `shop` was removed or renamed"),
        (changed("enum tier { free, pro }", "enum tier { free }"), "value `pro` of enum `tier` was removed"),
        (BASE.replace("done", "finished"), "state `done` of machine `order` was removed or renamed"),
        (changed("final state done", "failure state done"), None),
        (changed("number: bigint", "number: text"), "param `number` of machine `order` changed its type"),
        (BASE.replace("number", "no_"), "param `number` of machine `order` was removed or renamed"),
        (changed("tier: tier = free", "tier: tier = free, email: text"), "param `email` of machine `order` is new and has no constant for the tasks that exist"),
        (changed("var paid: numeric = 0", "var paid: numeric = 0 var x: bigint = number"), "var `x` of machine `order` is new and has no constant for the tasks that exist"),
        (changed("var paid: numeric = 0", "var paid: float = 0.0").replace("set paid = amount", "set paid = amount as float"), "var `paid` of machine `order` changed its type"),
        (changed("failure state refused", "state refused { on RETRY -> sent }"), "state `refused` of machine `order` was final, and is a state of rest now"),
        (changed("on PAID when", "after 1h -> done on PAID when"), "the timers of state `cart` of machine `order` are not those it had"),
    ],
)  # fmt: skip
def test_what_could_strand_a_task_is_refused_with_its_place_and_a_way_out(text: str, message: str | None) -> None:
    found = built(text, BASE)
    if message is None:
        assert found.diagnostics == ()
        return
    assert message in messages(found.diagnostics)
    assert (found.migrations, found.lock) == ({}, "")
    assert all(diagnostic.help and diagnostic.rule.code == "J501" for diagnostic in found.diagnostics)


FAMILY = """\
module shop
machine order { initial state cart { on GO -> sent } state sent { enter { spawn parcel() } on STOP -> done } final state done }
machine parcel { initial state packed { on GO -> left } state left { on GO -> home } final state home }
"""
COUNTING = FAMILY.replace("on STOP", "on SUBTREE_FLUSHED -> done on STOP")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (FAMILY, COUNTING, "machine `shop.order` begins to count children"),
        (COUNTING, COUNTING.replace("on STOP", "on STOP when subtree.some(left)"), "machine `shop.order` tells other states of `shop.parcel` apart"),
        (COUNTING, COUNTING.replace("on STOP", "on STOP when subtree.some(final)"), None),
        (COUNTING, FAMILY, None),
        (FAMILY.replace("enter { spawn parcel() } ", ""), COUNTING, None),
    ],
)  # fmt: skip
def test_children_that_live_and_were_not_counted_so_are_not_forgotten(old: str, new: str, message: str | None) -> None:
    found = built(new, old)
    assert [each for each in messages(found.diagnostics) if "children" in each or "apart" in each] == (
        [message] if message else []
    )


TIMED = changed("state cart {", "state cart { after 1h when paid > 5 -> refused after 2h -> done")


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (TIMED.replace("paid > 5", "paid > 0"), True),
        (TIMED.replace("after 1h", "after 90m"), True),
        (changed("state cart {", "state cart { after 2h -> done after 1h when paid > 5 -> refused"), False),
        (TIMED.replace("after 1h when paid > 5 -> refused", ""), False),
        (TIMED.replace("after 1h", "at created_at"), False),
        (TIMED.replace("state sent {", "state sent { after 1d -> refused"), False),
    ],
)
def test_a_task_that_waits_for_a_timer_waits_for_the_same_one_behind_the_change(text: str, kept: bool) -> None:
    assert (built(text, TIMED).diagnostics == ()) == kept


# ---------------------------------------------------------------- what reaches live tasks


ADDITIONS = {
    "a machine": BASE + 'machine mail(to: text) is task { state running { run "m:s" } }',
    "a state and an event": changed(
        "final state done", "state kept { on PAID -> done }\n  final state done"
    ).replace("state cart {", "state cart { on KEEP -> kept\n"),
    "a guard": changed("when amount > 0", "when amount > 1"),
    "a var with a default": changed("var paid: numeric = 0", 'var paid: numeric = 0\n  var note: text = "none"').replace(
        "{ set paid = amount }", '{ set paid = amount set note = "paid" }'
    ),
    "an optional var": changed("var paid: numeric = 0", "var paid: numeric = 0\n  var at: timestamptz?").replace(
        "{ set paid = amount }", "{ set paid = amount set at = now() }"
    ),
    "an optional param": changed("tier: tier = free)", "tier: tier = free, email: text?)"),
    "a param with a default": changed("tier: tier = free)", "tier: tier = free, copies: int = 1)"),
    "a value of an enum": changed("enum tier { free, pro }", "enum tier { free, pro, team }"),
    "a unique": changed("var paid", "unique (number) or return\n  var paid"),
    "a field of an event": changed("event PAID(amount: numeric)", "event PAID(amount: numeric, note: text?)"),
    "a default of a param": changed("tier: tier = free", "tier: tier = pro"),
    "another handler and a timeout": changed('run "shop.mail:send"', 'run "shop.post:send" timeout 5s'),
    "documentation": changed("machine order", "/// What is ordered: it's 100% safe.\nmachine order"),
    "no enum default any more": changed("tier: tier = free", "tier: tier"),
    "nothing of what was a unique": BASE,
    "a new state with timers": changed(
        "final state done", "state kept { after 1h when paid > 0 -> done at now() + 1d -> done }\n  final state done"
    ).replace("state cart {", "state cart { on KEEP -> kept\n"),
}  # fmt: skip
WITH_UNIQUE = changed("var paid", "unique (number) or return\n  var paid")


@pytest.fixture
def alive(fresh: Callable[[str], str]) -> Iterator[psycopg.Connection]:
    """A database with tasks of BASE in every state but the last."""
    with psycopg.connect(fresh(BASE), autocommit=True) as connection:
        for number in range(3):
            connection.execute("select shop.order_create(number => %s)", (number,))
        connection.execute("select shop.order_send_paid(id, amount => 2) from shop.order where number > 0")
        worker = connection.execute("select jet.worker_start('w')").fetchone()
        assert worker
        connection.execute("select shop.order_claim(%s, 1)", worker)
        yield connection


def apply(connection: psycopg.Connection, made: Build) -> None:
    assert made.diagnostics == ()
    with connection.transaction():
        for text in made.migrations.values():
            connection.execute(text.encode())


@pytest.mark.parametrize("what", ADDITIONS)
def test_a_change_reaches_a_database_with_live_tasks_and_leaves_it_as_if_new(
    what: str, alive: psycopg.Connection, fresh: Callable[[str], str]
) -> None:
    old = WITH_UNIQUE if what == "nothing of what was a unique" else BASE
    if old != BASE:
        apply(alive, built(old, BASE))
    before = alive.execute("select id, state from shop.order order by id").fetchall()
    apply(alive, built(ADDITIONS[what], old))
    assert alive.execute("select id, state from shop.order order by id").fetchall() == before
    with psycopg.connect(fresh(ADDITIONS[what])) as new:
        assert everything(alive) == everything(new)


@pytest.mark.parametrize("what", ADDITIONS)
def test_live_tasks_go_on_after_the_change(what: str, alive: psycopg.Connection) -> None:
    apply(alive, built(ADDITIONS[what], BASE))
    cart = alive.execute("select id from shop.order where state = 'cart'").fetchone()
    assert cart
    sent = alive.execute("select (shop.order_send(%s, 'PAID', '{\"amount\": 5}')).state", cart).fetchone()
    assert sent == ("sent",)
    [(worker, task, token)] = alive.execute("select _worker, id, _token from shop.order where state = 'sending'").fetchall()  # fmt: skip
    outcome = f'[{{"id": {task}, "token": {token}, "event": "SUCCESS"}}]'
    assert alive.execute("select result from shop.order_resolve(%s, %s)", (worker, outcome)).fetchall() == [
        ("applied",)
    ]
    assert alive.execute("select state from shop.order where id = %s", (task,)).fetchone() == ("done",)


def everything(connection: psycopg.Connection) -> dict[str, list[tuple[object, ...]]]:
    """The catalogue of the module, apart from the order of columns."""
    queries = {
        "functions": "select p.proname, pg_get_function_arguments(p.oid), regexp_replace(p.prosrc, '--[^\\n]*| line [0-9]+', '', 'g'), p.proacl::text,"
        " obj_description(p.oid) from pg_proc p where pronamespace = 'shop'::regnamespace",
        "columns": "select a.attrelid::regclass::text, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,"
        " col_description(a.attrelid, a.attnum) from pg_attribute a join pg_class c on c.oid = a.attrelid"
        " where c.relnamespace = 'shop'::regnamespace and a.attnum > 0 and not a.attisdropped and c.relkind in ('r', 'v')",
        "defaults": "select adrelid::regclass::text, a.attname, pg_get_expr(adbin, adrelid) from pg_attrdef d"
        " join pg_attribute a on (a.attrelid, a.attnum) = (d.adrelid, d.adnum)",
        "constraints": "select conname, pg_get_constraintdef(oid) from pg_constraint where connamespace = 'shop'::regnamespace"
        " and contype <> 'n'",
        "indexes": "select indexname, indexdef from pg_indexes where schemaname = 'shop'",
        "triggers": "select tgname, pg_get_triggerdef(oid) from pg_trigger where not tgisinternal",
        "views": "select viewname, definition from pg_views where schemaname = 'shop'",
        "tables": "select relname, reloptions::text, obj_description(oid) from pg_class where relnamespace = 'shop'::regnamespace",
        "machines": "select module, name, hash, manifest::text from jet.machine",
        "modules": "select name, hash from jet.module",
    }
    return {name: sorted(connection.execute(query).fetchall(), key=repr) for name, query in queries.items()}
