"""What the values of the language do, in Python as Postgres does it: arithmetic, casts, text, JSON, functions.

It knows types and expressions of the IR, and nothing of tasks: `interpret` reads machines and asks here what a sum is.
Null is None; int and bigint are int; numeric is a Decimal with the scale that Postgres gives it; timestamptz is a
datetime in UTC, interval a timedelta, an array a tuple; json is a `Json`, whose numbers are Decimals; enums, uuid and
text are str. Whatever Postgres refuses raises `UndoneError` with its SQLSTATE.
"""
