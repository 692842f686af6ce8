"""Inference for a batch of x: samples of q(z|x), and densities of any latents."""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf
from tensorflow_probability import distributions as tfd

from keras_vae.families.base import Family, Parameters
from keras_vae.inference.densities import Densities, Draws, ModelAtBatch, begin_prior
from keras_vae.priors.base import Prior
from keras_vae.utils import replicas
from keras_vae.utils.seeds import fold_in, stateless


@dataclass(frozen=True, eq=False)
class Inference(ModelAtBatch):
    """q(z|x), p(z) and p(x|z) for a batch of x; returned by `keras_vae.VAE.infer`.

    z is a tensor for models with one group of latents, and a dict with one tensor per group otherwise.

    Example:
        >>> import numpy as np
        >>> import keras_vae as kv
        >>> vae = kv.models.vae((8,), latent_size=2, hidden=[16])
        >>> inference = vae.infer(np.ones([5, 8], "float32"))
        >>> densities = inference.densities(inference.sample(3, seed=[1, 2]))
        >>> densities.log_likelihood.shape, densities.log_weights.shape
        (TensorShape([3, 5]), TensorShape([3, 5]))
    """

    # For models with one group of latents.

    @property
    def family(self) -> Family:
        """The family of the only group."""
        (family,) = self._only(self.model.encoder.families.values())
        return family

    @property
    def parameters(self) -> Parameters:
        """The only group's parameters, each `[batch, ...]`."""
        (name,) = self._only(self.model.encoder.families)
        return self._parameters(name, self.evidence, {}, None)[0]

    @property
    def posterior(self) -> tfd.Distribution:
        """q(z|x) of the only group, batch shape `[batch]`."""
        return self.family.distribution(self.parameters)

    @property
    def prior(self) -> tfd.Distribution:
        """p(z) of the only group: batch shape `[]`, or `[batch]` if it depends on the condition."""
        (name,) = self._only(self.model.prior.groups)
        return self.model.prior.group(name, self.prior_path, self.training)

    def _only(self, values: Any) -> list[Any]:
        if self.groups.several:
            raise ValueError(
                f"expected a model with one group of latents, received the groups {', '.join(self.groups.names)}. Use "
                "infer(x).sample and infer(x).densities."
            )
        return list(values)

    # For all models.

    def draw(
        self, num_samples: int | tf.Tensor, seed: int | tf.Tensor, *, relaxed: bool = False, detached: bool = False
    ) -> Draws:
        """Draw z ~ q(z|x), and keep intermediate results.

        The noise of an example depends on the seed and its position in the global batch, not on the replica.

        Args:
            num_samples: Number of z per x.
            seed: An integer, or a stateless seed, `[2]` int32.
            relaxed: Whether to draw from the continuous relaxation of families that have one.
            detached: Whether to stop gradients through the samples.

        Returns:
            z by group, each `[num_samples, batch, *latent]`.
        """
        walk, seed = Walk(self), stateless(seed, "Inference.draw")
        distributions = {}
        for index, (name, family) in enumerate(self.model.encoder.families.items()):
            parameters = walk.parameters(name)
            distributions[name] = family.distribution(parameters)
            noise = group_seed(seed, index)
            z = self._draw_group(family, parameters, distributions[name], num_samples, noise, relaxed)
            walk.take(name, tf.stop_gradient(z) if detached else z)
        return Draws(walk.z, distributions, walk.paths)

    def _draw_group(
        self,
        family: Family,
        parameters: Parameters,
        distribution: tfd.Distribution,
        num_samples: int | tf.Tensor,
        seed: tf.Tensor,
        relaxed: bool,
    ) -> tf.Tensor:
        # The first group's parameters have one row per x; those of later groups, one per sample and x.
        first = distribution.batch_shape.rank == 1

        def draw(spread: Callable[[tf.Tensor], tf.Tensor]) -> tf.Tensor:
            wide = {name: spread(value) for name, value in parameters.items()}
            if relaxed and family.relaxed:
                z = family.relaxed_sample(wide, num_samples if first else 1, seed, self.step)
                return z if first else z[0]
            return family.distribution(wide).sample([num_samples] if first else [], seed=seed)

        return replicas.in_place(draw, self.rows, axis=1, parameters_axis=0 if first else 1)

    def sample(self, num_samples: int | tf.Tensor, seed: int | tf.Tensor, *, relaxed: bool = False) -> Any:
        """Draw z ~ q(z|x), `[num_samples, batch, *latent]`, a tensor or a dict of groups; arguments as in `draw`."""
        return self.groups.pack(self.draw(num_samples, seed, relaxed=relaxed).z)

    def sample_and_log_posterior(
        self, num_samples: int | tf.Tensor, seed: int | tf.Tensor
    ) -> tuple[Any, dict[str, tf.Tensor]]:
        """Draw z ~ q(z|x) and return it with its log-density, because a flow knows that of its own draw at no cost.

        Unlike that of `sample`, the noise depends on the replica.

        Args:
            num_samples: How many z for each x.
            seed: An integer, or a stateless seed, `[2]` int32.

        Returns:
            z, `[num_samples, batch, *latent]`, bare or by group, and log q of each group, `[num_samples, batch]`.
        """
        walk, seed = Walk(self), stateless(seed, "Inference.sample_and_log_posterior")
        log_posterior = {}
        for index, (name, family) in enumerate(self.model.encoder.families.items()):
            distribution = family.distribution(walk.parameters(name))
            # The first group's parameters have one row for each x; those of later groups, one for each sample and x.
            shape = [num_samples] if distribution.batch_shape.rank == 1 else []
            z, log_posterior[name] = distribution.experimental_sample_and_log_prob(shape, seed=group_seed(seed, index))
            walk.take(name, z)
        return self.groups.pack(walk.z), log_posterior

    def densities(self, z: Any) -> Densities:
        """Return the densities at z.

        Args:
            z: The result of `draw`, or any latents, `[samples, batch, *latent]`, a tensor or a dict of groups.
        """
        return Densities(self, z if isinstance(z, Draws) else Draws(self.groups.unpack(z, finite=True)))

    def log_likelihood(self, z: Any) -> tf.Tensor:
        """Return log p(x|z), `[samples, batch]`, in nats."""
        return self.densities(z).log_likelihood

    def log_weights(self, z: Any) -> tf.Tensor:
        """Return log p(x|z) + log p(z) − log q(z|x), `[samples, batch]`, in nats."""
        return self.densities(z).log_weights

    def sample_prior(self, seed: int | tf.Tensor) -> Any:
        """Draw one z ~ p(z) per x, `[batch, *latent]`, a tensor or a dict of groups; noise as in `draw`."""
        noise = stateless(seed, "Inference.sample_prior")

        def draw(spread: Callable[[tf.Tensor], tf.Tensor]) -> Any:
            condition = None if self.condition is None else spread(self.condition)
            path = self.prior_path if self.rows is None else begin_prior(self.model, condition, self.training)
            count = tf.shape(self.x)[0] if self.rows is None else self.rows.total
            return sample_prior(self.model.prior, path, [], count, noise, self.training)

        return self.groups.pack(replicas.in_place(draw, self.rows, axis=0))

    def points(self) -> tuple[dict[str, Parameters], dict[str, tf.Tensor]]:
        """Return each group's parameters and point, `[batch, *latent]`, given the points of the groups before it.

        A point is one value that represents a distribution: its mean, or a mode if it is discrete.
        """
        walk = Walk(self)
        parameters = {}
        for name, family in self.model.encoder.families.items():
            parameters[name] = walk.parameters(name)
            walk.take(name, family.point(parameters[name]))
        return parameters, walk.z

    def _parameters(self, name: str, evidence: Any, earlier: dict[str, tf.Tensor], path: Any) -> tuple[Parameters, Any]:
        return self.model.encoder.parameters(name, evidence, earlier, path, self.condition, self.training)

    def at(self, evidence: Any, condition: tf.Tensor | None) -> "Inference":
        """Return the inference for other rows, given their evidence and condition."""
        # Only where the posterior reads it: of a VampPrior, say, it takes a pass of the encoder.
        shared = self.model.encoder.shares_path
        path = begin_prior(self.model, condition, self.training) if shared else None
        return dataclasses.replace(self, evidence=evidence, condition=condition, prior_path=path, rows=None)


class Walk:
    """One pass over the posterior's groups, in their order.

    Attributes:
        z: The latents of each group so far.
        paths: The prior's path before each group, if the posterior shares it; otherwise empty.
    """

    def __init__(self, inference: Inference) -> None:
        self.z: dict[str, tf.Tensor] = {}
        self.paths: dict[str, Any] = {}
        self._inference = inference
        self._evidence = inference.evidence
        self._path = inference.prior_path if inference.model.encoder.shares_path else None

    def parameters(self, name: str) -> Parameters:
        """Return the group's parameters, given the latents of the groups before it."""
        found, self._evidence = self._inference._parameters(name, self._evidence, self.z, self._path)
        return found

    def take(self, name: str, z: tf.Tensor) -> None:
        """Set z of the group, and go to the next one."""
        self.z[name] = z
        if self._inference.model.encoder.shares_path:
            self.paths[name] = self._path
            self._path = self._inference.model.prior.extend(name, self._path, z, self._inference.training)


def sample_prior(
    prior: Prior, path: Any, samples: Sequence[Any], count: Any, seed: tf.Tensor, training: bool | None = None
) -> dict[str, tf.Tensor]:
    """Draw z ~ p(z) by group, each `[*samples, count, *latent]`.

    Args:
        prior: The prior.
        path: From `begin_prior`; with y, `count` must be the number of rows of y.
        samples: Shape of the samples per row.
        count: Number of rows.
        seed: A stateless seed, `[2]` int32.
        training: Passed to the networks.
    """
    found = {}
    for index, name in enumerate(prior.groups):
        distribution = prior.group(name, path, training)
        missing = [*samples, count][: len(samples) + 1 - distribution.batch_shape.rank]
        found[name] = distribution.sample(missing, seed=group_seed(seed, index))
        path = prior.extend(name, path, found[name], training)
    return found


def group_seed(seed: tf.Tensor, index: int) -> tf.Tensor:
    """Return the seed of the group at this index in the order of drawing."""
    return seed if index == 0 else fold_in(seed, index)
