"""Highlighting: one table of token classes (grammar/tokens.toml), one set of rules, and what editors make of them."""
