"""Sending receipts."""

from jetpack_runtime import Task


async def send(task: Task) -> None:
    """Put the receipt into the outbox that a mail program empties."""
    connection = await task.connection()
    await connection.execute(
        "insert into outbox (address, body) values (%s, %s)",
        (task.params["email"], f"Your receipt: {task.params['url']}"),
    )
