"""Trees of tasks: the messages that they leave for each other, and what is heard up a tree."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

from jetpackc.interpret.dispatch import FLUSHED, Dispatch
from jetpackc.interpret.model import Event, Hop, Known, Message, Task
from jetpackc.ir import chart, model as ir
from jetpackc.ir.kin import Kin
from jetpackc.values.errors import UndoneError


class Trees(ABC):
    """What a world does with messages."""

    tasks: dict[int, Task]
    history: list[Hop]
    inbox: list[Message]
    kin: Kin

    @abstractmethod
    def whole(self) -> AbstractContextManager[None]:
        """What is done inside is done whole or not at all."""

    @abstractmethod
    def step(self, task: Task, event: Event, actor: str) -> str:
        """An event of a batch."""

    @abstractmethod
    def taken(self, task: Task, event: Event, actor: str) -> bool:
        """Whether a clause took an event, which is done then."""

    @abstractmethod
    def untaken(self, task: Task, event: Event, actor: str) -> None:
        """What no clause takes."""

    @abstractmethod
    def dispatch(self, task: Task, actor: str, **changes: Any) -> Dispatch:
        """A dispatch to a task."""

    @abstractmethod
    def machine_of(self, task: Task) -> ir.Machine:
        """The machine of a task."""

    @abstractmethod
    def result_of(self, task: Task) -> tuple[Any] | None:
        """What a task has returned, if it has."""

    def pump(self, machine: str) -> int:
        """Messages: apply those that wait for tasks of a machine; how many."""
        waiting = [one for one in self.inbox if one.receiver in self.tasks and not self.tasks[one.receiver].stuck]
        mine = [one for one in waiting if self.tasks[one.receiver].machine == machine]
        for receiver in sorted({one.receiver for one in mine}):
            self._apply_all(receiver, [one for one in mine if one.receiver == receiver])
        return len(mine)

    def _apply_all(self, receiver: int, messages: list[Message]) -> None:
        """Messages: all of one task, or where that fails one by one, until it is stuck."""
        try:
            with self.whole():
                self._hear(receiver, messages)
        except UndoneError:
            for message in messages if len(messages) > 1 else ():
                if self.tasks[receiver].stuck is None:
                    self._apply_all(receiver, [message])
            if len(messages) == 1:
                self._trouble(receiver, messages[0])

    def _trouble(self, receiver: int, message: Message) -> None:
        self.inbox = [one for one in self.inbox if one is not message]
        event = message.event or Event("inbox")
        self.step(self.tasks[receiver], event, message.actor)
        if message.event is None and self.tasks[receiver].stuck is None:
            self.know(self.tasks[receiver], message.news)

    def _hear(self, receiver: int, messages: list[Message]) -> None:
        """Messages: news are counted first; then each event, what its children did, and what that comes to."""
        self.inbox = [one for one in self.inbox if not any(one is other for other in messages)]
        before, told = self.tasks[receiver], len(self.history)
        news: dict[int, Known] = {}
        for message in messages:
            news |= message.news
        self.know(before, news)
        for message in messages:
            if message.event is not None:
                self._take_message(receiver, message, message.event)
            for id, known in message.news.items():
                if known.is_child and known.kind != "plain":
                    self._lifecycle(receiver, "CHILD_DONE", self._done(receiver, id, known))
        if news:
            self._lifecycle(receiver, "SUBTREE_UPDATE")
        flushed = any((hop.id, hop.event) == (receiver, FLUSHED) for hop in self.history[told:])
        if _unfinished(before) and not _unfinished(self.tasks[receiver]) and not flushed:
            self._lifecycle(receiver, FLUSHED)

    def _take_message(self, receiver: int, message: Message, event: Event) -> None:
        task = self.tasks[receiver]
        if message.way == "siblings":
            self._send_to_children(task, event, message.actor, but=message.sender)
            return
        if message.way == "subtree":
            self._send_to_children(task, event, message.actor, way="subtree")
        if self.kin.takes(task.machine, event.name) and not self.taken(task, event, message.actor):
            payload, _ = self.dispatch(task, message.actor).read(event)
            self.untaken(task, Event(event.name, payload or None), message.actor)

    def _lifecycle(self, receiver: int, event: str, payload: Any = None) -> None:
        """Trees: what no clause takes of this is nothing."""
        self.taken(self.tasks[receiver], Event(event, payload), "jet.pump")

    def _done(self, receiver: int, id: int, known: Known) -> dict[str, Any]:
        module = self.tasks[receiver].machine.partition(".")[0]
        return {
            "machine": known.machine.removeprefix(f"{module}."),
            "id": id,
            "state": known.states[0],
            "result": known.result,
        }

    def know(self, task: Task, news: Mapping[int, Known]) -> None:
        """Trees: what is heard of those below is counted, and goes on up."""
        if news:
            self.tasks[task.id] = replace(self.tasks[task.id], known={**self.tasks[task.id].known, **news})
            self.tell(task, {id: replace(known, is_child=False) for id, known in news.items()})

    def tell(self, task: Task, news: Mapping[int, Known]) -> None:
        """Trees: one message with all that a dispatch has to tell."""
        if task.parent is None:
            return
        last = self.inbox[-1] if self.inbox else None
        if last and last.news and (last.sender, last.receiver) == (task.id, task.parent):
            self.inbox[-1] = replace(last, news={**last.news, **news})
        else:
            self.inbox.append(Message(task.parent, task.id, "jet.pump", news=news))

    def as_known(self, task: Task, leaf: str) -> Known:
        machine = self.machine_of(task)
        names = tuple(state.name for state in chart.ancestors(machine, leaf))
        result = self.result_of(task) if leaf == task.state else None
        return Known(task.machine, names, chart.states(machine)[leaf].kind, True, result[0] if result else None)

    def post(self, dispatch: Dispatch) -> None:
        task, actor = dispatch.task, dispatch.actor
        for kin, to, event in dispatch.sent:
            if kin in {"children", "subtree"}:
                self._send_to_children(task, event, actor, way="subtree" if kin == "subtree" else "")
                continue
            receiver = {"parent": task.parent, "siblings": task.parent, "root": task.root}.get(kin, to)
            if receiver in self.tasks:
                way = "siblings" if kin == "siblings" else ""
                if way or self.kin.takes(self.tasks[receiver].machine, event.name):
                    self.inbox.append(Message(receiver, task.id, actor, event, way))

    def _send_to_children(self, task: Task, event: Event, actor: str, but: int | None = None, way: str = "") -> None:
        for child in sorted(one.id for one in self.tasks.values() if one.parent == task.id and one.id != but):
            machines = [self.tasks[child].machine, *(self.kin.below(self.tasks[child].machine) if way else ())]
            if any(self.kin.takes(machine, event.name) for machine in machines):
                self.inbox.append(Message(child, task.id, actor, event, way))


def _unfinished(task: Task) -> bool:
    return any(known.kind == "plain" for known in task.known.values())
