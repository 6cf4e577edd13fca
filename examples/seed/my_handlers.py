"""What `run "my_handlers:do_work"` names."""

from jetpack_runtime import Task


async def do_work(task: Task) -> None:
    """Do the work of one task."""
    print(f"task {task.id}: attempt {task.attempt} of {task.machine}")
