"""Conditions: y of conditional models, one kind per file."""

from keras_vae.conditions.base import Condition
from keras_vae.conditions.label import Label
from keras_vae.conditions.vector import Vector

__all__ = ["Condition", "Label", "Vector"]
