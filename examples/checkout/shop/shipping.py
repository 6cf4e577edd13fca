"""Booking parcels. A plain function: it runs in a thread."""

from jetpack_runtime import PlainTask


def book(task: PlainTask) -> str:
    """Book a parcel, in the transaction that finishes the task: booked and done are one commit."""
    order = task.params["order_id"]
    number = f"PX{order:06d}"
    task.connection().execute("insert into parcel (number, order_id) values (%s, %s)", (number, order))
    return number
