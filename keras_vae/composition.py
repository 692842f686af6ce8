"""A model composed of encoder, decoder, prior and objective, and its distributions."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from keras_vae.conditions import Condition
from keras_vae.encoder_decoder import Decoder, LatentEncoder
from keras_vae.families import Family
from keras_vae.inference import Inference, LatentGroups
from keras_vae.inference.densities import begin_prior
from keras_vae.inference.inference import sample_prior
from keras_vae.objectives import ELBO, Objective
from keras_vae.priors import Prior, StandardNormal
from keras_vae.trainer import value_checks
from keras_vae.trainer.objective_trainer import ObjectiveTrainer
from keras_vae.utils import replicas
from keras_vae.utils import seeds as streams
from keras_vae.utils.arguments import one_line

_PARTS = ("encoder", "decoder", "prior", "objective", "condition")


class Composition(ObjectiveTrainer):
    """A model made of compatible parts; `keras_vae.VAE` adds encoding, sampling, scoring, saving and exporting.

    Arguments and errors: see `keras_vae.VAE`.
    """

    def __init__(
        self,
        encoder: LatentEncoder,
        decoder: Decoder,
        prior: Prior | None = None,
        objective: Objective | None = None,
        condition: Condition | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        _check_kinds(encoder, decoder, prior, objective, condition)
        if prior is None and len(encoder.families) == 1:
            (family,) = encoder.families.values()
            prior = StandardNormal(family.event_shape)
        if prior is None:
            raise ValueError(
                f"VAE: prior: expected one over the groups of latents {', '.join(encoder.families)}, received None. "
                "Use keras_vae.priors.Chain, for example."
            )
        _check_latents(encoder, prior, condition)
        super().__init__(ELBO() if objective is None else objective, seed, **kwargs)
        self.encoder = encoder
        self.decoder = decoder
        self.prior = prior
        self.condition = condition
        self.build((None, *self.event_shape))
        # Keras allows no new layers and metrics in a built model, but a subclass adds them after `super().__init__()`.
        self._tracker.unlock()
        self.check_objective()

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Create all weights. The constructor calls it, since the parts know their shapes."""
        condition = None if self.condition is None else (None, self.condition.size)
        if not self.encoder.built:
            self.encoder.build(tuple(input_shape), condition)
        self.prior.build(condition)
        if not self.decoder.built:
            self.decoder.build((None, *self.prior.decoder_input_shape), condition)
        for layer in self.objective_layers:
            if layer.built:
                raise ValueError(
                    "VAE: objective: expected one with a new baseline, received one that another model trains. Create "
                    "an objective for each model."
                )
            layer.build(tuple(input_shape))
        for layer in self._flatten_layers():
            if not layer.trainable:  # of a loaded part, whose inner layers do not know yet
                layer.trainable = True  # Keras ignores a value that is set already
                layer.trainable = False
        self.built = True

    @property
    def event_shape(self) -> tuple[int, ...]:
        """The shape of one x."""
        return self.decoder.family.event_shape

    @property
    def latents(self) -> LatentGroups:
        """The names and shapes of the groups of latents."""
        return LatentGroups({name: family.event_shape for name, family in self.encoder.families.items()})

    @property
    def latent_shape(self) -> Any:
        """The shape of one z: a tuple, or for several groups a dict of tuples."""
        return self.latents.shape

    @property
    def observed_family(self) -> Family:
        """The likelihood's family."""
        return self.decoder.family

    # Distributions. `condition` is y, for conditional models only.

    def posterior(self, x: tf.Tensor, *, condition: Any = None, training: bool | None = None) -> tfd.Distribution:
        """Return q(z|x), batch shape `[batch]`, for x `[batch, *event]` and one group of latents; see `infer`."""
        return self.infer(x, condition=condition, training=training).posterior

    def likelihood(self, z: Any, *, condition: Any = None, training: bool | None = None) -> tfd.Distribution:
        """Return p(x|z), batch shape `[...]`, for z `[..., *latent]`.

        Raises:
            ValueError: If z has another shape, or, unless in a graph, a value is NaN or infinite; or the condition is
                invalid for this model.
        """
        z = self.latents.pack(self.latents.unpack(z, finite=True))
        given, encoded = self._decoder_input(z, condition, training)
        return self.decoder.distribution(given, encoded, training=training)

    def prior_distribution(self, *, condition: Any = None, training: bool | None = None) -> tfd.Distribution:
        """Return p(z) for one group of latents: batch shape `[]`, or `[batch]` if it depends on the condition."""
        if self.latents.several:
            raise ValueError(
                "VAE.prior_distribution: expected a model with one group of latents, received the groups "
                f"{', '.join(self.latents.names)}. Use sample_prior(count), or infer(x).densities(z).log_prior."
            )
        return begin_prior(self, self._encoded(condition), training)

    def infer(self, x: tf.Tensor, *, condition: Any = None, training: bool | None = None) -> Inference:
        """Return the model's inference for a batch of x: samples of q(z|x), and the densities that make up every bound.

        Args:
            x: `[batch, *event]`.
            condition: y, `[batch, ...]`.
            training: Passed to the networks.

        Raises:
            ValueError: If x has another shape or dtype, or the condition is invalid for this model; and, unless in a
                graph, if a value of x is outside the likelihood's support.

        Example:
            >>> import numpy as np
            >>> import keras_vae as kv
            >>> vae = kv.models.vae((8,), latent_size=2, hidden=[16])
            >>> inference = vae.infer(np.ones([5, 8], "float32"))
            >>> inference.log_weights(inference.sample(3, seed=0)).shape  # log p(x, z) − log q(z|x)
            TensorShape([3, 5])
        """
        x = value_checks.checked_eagerly(x, self.observed_family)
        return self.inference_at(x, condition=condition, training=training)

    def inference_at(self, x: tf.Tensor, *, condition: Any = None, training: bool | None = None) -> Inference:
        """Return the same as `infer` without checking the values of x: it may hold the place of examples."""
        x = tf.cast(x, self.observed_family.variable_dtype)
        encoded = self._encoded(condition, x, self.event_shape)
        evidence = self.encoder.read(self.observed_family.encoder_input(x), encoded, training)
        return Inference(
            model=self,
            x=x,
            condition=encoded,
            evidence=evidence,
            prior_path=begin_prior(self, encoded, training),
            step=tf.convert_to_tensor(self._steps),
            training=training,
            rows=replicas.rows(tf.nest.flatten(evidence)[0]),
        )

    def log_weights(
        self,
        x: tf.Tensor,
        num_samples: int = 1,
        *,
        seed: int | tf.Tensor | None = None,
        condition: Any = None,
        training: bool | None = None,
    ) -> tf.Tensor:
        """Return log p(x, z) − log q(z|x) for z ~ q(z|x), `[num_samples, batch]`, in nats.

        The mean is the ELBO, the log-mean-exp the importance-weighted bound (Burda, Grosse & Salakhutdinov 2016,
        equation 8).

        Args:
            x: `[batch, *event]`.
            num_samples: Number of z per x.
            seed: Integer. Derived from the model's seed by default, so that the result is reproducible.
            condition: y, `[batch, ...]`.
            training: Passed to the networks.
        """
        own = streams.fold(self.seed, streams.EVALUATE)
        noise = own if seed is None else streams.stateless(seed, "VAE.log_weights")
        inference = self.infer(x, condition=condition, training=training)
        return inference.log_weights(inference.sample(num_samples, noise))

    def sample_prior(self, count: int | tf.Tensor, *, seed: int | tf.Tensor, condition: Any = None) -> Any:
        """Draw z ~ p(z), `[count, *latent]`: a tensor, or a dict with one tensor per group.

        Args:
            count: Number of samples.
            seed: Integer.
            condition: y, one for all samples or `[count, ...]`.

        Raises:
            ValueError: If the condition is invalid for this model, or has another number of rows.
        """
        if condition is not None and self.condition is not None:
            condition = self.condition.checked(condition, tf.convert_to_tensor(count))
        noise = streams.stateless(seed, "VAE.sample_prior")
        path = begin_prior(self, self._encoded(condition))
        return self.latents.pack(sample_prior(self.prior, path, [], count, noise))

    def _encoded(self, condition: Any, given: Any = None, event_shape: tuple[int, ...] = ()) -> tf.Tensor | None:
        """Return the encoded y, after checking it against the batch axis of x or z, if given."""
        y = self._given(condition, given, event_shape)
        if y is None or self.condition is None:
            return None
        return tf.cast(self.condition.encode(y), self._dtype_of_densities)

    @property
    def _dtype_of_densities(self) -> str:
        return self.observed_family.variable_dtype

    def _given(self, condition: Any, given: Any = None, event_shape: tuple[int, ...] = ()) -> tf.Tensor | None:
        """Return y as a tensor, one per row of x or z if given, after checking it; None for an unconditional model."""
        if self.condition is None:
            if condition is not None:
                raise ValueError(
                    "VAE: condition: expected None for an unconditional model, received a value. Build the model with "
                    "VAE(condition=...)."
                )
            return None
        if condition is None:
            expected = self.condition.support.expected
            raise ValueError(f"VAE: condition: expected {expected}, received None. Pass condition=y.")
        if given is None:
            return self.condition.checked(condition, None)
        given = tf.convert_to_tensor(given)
        axis = given.shape.rank - len(event_shape) - 1
        rows = tf.shape(given)[axis] if axis >= 0 else None
        return self.condition.checked(condition, rows)

    def _decoder_input(self, z: Any, condition: Any, training: bool | None = None) -> tuple[Any, tf.Tensor | None]:
        """Return the decoder's input for z, and the encoded y."""
        by_group = self.latents.unpack(z, same_rows=True)
        name, value = next(iter(by_group.items()))
        encoded = self._encoded(condition, value, self.latents.shapes[name])
        if not self.latents.several:
            return value, encoded
        path = begin_prior(self, encoded, training)
        for name in self.prior.groups:
            path = self.prior.extend(name, path, by_group[name], training)
        return self.prior.decoder_input(path, by_group), encoded

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        parts = {name: getattr(self, name) for name in _PARTS}
        serialized = {name: keras.saving.serialize_keras_object(part) for name, part in parts.items()}
        return {**super().get_config(), **serialized, "seed": self.seed}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> "Composition":
        """Rebuild from `get_config`."""
        parts = {
            name: keras.saving.deserialize_keras_object(config[name], custom_objects=custom_objects)
            for name in _PARTS
            if name in config
        }
        seed = config.get("seed")
        if seed is None or seed >= 0:
            return cls(**{**config, **parts})
        model = cls(**{**config, **parts, "seed": 0})
        model.seed = seed  # version 0.1 allowed negative seeds
        return model


def _check_kinds(encoder: Any, decoder: Any, prior: Any, objective: Any, condition: Any) -> None:
    for name, part, kind in (
        ("encoder", encoder, LatentEncoder),
        ("decoder", decoder, Decoder),
        ("prior", prior, Prior | None),
        ("objective", objective, Objective | None),
        ("condition", condition, Condition | None),
    ):
        if not isinstance(part, kind):
            expected = getattr(kind, "__name__", str(kind).replace("keras_vae.", ""))
            several = name in ("encoder", "prior") and isinstance(part, dict)
            advice = (
                "Use keras_vae.ChainEncoder and keras_vae.priors.Chain for groups" if several else "Pass by keyword"
            )
            raise TypeError(f"VAE: {name}: expected a keras_vae {expected}, received {one_line(part)}. {advice}.")


def _check_latents(encoder: LatentEncoder, prior: Prior, condition: Condition | None) -> None:
    families = encoder.families
    shapes = {name: family.event_shape for name, family in families.items()}
    several = len(shapes) > 1 or len(prior.groups) > 1
    if several and set(shapes) != set(prior.groups):
        raise ValueError(
            f"VAE: prior: expected the encoder's groups of latents {sorted(shapes)}, received {sorted(prior.groups)}. "
            "Use the same groups in both."
        )
    if encoder.shares_path and list(shapes) != list(prior.groups):
        raise ValueError(
            f"VAE: encoder: expected its groups in the order of the prior, {list(prior.groups)}, since it shares the "
            f"prior's path, received {list(shapes)}. Reorder them."
        )
    for name, family in families.items():
        of_group = f" of group {name!r}" if several else ""
        if prior.shapes[name] != shapes[name]:
            raise ValueError(
                f"VAE: prior: expected the shape of the posterior's latents{of_group}, {shapes[name]}, received "
                f"{prior.shapes[name]}. Use the same event_shape in both."
            )
        if prior.supports[name] is not family.support:
            raise ValueError(
                f"VAE: prior: expected one over {family.support.name} latents, as those of the posterior "
                f"{type(family).__name__}{of_group}, received {type(prior).__name__} over {prior.supports[name].name} "
                f"ones. Use {'StandardNormal' if family.support.name == 'real' else 'Uniform'} or Learned, for example."
            )
    if prior.made_of_posteriors and several:
        raise ValueError(
            f"VAE: prior {type(prior).__name__}: expected an encoder with one group of latents, received the groups "
            f"{sorted(shapes)}. Use keras_vae.priors.Chain."
        )
    if prior.conditional and condition is None:
        raise ValueError(
            f"VAE: condition: expected one, since the prior {type(prior).__name__} depends on it, received None. Use "
            "VAE(condition=keras_vae.conditions.Label(10)), for example."
        )
