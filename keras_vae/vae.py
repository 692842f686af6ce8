"""The variational autoencoder: what a user does with a composition of encoder, decoder, prior and objective."""

import functools
import math
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_vae.composition import Composition
from keras_vae.export import export_saved_model
from keras_vae.export.signatures import signatures
from keras_vae.inference import per_row
from keras_vae.trainer import input_checks
from keras_vae.utils import files
from keras_vae.utils import seeds as streams
from keras_vae.utils.arguments import positive_integer


@keras.saving.register_keras_serializable("keras_vae")
class VAE(Composition):
    """A variational autoencoder (Kingma & Welling 2014; Rezende, Mohamed & Wierstra 2014).

    A Keras model like any other: `compile`, `fit`, `evaluate`, `predict`, `save`. `fit` takes x alone, as an array
    `[n, *event]` or a batched `tf.data.Dataset` of x or (x, y); y is ignored unless the model has a condition. The loss
    and the metrics come from the objective, in nats per example; `compile` takes no `loss`.

    The latents z are one tensor, or, if encoder and prior have several groups, a dict with a tensor for each group.

    Args:
        encoder: q(z|x), a `keras_vae.Encoder`, or a `keras_vae.ChainEncoder` for several groups of latents.
        decoder: p(x|z), a `keras_vae.Decoder`.
        prior: p(z). Defaults to a standard normal; required for several groups, such as `keras_vae.priors.Chain`.
        objective: The bound to maximize. Defaults to the ELBO.
        condition: `keras_vae.conditions.Label(10)` or `Vector(5)` for a conditional model: `fit` then takes (x, y), and
            `encode`, `decode`, `sample` and so on take `condition=y`. Defaults to None.
        seed: Integer, the seed of all noise in training and evaluation. Drawn from NumPy's generator by default, which
            `keras.utils.set_random_seed` controls.

    Call arguments:
        inputs: x, `[batch, *event]`; for a conditional model (x, y).

    Returns:
        The mean reconstruction, `[batch, *event]`: the likelihood's mean at the posterior's mean (for discrete latents:
        at its mode). `predict` returns the same as a NumPy array.

    Raises:
        TypeError: If a part has the wrong type.
        ValueError: If the parts do not go together: prior and posterior disagree on the latents' groups, shapes or
            values, or the objective's gradient estimator is wrong for the posterior.

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

    def call(self, inputs: Any, training: bool | None = None) -> tf.Tensor:
        """Return the mean reconstruction."""
        x, condition = inputs if isinstance(inputs, tuple | list) else (inputs, None)
        _, points = self.infer(x, condition=condition, training=training).points()
        given, encoded = self._decoder_input(self.latents.pack(points), condition, training)
        return self.decoder.family.mean(self.decoder(given, encoded, training=training))

    def encode(self, x: tf.Tensor, *, condition: Any = None) -> dict[str, Any]:
        """Return the posterior's `mean` and `scale`, each `[batch, *latent]`, for x `[batch, *event]`.

        With several groups both are dicts, and those of a group are given the points of the groups before it.

        Raises:
            ValueError: If x lies outside the likelihood's support; served, the request is refused.
        """
        x = input_checks.checked(x, self.observed_family)
        parameters, _ = self.infer(x, condition=condition).points()
        families = self.encoder.families
        means = {name: families[name].mean(found) for name, found in parameters.items()}
        scales = {name: families[name].scale(found) for name, found in parameters.items()}
        return {"mean": self.latents.pack(means), "scale": self.latents.pack(scales)}

    def decode(self, z: Any, *, condition: Any = None) -> dict[str, tf.Tensor]:
        """Return the likelihood's `mean`, `[batch, *event]`, and its parameters, for z `[batch, *latent]`."""
        parameters = self.decoder(*self._decoder_input(z, condition))
        return {"mean": self.decoder.family.mean(parameters), **parameters}

    def reconstruct(self, x: tf.Tensor, *, condition: Any = None) -> tf.Tensor:
        """Return the mean reconstruction, `[batch, *event]`, of x `[batch, *event]`.

        Raises:
            ValueError: As `encode`.
        """
        x = input_checks.checked(x, self.observed_family)
        return self(x if condition is None else (x, tf.convert_to_tensor(condition)))

    def generate(self, seeds: tf.Tensor, *, condition: Any = None, draws: bool = False) -> dict[str, Any]:
        """Return one z from the prior for each seed, and the likelihood there.

        Args:
            seeds: `[batch]` integers. The same seed gives the same z to the last bit, in any batch.
            condition: y, `[batch, ...]`.
            draws: Whether to draw an observation for each seed as well.

        Returns:
            `z`, `[batch, *latent]`; `mean`, the likelihood's mean there, `[batch, *event]`; and with `draws` also
            `draw`, x ~ p(x|z), `[batch, *event]`.
        """
        given = [tf.cast(seeds, tf.int64)]
        self._encoded(condition, given[0])  # says what is wrong
        if self.condition is not None:
            given.append(tf.cast(self.condition.checked(condition, tf.shape(given[0])[0]), self.condition.dtype))
        compiled = self._compiled_draws if draws else self._compiled_generate
        found = compiled(*given) if tf.executing_eagerly() else self._generate(*given, draws=draws)
        return {**found, "z": self.latents.pack(found["z"])}

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
            signature.append(tf.TensorSpec([None, *self.condition.shape], self.condition.dtype))
        # Concrete: TensorFlow warns of "frequent retracing" where several models are sampled in one program.
        return tf.function(functools.partial(self._generate, draws=draws)).get_concrete_function(*signature)

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
            num_samples: How many.
            seed: Integer, the first of `num_samples` consecutive seeds of `generate`. Drawn at random by default.
            condition: y for all, such as the label 7, or one for each, `[num_samples, ...]`.
            draws: Whether to return observations, x ~ p(x|z), instead of means.

        Raises:
            ValueError: If `num_samples` is not a positive integer, a seed has more than 64 bits, or the condition is
                not one of the model's.
        """
        num_samples = positive_integer(num_samples, "VAE.sample: num_samples")
        first = streams.draw() if seed is None else int(seed)
        if not -(2**63) <= first <= 2**63 - num_samples:
            raise ValueError(
                f"VAE.sample: expected seeds of 64 bits, received seed={seed} and num_samples={num_samples}. "
                "Use a smaller seed."
            )
        if self.condition is not None:
            condition = self.condition.rows(condition, num_samples)
        seeds = np.arange(first, first + num_samples, dtype=np.int64)
        return self.generate(seeds, condition=condition, draws=draws)["draw" if draws else "mean"]

    def score(self, x: tf.Tensor, *, seeds: tf.Tensor, num_samples: int = 64, condition: Any = None) -> tf.Tensor:
        """Return the importance-weighted bound on log p(x), `[batch]`, in nats; each row repeats with its seed.

        Args:
            x: `[batch, *event]`.
            seeds: `[batch]` integers, each the seed of its row's noise.
            num_samples: How many z for each x; more bring it nearer to log p(x), from below on average.
            condition: y, `[batch, ...]`; the bound is then on log p(x|y).

        Raises:
            ValueError: As `encode`.
        """
        inference = self.infer(input_checks.checked(x, self.observed_family), condition=condition)
        z, log_posterior = per_row.sample_posterior(inference, tf.cast(seeds, tf.int64), num_samples)
        log_weights = inference.densities(z).log_joint - log_posterior
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

    def summary(self, expand_nested: bool = True, **kwargs: Any) -> None:
        """Print the parts, their shapes and their networks; arguments as in `keras.Model.summary`.

        Args:
            expand_nested: Whether to show the networks inside encoder, decoder and prior. Defaults to True.
            **kwargs: As in `keras.Model.summary`.
        """
        super().summary(expand_nested=expand_nested, **kwargs)

    def get_layer(self, name: str | None = None, index: int | None = None) -> keras.layers.Layer:
        """Return a layer by name or index, as `keras.Model.get_layer`.

        The names `"encoder"`, `"decoder"` and `"prior"` stand for the model's parts, whatever names Keras gave them.
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

        Those of a conditional model take `condition` as well: [batch] int64 labels, or [batch, size] vectors. With
        several groups of latents, `z`, `mean` and `scale` are one tensor for each group: `z/<group>` and so on.

        Row i of an answer depends on row i of the request alone. The directory appears whole or not at all, after it
        has been loaded back and compared with this model; warm-up requests are written with it.

        Args:
            filepath: `<base path>/<version>`, such as `"models/digits/1"`.
            format: `"tf_saved_model"`, the only one.
            verbose: Whether to print the path and the signatures. Defaults to False.
            input_signature: Must be None. Keras traces `call` with it; the signatures here are several, and each has
                its inputs and a batch of any size.
            score_samples: Importance samples behind `score`.

        Returns:
            The path written.

        Raises:
            ValueError: If the path does not end in a version, or an argument is unknown.
            FileExistsError: If the version exists: it is never overwritten.
            keras_vae.export.ExportMismatchError: If the export does not answer as this model does.
        """
        if format != "tf_saved_model":
            raise ValueError(
                f"VAE.export: unknown format: expected 'tf_saved_model', received {format!r}. For the model alone, use "
                "VAE.save."
            )
        if input_signature is not None:
            raise ValueError(
                f"VAE.export: expected input_signature=None, received {input_signature!r}: every signature has its own "
                "inputs, with a batch of any size. To export `call` alone, use keras.export.ExportArchive."
            )
        written = export_saved_model(self, filepath, score_samples)
        if verbose:
            print(f"Saved signatures {', '.join(signatures(self, 1))} at '{written}'.")
        return written
