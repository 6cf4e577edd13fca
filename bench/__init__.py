"""How fast: jobs a second beside hand-written queues, and where the microseconds go. `python -m bench --help`."""
