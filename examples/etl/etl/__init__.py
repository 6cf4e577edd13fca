"""Handlers of the import: what the machines in workflows.jet run."""
