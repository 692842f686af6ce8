"""Subcommands: one a file, each with a function `run`."""
