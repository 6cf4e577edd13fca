"""Diagnostics: values, their registry, and one renderer a format."""

from jetpackc.diagnostics.model import Diagnostic, Fix, Label, Rule, Severity, has_errors

__all__ = ["Diagnostic", "Fix", "Label", "Rule", "Severity", "has_errors"]
