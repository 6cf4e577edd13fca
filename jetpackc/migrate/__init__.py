"""Migrations: the difference between a program and the one before, as files, and their way into a database."""
