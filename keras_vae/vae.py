"""The variational autoencoder: a composition of encoder, decoder, prior and objective."""

import functools
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from keras_vae import rows
from keras_vae.compatibility import check_kinds, check_latents
from keras_vae.conditions import Condition
from keras_vae.encoder_decoder import Decoder, Encoder
from keras_vae.export import export_saved_model
from keras_vae.families import Family
from keras_vae.inference import Inference
from keras_vae.objectives import ELBO, Objective
from keras_vae.priors import Prior, StandardNormal
from keras_vae.trainer import input_checks
from keras_vae.trainer.objective_trainer import ObjectiveTrainer
from keras_vae.utils import files, replicas
from keras_vae.utils import seeds as streams
from keras_vae.utils.arguments import positive_integer

_PARTS = ("encoder", "decoder", "prior", "objective", "condition")


@keras.saving.register_keras_serializable("keras_vae")
class VAE(ObjectiveTrainer):
    """A variational autoencoder (Kingma & Welling 2014; Rezende, Mohamed & Wierstra 2014).

    A Keras model like any other: `compile`, `fit`, `evaluate`, `predict`, `save`. `fit` takes x alone, as an
    array `[n, *event]` or a batched `tf.data.Dataset` of x or (x, y); y is ignored unless the model has a
    condition. The loss and the metrics
    come from the objective, in nats per example; `compile` takes no `loss`.

    Args:
        encoder: q(z|x), a `keras_vae.Encoder`.
        decoder: p(x|z), a `keras_vae.Decoder`.
        prior: p(z); a standard normal by default.
        objective: The bound to maximize; the ELBO by default.
        condition: What all parts are given beside x or z, `keras_vae.conditions.Label(10)` or `Vector(5)`; `fit`
            then takes (x, y), and `encode`, `decode`, `sample` and so on take `condition=y`. None for none.
        seed: Of all noise in training and evaluation; by default drawn from NumPy's generator, which
            `keras.utils.set_random_seed` controls.

    Call arguments:
        inputs: x, `[batch, *event]`; of a conditional model (x, y).

    Returns:
        The mean reconstruction, `[batch, *event]`: the likelihood's mean at the posterior's mean
        (discrete latents: its mode). `predict` returns the same as a NumPy array.

    Raises:
        TypeError: If a part is not of its kind.
        ValueError: If the parts do not go together: prior and posterior disagree on the latent's shape or values,
            or the objective's gradient estimator is wrong for the posterior.

    Example:
        >>> import keras, numpy as np
        >>> import keras_vae as kv
        >>> vae = kv.VAE(
        ...     encoder=kv.Encoder(kv.networks.MLP([32]), kv.families.Normal(2)),
        ...     decoder=kv.Decoder(kv.networks.MLP([32]), kv.families.Bernoulli((8,))),
        ... )
        >>> vae.compile(optimizer="adam")
        >>> x = (np.random.default_rng(0).random([64, 8]) < 0.5).astype("float32")
        >>> history = vae.fit(x, batch_size=16, epochs=2, verbose=0)
        >>> sorted(history.history)
        ['bound', 'kl', 'loss', 'reconstruction']
        >>> vae.sample(4, seed=7).shape
        TensorShape([4, 8])
    """

    def __init__(
        self,
        encoder: Encoder,
        decoder: Decoder,
        prior: Prior | None = None,
        objective: Objective | None = None,
        condition: Condition | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        check_kinds(encoder, decoder, prior, objective, condition)
        prior = StandardNormal(encoder.family.event_shape) if prior is None else prior
        check_latents(encoder.family, prior, condition)
        super().__init__(ELBO() if objective is None else objective, seed, **kwargs)
        self.encoder = encoder
        self.decoder = decoder
        self.prior = prior
        self.condition = condition
        self.build((None, *self.event_shape))
        self.check_objective()

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Create all weights; the parts know their shapes, so the constructor calls it."""
        condition = None if self.condition is None else (None, self.condition.size)
        if not self.encoder.built:
            self.encoder.build(tuple(input_shape), condition)
        if not self.decoder.built:
            self.decoder.build((None, *self.latent_shape), condition)
        if self.prior.conditional:
            self.prior.build(condition)
        for layer in self.objective_layers:
            if layer.built:
                raise ValueError(
                    "VAE: the objective's baseline belongs to another model; give this one its own objective"
                )
            layer.build(tuple(input_shape))
        self.built = True

    @property
    def event_shape(self) -> tuple[int, ...]:
        """Shape of one x."""
        return self.decoder.family.event_shape

    @property
    def latent_shape(self) -> tuple[int, ...]:
        """Shape of one z."""
        return self.encoder.family.event_shape

    @property
    def observed_family(self) -> Family:
        """The likelihood's family."""
        return self.decoder.family

    # The three distributions. In all of them, `condition` is y, for a model that has one.

    def posterior(self, x: tf.Tensor, training: bool | None = None, condition: Any = None) -> tfd.Distribution:
        """Return q(z|x), batch shape `[batch]`, for x `[batch, *event]`."""
        return self.encoder.distribution(x, self._encoded(condition, x, self.event_shape), training=training)

    def likelihood(self, z: tf.Tensor, training: bool | None = None, condition: Any = None) -> tfd.Distribution:
        """Return p(x|z), batch shape `[...]`, for z `[..., *latent]`."""
        return self.decoder.distribution(z, self._encoded(condition, z, self.latent_shape), training=training)

    def prior_distribution(self, training: bool | None = None, condition: Any = None) -> tfd.Distribution:
        """Return p(z), batch shape `[]`; or `[batch]`, for a prior that depends on the condition."""
        encoded = self._encoded(condition)

        def posterior(x: tf.Tensor) -> tfd.Distribution:
            beside_x = None if encoded is None else encoded[..., None, :]
            return self.encoder.distribution(x, beside_x, training=training)

        return self.prior.distribution(encoded, posterior, training)

    def infer(self, x: tf.Tensor, condition: Any = None, training: bool | None = None) -> Inference:
        """Return all three at a batch of x: what every bound is made of.

        Args:
            x: `[batch, *event]`.
            condition: y, `[batch, ...]`.
            training: Passed on to the networks.
        """
        family = self.encoder.family
        parameters = self.encoder(x, self._encoded(condition, x, self.event_shape), training=training)
        prior = self.prior_distribution(training, condition)

        def prior_at(spread: Callable[[tf.Tensor], tf.Tensor]) -> tfd.Distribution:
            return self.prior_distribution(training, spread(tf.convert_to_tensor(condition)))

        return Inference(
            family=family,
            parameters=parameters,
            posterior=family.distribution(parameters),
            prior=prior,
            log_likelihood=lambda z: self.likelihood(z, training, condition).log_prob(x),
            step=tf.convert_to_tensor(self._steps),
            rows=replicas.rows(next(iter(parameters.values()))),
            conditional_prior=prior_at if prior.batch_shape.rank else None,
        )

    def log_weights(
        self,
        x: tf.Tensor,
        num_samples: int = 1,
        seed: tf.Tensor | None = None,
        training: bool | None = None,
        condition: Any = None,
    ) -> tf.Tensor:
        """Return log p(x, z) − log q(z|x) for z ~ q(z|x), `[num_samples, batch]`, in nats.

        The mean is the ELBO, the log-mean-exp the importance-weighted bound (Burda, Grosse & Salakhutdinov
        2016, equation 8).

        Args:
            x: `[batch, *event]`.
            num_samples: How many z for each x.
            seed: A stateless seed, `[2]` int32; by default made of the model's own, so that it repeats.
            training: Passed on to the networks.
            condition: y, `[batch, ...]`.
        """
        inference = self.infer(x, condition, training)
        noise = streams.fold(self.seed, streams.EVALUATE) if seed is None else seed
        return inference.log_weights(inference.sample(num_samples, noise))

    def _encoded(self, condition: Any, beside: Any = None, event_shape: tuple[int, ...] = ()) -> tf.Tensor | None:
        """Return y as the networks see it, checked against the batch axis of what it is given beside."""
        if self.condition is None:
            if condition is not None:
                raise ValueError("VAE: received a condition, but the model has none; build it with VAE(condition=...)")
            return None
        if condition is None:
            raise ValueError(f"VAE: the model has a condition; give condition=y, {self.condition.support.expected}")
        if beside is None:
            return self.condition.encode(self.condition.checked(condition, None))
        beside = tf.convert_to_tensor(beside)
        axis = beside.shape.rank - len(event_shape) - 1
        rows = tf.shape(beside)[axis] if axis >= 0 else None
        return self.condition.encode(self.condition.checked(condition, rows))

    # What a user does with a trained model.

    def call(self, inputs: Any, training: bool | None = None) -> tf.Tensor:
        """Return the mean reconstruction."""
        x, condition = inputs if isinstance(inputs, tuple | list) else (inputs, None)
        encoded = self._encoded(condition, x, self.event_shape)
        z = self.encoder.family.point(self.encoder(x, encoded, training=training))
        return self.decoder.family.mean(self.decoder(z, encoded, training=training))

    def encode(self, x: tf.Tensor, condition: Any = None) -> dict[str, tf.Tensor]:
        """Return the posterior's `mean` and `scale`, each `[batch, *latent]`, for x `[batch, *event]`.

        Raises:
            ValueError: If x lies outside the likelihood's support; served, the request is refused.
        """
        x = input_checks.checked(x, self.observed_family)
        parameters = self.encoder(x, self._encoded(condition, x, self.event_shape))
        family = self.encoder.family
        return {"mean": family.mean(parameters), "scale": family.scale(parameters)}

    def decode(self, z: tf.Tensor, condition: Any = None) -> dict[str, tf.Tensor]:
        """Return the likelihood's `mean`, `[batch, *event]`, and its parameters, for z `[batch, *latent]`."""
        parameters = self.decoder(z, self._encoded(condition, z, self.latent_shape))
        return {"mean": self.decoder.family.mean(parameters), **parameters}

    def reconstruct(self, x: tf.Tensor, condition: Any = None) -> tf.Tensor:
        """Return the mean reconstruction, `[batch, *event]`, of x `[batch, *event]`.

        Raises:
            ValueError: As `encode`.
        """
        x = input_checks.checked(x, self.observed_family)
        return self(x if condition is None else (x, tf.convert_to_tensor(condition)))

    def generate(self, seeds: tf.Tensor, condition: Any = None) -> dict[str, tf.Tensor]:
        """Return one z from the prior for each seed, and the likelihood's mean there.

        Args:
            seeds: `[batch]` integers. The same seed gives the same z to the last bit, in any batch.
            condition: y, `[batch, ...]`.

        Returns:
            `z`, `[batch, *latent]`, and `mean`, `[batch, *event]`.
        """
        given = [tf.cast(seeds, tf.int64)]
        self._encoded(condition, given[0])  # says what is wrong
        if self.condition is not None:
            given.append(tf.cast(self.condition.checked(condition, tf.shape(given[0])[0]), self.condition.dtype))
        return self._compiled_generate(*given) if tf.executing_eagerly() else self._generate(*given)

    @functools.cached_property
    def _compiled_generate(self) -> Any:
        # A loop over rows is slow in eager mode.
        signature = [tf.TensorSpec([None], tf.int64)]
        if self.condition is not None:
            signature.append(tf.TensorSpec([None, *self.condition.shape], self.condition.dtype))
        # Concrete: TensorFlow warns of "frequent retracing" where several models are sampled in one program.
        return tf.function(self._generate).get_concrete_function(*signature)

    def _generate(self, seeds: tf.Tensor, condition: tf.Tensor | None = None) -> dict[str, tf.Tensor]:
        if condition is not None and (self.prior.conditional or self.prior.made_of_posteriors):
            z = rows.sample_priors(lambda y: self.prior_distribution(condition=y), condition, seeds)
        else:
            z = rows.sample_prior(self.prior_distribution(condition=condition), seeds)
        return {
            "mean": self.decoder.family.mean(self.decoder(z, self._encoded(condition, z, self.latent_shape))),
            "z": z,
        }

    def sample(self, num_samples: int, seed: int | None = None, condition: Any = None) -> tf.Tensor:
        """Return the likelihood's means at z ~ p(z), `[num_samples, *event]`.

        For observations rather than means: `vae.likelihood(vae.generate(seeds)["z"]).sample()`.

        Args:
            num_samples: How many.
            seed: The first of `num_samples` consecutive seeds of `generate`; by default drawn at random.
            condition: y for all, such as the label 7, or one for each, `[num_samples, ...]`.

        Raises:
            ValueError: If `num_samples` is not a positive integer, a seed has more than 64 bits, or the condition is
                none of the model's.
        """
        num_samples = positive_integer(num_samples, "VAE.sample: num_samples")
        first = streams.draw() if seed is None else int(seed)
        if not -(2**63) <= first <= 2**63 - num_samples:
            raise ValueError(f"VAE.sample: seeds must fit in 64 bits; received seed={seed}, num_samples={num_samples}")
        if self.condition is not None:
            condition = self.condition.rows(condition, num_samples)
        return self.generate(np.arange(first, first + num_samples, dtype=np.int64), condition)["mean"]

    def score(self, x: tf.Tensor, seeds: tf.Tensor, num_samples: int = 64, condition: Any = None) -> tf.Tensor:
        """Return the importance-weighted bound on log p(x), `[batch]`, in nats; row by row repeatable.

        Args:
            x: `[batch, *event]`.
            seeds: `[batch]` integers, each the seed of its row's noise.
            num_samples: How many z for each x; more bring it nearer to log p(x), from below on average.
            condition: y, `[batch, ...]`; the bound is then on log p(x|y).

        Raises:
            ValueError: As `encode`.
        """
        inference = self.infer(input_checks.checked(x, self.observed_family), condition)
        family, parameters = inference.family, inference.parameters
        z, log_posterior = rows.sample_posterior(family, parameters, tf.cast(seeds, tf.int64), num_samples)
        log_weights = inference.log_likelihood(z) + inference.prior.log_prob(z) - log_posterior
        return tf.reduce_logsumexp(log_weights, axis=0) - math.log(num_samples)

    # Files.

    def save(self, filepath: str | Path, overwrite: bool = True, **kwargs: Any) -> None:
        """Save as `keras.Model.save`; the file appears whole or not at all.

        Raises:
            ValueError: If the name does not end in `.keras`.
            FileExistsError: If the file exists and `overwrite` is false.
        """
        if Path(filepath).suffix != ".keras":
            raise ValueError(f"VAE.save: the name must end in .keras; received {filepath}")
        with files.whole(filepath, overwrite=overwrite) as unfinished:
            super().save(unfinished, **kwargs)

    def export(self, filepath: str | Path, format: str = "tf_saved_model", *, score_samples: int = 64) -> Path:
        """Write a SavedModel for TensorFlow Serving, with signatures for the encoder and the decoder.

        | signature | inputs | outputs |
        |---|---|---|
        | `generate` (and `serving_default`) | `seed` [batch] int64 | `mean` [batch, *event], `z` [batch, *latent] |
        | `encode` | `x` [batch, *event] | `mean`, `scale` [batch, *latent] |
        | `decode` | `z` [batch, *latent] | `mean` [batch, *event] and the likelihood's parameters |
        | `reconstruct` | `x` | `mean` [batch, *event] |
        | `score` | `x`, `seed` | `log_likelihood_bound` [batch], in nats |

        Those of a conditional model take `condition` as well: [batch] int64 labels, or [batch, size] vectors.

        Row i of an answer depends on row i of the request alone. The directory appears whole or not at all,
        after it has been loaded back and compared with this model; warm-up requests are written with it.

        Args:
            filepath: `<base path>/<version>`, such as `"models/digits/1"`.
            format: `"tf_saved_model"`, the only one.
            score_samples: Importance samples behind `score`.

        Returns:
            The path written.

        Raises:
            ValueError: If the path does not end in a version, or an argument is unknown.
            FileExistsError: If the version exists: it is never overwritten.
            keras_vae.export.ExportMismatchError: If the export does not answer as this model does.
        """
        if format != "tf_saved_model":
            raise ValueError(f"VAE.export: format must be 'tf_saved_model'; received {format!r}")
        return export_saved_model(self, filepath, score_samples)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        parts = {name: getattr(self, name) for name in _PARTS}
        serialized = {name: keras.saving.serialize_keras_object(part) for name, part in parts.items()}
        return {**super().get_config(), **serialized, "seed": self.seed}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> "VAE":
        """Rebuild from `get_config`."""
        parts = {
            name: keras.saving.deserialize_keras_object(config[name], custom_objects=custom_objects)
            for name in _PARTS
            if name in config
        }
        return cls(**{**config, **parts})
