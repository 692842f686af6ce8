"""Estimates of log p(x) and how far they can be trusted."""
