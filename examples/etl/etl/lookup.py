"""Customers and products. A plain function: it runs in a thread, where reading a file holds up nobody."""

from __future__ import annotations

from jetpack_runtime import PlainTask

from .files import rows

UPSERT = {
    "customers": """
        insert into customer (number, name, city) values (%(number)s, %(name)s, %(city)s)
        on conflict (number) do update set name = excluded.name, city = excluded.city
    """,
    "products": """
        insert into product (code, name, price) values (%(code)s, %(name)s, %(price)s)
        on conflict (code) do update set name = excluded.name, price = excluded.price
    """,
}


def load(task: PlainTask) -> int:
    """Load the file in the transaction that finishes the task; the number of its rows."""
    found = [row for _, row in rows(task.params["file"])]
    with task.connection().cursor() as cursor:
        cursor.executemany(UPSERT[task.params["into"]], found)
    return len(found)
