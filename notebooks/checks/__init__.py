"""Self-checks of the assignment's tasks: each calls what the student wrote, and says what is right or wrong.

A check compares with TensorFlow Probability or with finite differences, and, where the result is wrong, with what the
usual mistakes would give, so that it can name the mistake. It prints nothing and raises nothing: it returns a `Report`,
which a notebook shows.
"""

from checks.densities import log_bernoulli, log_normal
from checks.latents import kl, sample
from checks.library import library
from checks.networks import networks
from checks.objective import negative_elbo
from checks.report import Report, after, passed
from checks.training import training

__all__ = [
    "Report",
    "after",
    "kl",
    "library",
    "log_bernoulli",
    "log_normal",
    "negative_elbo",
    "networks",
    "passed",
    "sample",
    "training",
]
