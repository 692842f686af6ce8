# %% [markdown]
# # Likelihoods
#
# The decoder's distribution $p(x|z)$ says what kind of data $x$ is. This notebook trains one small network with seven
# likelihoods on the same digits. It shows why a Bernoulli likelihood on gray pixels is formally wrong, what each
# choice does to reconstructions and samples, and which of the resulting figures may be compared.

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
# ## What a likelihood is for
#
# Maximum likelihood needs a $p(x|z)$ that sums, or integrates, to one over the set of possible images: its support.
# Two kinds are to be told apart. A *mass* is a probability, at most 1, so its logarithm is never positive. A
# *density* is a probability per unit of volume; it may be any positive number, and its logarithm any number at all.
#
# | family | support of one pixel | kind | `kv.data.load` makes of a byte $k$, by default |
# |---|---|---|---|
# | Bernoulli | $\{0, 1\}$ | mass | 1 with probability $k/255$, else 0, afresh in each training epoch |
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
# The Bernoulli mass is $\rho^x (1-\rho)^{1-x}$ for $x \in \{0, 1\}$. The formula, binary cross-entropy, can be
# evaluated at $x = 0.3$ too, and often is. Gutmann's lecture on VAEs says of it: the ELBO can be evaluated, but "it
# is formally wrong". If $x$ may be any value in $[0, 1]$, the formula would have to be a density, and integrate to
# one:
#
# $$\int_0^1 \rho^x (1-\rho)^{1-x}\,dx = \frac{1}{C(\rho)}, \qquad
# C(\rho) = \frac{2\,\mathrm{artanh}(1-2\rho)}{1-2\rho}, \qquad C(\tfrac12) = 2.$$
#
# $C$ is the normalizer of the continuous Bernoulli (Loaiza-Ganem and Cunningham 2019). The cell integrates
# numerically.

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
axes[1].set(xlabel=r"$\rho$", ylabel="log integral, nats per pixel", title="what one pixel is short of")
plt.show()

# %% [markdown]
# The integral is at most one half, and falls towards 0 at both ends, where most pixels of a digit are. So the formula
# is no density, and how far it is from one depends on $\rho$, that is on the weights: the error is no constant that
# one could forget about.
#
# The library therefore refuses such data, and names the ways out.


# %%
def refused(attempt):
    try:
        attempt()
    except ValueError as error:
        print(textwrap.fill(str(error), 110), end="\n\n")


gray_pixels = next(iter(kv.data.load("mnist_5k", split="test", likelihood="normal", preprocess="gray"))).numpy()
model = kv.models.vae(SHAPE, likelihood="bernoulli")
model.compile()
refused(lambda: model.fit(gray_pixels))
refused(lambda: kv.data.load("mnist_5k", likelihood="bernoulli", preprocess="gray"))

# %% [markdown]
# To see what the wrong figure does to a whole image we need a model that was trained on it. The next cell trains any
# family: 784-200-200 in the encoder, $K = 10$ latents, the mirror image in the decoder, 10 epochs. The class in it
# claims that Bernoulli takes all of $[0, 1]$, which is exactly the error.


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
# With logits $l = \log\rho/(1-\rho)$ the integral is $\tanh(l/2)/l$. Pixels are independent given $z$, so
# over $[0,1]^{784}$ the integral is a product, and its logarithm a sum.

# %%
x = next(iter(gray_test)).numpy()
logits = wrong.decode(wrong.posterior(x).sample(seed=1))["logits"].numpy().astype("float64")
log_integral = np.log(np.tanh(logits / 2) / logits).sum(axis=(1, 2, 3))
print(f"log of the integral over all gray images, mean of 100 z: {log_integral.mean():.0f} nats")
entropy = -(x * np.log(x) + (1 - x) * np.log(1 - x)).sum(axis=(1, 2, 3))
print(f"the formula at its best, rho = x: {-entropy.mean():.1f} nats per digit")

# %% [markdown]
# What should be 0 is more than a thousand nats below it: the figure is no log-likelihood, of these images or of any.
# Nor is it on a scale with a meaning of its own: even the perfect reconstruction $\rho = x$ does not reach 0.
#
# The same weights can be read as a continuous Bernoulli, with the normalizer put back. Beside it, the same network
# trained with the right density from the start.

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
print(f"wrong objective, wrong figure    {wrong_figure:8.1f}  (no density)")
print(f"wrong objective, right density   {proper.evaluate(gray_test, verbose=0, return_dict=True)['bound']:8.1f}")
print(f"right objective, right density   {right_figure:8.1f}")

# %% [markdown]
# (For the second, the family bounds the logits: it keeps $\rho$ within $[10^{-4}, 1-10^{-4}]$, as the authors did.
# Without it black pixels would drive $\rho$ towards 0 and the density up.)
#
# The last two are bounds on log-densities of the same data, so they may be compared: leaving the normalizer out of
# the objective costs a great deal. The first may be compared with neither.
#
# Honest ways out: binarize the pixels and keep the Bernoulli; or keep the gray pixels and take a family for them.
#
# ## Seven likelihoods, one network
#
# Bernoulli on binarized digits; three kinds of density on dequantized ones; and for the bytes themselves a mixture of
# two discretized logistics a pixel. (`GrayLevels`, a softmax over 256 values, is the other 8-bit family. Its last
# layer has forty million weights here, as the cell counts, so it is not trained in this notebook.)

# %%
CHOICES = {
    "Bernoulli": (kv.families.Bernoulli(SHAPE), "bernoulli"),
    "beta": (kv.families.Beta(SHAPE), "beta"),
    "Normal, sigma 1": (kv.families.Normal(SHAPE, scale=1.0), "normal"),
    "Normal, sigma 0.1": (kv.families.Normal(SHAPE, scale=0.1), "normal"),
    "Normal, learned sigma": (kv.families.Normal(SHAPE, scale="learned"), "normal"),
    "8-bit logistics": (kv.families.DiscretizedLogisticMixture(SHAPE, components=2), "discretized_logistic_mixture"),
}
# Its log starts at 0, and Adam moves a weight by about the learning rate a step: too slowly for 400 steps.
CHOICES["Normal, learned sigma"][0].log_scale.assign(math.log(0.3))
models |= {name: train(*choice) for name, choice in CHOICES.items()}
models = {"Bernoulli": models.pop("Bernoulli"), **models}  # the order of the pictures

print(f"learned sigma: {math.exp(float(CHOICES['Normal, learned sigma'][0].log_scale)):.3f}")
for family in (CHOICES["8-bit logistics"][0], kv.families.GrayLevels(SHAPE)):
    print(f"{type(family).__name__}: {200 * math.prod(family.parameters_shape):,} weights in the last layer")

# %% [markdown]
# A decoder gives a distribution, and one can show its mean or draw from it. `vae.sample` and `vae.predict` return
# means; `vae.likelihood(z).sample()` draws pixels. The picture shows both, for the same five $z \sim p(z)$ in every
# row; each model makes other digits of them.


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
for block, title in enumerate(("test digits", "reconstructions (means)", "samples (means)", "samples (drawn pixels)")):
    axes[0].text(29 * (5 * block + 2.5), -6, title, ha="center", fontsize=11)
plt.show()

# %%
train_pixels = np.concatenate(list(kv.data.load("mnist_5k", likelihood="normal", preprocess="gray")))
black = train_pixels.max(axis=0) == 0
print(f"pixels that are black in all {len(train_pixels):,} training digits: {black.sum()} of {D}")
for name, (vae, _) in models.items():
    print(f"{name:24s}their mean in the sampled means: {np.asarray(vae.decode(z)['mean'])[:, black].mean():.4f}")
dark = float(tfd.ContinuousBernoulli(probs=1e-4).mean())
print(f"the darkest mean that the continuous Bernoulli can have: {dark:.4f}")

# %% [markdown]
# - *Bernoulli*: black background; drawn pixels are spotty inside the strokes and rough at their edges.
# - *Continuous Bernoulli*: the background is gray in the means and noisy in the draws. The density falls off slowly
#   from its peak at 0; with $\rho \ge 10^{-4}$ a pixel's mean is never below 0.109, whatever the data.
# - *Beta*: black background, blurred reconstructions, the last one unreadable; specks for draws. Perhaps so many nats
#   are to be had from the background that the strokes come second; that is not shown here.
# - *Normal, $\sigma = 1$*: its log-density is minus half the usual squared error, less a constant. The most blurred
#   means; the draws are noise.
# - *Normal, $\sigma = 0.1$ or learned*: the clearest reconstructions, and noise of the same strength everywhere.
# - *8-bit logistics*: black background, readable reconstructions, drawn strokes in spots.
#
# In all of them pixels are independent given $z$. So the draws are spotty, and only the means look smooth.
#
# ## The figures

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
# Three columns, three rules.
#
# - **Bound and reconstruction** are comparable only with the same data and the same base measure: mass with mass on
#   the same set of images, density with density in the same units of the same pixels. Above, the five densities may
#   be compared with each other, and the other two with nothing. That the figure of Bernoulli is larger than that of
#   the 8-bit logistics says nothing: there are $2^{784}$ binary images and $256^{784}$ of bytes.
# - **KL** is a divergence between distributions of $z$. Units of $x$ do not enter, so it may be compared: it says how
#   much each model tells its decoder about an image.
# - **RMSE**, between the mean reconstruction and the gray test pixels ($k/255$), is in gray values for all, and may
#   be compared. It is no likelihood, and tells nothing of samples. (Bernoulli is at a disadvantage: it sees the
#   binarized digit.)
#
# The Normals show how these hang together. With $\sigma = 1$ errors weigh little, so hardly anything is worth its KL,
# and the reconstructions are poor. $\sigma = 0.1$ has the largest KL, but reconstructs no better than the learned
# $\sigma$, which has by far the best bound of the three. A fixed $\sigma$ puts a ceiling on the figure:

# %%
for sigma in (1.0, 0.1):
    ceiling = -D * (math.log(sigma) + 0.5 * math.log(2 * math.pi))
    print(f"sigma {sigma}: no log-density is above {ceiling:.1f}; reached {bounds[f'Normal, sigma {sigma:g}']:.1f}")

# %% [markdown]
# ## From a density to a mass
#
# A density on dequantized pixels does say something about bytes. Integrated over the cell that belongs to the byte
# image $k$ it gives a probability, and by Jensen's inequality (Theis, van den Oord and Bethge 2016)
#
# $$\log P(k) = \log \int_{[0,1]^D} p\Bigl(\frac{k+u}{256}\Bigr)\frac{du}{256^D}
# \ \ge\ \mathbb{E}_u\Bigl[\log p\Bigl(\frac{k+u}{256}\Bigr)\Bigr] - D\log 256.$$
#
# So a bound from the table, minus $784 \log 256$, may stand beside the mass of an 8-bit model. This needs
# data that are really dequantized bytes. They are here, for five models; Bernoulli's are not.

# %%
as_mass = {name: bound - D * math.log(256) for name, bound in bounds.items() if name not in KIND}
as_mass["8-bit logistics"] = bounds["8-bit logistics"]
as_mass["uniform, no model"] = -D * math.log(256)
print("log-probability of an 8-bit digit, a lower bound")
for name, nats in sorted(as_mass.items(), key=lambda item: -item[1]):
    print(f"{name:24s}{nats:9.1f} nats{-nats / (D * math.log(2)):8.3f} bits per pixel")

print("\nlargest mass on one black pixel, k = 0")
print(f"continuous Bernoulli {float(tfd.ContinuousBernoulli(probs=1e-4).cdf(1 / 256)):.4f}")
for sigma in (1.0, 0.1):
    print(f"Normal, sigma {sigma:g}: {2 * float(tfd.Normal(0.0, sigma).cdf(1 / 512)) - 1:.4f}")
print(f"test pixels that are black: {np.mean(pixels == 0):.0%}")
outside = 1 - float(tfd.Normal(0.0, 1.0).cdf(1.0) - tfd.Normal(0.0, 1.0).cdf(0.0))
print(f"mass of N(0, 1) outside [0, 1]: {outside:.2f}")

# %% [markdown]
# Now the ranking has a meaning. The family made for bytes is best, beta next. The continuous Bernoulli and these
# Normals cannot put much mass on a black pixel, and most pixels are black. Normal with $\sigma = 1$ is worse than no
# model at all: in a black pixel two thirds of its mass lie outside $[0, 1]$. (All are lower bounds, after short
# training, with one seed; a density may be worth more than its bound.)
#
# Bernoulli stays out. A binary image is another random variable, drawn from the gray one. A model of bytes implies a
# model of binary images (binarize its samples), but the probability of a binary image under it is another sum, which
# nobody has computed here.
#
# ## Two ways to an absurd figure
#
# **Change the unit.** The same Normal, on pixels from 0 to 255 in place of 0 to 1: same images, same reconstructions.

# %%
vae, test = models["Normal, sigma 0.1"]
x = next(iter(test)).numpy()
mean = vae.reconstruct(x).numpy()
small = tfd.Normal(mean, 0.1).log_prob(x).numpy().sum(axis=(1, 2, 3)).mean()
large = tfd.Normal(255 * mean, 25.5).log_prob(255 * x).numpy().sum(axis=(1, 2, 3)).mean()
print(f"pixels to 1: {small:.1f}; pixels to 255: {large:.1f}; difference {small - large:.1f} nats")
print(f"784 log 255 = {D * math.log(255):.1f}")

# %% [markdown]
# Four thousand nats for a change of unit: a density without its unit says nothing.
#
# **Learn $\sigma$ on constant pixels.** On plain gray values (`preprocess="gray"`) some pixels are 0 in every
# training digit. A Normal with a $\sigma$ for each pixel (`scale="learned_per_element"` or `"predicted"`) can let it
# go to zero there. The cell computes what these pixels give for each $\sigma$, with the best $\mu$, on both kinds of
# data.

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
plt.axhline(limit, color="gray", linestyle=":", label="limit of dequantized data")
plt.ylim(-1000, 1.1 * on_gray.max())
plt.xlabel(r"$\sigma$ of the always black pixels")
plt.ylabel("their log-density, nats per digit")
plt.legend()
plt.show()
best = sigma[on_dequantized.argmax()]
print(f"dequantized: best sigma {best:.5f}, {on_dequantized.max():.0f} of at most {limit:.0f} nats")
print(f"gray: {on_gray[0]:.0f} nats at sigma {sigma[0]:.0e}, and rising")

# %% [markdown]
# On gray values the figure has no upper end: one more power of ten in $\sigma$, another $129 \log 10 = 297$ nats,
# from pixels that say nothing. The figure then tells how long one trained. With dequantized bytes no density can gain
# more than $\log 256$ a pixel on average, because a mass is at most 1; the best $\sigma$ is the spread of the noise,
# $1/(256\sqrt{12})$. So `kv.data.load` dequantizes by default for every density. One $\sigma$ for all
# pixels, as in the model above, is held up by the strokes.
#
# ## Which to choose
#
# | data | family | its figure |
# |---|---|---|
# | binary; or gray, binarized as the literature does | `Bernoulli` | log-mass, binary images |
# | bytes | `DiscretizedLogisticMixture`; `GrayLevels` for small images | log-mass, 8-bit images |
# | in $[0, 1]$, no bytes | `ContinuousBernoulli`; `Beta` if never 0 or 1 | log-density, on the unit cube |
# | real values | `Normal`, $\sigma$ learned rather than 1 | log-density; say in which unit |
#
# And beside each figure: the data and how they were prepared, the unit, and whether the pictures show means or draws.
