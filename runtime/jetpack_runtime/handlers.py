"""Which function does the work of which state.

A handler is named `module:function`, as in `run "shop.payments:charge"`; a bare `module.path` names the function `run`
in that module. Functions, or such names, bound by the program take the place of what the source names. The keys of
such bindings are `module.machine.state`, or `module.machine` for a machine with one working state.
"""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .errors import HandlerError, did_you_mean
from .manifest import Machine, Work

Handler = Callable[[Any], Any]
Handlers = Mapping[str, "Handler | str"]


@dataclass(frozen=True, slots=True)
class Binding:
    """A state's work and the function that does it. `plain`: not async, so it runs in a thread."""

    work: Work
    function: Handler
    plain: bool


def machine_of(key: str) -> str:
    """`shop.checkout` of `shop.checkout.charging`. Raises HandlerError where the key has no such shape."""
    parts = key.split(".", 2)
    if len(parts) < 2 or not all(parts):
        raise HandlerError(f"`{key}` names no machine", "bind handlers to `module.machine.state` or `module.machine`")
    return ".".join(parts[:2])


def bind(machine: Machine, handlers: Handlers) -> dict[str, Binding]:
    """A binding for each running state of this machine. Raises HandlerError."""
    found = given(machine, handlers)
    return {state: _binding(machine, state, work, found.get(work.name)) for state, work in machine.work.items()}


def given(machine: Machine, handlers: Handlers) -> dict[str, Handler | str]:
    """The handlers bound to this machine, by the name of the work. Raises HandlerError for a work that it has not."""
    names = {work.name for work in machine.work.values()}
    found: dict[str, Handler | str] = {}
    for key, handler in handlers.items():
        if machine_of(key) != machine.qualified:
            continue
        name = key[len(machine.qualified) + 1 :]
        if not name and len(names) == 1:
            (name,) = names
        if name not in names:
            raise HandlerError(_no_such_state(machine, key, name), did_you_mean(name, names))
        found[name] = handler
    return found


def _no_such_state(machine: Machine, key: str, name: str) -> str:
    if name:
        return f"`{machine.qualified}` has no state `{name}` that a handler works"
    return f"`{key}` must say which state it means: `{machine.qualified}` has {len(machine.work)} that handlers work"


def _binding(machine: Machine, state: str, work: Work, given: Handler | str | None) -> Binding:
    where = f"machine `{machine.qualified}`, state `{state}`"
    handler = work.run if given is None else given
    if handler is None:
        key = f"{machine.qualified}.{work.name}"
        raise HandlerError(f"{where}: no handler", f"name one with `run` in the source, or bind one to `{key}`")
    function = load(handler, where) if isinstance(handler, str) else handler
    if not callable(function):
        raise HandlerError(f"{where}: {function!r} is no function")
    return Binding(work, function, plain=not _is_async(function))


def load(name: str, where: str) -> Handler:
    """Import `module:function`, or `run` of `module`. `where` begins the message of the HandlerError it may raise."""
    path, _, attribute = name.partition(":")
    attribute = attribute or "run"
    try:
        module = importlib.import_module(path)
    except ModuleNotFoundError as error:
        raise HandlerError(f"{where}: looked for `{name}`, {_missing(path, error)}", _PATH_HINT) from error
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        raise HandlerError(f"{where}: looked for `{name}`, and importing `{path}` raised {reason}") from error
    found = getattr(module, attribute, None)
    if not callable(found):
        what = f"has no function `{attribute}`" if found is None else f"has `{attribute}`, which is no function"
        raise HandlerError(f"{where}: looked for `{name}`, and `{path}` {what}", _close(module, attribute))
    function: Handler = found
    return function


_PATH_HINT = "is the folder that holds it on the path of this Python (PYTHONPATH)?"


def _missing(path: str, error: ModuleNotFoundError) -> str:
    if error.name and (path == error.name or path.startswith(error.name + ".")):
        return f"and there is no module `{error.name}`"
    return f"and `{path}` imports `{error.name}`, which is not installed"


def _close(module: object, attribute: str) -> str | None:
    return did_you_mean(attribute, (name for name, value in vars(module).items() if inspect.isfunction(value)))


def _is_async(function: Handler) -> bool:
    while isinstance(function, functools.partial):
        function = function.func
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)
