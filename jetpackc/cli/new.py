"""`new`: makes a project that runs at once."""

from __future__ import annotations

from pathlib import Path

import click

from jetpackc.cli.errors import Usage
from jetpackc.cli.output import say

_WORKFLOWS = """\
/// A first workflow. `jetpackc dev` runs it; change it and save.
module app

/// Greets somebody: at most three attempts, and the answer is kept.
machine greeting(name: text) is task(max_attempts: 3) {
  var answer: text?

  state running {
    run "handlers.greetings:greet"
    on SUCCESS(answer: text) -> done { set answer = event.answer }
  }
}
"""
_HANDLERS = '''\
"""What workers do for the machines of workflows.jet."""

from jetpack_runtime import Task


async def greet(task: Task) -> str:
    return f"Hello, {task.params['name']}!"
'''
_SEED = """\
-- Run once by `jetpackc dev`, on a new database.
select app.greeting_create(name => 'Ada');
select app.greeting_create(name => 'Grace', _delay => '2 seconds');
"""
_README = """\
# {name}

    jetpackc dev                          run it all: database, worker, a live count of states
    jetpackc create greeting name=Alan    from another terminal: a task more
    jetpackc ps                           what stands where

`workflows.jet` says what happens, `handlers/` does the work, `dev.sql` creates the first tasks. For a database of your
own: `jetpackc build` writes migrations, `jetpackc migrate --dsn ...` applies them, `jetpackc worker --dsn ...` works.
"""
_FILES = {
    "workflows.jet": _WORKFLOWS,
    "handlers/__init__.py": "",
    "handlers/greetings.py": _HANDLERS,
    "dev.sql": _SEED,
    ".gitignore": ".jetpack/\n__pycache__/\n",
    "README.md": _README,
}


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
def new(folder: Path) -> int:
    """Make a project in DIR, which must be new or empty.

    \b
    jetpackc new shop && cd shop && jetpackc dev
    """
    if folder.exists() and not folder.is_dir():
        raise Usage(f"`{folder}` is a file", "choose another name")
    if folder.is_dir() and any(folder.iterdir()):
        raise Usage(f"`{folder}` is not empty", "choose another name")
    for name, text in _FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("{name}", folder.resolve().name), encoding="utf-8")
    say(f"made {folder}; now:")
    say("  jetpackc dev" if folder == Path() else f"  cd {folder} && jetpackc dev")
    return 0
