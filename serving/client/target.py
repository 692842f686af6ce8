"""Which model, and which version of it, a client asks for."""

from typing import NamedTuple

from tensorflow_serving.apis import model_pb2


class Target(NamedTuple):
    """A model, in the version of a number or of a label; the latest with neither."""

    model: str
    version: int | None = None
    version_label: str | None = None

    def spec(self, signature: str = "", version: int | None = None) -> model_pb2.ModelSpec:
        """Writes it as a message.

        Args:
            signature: The signature asked for.
            version: The version to ask for, whichever is the target's own.

        Returns:
            The `ModelSpec`.
        """
        spec = model_pb2.ModelSpec(name=self.model, signature_name=signature)
        number = self.version if version is None else version
        if number is not None:
            spec.version.value = number
        elif self.version_label is not None:
            spec.version_label = self.version_label
        return spec

    def __str__(self) -> str:
        return f"model {self.model!r}"


def target(model: str, version: int | None, version_label: str | None) -> Target:
    """Returns what a client is to ask for.

    Args:
        model: The model's name.
        version: The version's number.
        version_label: The version's label.

    Returns:
        The target.

    Raises:
        ValueError: If a version is asked for both by number and by label.
    """
    if version is not None and version_label is not None:
        raise ValueError(
            f"model {model!r}: a version is asked for by number or by label; got version={version} and "
            f"version_label={version_label!r}: leave out one"
        )
    return Target(model, version, version_label)
