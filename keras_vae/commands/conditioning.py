"""The option `--condition`: what a conditional model is given."""

from argparse import Namespace
from collections.abc import Mapping

import numpy as np

from keras_vae.conditions import Condition, Label
from serving.client.specs import SignatureSpec


def read(options: Namespace, condition: Condition | None) -> np.ndarray | None:
    """Return y for a model in this process: the one given, or the classes in turn.

    Raises:
        ValueError: If the model has no condition, or it needs one that is not given or of another length.
    """
    if condition is None:
        _refuse(options)
        return None
    if options.condition is None:
        if isinstance(condition, Label):
            return np.arange(options.n) % condition.size
        raise ValueError(f"the model is conditional: give --condition, {condition.support.expected}")
    given = np.asarray(options.condition)
    return condition.rows(given[0] if condition.shape == () and len(given) == 1 else given, options.n)


def read_served(options: Namespace, signatures: Mapping[str, SignatureSpec]) -> np.ndarray | None:
    """Return y for a served model, by what its signature says.

    Raises:
        ValueError: As `read`.
    """
    generate = signatures.get("generate")
    wanted = generate.inputs.get("condition") if generate else None
    if wanted is None:
        _refuse(options)
        return None
    if options.condition is None:
        raise ValueError(
            f"the served model is conditional, and takes {wanted}: give --condition, such as --condition 7"
        )
    given = np.asarray(options.condition)
    if np.array_equal(given, given.astype(np.int64)):
        given = given.astype(np.int64)
    return given[0] if len(given) == 1 and wanted.shape is not None and len(wanted.shape) == 1 else given


def _refuse(options: Namespace) -> None:
    if options.condition is not None:
        raise ValueError(f"the model has no condition; received --condition {options.condition}")
