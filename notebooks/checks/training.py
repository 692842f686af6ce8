"""A training step: it must change the weights of both networks and lower the loss."""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from checks.report import Wrong, check

_EXAMPLES, _STEPS = 100, 60


@check
def training(build: Callable[[], keras.Model], pixels: int) -> str:
    """Check a Keras model with the attributes `encoder` and `decoder`: `fit` on x `[n, D]`."""
    # Any VAE that learns at all can distinguish these two patterns.
    x = np.zeros([_EXAMPLES, pixels], np.float32)
    x[::2, ::2] = 1
    x[1::2, 1::2] = 1
    model = build()
    model.compile(optimizer=keras.optimizers.Adam(3e-3))
    _check_noise(model, x)
    parts = {name: getattr(model, name) for name in ("encoder", "decoder")}
    before = {name: [weight.numpy() for weight in part.trainable_weights] for name, part in parts.items()}
    losses = model.fit(x, batch_size=_EXAMPLES, epochs=_STEPS, verbose=0).history.get("loss")
    if losses is None:
        raise Wrong('fit reports no loss. Return {"loss": ...} from train_step')
    for name, part in parts.items():
        if all(np.array_equal(old, new) for old, new in zip(before[name], part.trainable_weights, strict=True)):
            raise Wrong(f"{_STEPS} steps changed no weight of the {name}. Does the optimizer get its gradients?")
    if not np.all(np.isfinite(losses)):
        raise Wrong("the loss became NaN or infinite")
    if not min(losses) < 0.5 * losses[0]:  # any initialization reaches half, even if it confuses the patterns
        raise Wrong(
            f"after {_STEPS} steps on two patterns: expected at most half of the initial loss, {losses[0]:.1f}, "
            f"received {min(losses):.1f} at best. Is the loss minimized?"
        )
    return f"both networks learn: on two patterns, the loss falls from {losses[0]:.0f} to {min(losses):.1f} nats"


def _check_noise(model: keras.Model, x: np.ndarray) -> None:
    """Check that each call draws new noise, even when compiled, and that examples have different noise."""
    loss_of = tf.function(model.loss_of)
    same = tf.constant(np.repeat(x[:1], len(x), axis=0))
    if float(loss_of(same)) == float(loss_of(same)):
        raise Wrong(
            "two calls of loss_of on the same batch return the same value: expected new noise in each call. Use "
            "keras.random.normal([tf.shape(x)[0], K], seed=self.noise)"
        )
    seen = []
    likelihood = model.log_likelihood
    model.log_likelihood = lambda x, output: seen.append(output) or likelihood(x, output)
    try:
        model.loss_of(same)
    finally:
        model.log_likelihood = likelihood
    if not seen:
        raise Wrong("loss_of does not use self.log_likelihood, so the model would only work for binary data")
    if np.ptp(np.asarray(seen[0]), axis=0).max() == 0:
        raise Wrong("equal examples get equal z: draw one ε per example, [n, K], not one for the batch")
