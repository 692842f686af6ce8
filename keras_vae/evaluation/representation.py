"""How much of the classes the codes hold."""

from typing import Any

import numpy as np

from keras_vae.checks import positive_integer
from keras_vae.evaluation.codes import codes
from keras_vae.evaluation.linear_probe import linear_probe
from keras_vae.evaluation.neighbours import nearest, precision, vote
from keras_vae.evaluation.representation_result import Representation
from keras_vae.vae import VAE


def representation(
    model: VAE,
    train: Any,
    test: Any,
    *,
    neighbours: int = 15,
    retrieved: int = 10,
    batch_size: int = 100,
    verbose: bool = True,
) -> Representation:
    """Tell the classes of test examples from their posterior means.

    By a vote of the nearest training codes (15 in Loaiza-Ganem & Cunningham 2019), by a linear
    probe, and by retrieval: the share of the k nearest training codes that have the class. Distances are Euclidean
    between means as they are; for the probe they are standardised. Nothing is random.

    Args:
        model: A trained VAE.
        train: Arrays (x, labels), or a batched `tf.data.Dataset` of (x, label): what the classifiers learn from.
        test: What they are scored on, likewise.
        neighbours: How many neighbours vote.
        retrieved: k of the precision.
        batch_size: For arrays; a dataset keeps its own.
        verbose: Whether to show progress bars.

    Returns:
        Accuracies and precision, of all examples and of each class.

    Raises:
        ValueError: If there are no labels, they are not one integer for each example, test has a class that train
            has not, there are fewer training examples than neighbours, or data is refused as in `VAE.fit`.

    Example:
        >>> import keras_vae as kv
        >>> vae = kv.models.vae((4,), latent_size=2, hidden=[8])
        >>> x, labels = np.eye(4, dtype="float32")[np.arange(40) % 4], np.arange(40) % 4
        >>> found = kv.evaluation.representation(vae, (x, labels), (x[:8], labels[:8]), neighbours=3, verbose=False)
        >>> found.knn_accuracy
        1.0
    """
    most = max(
        positive_integer(neighbours, "representation: neighbours"),
        positive_integer(retrieved, "representation: retrieved"),
    )
    learnt, scored = (
        codes(model, part, measure=f"representation, {name}", batch_size=batch_size, labels=True, verbose=verbose)
        for name, part in (("train", train), ("test", test))
    )
    known, wanted = _labels(learnt.labels, "train"), _labels(scored.labels, "test")
    if len(known) < most:
        raise ValueError(
            f"representation: wanted {most} training examples or more, for as many neighbours; received {len(known)}"
        )
    classes, place = np.unique(known, return_inverse=True)
    unknown = np.setdiff1d(wanted, classes)
    if len(classes) < 2 or len(unknown):
        raise ValueError(
            "representation: wanted two classes or more, each of test's among those of train; received train's "
            f"{classes.tolist()}" + (f", and test has {unknown.tolist()} beside them" if len(unknown) else "")
        )
    truth = np.searchsorted(classes, wanted)
    beside = place[nearest(learnt.means, scored.means, most)]
    probed, converged = linear_probe(learnt.means, place, scored.means)
    right = precision(beside[:, :retrieved], truth)
    counts = np.bincount(truth, minlength=len(classes))
    with np.errstate(invalid="ignore"):
        retrieval = np.bincount(truth, right, minlength=len(classes)) / counts
    return Representation(
        classes=classes,
        knn_confusion=_confusion(truth, vote(beside[:, :neighbours], len(classes)), len(classes)),
        probe_confusion=_confusion(truth, probed, len(classes)),
        retrieval=retrieval,
        neighbours=int(neighbours),
        retrieved=int(retrieved),
        num_train=len(known),
        num_latents=learnt.means.shape[1],
        converged=converged,
        labels_given=model.condition is not None,
    )


def _labels(labels: np.ndarray | None, name: str) -> np.ndarray:
    assert labels is not None, "asked for in codes"
    if labels.ndim != 1 or labels.dtype.kind not in "iub":
        raise ValueError(
            f"representation: {name}'s labels must be one integer for each example; received dtype {labels.dtype}, "
            f"shape {labels.shape}. Of one-hot rows take numpy.argmax(y, axis=-1)"
        )
    return labels.astype(np.int64)


def _confusion(truth: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    return np.bincount(truth * classes + predicted, minlength=classes**2).reshape(classes, classes)
