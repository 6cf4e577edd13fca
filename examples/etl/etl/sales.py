"""Sales. An async function: while Postgres takes one file's rows in, the others go on."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from jetpack_runtime import Task

from .files import price, rows

DELETE = "delete from sale where day = %(day)s and file = %(file)s"
COPY = "copy sale (day, file, line, customer, product, quantity, price) from stdin"


async def load(task: Task) -> dict[str, int]:
    """Load the file in the transaction that finishes the task; how many rows it has, and how many were repaired.

    The first attempt takes the file as agreed, and an exception undoes the rows that it has written by then. The next
    ones repair what is known to go wrong: some tills write prices with a comma.
    """
    connection = await task.connection()
    file, repair = task.params["file"], task.attempt > 1
    count = repaired = 0
    await connection.execute(DELETE, task.params)
    async with connection.cursor() as cursor, cursor.copy(COPY) as copy:
        for line, row in rows(file):
            mended = row | {"price": row["price"].replace(",", ".")} if repair else row
            await copy.write_row(_values(task, line, mended))
            count += 1
            repaired += mended != row
    return {"rows": count, "repaired": repaired}


def _values(task: Task, line: int, row: dict[str, str]) -> tuple[Any, ...]:
    file = task.params["file"]
    amount: Decimal = price(row["price"], f"{file}, line {line}")
    return task.params["day"], file, line, row["customer"], row["product"], int(row["quantity"]), amount
