"""The audit trail."""

from jetpack_runtime import Task


async def write(task: Task) -> None:
    """Write one line of it."""
    connection = await task.connection()
    await connection.execute("insert into audit_line (what) values (%s)", (task.params["what"],))
