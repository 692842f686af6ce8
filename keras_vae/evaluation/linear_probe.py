"""A linear classifier on codes."""

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

_STEPS = 2000


def linear_probe(train: np.ndarray, labels: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, bool]:
    """Predict classes by multinomial logistic regression on standardised codes (Alain & Bengio 2017, section 3).

    scikit-learn's with its own weight decay, C = 1.

    Args:
        train: `[n, D]`.
        labels: Their classes, integers `[n]`, two or more of them.
        test: `[m, D]`.

    Returns:
        The predicted classes, `[m]`, and whether the optimiser converged.

    Example:
        >>> codes = np.array([[0.0], [1.0], [8.0], [9.0]])
        >>> predicted, converged = linear_probe(codes, np.array([0, 0, 1, 1]), np.array([[2.0], [7.0]]))
        >>> predicted.tolist(), converged
        ([0, 1], True)
    """
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=_STEPS))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # told by what is returned
        probe.fit(np.asarray(train, np.float64), labels)
    converged = bool(np.max(probe[-1].n_iter_) < _STEPS)
    return probe.predict(np.asarray(test, np.float64)), converged
