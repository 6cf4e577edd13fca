"""Charging cards, at a payment provider that is made up and fails now and then."""

from typing import Any

from jetpack_runtime import Event, Task


class ProviderDown(Exception):  # noqa: N818 - what happened
    """The provider did not answer; the next attempt may be luckier."""


async def charge(task: Task) -> Any:
    """Charge the order. For every third one the provider does not answer at first; a card over 1000 is declined."""
    order, amount = task.params["order_id"], task.vars["charged"]
    if order % 3 == 0 and task.attempt == 1:
        raise ProviderDown("the payment provider did not answer")
    if amount > 1000:
        return Event("DECLINED")
    # The provider gets a key of ours, so that charging twice charges once.
    return {"receipt_url": f"https://pay.example/receipts/{order}-{task.id}"}
