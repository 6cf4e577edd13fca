"""A module as a handler: its function `run` is called. A plain function, so it runs in a thread."""

from jetpack_runtime import PlainTask


def run(task: PlainTask) -> None:
    """Do the work of one sub task."""
    print(f"task {task.id}: the next one")
