"""Handlers of the checkout: what the machines in workflows.jet run."""
