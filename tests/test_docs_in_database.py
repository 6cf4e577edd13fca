"""What stands behind `///` becomes comments of the database, and changed ones migrate."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
from checking import program

from jetpackc.migrate import lock as locks
from jetpackc.migrate.build import Build, build

TEXT = """\
/// All that we sell.
module shop

/// How much a customer pays for.
enum tier { free, pro }

/// Money has arrived.
event PAID(
  /// In euros, with taxes.
  amount: numeric,
  method: text = "card",
)

/// An order.
///
/// Of one customer; 100% theirs, "quoted" and 'quoted'.
machine order(
  /// As printed on the bill.
  number: bigint,
  tier: tier = free,
) {
  /// The sum so far.
  var paid: numeric = 0

  /// Nothing is paid for.
  initial state cart { on PAID -> packing { set paid = amount } }
  state packing { on SENT(
    /// By whom.
    carrier: text,
  ) -> done }
  /// On its way.
  final state done
}
"""

QUERY = """
select 'schema', obj_description('shop'::regnamespace)
union all select 'domain', obj_description('shop.tier'::regtype)
union all select 'table', obj_description('shop.order'::regclass)
union all select a.attname, col_description('shop.order'::regclass, a.attnum) from pg_attribute a
  where a.attrelid = 'shop.order'::regclass and col_description('shop.order'::regclass, a.attnum) is not null
union all select p.proname, obj_description(p.oid) from pg_proc p
  where p.pronamespace = 'shop'::regnamespace and obj_description(p.oid) is not null
"""


def comments(dsn: str) -> dict[str, str]:
    with psycopg.connect(dsn) as connection:
        return {name: text for name, text in connection.execute(QUERY.encode()) if text is not None}


def built(text: str, old: str | None = None) -> Build:
    before = locks.loads(built(old).lock) if old is not None else None
    return build(program(text), before, first_number=1, version="1.2.3", sources=["workflows.jet"])


def migrated(dsn: str, *texts: str) -> dict[str, str]:
    """The comments of a database that went through these versions of a program."""
    for old, new in zip((None, *texts), texts, strict=False):
        with psycopg.connect(dsn) as connection:
            for script in built(new, old).migrations.values():
                connection.execute(script.encode())
    return comments(dsn)


EXPECTED = {
    "schema": "All that we sell.",
    "domain": "How much a customer pays for.",
    "table": "An order.\n\nOf one customer; 100% theirs, \"quoted\" and 'quoted'.",
    "number": "As printed on the bill.",
    "paid": "The sum so far.",
    "state": "cart: Nothing is paid for.\ndone: On its way.",
    "order_send_paid": "Money has arrived.\n\namount: In euros, with taxes.",
    "order_send_sent": "carrier: By whom.",
}


def test_docs_are_comments_of_what_they_stand_above(fresh: Callable[[str], str]) -> None:
    assert comments(fresh(TEXT)) == EXPECTED


def test_changed_docs_migrate_and_nothing_else_does(fresh: Callable[[str], str]) -> None:
    changed = TEXT.replace("All that", "Everything that").replace("An order.", "One order.").replace("In euros", "In $")
    (migration,) = built(changed, TEXT).migrations.values()
    kept = ("create schema", "create table", "alter table", "create index", "_step")
    assert not any(word in migration for word in kept)
    found = migrated(fresh(), TEXT, changed)
    assert found == {
        **EXPECTED,
        "schema": "Everything that we sell.",
        "table": EXPECTED["table"].replace("An", "One"),
        "order_send_paid": EXPECTED["order_send_paid"].replace("euros", "$"),
    }


def test_docs_that_are_gone_leave_no_comment(fresh: Callable[[str], str]) -> None:
    without = "\n".join(line for line in TEXT.splitlines() if "///" not in line)
    assert migrated(fresh(), TEXT, without) == {}
    assert migrated(fresh(), without, TEXT) == EXPECTED


def test_a_function_that_is_made_anew_keeps_its_comment(fresh: Callable[[str], str]) -> None:
    changed = TEXT.replace('method: text = "card",', "")
    assert migrated(fresh(), TEXT, changed) == EXPECTED
