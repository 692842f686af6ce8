"""Telling that a posterior has collapsed."""

import warnings

# Nats: less than a seventh of a bit about x in all latents together.
_LITTLE = 0.1
_FEW = 0.1
# Before, a model has hardly begun to use its latents.
_FIRST_EPOCH = 2

_CURE = (
    "Warm up the weight of the KL, keras_vae.objectives.ELBO(beta=kv.schedules.Linear(0.0, 1.0, steps=10_000)), or on "
    "the command line --model kl-annealing; give the latents free bits, ELBO(free_bits=0.1) or --model free-bits, "
    "where posterior and prior factorise; or take a smaller decoder, which needs the latents more"
)


class PosteriorCollapseWarning(UserWarning):
    """q(z|x) has become the prior, so that z says nothing about x (Bowman et al. 2016, section 3.1)."""


class CollapseWatch:
    """Warn once of a collapsed posterior, and once of one with few active latents.

    Example:
        >>> with warnings.catch_warnings(record=True) as caught:
        ...     warnings.simplefilter("always")
        ...     CollapseWatch().see(epoch=3, active=0, latents=20, rate=0.01)
        >>> [warning.category.__name__ for warning in caught]
        ['PosteriorCollapseWarning']
    """

    def __init__(self) -> None:
        self._said: set[str] = set()

    def see(self, epoch: int, active: int | None, latents: int, rate: float) -> None:
        """Look at an epoch.

        Args:
            epoch: Its number, counted from 1.
            active: How many latents are active; None if unknown: then the rate alone tells.
            latents: How many there are.
            rate: KL(q(z|x) ‖ p(z)), mean over x, nats; NaN if unknown.
        """
        if epoch < _FIRST_EPOCH:
            return
        if active == 0 or rate < _LITTLE:
            counted = "" if active is None else f"{active} of {latents} latents are active and "
            self._say(
                "collapse",
                f"The posterior has collapsed: after epoch {epoch} {counted}the rate is {rate:.3g} nats, so z says "
                f"next to nothing about x. {_CURE}",
                PosteriorCollapseWarning,
            )
        elif active is not None and active < _FEW * latents:
            self._say(
                "few",
                f"Only {active} of {latents} latents are active after epoch {epoch}. The others cost nothing; if the "
                f"reconstructions lack detail: {_CURE[0].lower()}{_CURE[1:]}",
                UserWarning,
            )

    def _say(self, what: str, message: str, category: type[Warning]) -> None:
        if not self._said & {what, "collapse"}:
            self._said.add(what)
            warnings.warn(message, category, stacklevel=2)
