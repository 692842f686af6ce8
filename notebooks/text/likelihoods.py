# %% [markdown]
# # Likelihoods
#
# The decoder's distribution $p(x|z)$ determines what kind of data $x$ is. This notebook trains one small network with
# seven likelihoods on the same digits. It shows why a Bernoulli likelihood on gray pixels is formally wrong, how each
# choice affects reconstructions and samples, and which of the resulting figures are comparable.

# %%
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import math
import textwrap

import keras
import numpy as np
from matplotlib import pyplot as plt
from tensorflow_probability import distributions as tfd

import keras_vae as kv
from keras_vae.families.support import UNIT_INTERVAL

keras.utils.set_random_seed(0)
SHAPE, D = (28, 28, 1), 28 * 28

# %% [markdown]
# ## What a likelihood is
#
# Maximum likelihood requires a $p(x|z)$ that sums or integrates to one over the set of possible images, its support.
# There are two kinds. A *mass* is a probability, at most 1, so its logarithm is never positive. A *density* is a
# probability per unit of volume. It can be any positive number, so its logarithm can be any real number.
#
# | Family | Support of one pixel | Kind | What `kv.data.load` turns a byte $k$ into by default |
# |---|---|---|---|
# | Bernoulli | $\{0, 1\}$ | mass | 1 with probability $k/255$, otherwise 0; drawn again in each training epoch |
# | continuous Bernoulli | $[0, 1]$ | density | $(k+u)/256$ with $u \sim \mathrm{Uniform}(0, 1)$: "dequantized" |
# | beta | $(0, 1)$ | density | dequantized |
# | Normal | $\mathbb{R}$ | density | dequantized |
# | gray levels; discretized logistics | $\{0, 1/255, \dots, 1\}$ | mass | $k/255$ |

# %%
for name in kv.families.LIKELIHOODS:
    x = next(iter(kv.data.load("mnist_5k", split="test", likelihood=name))).numpy()
    print(f"{name:30s} smallest {x.min():.1e}  largest {x.max():.6f}  distinct values {len(np.unique(x)):6d}")

# %% [markdown]
# ## Bernoulli on gray pixels is formally wrong
#
# The Bernoulli mass is $\rho^x (1-\rho)^{1-x}$ for $x \in \{0, 1\}$. This formula, the binary cross-entropy, can also
# be evaluated at $x = 0.3$, and often is. As Gutmann's lecture on VAEs points out, the ELBO can be evaluated, but "it
# is formally wrong". If $x$ can be any value in $[0, 1]$, the formula would have to be a density and integrate to
# one:
#
# $$\int_0^1 \rho^x (1-\rho)^{1-x}\,dx = \frac{1}{C(\rho)}, \qquad
# C(\rho) = \frac{2\,\mathrm{artanh}(1-2\rho)}{1-2\rho}, \qquad C(\tfrac12) = 2.$$
#
# $C$ is the normalizer of the continuous Bernoulli (Loaiza-Ganem and Cunningham 2019). The next cell computes the
# integral numerically.

# %%
rho = np.linspace(1e-4, 1 - 1e-4, 400)  # an even number of points, so that none is 1/2
grid = np.linspace(0, 1, 2001)[:, None]
integral = np.trapezoid(rho**grid * (1 - rho) ** (1 - grid), grid[:, 0], axis=0)
closed = (1 - 2 * rho) / (2 * np.arctanh(1 - 2 * rho))
print(f"largest difference from the closed form: {np.max(np.abs(integral - closed)):.1e}")
print(f"integral: from {integral.min():.3f} (at rho = {rho[integral.argmin()]:.4f}) to {integral.max():.3f}")

figure, axes = plt.subplots(1, 2, figsize=(9, 3), layout="constrained")
axes[0].plot(rho, integral, label="quadrature")
axes[0].plot(rho[::20], closed[::20], "k.", label=r"$1/C(\rho)$")
axes[0].axhline(1, color="gray", linestyle=":", label="a density")
axes[0].set(xlabel=r"$\rho$", ylabel=r"integral over $x \in [0, 1]$", ylim=(0, 1.1))
axes[0].legend()
axes[1].plot(rho, np.log(closed))
axes[1].set(xlabel=r"$\rho$", ylabel="log integral, nats per pixel", title="deficit of one pixel")
plt.show()

# %% [markdown]
# The integral is at most one half and falls toward 0 at both ends, where most pixels of a digit are. So the formula
# is not a density, and how far it is from one depends on $\rho$, that is, on the weights. The error is not a constant
# that could be ignored.
#
# The library therefore rejects such data and lists the alternatives.


# %%
def show_error(attempt):
    try:
        attempt()
    except ValueError as error:
        print(textwrap.fill(str(error), 110), end="\n\n")


gray_pixels = next(iter(kv.data.load("mnist_5k", split="test", likelihood="normal", preprocess="gray"))).numpy()
model = kv.models.vae(SHAPE, likelihood="bernoulli")
model.compile()
show_error(lambda: model.fit(gray_pixels))
show_error(lambda: kv.data.load("mnist_5k", likelihood="bernoulli", preprocess="gray"))

# %% [markdown]
# To see the effect on a whole image, we need a model trained with the wrong figure. The next cell defines a function
# that trains any family for 10 epochs, with 784-200-200 in the encoder, $K = 10$ latents, and the reverse in the
# decoder. The class in this cell claims that the support of Bernoulli is all of $[0, 1]$, which is exactly the error.


# %%
def train(family, likelihood):
    data = [
        kv.data.load("mnist_5k", split=split, batch_size=100, likelihood=likelihood, seed=0)
        for split in ("train", "test")
    ]
    keras.utils.set_random_seed(0)
    vae = kv.VAE(
        encoder=kv.Encoder(kv.networks.MLP([200, 200]), kv.families.Normal(10)),
        decoder=kv.Decoder(kv.networks.MLP([200, 200]), family),
        seed=0,
    )
    vae.compile(optimizer=keras.optimizers.Adam(3e-3))
    vae.fit(data[0], epochs=10, verbose=0)
    return vae, data[1]


class WronglyGray(kv.families.Bernoulli):
    support = UNIT_INTERVAL  # it is not


wrong, gray_test = train(WronglyGray(SHAPE), "continuous_bernoulli")
wrong_figure = wrong.evaluate(gray_test, verbose=0, return_dict=True)["bound"]
print(f"the 'bound' of the wrong model: {wrong_figure:.1f}")

# %% [markdown]
# With logits $l = \log\rho/(1-\rho)$, the integral is $\tanh(l/2)/l$. Pixels are independent given $z$, so the
# integral over $[0,1]^{784}$ is a product and its logarithm is a sum.

# %%
x = next(iter(gray_test)).numpy()
logits = wrong.decode(wrong.posterior(x).sample(seed=1))["logits"].numpy().astype("float64")
log_integral = np.log(np.tanh(logits / 2) / logits).sum(axis=(1, 2, 3))
print(f"log of the integral over all gray images, mean over 100 z: {log_integral.mean():.0f} nats")
entropy = -(x * np.log(x) + (1 - x) * np.log(1 - x)).sum(axis=(1, 2, 3))
print(f"maximum of the formula, at rho = x: {-entropy.mean():.1f} nats per digit")

# %% [markdown]
# This value should be 0, but it is more than a thousand nats below: the figure is not a log-likelihood of these or
# any other images. Its scale has no meaning of its own either: even the perfect reconstruction $\rho = x$ does not
# reach 0.
#
# The same weights can be interpreted as a continuous Bernoulli, which restores the normalizer. For comparison, we
# train the same network with the correct density from the start.

# %%
proper = kv.VAE(
    encoder=kv.Encoder(kv.networks.MLP([200, 200]), kv.families.Normal(10)),
    decoder=kv.Decoder(kv.networks.MLP([200, 200]), kv.families.ContinuousBernoulli(SHAPE)),
    seed=0,
)
proper.set_weights(wrong.get_weights())
proper.compile()
models = {"continuous Bernoulli": train(kv.families.ContinuousBernoulli(SHAPE), "continuous_bernoulli")}
right_figure = models["continuous Bernoulli"][0].evaluate(gray_test, verbose=0, return_dict=True)["bound"]
print(f"wrong objective, wrong figure    {wrong_figure:8.1f}  (not a density)")
print(f"wrong objective, right density   {proper.evaluate(gray_test, verbose=0, return_dict=True)['bound']:8.1f}")
print(f"right objective, right density   {right_figure:8.1f}")

# %% [markdown]
# (For the second, the family bounds the logits: it keeps $\rho$ within $[10^{-4}, 1-10^{-4}]$, as the authors do.
# Otherwise, black pixels would drive $\rho$ toward 0 and increase the density.)
#
# The last two are bounds on log-densities of the same data, so they are comparable: omitting the normalizer from the
# objective costs a great deal. The first is comparable with neither of them.
#
# There are two valid alternatives: binarize the pixels and keep the Bernoulli, or keep the gray pixels and use a
# family for gray values.
#
# ## Seven likelihoods, one network
#
# We use Bernoulli on binarized digits, three kinds of density on dequantized digits, and, for the bytes themselves, a
# mixture of two discretized logistics per pixel. (`GrayLevels`, a softmax over 256 values, is the other 8-bit family.
# As the next cell shows, its last layer would have forty million weights, so this notebook does not train it.)

# %%
CHOICES = {
    "Bernoulli": (kv.families.Bernoulli(SHAPE), "bernoulli"),
    "beta": (kv.families.Beta(SHAPE), "beta"),
    "Normal, sigma 1": (kv.families.Normal(SHAPE, scale=1.0), "normal"),
    "Normal, sigma 0.1": (kv.families.Normal(SHAPE, scale=0.1), "normal"),
    "Normal, learned sigma": (kv.families.Normal(SHAPE, scale="learned"), "normal"),
    "8-bit logistics": (kv.families.DiscretizedLogisticMixture(SHAPE, components=2), "discretized_logistic_mixture"),
}
# log σ starts at 0, and Adam changes a weight by about the learning rate per step, too slowly for 400 steps.
CHOICES["Normal, learned sigma"][0].log_scale.assign(math.log(0.3))
models |= {name: train(*choice) for name, choice in CHOICES.items()}
models = {"Bernoulli": models.pop("Bernoulli"), **models}  # the order in the figure

print(f"learned sigma: {math.exp(float(CHOICES['Normal, learned sigma'][0].log_scale)):.3f}")
for family in (CHOICES["8-bit logistics"][0], kv.families.GrayLevels(SHAPE)):
    print(f"{type(family).__name__}: {200 * math.prod(family.parameters_shape):,} weights in the last layer")

# %% [markdown]
# A decoder returns a distribution, and you can show its mean or sample from it. `vae.sample` and `vae.predict` return
# means; `vae.likelihood(z).sample()` samples pixels. The figure shows both, for the same five $z \sim p(z)$ in every
# row; each model turns them into different digits.


# %%
z = np.random.default_rng(0).standard_normal([5, 10]).astype("float32")


def four_views(vae, test):
    x = next(iter(test)).numpy()[5::20]
    drawn = vae.likelihood(z).sample(seed=2)
    return np.concatenate([x, vae.reconstruct(x), vae.decode(z)["mean"], np.clip(drawn, 0, 1)])


figure, axes = plt.subplots(len(models), 1, figsize=(12, 0.66 * len(models) + 0.5), layout="constrained")
for axis, (name, (vae, test)) in zip(axes, models.items(), strict=True):
    axis.imshow(kv.plots.tile(four_views(vae, test), 20)[..., 0], cmap="gray", vmin=0, vmax=1)
    axis.set_yticks([])
    axis.set_xticks([])
    axis.set_ylabel(name, rotation=0, ha="right", va="center", fontsize=11)
    for edge in (5, 10, 15):
        axis.axvline(29 * edge, color="tab:red", linewidth=2.5)
for block, title in enumerate(("test digits", "reconstructions (means)", "samples (means)", "samples (pixels)")):
    axes[0].text(29 * (5 * block + 2.5), -6, title, ha="center", fontsize=11)
plt.show()

# %%
train_pixels = np.concatenate(list(kv.data.load("mnist_5k", likelihood="normal", preprocess="gray")))
black = train_pixels.max(axis=0) == 0
print(f"pixels that are black in all {len(train_pixels):,} training digits: {black.sum()} of {D}")
for name, (vae, _) in models.items():
    print(f"{name:24s}their mean in sample means: {np.asarray(vae.decode(z)['mean'])[:, black].mean():.4f}")
dark = float(tfd.ContinuousBernoulli(probs=1e-4).mean())
print(f"smallest possible mean of the continuous Bernoulli: {dark:.4f}")

# %% [markdown]
# - *Bernoulli*: the background is black; sampled pixels are spotty inside the strokes and rough at their edges.
# - *Continuous Bernoulli*: the background is gray in the means and noisy in the samples. The density decreases slowly
#   from its peak at 0. With $\rho \ge 10^{-4}$, the mean of a pixel is never below 0.109, regardless of the data.
# - *Beta*: the background is black, reconstructions are blurred (the last one is unreadable), and samples are specks.
#   Perhaps the background offers so many nats that the strokes matter less; we do not show that here.
# - *Normal, $\sigma = 1$*: the log-density is minus half the usual squared error, minus a constant. The means are the
#   most blurred, and the samples are noise.
# - *Normal, $\sigma = 0.1$ or learned*: the reconstructions are the clearest, with equally strong noise everywhere.
# - *8-bit logistics*: the background is black, reconstructions are readable, and strokes in the samples are spotty.
#
# In all of these models, pixels are independent given $z$. Therefore the samples are spotty, and only the means look
# smooth.
#
# ## Comparing the figures

# %%
pixels = np.concatenate(list(kv.data.load("mnist_5k", split="test", likelihood="normal", preprocess="gray")))
KIND = {"Bernoulli": "mass, binary images", "8-bit logistics": "mass, 8-bit images"}
bounds = {}
print(f"{'nats per digit':24s}{'bound':>9s}{'reconstr.':>11s}{'KL':>7s}{'RMSE':>7s}  of")
for name, (vae, test) in models.items():
    found = vae.evaluate(test, verbose=0, return_dict=True)
    bounds[name] = found["bound"]
    means = np.concatenate([vae.reconstruct(x) for x in test])
    error = np.sqrt(np.mean((means - pixels) ** 2))
    kind = KIND.get(name, "density, dequantized images")
    print(f"{name:24s}{found['bound']:9.1f}{found['reconstruction']:11.1f}{found['kl']:7.1f}{error:7.3f}  {kind}")

# %% [markdown]
# Each kind of column has its own rule.
#
# - **Bound and reconstruction** are comparable only for the same data and the same base measure: masses on the same
#   set of images, or densities of the same pixels in the same units. Above, the five densities are comparable with
#   each other, and the other two figures with none. The figure of Bernoulli is larger than that of the 8-bit
#   logistics, but that means nothing: there are $2^{784}$ binary images and $256^{784}$ byte images.
# - **KL** is a divergence between distributions of $z$. It does not depend on the units of $x$, so it is comparable.
#   It measures how much information about an image each model passes to its decoder.
# - **RMSE** between the mean reconstruction and the gray test pixels ($k/255$) is in gray values for all models, so it
#   is comparable. It is not a likelihood and says nothing about samples. (Bernoulli is at a disadvantage: it sees the
#   binarized digit.)
#
# The Normal models show how these are related. With $\sigma = 1$, errors have little weight, so hardly any information
# is worth its KL, and the reconstructions are poor. $\sigma = 0.1$ has the largest KL, but its reconstructions are no
# better than with the learned $\sigma$, which has by far the best bound of the three. A fixed $\sigma$ limits the
# figure:

# %%
for sigma in (1.0, 0.1):
    ceiling = -D * (math.log(sigma) + 0.5 * math.log(2 * math.pi))
    print(f"sigma {sigma}: maximum log-density {ceiling:.1f}; reached {bounds[f'Normal, sigma {sigma:g}']:.1f}")

# %% [markdown]
# ## From a density to a mass
#
# A density on dequantized pixels does provide information about bytes. Its integral over the cell of a byte image $k$
# is a probability. By Jensen's inequality (Theis, van den Oord and Bethge 2016),
#
# $$\log P(k) = \log \int_{[0,1]^D} p\Bigl(\frac{k+u}{256}\Bigr)\frac{du}{256^D}
# \ \ge\ \mathbb{E}_u\Bigl[\log p\Bigl(\frac{k+u}{256}\Bigr)\Bigr] - D\log 256.$$
#
# So a bound from the table minus $784 \log 256$ is comparable with the mass of an 8-bit model. This requires data that
# are really dequantized bytes. Here this holds for five models, but not for Bernoulli.

# %%
as_mass = {name: bound - D * math.log(256) for name, bound in bounds.items() if name not in KIND}
as_mass["8-bit logistics"] = bounds["8-bit logistics"]
as_mass["uniform, no model"] = -D * math.log(256)
print("lower bound on the log-probability of an 8-bit digit")
for name, nats in sorted(as_mass.items(), key=lambda item: -item[1]):
    print(f"{name:24s}{nats:9.1f} nats{-nats / (D * math.log(2)):8.3f} bits per pixel")

print("\nlargest possible mass of a black pixel, k = 0")
print(f"continuous Bernoulli {float(tfd.ContinuousBernoulli(probs=1e-4).cdf(1 / 256)):.4f}")
for sigma in (1.0, 0.1):
    print(f"Normal, sigma {sigma:g}: {2 * float(tfd.Normal(0.0, sigma).cdf(1 / 512)) - 1:.4f}")
print(f"test pixels that are black: {np.mean(pixels == 0):.0%}")
outside = 1 - float(tfd.Normal(0.0, 1.0).cdf(1.0) - tfd.Normal(0.0, 1.0).cdf(0.0))
print(f"mass of N(0, 1) outside [0, 1]: {outside:.2f}")

# %% [markdown]
# Now the ranking is meaningful. The family designed for bytes is best, followed by beta. The continuous Bernoulli and
# these Normal models cannot assign much mass to a black pixel, and most pixels are black. Normal with $\sigma = 1$ is
# worse than no model at all: for a black pixel, two thirds of its mass lies outside $[0, 1]$. (All figures are lower
# bounds, after short training, with one seed. The true value of a density may be higher than its bound.)
#
# Bernoulli is not in this table. A binary image is another random variable, drawn from the gray image. A model of
# bytes implies a model of binary images (binarize its samples), but the probability of a binary image under it is a
# different sum, which we do not compute here.
#
# ## Two ways to get an absurd figure
#
# **Change the unit.** Take the same Normal on pixels from 0 to 255 instead of 0 to 1. The images and reconstructions
# are the same.

# %%
vae, test = models["Normal, sigma 0.1"]
x = next(iter(test)).numpy()
mean = vae.reconstruct(x).numpy()
small = tfd.Normal(mean, 0.1).log_prob(x).numpy().sum(axis=(1, 2, 3)).mean()
large = tfd.Normal(255 * mean, 25.5).log_prob(255 * x).numpy().sum(axis=(1, 2, 3)).mean()
print(f"pixels up to 1: {small:.1f}; pixels up to 255: {large:.1f}; difference {small - large:.1f} nats")
print(f"784 log 255 = {D * math.log(255):.1f}")

# %% [markdown]
# A change of unit makes a difference of four thousand nats: a density without its unit is meaningless.
#
# **Learn $\sigma$ on constant pixels.** With plain gray values (`preprocess="gray"`), some pixels are 0 in every
# training digit. A Normal with a separate $\sigma$ for each pixel (`scale="learned_per_element"` or `"predicted"`) can
# let it approach zero there. The next cell computes the log-density of these pixels for each $\sigma$, with the best
# $\mu$, on both kinds of data.

# %%
dequantized = np.concatenate(list(kv.data.load("mnist_5k", likelihood="normal")))[:, black]
sigma = np.geomspace(1e-8, 1, 400)
height = -np.log(sigma) - 0.5 * math.log(2 * math.pi)
on_gray = black.sum() * height
on_dequantized = black.sum() * (height - dequantized.var() / (2 * sigma**2))
limit = black.sum() * math.log(256)

plt.figure(figsize=(6, 3.2))
plt.semilogx(sigma, on_gray, label="gray, k/255")
plt.semilogx(sigma, on_dequantized, label="dequantized, (k + u)/256")
plt.axhline(limit, color="gray", linestyle=":", label="limit for dequantized data")
plt.ylim(-1000, 1.1 * on_gray.max())
plt.xlabel(r"$\sigma$ of pixels that are always black")
plt.ylabel("their log-density, nats per digit")
plt.legend()
plt.show()
best = sigma[on_dequantized.argmax()]
print(f"dequantized: best sigma {best:.5f}, {on_dequantized.max():.0f} of at most {limit:.0f} nats")
print(f"gray: {on_gray[0]:.0f} nats at sigma {sigma[0]:.0e}, and rising")

# %% [markdown]
# With gray values, the figure has no upper bound: each power of ten in $\sigma$ adds another $129 \log 10 = 297$
# nats, from pixels that carry no information. The figure then only shows how long the model was trained. With
# dequantized bytes, no density can gain more than $\log 256$ per pixel on average, because a mass is at most 1. The
# best $\sigma$ is the standard deviation of the noise, $1/(256\sqrt{12})$. Therefore `kv.data.load` dequantizes by
# default for every density. With one $\sigma$ for all pixels, as in the model above, the strokes keep $\sigma$ from
# shrinking.
#
# ## Choosing a likelihood
#
# | Data | Family | Figure |
# |---|---|---|
# | binary, or gray and binarized as in the literature | `Bernoulli` | log-mass, binary images |
# | bytes | `DiscretizedLogisticMixture`; `GrayLevels` for small images | log-mass, 8-bit images |
# | in $[0, 1]$, not bytes | `ContinuousBernoulli`; `Beta` if never 0 or 1 | log-density on the unit cube |
# | real values | `Normal` with learned $\sigma$ instead of 1 | log-density; state the unit |
#
# With each figure, report the data and its preprocessing, the unit, and whether images show means or samples.
