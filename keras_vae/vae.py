"""The variational autoencoder, `keras_vae.VAE`."""

import functools
import math
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from keras_vae.composition import Composition
from keras_vae.export import export_saved_model
from keras_vae.export.signatures import signatures
from keras_vae.inference import per_row
from keras_vae.trainer import value_checks
from keras_vae.utils import files
from keras_vae.utils import seeds as streams
from keras_vae.utils.arguments import positive_integer, seed_number


@keras.saving.register_keras_serializable("keras_vae")
class VAE(Composition):
    """A variational autoencoder (Kingma & Welling 2014; Rezende, Mohamed & Wierstra 2014).

    It works like any Keras model: `compile`, `fit`, `evaluate`, `predict`, `save`. `fit` takes an array `[n, *event]`
    or a batched `tf.data.Dataset` of x or (x, y); y is ignored unless the model has a condition. The loss and the
    metrics come from the objective, in nats per example; `compile` takes no `loss`.

    The latents z are a tensor or, if encoder and prior have several groups, a dict with one tensor per group.

    Args:
        encoder: q(z|x), a `keras_vae.Encoder`, or a `keras_vae.ChainEncoder` for several groups of latents.
        decoder: p(x|z), a `keras_vae.Decoder`.
        prior: p(z). Defaults to a standard normal. Required for several groups; use `keras_vae.priors.Chain`, for
            example.
        objective: The bound to maximize. Defaults to the ELBO.
        condition: `keras_vae.conditions.Label(10)` or `Vector(5)` for a conditional model: `fit` then takes (x, y), and
            `encode`, `decode`, `sample` and so on take `condition=y`. Defaults to None.
        seed: Integer from 0 to 2³¹ − 1, the seed of all noise in training and evaluation. By default drawn from NumPy's
            generator, which `keras.utils.set_random_seed` controls.

    Call arguments:
        inputs: x, `[batch, *event]`; for a conditional model (x, y).

    Returns:
        The mean reconstruction, `[batch, *event]`: the likelihood's mean at the posterior's mean (for discrete latents:
        at its mode). `predict` returns the same as a NumPy array.

    Raises:
        TypeError: If a part has the wrong type.
        ValueError: If the parts are incompatible: prior and posterior have latents of different groups, shapes or
            supports, or the objective's gradient estimator is not valid for the posterior.

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

    def __call__(self, inputs: Any, *args: Any, **kwargs: Any) -> tf.Tensor:
        """Return the mean reconstruction of x, or of (x, y) for a conditional model, after checking them."""
        if any(isinstance(part, keras.KerasTensor) for part in tf.nest.flatten(inputs)):
            return super().__call__(inputs, *args, **kwargs)
        pair = isinstance(inputs, tuple | list)
        if pair and (self.condition is None or len(inputs) != 2):
            expected = "x alone, one array" if self.condition is None else "(x, y)"
            raise ValueError(
                f"VAE: expected {expected}, received a {type(inputs).__name__} of {len(inputs)}. Use numpy.stack for a "
                "list of examples."
            )
        x, condition = inputs if pair else (inputs, None)
        # Here, because Keras would add lines of its own to an error of `call`.
        x, sound = value_checks.checked(x, self.observed_family)
        y = self._given(condition, x, self.event_shape)
        with self._one_per_row(x, condition):
            found = super().__call__(x if y is None else (x, y), *args, **kwargs)
            return value_checks.poisoned(found, sound, value_checks.sound_condition(y, self.condition))

    def call(self, inputs: Any, training: bool | None = None) -> tf.Tensor:
        """Return the mean reconstruction."""
        x, condition = inputs if isinstance(inputs, tuple | list) else (inputs, None)
        # Not `infer`: Keras has cast x to the dtype of the layers, and gray levels are none in bfloat16.
        _, points = self.inference_at(x, condition=condition, training=training).points()
        given, encoded = self._decoder_input(self.latents.pack(points), condition, training)
        return self.decoder.family.mean(self.decoder(given, encoded, training=training))

    def encode(self, x: tf.Tensor, *, condition: Any = None) -> dict[str, Any]:
        """Return the posterior's `mean` and `scale`, each `[batch, *latent]`, for x `[batch, *event]`.

        With several groups, both are dicts, and each group is conditioned on the points of the groups before it. Of a
        flow, both are estimates: see `keras_vae.families.PlanarFlow` and `InverseAutoregressiveFlow`.

        Raises:
            ValueError: If x is outside the likelihood's support. A server rejects the request.
        """
        x, sound = value_checks.checked(x, self.observed_family)
        y = self._given(condition, x, self.event_shape)
        with self._one_per_row(x, condition):
            parameters, _ = self.inference_at(x, condition=y).points()
            families = self.encoder.families
            means = {name: families[name].mean(found) for name, found in parameters.items()}
            scales = {name: families[name].scale(found) for name, found in parameters.items()}
            found = {"mean": self.latents.pack(means), "scale": self.latents.pack(scales)}
            return value_checks.poisoned(found, sound, value_checks.sound_condition(y, self.condition))

    def decode(self, z: Any, *, condition: Any = None) -> dict[str, tf.Tensor]:
        """Return the likelihood's `mean`, `[batch, *event]`, and its parameters, for z `[batch, *latent]`.

        Raises:
            ValueError: If z has another shape, or a value is NaN or infinite. A server rejects the request.
        """
        by_group, sound = value_checks.checked_latents(z, self.latents)
        name, value = next(iter(by_group.items()))
        y = self._given(condition, value, self.latents.shapes[name])
        with self._one_per_row(value, condition):
            parameters = self.decoder(*self._decoder_input(self.latents.pack(by_group), y))
            family = self.decoder.family
            found = {"mean": family.mean(parameters), **family.reported(parameters)}
            return value_checks.poisoned(found, *sound, value_checks.sound_condition(y, self.condition))

    def reconstruct(self, x: tf.Tensor, *, condition: Any = None) -> tf.Tensor:
        """Return the mean reconstruction, `[batch, *event]`, of x `[batch, *event]`.

        Raises:
            ValueError: As `encode`.
        """
        self._encoded(condition)  # checks whether there must be one
        return self(x if condition is None else (x, condition))

    def generate(self, seeds: tf.Tensor, *, condition: Any = None, draws: bool = False) -> dict[str, Any]:
        """Return one z ~ p(z) per seed, and the likelihood's mean at z.

        Args:
            seeds: `[batch]` integers of up to 64 bits. The same seed gives the same z, bit for bit, in any batch.
            condition: y, `[batch, ...]`.
            draws: Whether to also draw an observation per seed.

        Returns:
            `z`, `[batch, *latent]`; `mean`, the likelihood's mean at z, `[batch, *event]`; and with `draws` also
            `draw`, x ~ p(x|z), `[batch, *event]`.

        Raises:
            ValueError: If seeds are not `[batch]` integers, or the condition is invalid for this model.
        """
        given = [streams.for_rows(seeds, "VAE.generate")]
        self._encoded(condition, given[0])  # checks it
        if self.condition is not None:
            given.append(tf.cast(self.condition.checked(condition, tf.shape(given[0])[0]), self._condition_dtype))
        compiled = self._compiled_draws if draws else self._compiled_generate
        with self._one_per_row(given[0], condition):
            found = compiled(*given) if tf.executing_eagerly() else self._generate(*given, draws=draws)
            found = {**found, "z": self.latents.pack(found["z"])}
            y = None if self.condition is None else given[1]
            return value_checks.poisoned(found, value_checks.sound_condition(y, self.condition))

    @functools.cached_property
    def _compiled_generate(self) -> Any:
        return self._compile_generate(draws=False)

    @functools.cached_property
    def _compiled_draws(self) -> Any:
        return self._compile_generate(draws=True)

    def _compile_generate(self, draws: bool) -> Any:
        # A loop over rows is slow in eager mode.
        signature = [tf.TensorSpec([None], tf.int64)]
        if self.condition is not None:
            signature.append(tf.TensorSpec([None, *self.condition.shape], self._condition_dtype))
        # Concrete, because TensorFlow warns of "frequent retracing" if one program samples several models.
        return tf.function(functools.partial(self._generate, draws=draws)).get_concrete_function(*signature)

    @property
    def _condition_dtype(self) -> Any:
        """The dtype of y: of a vector that of the model, so that it loses no digits."""
        assert self.condition is not None, "only asked of conditional models"
        return self._dtype_of_densities if self.condition.dtype.is_floating else self.condition.dtype

    def _generate(self, seeds: tf.Tensor, condition: tf.Tensor | None = None, *, draws: bool) -> dict[str, Any]:
        z = per_row.sample_prior(self, self._encoded(condition), seeds)
        parameters = self.decoder(*self._decoder_input(self.latents.pack(z), condition))
        found = {"mean": self.decoder.family.mean(parameters), "z": z}
        if draws:
            found["draw"] = per_row.sample_likelihood(self.decoder.family, parameters, seeds)
        return found

    def sample(
        self, num_samples: int, *, seed: int | None = None, condition: Any = None, draws: bool = False
    ) -> tf.Tensor:
        """Return samples of the model, `[num_samples, *event]`: by default the likelihood's means at z ~ p(z).

        Args:
            num_samples: Number of samples.
            seed: Integer from 0 to 2³¹ − 1, from which one seed of `generate` for each sample is derived: different
                seeds give different samples, and more samples begin with the same ones. Random by default.
            condition: One y for all samples, such as the label 7, or one per sample, `[num_samples, ...]`.
            draws: Whether to return observations, x ~ p(x|z), instead of means.

        Raises:
            ValueError: If `num_samples` is not a positive integer, the seed is not an integer from 0 to 2³¹ − 1, or the
                condition is invalid for this model.
        """
        num_samples = positive_integer(num_samples, "VAE.sample: num_samples")
        seed = streams.draw() if seed is None else seed_number(seed, "VAE.sample")
        if self.condition is not None:
            condition = self.condition.rows(condition, num_samples)
        found = self.generate(streams.rows_of(seed, num_samples), condition=condition, draws=draws)
        return found["draw" if draws else "mean"]

    def score(self, x: tf.Tensor, *, seeds: tf.Tensor, num_samples: int = 64, condition: Any = None) -> tf.Tensor:
        """Return the importance-weighted bound on log p(x), `[batch]`, in nats; a row is reproducible by its seed.

        Args:
            x: `[batch, *event]`.
            seeds: `[batch]` integers of up to 64 bits, one seed of noise per row.
            num_samples: Number of z per x. More samples give a tighter bound.
            condition: y, `[batch, ...]`; the bound is then on log p(x|y).

        Raises:
            ValueError: As `encode`, and if `seeds` are not one integer per row.
        """
        num_samples = positive_integer(num_samples, "VAE.score: num_samples")
        x, sound = value_checks.checked(x, self.observed_family)
        y = self._given(condition, x, self.event_shape)
        seeds = streams.for_rows(seeds, "VAE.score", rows=x)
        with self._one_per_row(x, condition, seeds):
            inference = self.inference_at(x, condition=y)
            z, log_posterior = per_row.sample_posterior(inference, seeds, num_samples)
            log_weights = inference.densities(z).log_joint - log_posterior
            found = tf.reduce_logsumexp(log_weights, axis=0) - math.log(num_samples)
            return value_checks.poisoned(found, sound, value_checks.sound_condition(y, self.condition))

    def _one_per_row(self, rows: tf.Tensor, condition: Any, seeds: Any = None) -> Any:
        rank = 0 if self.condition is None else 1 + len(self.condition.shape)
        return value_checks.one_per_row(rows, condition, rank, seeds)

    # Files.

    def save(self, filepath: str | Path, overwrite: bool = True, **kwargs: Any) -> None:
        """Save like `keras.Model.save`, atomically: the file appears complete or not at all.

        Raises:
            ValueError: If the name does not end in `.keras`.
            FileExistsError: If the file exists and `overwrite` is false.
        """
        if Path(filepath).suffix != ".keras":
            raise ValueError(
                f"VAE.save: filepath: expected a name that ends in .keras, received {filepath}. Rename it."
            )
        with files.whole(filepath, overwrite=overwrite) as unfinished:
            super().save(unfinished, **kwargs)

    def summary(self, expand_nested: bool = True, **kwargs: Any) -> None:
        """Print the parts with their shapes and networks, and the groups of latents if there are several.

        Args:
            expand_nested: Whether to show the networks inside encoder, decoder and prior. Defaults to True.
            **kwargs: Other arguments of `keras.Model.summary`.
        """
        super().summary(expand_nested=expand_nested, **kwargs)
        if self.latents.several:
            groups = ", ".join(f"{name} {shape}" for name, shape in self.latents.shapes.items())
            (kwargs.get("print_fn") or print)(f" Groups of latents: {groups}")

    def get_layer(self, name: str | None = None, index: int | None = None) -> keras.layers.Layer:
        """Return a layer by name or index, like `keras.Model.get_layer`.

        The names `"encoder"`, `"decoder"` and `"prior"` always refer to the model's parts.
        """
        if index is None and name in ("encoder", "decoder", "prior"):
            return getattr(self, name)
        return super().get_layer(name, index)

    def export(
        self,
        filepath: str | Path,
        format: str = "tf_saved_model",
        verbose: bool | None = None,
        input_signature: Any = None,
        *,
        score_samples: int = 64,
    ) -> Path:
        """Write a SavedModel for TensorFlow Serving, with signatures for the encoder and the decoder.

        | signature | inputs | outputs |
        |---|---|---|
        | `generate` (and `serving_default`) | `seed` [batch] int64 | `mean` [batch, *event], `z` [batch, *latent] |
        | `draw` | `seed` [batch] int64 | `draw` [batch, *event], x ~ p(x given z), `mean` and `z` |
        | `encode` | `x` [batch, *event] | `mean`, `scale` [batch, *latent] |
        | `decode` | `z` [batch, *latent] | `mean` [batch, *event] and the likelihood's parameters |
        | `reconstruct` | `x` | `mean` [batch, *event] |
        | `score` | `x`, `seed` | `log_likelihood_bound` [batch], in nats |

        The signatures of a conditional model also take `condition`: [batch] int64 labels, or [batch, size] vectors.
        With several groups of latents, there is one `z`, `mean` and `scale` per group: `z/<group>` and so on.

        Row i of a response depends only on row i of the request. The directory appears complete or not at all, after it
        has been loaded and compared with this model. It includes warm-up requests.

        Args:
            filepath: `<base path>/<version>`, such as `"models/digits/1"`.
            format: Must be `"tf_saved_model"`.
            verbose: Whether to print the path and the signatures. Defaults to False.
            input_signature: Must be None. Keras traces `call` with it, but this export has several signatures, each
                with its own inputs and any batch size.
            score_samples: Number of importance samples of `score`.

        Returns:
            The path of the export.

        Raises:
            ValueError: If the path does not end in a version, or an argument is invalid.
            FileExistsError: If the version exists. Versions are never overwritten.
            keras_vae.export.ExportMismatchError: If the export gives other results than this model.
        """
        if format != "tf_saved_model":
            raise ValueError(
                f"VAE.export: format: expected 'tf_saved_model', received {format!r}. Use VAE.save for a .keras file."
            )
        if input_signature is not None:
            raise ValueError(
                f"VAE.export: input_signature: expected None, since every signature has its own inputs, received "
                f"{input_signature!r}. Use keras.export.ExportArchive to export `call` alone."
            )
        written = export_saved_model(self, filepath, score_samples)
        if verbose:
            print(f"Saved signatures {', '.join(signatures(self, 1))} at '{written}'.")
        return written
