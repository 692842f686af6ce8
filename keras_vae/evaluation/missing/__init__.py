"""Filling in hidden pixels."""
