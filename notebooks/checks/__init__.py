"""Self-checks for the tasks of the assignment: each calls the student's code and reports whether it is correct.

A check compares the result with TensorFlow Probability or finite differences. If it is wrong, the check also compares
it with the results of common mistakes to identify the mistake. A check neither prints nor raises: it returns a
`Report`, which the notebook displays.
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
