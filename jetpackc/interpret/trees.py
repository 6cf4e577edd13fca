"""Trees of tasks: the messages that they leave for each other, and what is heard up a tree."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from jetpackc.interpret.dispatch import FLUSHED
from jetpackc.interpret.model import Event, Known, Message, Spawned, Stuck, Task
from jetpackc.ir import chart, model as ir
from jetpackc.ir.kin import Kin
from jetpackc.records import replace
from jetpackc.values.errors import UndoneError

PUMPER = "jet.pump"
MOST = 200
"""Messages of one task that are applied together."""
_INBOX = "inbox"
"""Stands for a message that is more than an event: news, or what is to be handed on."""


@dataclass(frozen=True, slots=True)
class Post:
    """What a task sends to kin, or where that is empty to the task with the id `to`. `but` gets none of it."""

    sender: int
    actor: str
    event: Event
    kin: str
    to: int | None = None
    but: int | None = None


@dataclass(slots=True)
class Outbox:
    """What is done together leaves this for other tasks, which hear of it when it is done."""

    before: dict[int, Task | None] = field(default_factory=dict)
    """The tasks that it changes, as they stood; None for one that it makes."""
    spawned: list[tuple[Task, Spawned, datetime, str]] = field(default_factory=list)
    posts: list[Post] = field(default_factory=list)
    below: dict[int, dict[int, Known]] = field(default_factory=dict)
    """What each has to tell of those further down."""
    asked: set[int] = field(default_factory=set)
    """Those that came to rest with nothing unfinished below: they have been asked SUBTREE_FLUSHED."""


class Trees(ABC):
    """What a world does with messages."""

    tasks: dict[int, Task]
    inbox: list[Message]
    outbox: Outbox
    kin: Kin

    @abstractmethod
    def together(self) -> AbstractContextManager[None]:
        """What is done inside is done whole or not at all; what it leaves is told at its end."""

    @abstractmethod
    def heard(self, task: Task, event: Event, actor: str) -> str:
        """An event that ends no work; what became of it."""

    @abstractmethod
    def trouble(self, task: Task, stuck: Stuck, actor: str) -> str:
        """What becomes of a task that could not make a step."""

    @abstractmethod
    def machine_of(self, task: Task) -> ir.Machine:
        """The machine of a task."""

    # ------------------------------------------------------------ what waits is applied

    def pump(self, machine: str) -> int:
        """Messages: apply those that wait for tasks of a machine; how many."""
        waiting: dict[int, list[Message]] = {}
        for message in self.inbox:
            task = self.tasks.get(message.receiver)
            if task is not None and task.machine == machine and task.stuck is None:
                waiting.setdefault(task.id, []).append(message)
        batch = [(id, waiting[id][:MOST]) for id in sorted(waiting)]
        try:
            with self.together():
                for id, messages in batch:
                    self.hear(id, messages)
        except UndoneError:
            for id, messages in batch:
                self._alone(id, messages)
        return sum(len(messages) for _, messages in batch)

    def _alone(self, receiver: int, messages: list[Message]) -> None:
        """Messages: all of one task, or where that fails one by one, until it is stuck."""
        try:
            with self.together():
                self.hear(receiver, messages)
        except UndoneError:
            for message in messages:
                if self._one(receiver, message) == "stuck":
                    return

    def _one(self, receiver: int, message: Message) -> str:
        try:
            with self.together():
                self.hear(receiver, [message])
        except UndoneError as error:
            self._remove([message])
            event = message.event if message.event and not message.way else Event(_INBOX)
            told = self.trouble(self.tasks[receiver], Stuck(event, str(error), message), message.actor)
            if told != "stuck" and event.name == _INBOX:
                with self.together():  # ERROR told of it; it is counted and handed on all the same
                    self.know(self.tasks[receiver], message.news)
                    self._hand_on(receiver, message)
            return told
        return "applied"

    def _remove(self, messages: Sequence[Message]) -> None:
        gone = {id(message) for message in messages}
        self.inbox = [one for one in self.inbox if id(one) not in gone]

    def hear(self, receiver: int, messages: Sequence[Message]) -> None:
        """Messages: news are counted first; then each event, what its children did, and what that comes to."""
        self._remove(messages)
        before, news = self.tasks[receiver], dict[int, Known]()
        for message in messages:
            news |= message.news
        self.know(before, news)
        fell = _unfinished(before) and not _unfinished(self.tasks[receiver])
        for message in messages:
            if message.event is not None:
                self._take_message(receiver, message, message.event)
            for id in message.ended:
                self._lifecycle(receiver, "CHILD_DONE", self._done(receiver, id, message.news[id]))
        if any(message.event is None for message in messages):
            self._lifecycle(receiver, "SUBTREE_UPDATE")
        if fell and receiver not in self.outbox.asked and not _unfinished(self.tasks[receiver]):
            self._lifecycle(receiver, FLUSHED)

    def _take_message(self, receiver: int, message: Message, event: Event) -> None:
        task = self.tasks[receiver]
        self._hand_on(receiver, message)
        if message.way != "siblings" and self.kin.takes(task.machine, event.name):
            self.heard(task, event, message.actor)

    def _lifecycle(self, receiver: int, event: str, payload: Any = None) -> None:
        self.heard(self.tasks[receiver], Event(event, payload), PUMPER)

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
            self.outbox.before.setdefault(task.id, task)
            self.tasks[task.id] = replace(self.tasks[task.id], known={**self.tasks[task.id].known, **news})
            below = self.outbox.below.setdefault(task.id, {})
            below |= {id: replace(known, is_child=False) for id, known in news.items()}

    # ------------------------------------------------------------ what is done together tells others

    def _hand_on(self, receiver: int, message: Message) -> None:
        """Messages: what came from one child for the others, or from above for all below."""
        if message.way and message.event:
            kin, but = ("children", message.sender) if message.way == "siblings" else ("subtree", None)
            self.outbox.posts.append(Post(receiver, message.actor, message.event, kin, but=but))

    def tell(self) -> None:
        """Messages, by their senders; then news, one message a parent with all that it has to hear."""
        for post in sorted(self.outbox.posts, key=lambda post: post.sender):
            self._post(post)
        news: dict[int, dict[int, Known]] = {}
        ended: dict[int, list[int]] = {}
        for id, was in sorted(self.outbox.before.items()):
            task = self.tasks[id]
            if task.parent is None:
                continue
            machine = self.machine_of(task)
            found = {**self.outbox.below.get(id, {})}
            if task.state != (was.state if was else machine.initial):
                found[id] = self.as_known(task.machine, task.state, task.result)
            if task.ended and not (was.ended if was else chart.is_final(machine, machine.initial)):
                ended.setdefault(task.parent, []).append(id)
            if found:
                news.setdefault(task.parent, {}).update(found)
        for parent in sorted(news):
            self.inbox.append(Message(parent, 0, PUMPER, news=news[parent], ended=tuple(ended.get(parent, ()))))

    def as_known(self, machine: str, leaf: str, result: tuple[Any] | None = None) -> Known:
        """What others hear of a task in a state."""
        found = self.kin.machines[machine][1]
        names = tuple(state.name for state in chart.ancestors(found, leaf))
        return Known(machine, names, chart.states(found)[leaf].kind, True, result[0] if result else None)

    def _post(self, post: Post) -> None:
        task, way = self.tasks[post.sender], post.kin if post.kin in {"siblings", "subtree"} else ""
        if post.kin in {"children", "subtree"}:
            self._post_to_children(post, way)
            return
        receiver = {"parent": task.parent, "siblings": task.parent, "root": task.root}.get(post.kin, post.to)
        if receiver in self.tasks and (way or self.kin.takes(self.tasks[receiver].machine, post.event.name)):
            self.inbox.append(Message(receiver, task.id, post.actor, post.event, way))

    def _post_to_children(self, post: Post, way: str) -> None:
        for child in sorted(one.id for one in self.tasks.values() if one.parent == post.sender and one.id != post.but):
            machines = [self.tasks[child].machine, *(self.kin.below(self.tasks[child].machine) if way else ())]
            if any(self.kin.takes(machine, post.event.name) for machine in machines):
                self.inbox.append(Message(child, post.sender, post.actor, post.event, way))


def _unfinished(task: Task) -> bool:
    return any(known.kind == "plain" for known in task.known.values())
