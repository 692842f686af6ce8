"""Tests of what may enter a model."""
