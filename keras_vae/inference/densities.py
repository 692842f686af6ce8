"""Samples of the latents and their densities, by group: the inputs of bounds and estimators."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import tensorflow as tf
from tensorflow_probability import distributions as tfd

from keras_vae.encoder_decoder import Decoder, LatentEncoder
from keras_vae.inference.groups import LatentGroups
from keras_vae.inference.kl import closed_form_kl, kl_per_latent
from keras_vae.priors.base import Prior
from keras_vae.utils import replicas


class Parts(Protocol):
    """The three distributions that a model is composed of."""

    encoder: LatentEncoder
    decoder: Decoder
    prior: Prior


@dataclass(frozen=True, eq=False)
class ModelAtBatch:
    """A model at a batch of x: what densities are computed from.

    Attributes:
        model: Encoder, decoder and prior.
        x: The batch, `[batch, *event]`.
        condition: The encoded y, `[batch, size]`, or None.
        evidence: The encoder's result for x, a nest of tensors, each `[batch, ...]`.
        prior_path: The prior's path before its first group.
        step: Training steps taken, a scalar.
        training: Passed on to networks.
        rows: The batch's position in the global batch; None if there is one replica.
    """

    model: Parts
    x: tf.Tensor
    condition: tf.Tensor | None
    evidence: Any
    prior_path: Any
    step: tf.Tensor
    training: bool | None = None
    rows: replicas.Rows | None = None

    @functools.cached_property
    def encoder_input(self) -> tf.Tensor:
        """The batch as the encoder receives it, `[batch, *event]`."""
        return self.model.decoder.family.encoder_input(self.x)

    @functools.cached_property
    def groups(self) -> LatentGroups:
        """Names and shapes of the groups of latents."""
        return LatentGroups({name: family.event_shape for name, family in self.model.encoder.families.items()})


@dataclass(frozen=True, eq=False)
class Draws:
    """Latents of each group, with intermediate results that densities reuse.

    Attributes:
        z: By group, each `[samples, batch, *latent]`.
        posterior: q of each group given the groups drawn before it; empty if `z` was not drawn from q.
        paths: The prior's path before each group, where the posterior shares it; otherwise empty.
    """

    z: dict[str, tf.Tensor]
    posterior: dict[str, tfd.Distribution] = field(default_factory=dict)
    paths: dict[str, Any] = field(default_factory=dict)


class Densities:
    """log p(x|z), log p(z) and log q(z|x) at latents z, in nats; each is computed on first use.

    With several groups, `log_prior[g]` is log p(z_g | the groups before it in the prior's order), and
    `log_posterior[g]` is log q(z_g | x, the groups before it in the posterior's order).

    Args:
        inference: The inference for a batch of x.
        draws: The latents, by group.
    """

    def __init__(self, inference: ModelAtBatch, draws: Draws) -> None:
        self.inference = inference
        self.z = draws.z
        self._draws = draws

    @functools.cached_property
    def log_likelihood(self) -> tf.Tensor:
        """Log p(x|z), `[samples, batch]`."""
        return self.likelihood.log_prob(self.inference.x)

    @functools.cached_property
    def log_prior(self) -> dict[str, tf.Tensor]:
        """The prior's log-density of each group, `[samples, batch]`."""
        return {name: distribution.log_prob(self.z[name]) for name, distribution in self.prior.items()}

    @functools.cached_property
    def log_posterior(self) -> dict[str, tf.Tensor]:
        """The posterior's log-density of each group, `[samples, batch]`."""
        return {name: distribution.log_prob(self.z[name]) for name, distribution in self.posterior.items()}

    @functools.cached_property
    def kl(self) -> dict[str, tf.Tensor | None]:
        """The KL of each group in closed form: `[batch]`, or `[samples, batch]` if it depends on earlier groups.

        None if there is no closed form: for this pair of distributions, or because the group's prior depends on groups
        that the posterior draws later, so that the expectation does not depend on q of the group alone.
        """
        return {
            name: closed_form_kl(q, self.prior[name]) if name in self._nested else None
            for name, q in self.posterior.items()
        }

    @functools.cached_property
    def kl_per_latent(self) -> dict[str, tf.Tensor | None]:
        """The KL of each latent, `[..., *latent]`, or None as for `kl`, and if the KL is not a sum over latents."""
        return {
            name: kl_per_latent(q, self.prior[name]) if name in self._nested else None
            for name, q in self.posterior.items()
        }

    @functools.cached_property
    def log_joint(self) -> tf.Tensor:
        """Log p(x, z), `[samples, batch]`."""
        return total([self.log_likelihood, *self.log_prior.values()])

    @functools.cached_property
    def log_weights(self) -> tf.Tensor:
        """Log p(x, z) − log q(z|x), `[samples, batch]`."""
        return self.log_joint - total(self.log_posterior.values())

    @functools.cached_property
    def likelihood(self) -> tfd.Distribution:
        """p(x|z), batch shape `[samples, batch]`."""
        inference = self.inference
        path = self._end if inference.groups.several else None
        given = inference.model.prior.decoder_input(path, self.z)
        return inference.model.decoder.distribution(given, inference.condition, training=inference.training)

    @functools.cached_property
    def prior(self) -> dict[str, tfd.Distribution]:
        """The prior of each group given the groups before it, in the prior's order."""
        prior, training = self.inference.model.prior, self.inference.training
        return {name: prior.group(name, self._paths[name], training) for name in prior.groups}

    @functools.cached_property
    def posterior(self) -> dict[str, tfd.Distribution]:
        """The posterior of each group given the groups before it, in the posterior's order."""
        if self._draws.posterior:
            return self._draws.posterior
        encoder = self.inference.model.encoder
        found, evidence = {}, self.inference.evidence
        for name, family in encoder.families.items():
            path = self._paths[name] if encoder.shares_path else None
            parameters, evidence = encoder.parameters(
                name, evidence, self.z, path, self.inference.condition, self.inference.training
            )
            found[name] = family.distribution(parameters)
        return found

    @functools.cached_property
    def _paths(self) -> Mapping[str, Any]:
        return self._draws.paths or self._walk[0]

    @functools.cached_property
    def _end(self) -> Any:
        if self._draws.paths:
            last = self.inference.model.prior.groups[-1]
            return self._extend(last, self._draws.paths[last])
        return self._walk[1]

    @functools.cached_property
    def _walk(self) -> tuple[dict[str, Any], Any]:
        """Return the prior's path before each group, and after the last."""
        path, before = self.inference.prior_path, {}
        for name in self.inference.model.prior.groups:
            before[name] = path
            path = self._extend(name, path)
        return before, path

    def _extend(self, name: str, path: Any) -> Any:
        return self.inference.model.prior.extend(name, path, self.z[name], self.inference.training)

    @functools.cached_property
    def _nested(self) -> set[str]:
        """Return the groups whose prior depends only on groups that the posterior draws before them."""
        drawn: set[str] = set()
        before_in_prior = dict(zip(self.inference.model.prior.groups, _prefixes(self.prior), strict=True))
        nested = set()
        for name in self.inference.model.encoder.families:
            if before_in_prior[name] <= drawn:
                nested.add(name)
            drawn.add(name)
        return nested


def total(values: Any) -> tf.Tensor:
    """Return the sum of one or more tensors, from left to right."""
    first, *others = values
    for other in others:
        first = first + other
    return first


def _prefixes(names: Any) -> list[set[str]]:
    listed = list(names)
    return [set(listed[:count]) for count in range(len(listed))]


def begin_prior(model: Parts, condition: tf.Tensor | None, training: bool | None = None) -> Any:
    """Return the prior's path before its first group, given y as the networks see it."""

    def posterior(x: tf.Tensor) -> tfd.Distribution:
        of_each = None if condition is None else condition[..., None, :]
        return model.encoder.distribution(x, of_each, training=training)

    return model.prior.begin(condition, posterior, training)
