"""Conditions: what a conditional model is told beside x or z; one kind a file."""

from keras_vae.conditions.base import Condition
from keras_vae.conditions.label import Label
from keras_vae.conditions.vector import Vector

__all__ = ["Condition", "Label", "Vector"]
