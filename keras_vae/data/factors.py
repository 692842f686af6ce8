"""What is known of a column of labels: one factor of variation."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Factor:
    """A factor of variation whose value is known for every image.

    Attributes:
        name: Such as "scale".
        size: How many values it has, integers from 0.
        ordered: Whether larger means more of something, as with a scale; not so with a kind of shape.
    """

    name: str
    size: int
    ordered: bool
