"""A training step: it must move the weights of both networks, and lower the loss."""

from collections.abc import Callable

import keras
import numpy as np

from checks.report import Wrong, check

_EXAMPLES, _STEPS = 100, 60


@check
def training(build: Callable[[], keras.Model], pixels: int) -> str:
    """Check a Keras model with the attributes `encoder` and `decoder`: `fit` on x `[n, D]`."""
    # Two patterns: any VAE that learns at all tells them apart.
    x = np.zeros([_EXAMPLES, pixels], np.float32)
    x[::2, ::2] = 1
    x[1::2, 1::2] = 1
    model = build()
    model.compile(optimizer=keras.optimizers.Adam(1e-2))
    parts = {name: getattr(model, name) for name in ("encoder", "decoder")}
    before = {name: [weight.numpy() for weight in part.trainable_weights] for name, part in parts.items()}
    losses = model.fit(x, batch_size=_EXAMPLES, epochs=_STEPS, verbose=0).history.get("loss")
    if losses is None:
        raise Wrong('fit reports no loss: train_step must return {"loss": ...}')
    for name, part in parts.items():
        if all(np.array_equal(old, new) for old, new in zip(before[name], part.trainable_weights, strict=True)):
            raise Wrong(f"{_STEPS} steps moved no weight of the {name}: does the optimizer get its gradients?")
    if not np.all(np.isfinite(losses)):
        raise Wrong("the loss became NaN or infinite")
    if not losses[-1] < 0.2 * losses[0]:
        raise Wrong(
            f"after {_STEPS} steps on two patterns the loss is {losses[-1]:.1f}, from {losses[0]:.1f}; wanted a fifth "
            "of it or less. Is the loss minimised, and the noise drawn afresh in each step?"
        )
    return f"both networks learn: on two patterns the loss falls from {losses[0]:.0f} to {losses[-1]:.1f} nats"
