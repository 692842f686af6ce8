"""Events that must be vectors."""


def vector_size(event_shape: tuple[int, ...], owner: str) -> int:
    """Return the number of elements of a vector event.

    Raises:
        ValueError: If the event is not a vector.

    Example:
        >>> vector_size((20,), "RealNVP")
        20
    """
    if len(event_shape) != 1:
        raise ValueError(
            f"{owner}: event_shape must be a number of latents, such as 20 or (20,), because its maps act on "
            f"vectors; received {event_shape}"
        )
    return event_shape[0]
