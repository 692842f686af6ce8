# %% [markdown]
# # A variational autoencoder: the assignment, completed
#
# The assignment derives a variational autoencoder (VAE) in equations 1 to 29, asks three questions along the way, and
# has you implement the model in Keras, for binary and for continuous data. This notebook contains all of it: the
# answers, with each formula checked numerically in the cell below it; the model, first in plain Keras and then with
# `keras_vae`; and what it learned. `assignment_student.ipynb` is the same notebook with tasks instead of solutions.
#
# | Assignment | Code | Meaning |
# |---|---|---|
# | $x$, $D$ | `x`, `D` | a data point with 784 pixels |
# | $z$, $K$ | `z`, `K` | its latents; there are 2, so that we can plot them |
# | $m(x)$, $\log s^2(x)$ | `m`, `log_var` | encoder output: $q_\phi(z \mid x) = \mathcal N(m, \mathrm{diag}(s^2))$ |
# | $\rho(z)$ | `logits` | output of the decoder for binary data; $\rho = 1/(1 + e^{-\text{logit}})$ |
# | $\mu(z)$, $\sigma$ | `mu`, `sigma` | output of the decoder for continuous data, and the noise of each pixel |
# | $\epsilon$, $L$ | `epsilon` | the noise, and the number of noise samples per data point |
# | $\theta$, $\phi$ | the weights of the decoder and of the encoder | |
#
# All losses and log-likelihoods are in nats.

# %%
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import checks
import drawing
import keras
import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

import keras_vae as kv

keras.utils.set_random_seed(0)

# %% [markdown]
# ## Data
#
# There are 4,000 handwritten digits for training and 1,000 for testing. Each is a vector of 784 pixels: gray values
# between 0 and 1 for the continuous model, rounded to 0 and 1 for the binary model.

# %%
train, test = kv.data.read("mnist_5k", "train"), kv.data.read("mnist_5k", "test")
gray_train, gray_test = (set_.images.reshape(len(set_), -1).astype("float32") / 255 for set_ in (train, test))
x_train, x_test = gray_train.round(), gray_test.round()
D, K = x_train.shape[1], 2
drawing.digits({"gray": gray_test[:12], "binary": x_test[:12]})
f"{len(x_train)} + {len(x_test)} digits, D = {D}; values of the binary digits: {np.unique(x_train)}"

# %% [markdown]
# ## Errata
#
# > Our copy of the text contains some errors in its formulas, perhaps from the transcription. Corrections:
# >
# > - **Equation 5**: the exponent lacks its minus sign.
# >   $\mathcal N(z_k \mid 0, 1) = \frac{1}{\sqrt{2\pi}} e^{-z_k^2/2}$. With $e^{+z_k^2/2}$ it grows without bound.
# > - **Equation 11**: the denominator is $2 s_k^2$, as in equation 12, not $2 z_k^2$.
# > - **Below equation 12**: $m$ and $s$ have length $K$, one value per latent, not $D$. Also, $s$ is the standard
# >   deviation, not the variance; the variance is $s^2$.
# > - **Equation 29**: the gradient on the right is $\nabla_\phi$, as on the left, not $\nabla_\theta$. Also,
# >   $\epsilon$ lacks its superscript $(l)$:
# >   $\frac1L \sum_l \nabla_\phi \log p_\theta(x \mid g_\phi(\epsilon^{(l)}))$.
# > - Minor errors: $\nabla_\theta \log \int p_\theta(z \mid z) p(z) dz$ before equation 8 means $p_\theta(x \mid z)$;
# >   $q_\theta$ in equation 23 means $q_\phi$; equations 25 and 26 lack their $d\epsilon$; the bound in equation 8 is
# >   on the *log*-likelihood. Some lines appear twice, such as equations 4 and 7, and equation 12 (as 11, with the
# >   error).
# >
# > One difference is a convention, not an error: section 1.5 takes $\phi = \{m, s\}$, while elsewhere $\phi$ denotes
# > the weights of the encoder. By the chain rule, the gradient with respect to $m$ and $s$ determines the gradient
# > with respect to the weights.
#
# A density integrates to 1. As printed, the first two formulas do not: the wider the interval, the larger the
# integral. The corrected formulas do:


# %%
def integral(density, width):
    z = np.linspace(-width, width, 200_001)
    return np.trapezoid(density(z), z)


m_, s_ = 0.5, 0.8
formulas = {
    "equation 5, as printed": lambda z: np.exp(z**2 / 2) / np.sqrt(2 * np.pi),
    "equation 5, corrected": lambda z: np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi),
    # 1e-300 avoids a division by 0 at z = 0.
    "equation 11, as printed": lambda z: np.exp(-((z - m_) ** 2) / (2 * z**2 + 1e-300)) / np.sqrt(2 * np.pi * s_**2),
    "equation 11, corrected": lambda z: np.exp(-((z - m_) ** 2) / (2 * s_**2)) / np.sqrt(2 * np.pi * s_**2),
}
for name, formula in formulas.items():
    print(f"{name:25}", *(f"∫ over ±{width}: {integral(formula, width):<12.6g}" for width in (5, 10, 20)))

# %% [markdown]
# ## Question 1: why latent variables?
#
# > Given that the data is high-dimensional (in our case, images), what could be the motivation for training a latent
# > variable model, as opposed to directly trying to model $p_\theta(x)$?
#
# <!-- BEGIN SOLUTION -->
# **Answer.** Pixels depend on each other, and a direct model must describe how. A table of the probabilities of all
# binary images would have $2^{784} - 1$ entries. A model with few parameters must make assumptions, and the simplest
# one, independent pixels, is wrong: its samples are noise. Other direct models exist. An autoregressive model
# factorizes $p(x) = \prod_d p(x_d \mid x_{<d})$, but it samples one pixel after another and provides no description of
# the image.
#
# A latent variable model instead assumes that a few causes, such as the digit, its slant, and its width, explain how
# the pixels depend on each other. *Given* $z$, the pixels may be independent, and $p(x) = \int p(x \mid z) p(z) dz$ is
# still a rich distribution, an infinite mixture. It is easy to sample ($z$ first, then $x$) and has few parameters
# compared with that table. The posterior of $z$ is a compact description of the image, which we can inspect, compare,
# and change. The price is the integral: $p(x)$ can no longer be computed, only bounded or estimated. The rest of this
# notebook is about how to do that.
# <!-- END SOLUTION -->
#
# The log-likelihood of a direct model with independent pixels, and its samples:

# %%
frequency = (x_train.sum(0) + 1) / (len(x_train) + 2)
independent = tfd.Independent(tfd.Bernoulli(probs=frequency), 1)
independent_nats = float(tf.reduce_mean(independent.log_prob(x_test)))
drawing.digits({"test digits": x_test[:12], "samples with\nindependent pixels": independent.sample(12, seed=1).numpy()})
print(f"a table of all binary images would have 2^{D} − 1 ≈ 10^{D * np.log10(2):.0f} entries")
print(f"independent pixels: log p(x) = {independent_nats:.1f} nats for a test digit, on average")

# %% [markdown]
# ## Question 2: binary data
#
# > Write out $\log p(x \mid z)$ for this discrete model, and simplify the expression as much as possible. Can you
# > relate this expression to a commonly used loss function for neural networks?
#
# <!-- BEGIN SOLUTION -->
# **Answer.** The logarithm of equation 7 turns the product into a sum:
#
# $$\log p(x \mid z) = \sum_{d=1}^D \left[ x_d \log \rho_d + (1 - x_d) \log(1 - \rho_d) \right].$$
#
# This is minus the **binary cross-entropy** between $x$ and $\rho$, summed over the pixels. No term has been dropped,
# so it is exactly the log-probability.
#
# In terms of the logit $l_d = \log \frac{\rho_d}{1 - \rho_d}$, for which $\log \rho_d = l_d - \log(1 + e^{l_d})$ and
# $\log(1 - \rho_d) = -\log(1 + e^{l_d})$, the expression is even simpler:
#
# $$\log p(x \mid z) = \sum_{d=1}^D \left[ x_d l_d - \log(1 + e^{l_d}) \right].$$
#
# Implemented literally, this overflows for large $l_d$. The form
# $\log(1 + e^l) = \max(l, 0) + \log(1 + e^{-|l|})$, which `tf.nn.softplus` uses, is safe for every logit.
#
# `BinaryCrossentropy` in Keras takes the *mean* over pixels, so it is smaller by a factor of $D = 784$. In an
# autoencoder, this only changes the scale of the loss. In a VAE, it would give the KL 784 times too much weight.
# <!-- END SOLUTION -->
#
# **Task `log_bernoulli`.** Implement this expression with logits, so that it is finite for every logit.


# %%
def log_bernoulli(x, logits):
    """Return log p(x|z) of binary data in nats, [n]; x and logits are [n, D]."""
    ### BEGIN SOLUTION
    return tf.reduce_sum(x * logits - tf.nn.softplus(logits), axis=-1)
    ### END SOLUTION


checks.log_bernoulli(log_bernoulli)

# %% [markdown]
# Compare with the Keras loss, on the digits and random logits:

# %% after="log_bernoulli"
logits = tf.random.stateless_normal([100, D], seed=[0, 2])
ours = log_bernoulli(x_test[:100], logits)
keras_mean = keras.losses.BinaryCrossentropy(from_logits=True)(x_test[:100], logits)
print(f"mean log p(x|z)                      {tf.reduce_mean(ours):.4f} nats")
print(f"−784 × binary cross-entropy of Keras {-D * keras_mean:.4f} nats")

# %% [markdown]
# ## Question 3: continuous data
#
# > Write out $\log p(x \mid z)$ for this continuous model, and simplify the expression as much as possible. Can you
# > relate this expression to a commonly used loss function for neural networks? (Hint: terms that are constant with
# > respect to the learned parameters $\mu$ will not affect the learning.)
#
# <!-- BEGIN SOLUTION -->
# **Answer.** Take the logarithm of the product of normal densities, with $\sigma_d = \sigma$:
#
# $$\log p(x \mid z) = -\frac{1}{2\sigma^2} \sum_{d=1}^D (x_d - \mu_d)^2 - \frac D2 \log(2\pi\sigma^2)
#   = -\frac{1}{2\sigma^2} \|x - \mu\|^2 + \text{constant}.$$
#
# This is minus the **squared error**, times $\frac{1}{2\sigma^2}$, plus a constant.
#
# - The constant $-\frac D2 \log(2\pi\sigma^2)$ has no gradient with respect to $\mu$, so you may drop it when
#   *training with a fixed* $\sigma$.
# - You may **not** drop it when $\sigma$ is learned (without it, the best $\sigma$ is infinite), when you compare
#   models with different $\sigma$, or when you report the value as a log-likelihood.
# - You may **not** drop the factor $\frac{1}{2\sigma^2}$: it determines the weight of the error relative to the KL.
#   `MeanSquaredError` in Keras plus a KL corresponds to $\frac{1}{2\sigma^2} = \frac{1}{D}$, that is,
#   $\sigma = \sqrt{D/2} \approx 20$: an absurd amount of noise for pixels between 0 and 1.
# <!-- END SOLUTION -->
#
# **Task `log_normal`.** Implement this expression, including its constant.


# %%
def log_normal(x, mu, sigma):
    """Return log p(x|z) of real data in nats, [n], from x and μ, [n, D], and a scalar σ."""
    ### BEGIN SOLUTION
    square = tf.reduce_sum((x - mu) ** 2, axis=-1)
    constant = x.shape[-1] / 2 * np.log(2 * np.pi * sigma**2)
    return -square / (2 * sigma**2) - constant
    ### END SOLUTION


checks.log_normal(log_normal)

# %% [markdown]
# To see numerically which constants matter, consider a reconstruction with an error of 0.2 at each pixel, under models
# with different $\sigma$. For which $\sigma$ is $\log p(x \mid z)$ largest, with and without the constant?

# %% after="log_normal"
x, mu = tf.zeros([1, D]), tf.fill([1, D], 0.2)
print("   σ    log p(x|z)    without the constant    gradient for one pixel's μ, with and without")
for sigma in (0.05, 0.1, 0.2, 0.5, 2.0):
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(mu)
        full = log_normal(x, mu, sigma)
        dropped = -tf.reduce_sum((x - mu) ** 2, axis=-1) / (2 * sigma**2)
    slopes = [float(tape.gradient(value, mu)[0, 0]) for value in (full, dropped)]
    print(f"{sigma:4}  {full[0]:12.1f}  {dropped[0]:22.1f}    {slopes[0]:10.2f} {slopes[1]:10.2f}")
keras_mean = keras.losses.MeanSquaredError()(x, mu)
same = tf.reduce_sum((x - mu) ** 2) / (2 * (D / 2))
print(
    f"Keras mean squared error {keras_mean:.4f}; squared error / 2σ² at σ = √(D/2) = {np.sqrt(D / 2):.1f}: {same:.4f}"
)

# %% [markdown]
# ## The KL divergence in closed form
#
# Derive equation 13.
#
# <!-- BEGIN SOLUTION -->
# Both distributions factorize, so the KL is a sum over $k$. For a single latent, with $q = \mathcal N(m, s^2)$ and
# $p = \mathcal N(0, 1)$:
#
# $$\mathrm{KL}(q \| p) = \mathbb E_q[\log q(z) - \log p(z)]
#  = \mathbb E_q\left[-\tfrac12 \log(2\pi s^2) - \tfrac{(z - m)^2}{2 s^2}
#    + \tfrac12 \log(2\pi) + \tfrac{z^2}{2}\right].$$
#
# The two $\log 2\pi$ terms cancel. By the definition of the variance, $\mathbb E_q[(z - m)^2] = s^2$ and
# $\mathbb E_q[z^2] = m^2 + s^2$. Therefore
#
# $$\mathrm{KL}(q \| p) = -\tfrac12 \log s^2 - \tfrac12 + \tfrac12 (m^2 + s^2)
#  = \tfrac12 \left(m^2 + s^2 - \log s^2 - 1\right),$$
#
# and the sum over $k$ is equation 13. It is 0 only for $m = 0$ and $s = 1$, and positive otherwise, because
# $m^2 \ge 0$ and $s^2 - 1 \ge \log s^2$, with equality only at $s = 1$.
# <!-- END SOLUTION -->
#
# **Task `kl`.** Implement equation 13 as a function of $m$ and $\log s^2$.


# %%
def kl(m, log_var):
    """Return KL(q(z|x) ‖ p(z)) in nats, [n], from m and log s², [n, K]."""
    ### BEGIN SOLUTION
    return 0.5 * tf.reduce_sum(m**2 + tf.exp(log_var) - log_var - 1, axis=-1)
    ### END SOLUTION


checks.kl(kl)

# %% [markdown]
# Compute the same number in two other ways: with TensorFlow Probability, and by Monte Carlo, as the mean of
# $\log q(z) - \log p(z)$ over a million samples from $q$, which needs no closed form.

# %% after="kl"
m, log_var = tf.constant([[0.5, -1.0]]), tf.constant([[-1.0, 0.3]])
q = tfd.Independent(tfd.Normal(m, tf.exp(0.5 * log_var)), 1)
p = tfd.Independent(tfd.Normal(tf.zeros([1, 2]), tf.ones([1, 2])), 1)
z = q.sample(1_000_000, seed=(0, 13))
terms = (q.log_prob(z) - p.log_prob(z)).numpy()
print(f"equation 13            {kl(m, log_var)[0]:.5f} nats")
print(f"TensorFlow Probability {tfd.kl_divergence(q, p)[0]:.5f} nats")
print(f"Monte Carlo            {terms.mean():.5f} ± {terms.std() / np.sqrt(len(terms)):.5f} nats")

# %% [markdown]
# ## The reparameterization trick (equations 15 to 29)
#
# We need the gradient of
# $\mathbb E_{q_\phi}[\log p_\theta(x \mid z)] = \int q_\phi(z \mid x) \log p_\theta(x \mid z) \, dz$. For the
# decoder's $\theta$, the gradient moves inside the integral (Leibniz), where only $\log p_\theta$ depends on $\theta$
# (equations 15 to 17):
#
# $$\nabla_\theta \int q_\phi \log p_\theta \, dz = \int q_\phi \nabla_\theta \log p_\theta \, dz
#   = \mathbb E_{q_\phi}[\nabla_\theta \log p_\theta] \approx \frac1L \sum_l \nabla_\theta \log p_\theta(x \mid
#   z^{(l)}).$$
#
# For the encoder's $\phi$, the same step is wrong: $q_\phi$ depends on $\phi$, whereas $\log p_\theta(x \mid z)$ at a
# fixed $z$ does not, so the result would be 0. The correct gradient is
#
# $$\nabla_\phi \int q_\phi \log p_\theta \, dz = \int \log p_\theta \nabla_\phi q_\phi \, dz
#   = \mathbb E_{q_\phi}[\log p_\theta(x \mid z) \nabla_\phi \log q_\phi(z \mid x)],$$
#
# the *score-function* estimator, which needs no trick but has a high variance. The trick is to draw
# $\epsilon \sim \mathcal N(0, I)$, which has no parameters, and to *compute*
# $z = g_\phi(\epsilon) = m + s \odot \epsilon$ (22). The expectation is now over $\epsilon$ (23), whose density does
# not depend on $\phi$, so the gradient moves inside again (24 to 27):
#
# $$\nabla_\phi \mathbb E_{\epsilon}[\log p_\theta(x \mid g_\phi(\epsilon))]
#   = \mathbb E_{\epsilon}[\nabla_\phi \log p_\theta(x \mid g_\phi(\epsilon))]
#   \approx \frac1L \sum_l \nabla_\phi \log p_\theta(x \mid g_\phi(\epsilon^{(l)})).$$
#
# **Task `sample`.** Implement $g_\phi(\epsilon)$, given the logarithm of the variance.


# %%
def sample(m, log_var, epsilon):
    """Return z = g(ε), [n, K], from m, log s² and ε, each [n, K]."""
    ### BEGIN SOLUTION
    return m + tf.exp(0.5 * log_var) * epsilon
    ### END SOLUTION


checks.sample(sample)

# %% [markdown]
# ### Are the estimated gradients correct?
#
# To check this, we need a model whose gradient can be computed in another way. The following model has a single
# latent, four pixels, and a small neural decoder. The expectation $\mathbb E_q[\log p_\theta(x \mid z)]$ (equation
# 14) is then an integral over one variable. A fine grid gives it and its gradients to many digits, without sampling.

# %%
small_w = tf.constant([[1.5, -1.0, 0.5, 2.0], [-0.5, 1.0, 1.5, -1.0], [1.0, 0.5, -2.0, 0.5]])  # θ
small_m, small_log_var = tf.constant([0.5]), tf.constant([-0.5])  # φ
small_x = tf.constant([1.0, 0.0, 1.0, 1.0])


def log_p(z, w):
    """Return log p(x|z) of the small model, [...], from z, [..., 1]."""
    hidden = tf.tanh(z * tf.constant([1.0, -2.0, 0.5]) + tf.constant([0.5, 1.0, -0.5]))
    return tf.reduce_sum(tfd.Bernoulli(logits=hidden @ w).log_prob(small_x), axis=-1)


grid = tf.linspace(-12.0, 12.0, 20_001)
with tf.GradientTape() as tape:
    tape.watch([small_w, small_m, small_log_var])
    density = tfd.Normal(small_m, tf.exp(0.5 * small_log_var)).prob(grid)
    expectation = tf.reduce_sum(density * log_p(grid[:, None], small_w)) * (grid[1] - grid[0])
exact = [float(tf.reshape(part, [-1])[0]) for part in tape.gradient(expectation, [small_w, small_m, small_log_var])]
print(f"E[log p(x|z)] = {expectation:.5f} nats; gradients with respect to θ₁, m, log s²:", np.round(exact, 5))

# %% [markdown]
# We compare four estimators: reparameterized with $L = 1$ and with $L = 100$ samples, the score function, and an
# incorrect one that uses equation 16 for $\phi$: $z$ is drawn and then held fixed.


# %% after="sample"
def reparameterized(w, m, log_var, epsilon):
    return log_p(sample(m, log_var, epsilon), w)


def held_fixed(w, m, log_var, epsilon):
    return log_p(tf.stop_gradient(sample(m, log_var, epsilon)), w)


def score_function(w, m, log_var, epsilon):
    z = tf.stop_gradient(sample(m, log_var, epsilon))
    log_q = tfd.Normal(m, tf.exp(0.5 * log_var)).log_prob(z)[..., 0]
    value = log_p(z, w)
    return value + tf.stop_gradient(value) * (log_q - tf.stop_gradient(log_q))  # the second term is 0, its gradient not


def gradients(estimator, samples, repeats=20_000):
    """Return `repeats` estimates of the gradient for θ₁, m and log s², with `samples` samples each: [3, repeats]."""
    parameters = small_w, small_m[None], small_log_var[None]
    copies = [tf.repeat(value[None], repeats, axis=0) for value in parameters]
    epsilon = tf.random.stateless_normal([repeats, samples, 1], seed=[samples, 29])
    with tf.GradientTape() as tape:
        tape.watch(copies)
        total = tf.reduce_sum(tf.reduce_mean(estimator(*copies, epsilon), axis=1))
    found = tape.gradient(total, copies, unconnected_gradients="zero")
    return np.stack([tf.reshape(slope, [repeats, -1])[:, 0] for slope in found])


# %% [markdown]
# Each estimate is drawn 20,000 times; ± is the standard error of their mean.

# %% after="sample"
estimates = {
    "reparameterized, L = 1": gradients(reparameterized, 1),
    "reparameterized, L = 100": gradients(reparameterized, 100),
    "score function, L = 1": gradients(score_function, 1),
}
wrong = gradients(held_fixed, 1)
print(f"{'gradient for':26}{'θ₁':>22}{'m':>22}{'log s²':>22}")
print(f"{'exact, on the grid':26}" + "".join(f"{value:22.4f}" for value in exact))
for name, values in {**estimates, "z held fixed": wrong}.items():
    errors = values.std(1) / np.sqrt(values.shape[1])
    print(f"{name:26}" + "".join(f"{a:13.4f} ± {e:.4f}" for a, e in zip(values.mean(1), errors, strict=True)))
print("\nstandard deviation of a single estimate")
for name, values in estimates.items():
    print(f"{name:26}" + "".join(f"{deviation:22.4f}" for deviation in values.std(1)))

# %% after="sample"
drawing.estimates({name: values[1] for name, values in estimates.items()}, exact[1], "gradient for m, in nats")

# %% [markdown]
# The first three are correct on average: their means are within a few standard errors of the exact gradient. The
# fourth is correct for $\theta$, and 0 for $\phi$. With $L = 100$, the standard deviation of an estimate is about ten
# times smaller, at a hundred times the cost. An optimizer averages over many steps anyway, so $L = 1$ is the usual
# choice. For the encoder, the score function has a higher variance even in this model with one latent and four pixels.
# With 784 pixels it is far worse, as we will measure below on the trained model.
#
# ## Computation graph
#
# This is figure 1 of the assignment, with the names used here. The trick is that $\epsilon$ is not on the path from
# the loss back to the encoder.

# %%
drawing.computation()

# %% [markdown]
# ## The VAE in plain Keras
#
# **Task `networks`.** Each network has two hidden layers of 200 units with ReLU. The encoder ends in two layers, $m$
# and $\log s^2$; the decoder ends in one layer with $D$ outputs. None of these three layers has an activation: a
# mean, a log-variance, and a logit can be any real number, which is why we model the logarithm of the variance. Use
# separate layers for $m$ and $\log s^2$ instead of splitting one, because we will copy the weights later.


# %%
def build_encoder():
    """Return a Keras model that maps x, [n, D], to m and log s², each [n, K]."""
    ### BEGIN SOLUTION
    x = keras.Input([D])
    hidden = keras.layers.Dense(200, activation="relu")(x)
    hidden = keras.layers.Dense(200, activation="relu")(hidden)
    return keras.Model(x, [keras.layers.Dense(K, name="m")(hidden), keras.layers.Dense(K, name="log_var")(hidden)])
    ### END SOLUTION


def build_decoder():
    """Return a Keras model that maps z, [n, K], to the parameters of the likelihood, [n, D]: logits or μ."""
    ### BEGIN SOLUTION
    return keras.Sequential(
        [
            keras.Input([K]),
            keras.layers.Dense(200, activation="relu"),
            keras.layers.Dense(200, activation="relu"),
            keras.layers.Dense(D),
        ]
    )
    ### END SOLUTION


checks.networks(build_encoder, build_decoder, D, K)

# %% [markdown]
# **Task `negative_elbo`.** Implement the loss: minus equation 8, with $L = 1$ and the closed-form KL, averaged over
# the batch.


# %%
def negative_elbo(x, epsilon, encoder, decoder, log_likelihood=log_bernoulli):
    """Return the scalar −ELBO in nats: the mean over the batch x, [n, D], with one ε per example, [n, K]."""
    ### BEGIN SOLUTION
    m, log_var = encoder(x)
    z = sample(m, log_var, epsilon)
    return tf.reduce_mean(kl(m, log_var) - log_likelihood(x, decoder(z)))
    ### END SOLUTION


checks.negative_elbo(negative_elbo)

# %% [markdown]
# **Task `training`.** Implement the model. It contains the networks, draws new noise for each example of each batch
# (`keras.random.normal` with `seed=self.noise`), and takes a training step: compute the loss under a
# `tf.GradientTape` and its gradient with respect to `self.trainable_variables`, then call
# `self.optimizer.apply_gradients`. Keras displays what `train_step` returns, a dict with the `loss`. The `Mean` metric
# turns it into the mean over an epoch instead of the value of the last batch.


# %%
class HandWrittenVAE(keras.Model):
    """The VAE of the assignment in plain Keras."""

    def __init__(self, log_likelihood=log_bernoulli, seed=0):
        super().__init__()
        self.encoder, self.decoder = build_encoder(), build_decoder()
        self.log_likelihood = log_likelihood
        self.noise = keras.random.SeedGenerator(seed)
        self.mean = keras.metrics.Mean(name="loss")

    def loss_of(self, x):
        """Return the loss of a batch, with new noise."""
        ### BEGIN SOLUTION
        epsilon = keras.random.normal([tf.shape(x)[0], K], seed=self.noise)
        return negative_elbo(x, epsilon, self.encoder, self.decoder, self.log_likelihood)
        ### END SOLUTION

    def train_step(self, x):
        ### BEGIN SOLUTION
        with tf.GradientTape() as tape:
            loss = self.loss_of(x)
        weights = self.trainable_variables
        self.optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
        self.mean.update_state(loss)
        return {"loss": self.mean.result()}
        ### END SOLUTION


checks.training(HandWrittenVAE, D)

# %% [markdown]
# ## The same model in a few lines of `keras_vae`
#
# **Task `library`.** A VAE consists of three distributions and a bound. Build a `kv.VAE` from `kv.Encoder`,
# `kv.Decoder`, `kv.networks.MLP`, the families `kv.families.Normal` and `kv.families.Bernoulli`,
# `kv.priors.StandardNormal`, and `kv.objectives.ELBO`, with the same network sizes as above. `first_steps.ipynb` has
# an example.


# %%
def build_library():
    """Return the same model, built with keras_vae."""
    ### BEGIN SOLUTION
    return kv.VAE(
        encoder=kv.Encoder(kv.networks.MLP([200, 200]), kv.families.Normal(K)),  # q(z|x)
        decoder=kv.Decoder(kv.networks.MLP([200, 200]), kv.families.Bernoulli(D)),  # p(x|z)
        prior=kv.priors.StandardNormal(K),  # p(z)
        objective=kv.objectives.ELBO(),  # equation 8, L = 1
    )
    ### END SOLUTION


checks.library(build_library, D, K)

# %% [markdown]
# ### Do the two agree?
#
# The same weights and the same noise must give the same loss. `keras_vae` stores $m$ and $\log s^2$ interleaved in a
# single layer, so copying the weights takes one more line.


# %% after="sample networks negative_elbo training library"
def copy_weights(source, vae):
    """Copy the weights of a hand-written model to a keras_vae model."""
    *hidden, mean, log_variance = [layer for layer in source.encoder.layers if layer.weights]
    *decoder_hidden, output = [layer for layer in source.decoder.layers if layer.weights]
    layers = zip(vae.encoder.network.hidden + vae.decoder.network.hidden, hidden + decoder_hidden, strict=True)
    for ours, theirs in layers:
        ours.set_weights(theirs.get_weights())
    both = zip(mean.get_weights(), log_variance.get_weights(), strict=True)
    vae.encoder.head.set_weights([np.stack(pair, -1).reshape(*pair[0].shape[:-1], 2 * K) for pair in both])
    vae.decoder.head.set_weights(output.get_weights())
    return vae


hand = HandWrittenVAE()
library = copy_weights(hand, build_library())
x, epsilon = x_test[:100], tf.random.stateless_normal([100, K], seed=[0, 8])
with tf.GradientTape(persistent=True) as tape:
    hand_loss = negative_elbo(x, epsilon, hand.encoder, hand.decoder)
    z = sample(*hand.encoder(x), epsilon)
    library_loss = tf.reduce_mean(library.objective.terms(library.infer(x), z[None], training=True)["loss"])
relative = abs(float(hand_loss - library_loss)) / float(hand_loss)
print(f"loss by hand {hand_loss:.5f}, by keras_vae {library_loss:.5f} nats: relative difference {relative:.1e}")
slopes = [tape.gradient(hand_loss, hand.decoder.layers[-1].kernel.value)]
slopes.append(tape.gradient(library_loss, library.decoder.head.kernel.value))
print(f"largest difference of the decoder's last gradients: {float(tf.reduce_max(abs(slopes[0] - slopes[1]))):.1e}")
assert relative < 1e-5, "the two models differ"

# %% [markdown]
# Next, train both for a hundred steps with the same batches and the same noise. The losses stay together.

# %% after="sample networks negative_elbo training library"
models = (hand, library)
optimizers = [keras.optimizers.Adam(2e-3) for _ in models]


@tf.function
def step(x, epsilon):
    with tf.GradientTape(persistent=True) as tape:
        inference = library.infer(x)
        z = inference.posterior.mean() + inference.posterior.stddev() * epsilon
        terms = library.objective.terms(inference, z[None], training=True)
        losses = negative_elbo(x, epsilon, hand.encoder, hand.decoder), tf.reduce_mean(terms["loss"])
    for model, optimizer, loss in zip(models, optimizers, losses, strict=True):
        slopes = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(slopes, model.trainable_variables, strict=True))
    return losses


for model, optimizer in zip(models, optimizers, strict=True):
    optimizer.build(model.trainable_variables)
batches = x_train.reshape(-1, 100, D)
pairs = np.array([step(batches[i % 40], tf.random.stateless_normal([100, K], seed=[i, 7])) for i in range(100)])
print(f"losses after 100 steps {pairs[-1, 0]:.3f} and {pairs[-1, 1]:.3f} nats")
print(f"largest relative difference in any step: {np.max(abs(pairs[:, 0] / pairs[:, 1] - 1)):.1e}")

# %% [markdown]
# Now train with `fit`, three times each, with independent noise. All models are compared by the same measure: the
# bound on the test digits with 20 samples per digit, computed by `keras_vae` with the trained weights.


# %% after="sample networks negative_elbo training library"
def trained(model, x, epochs=16):
    model.compile(optimizer=keras.optimizers.Adam(2e-3), steps_per_execution=40)  # one call per epoch is faster
    return model, model.fit(x, batch_size=100, epochs=epochs, verbose=0)


def bound_of(vae, x):
    return float(tf.reduce_mean(vae.log_weights(tf.constant(x), num_samples=20)))


def compare(bounds):
    for name, values in bounds.items():
        print(f"{name:10} test bounds {np.round(values, 1)}, mean {np.mean(values):.1f} nats")
    one, two = bounds.values()
    error = np.sqrt((np.var(one, ddof=1) + np.var(two, ddof=1)) / len(one))
    print(f"difference of means {np.mean(one) - np.mean(two):+.1f} ± {error:.1f} nats (standard error)")


bounds = {"by hand": [], "keras_vae": []}
for seed in range(3):
    keras.utils.set_random_seed(seed)
    hand, hand_history = trained(HandWrittenVAE(seed=seed), x_train)
    bounds["by hand"].append(bound_of(copy_weights(hand, build_library()), x_test))
    library, library_history = trained(build_library(), x_train)
    bounds["keras_vae"].append(bound_of(library, x_test))
compare(bounds)

# %% after="sample networks negative_elbo training library"
drawing.losses({"by hand": hand_history.history["loss"], "keras_vae": library_history.history["loss"]})

# %% [markdown]
# The loss curves coincide, and the test bounds differ by about as much as two runs of the same implementation. The two
# implementations are the same model. From here on, we use `library`.
#
# ## What the model learned
#
# **Reconstructions and samples.** A reconstruction is the mean $\rho$ at the posterior mean. For a sample, $z$ is
# first drawn from the prior.

# %% after="sample networks negative_elbo training library"
drawing.digits(
    {
        "test digits": x_test[:12],
        "reconstructions": library.predict(x_test[:12], verbose=0),
        "means of samples": library.generate(np.arange(4, 16))["mean"].numpy(),
        "sampled pixels": library.likelihood(library.generate(np.arange(4, 16))["z"]).sample(seed=4).numpy(),
    }
)
likelihood = kv.evaluation.log_likelihood(library, x_test, num_samples=200, verbose=False)
print(likelihood)
print(f"bound of this model: {bounds['keras_vae'][-1]:.1f}; independent pixels: {independent_nats:.1f} nats")

# %% [markdown]
# With two latents, reconstructions are blurred and confuse some digits. Some samples look like digits, many like
# mixtures of two. In the last row, each pixel is sampled, as were the independent pixels of question 1. Here the
# pixels form more coherent shapes, and the log-likelihood is far higher.
#
# **The latent space.** The left plot shows each test digit at its posterior mean, colored by its class, which the
# model has never seen. The right plot shows the decoder means for a grid of latents, evenly spaced in the cumulative
# probability of the prior from 5% to 95%. The grid covers only the center of the left plot.

# %% after="sample networks negative_elbo training library"
means = library.encode(x_test)["mean"].numpy()
drawing.latent_space(means, test.labels, kv.latent.manifold(library, 16))
print("standard deviation of the means:", means.std(0).round(2), "largest absolute value:", abs(means).max(0).round(1))

# %% [markdown]
# In our run, zeros and ones are well separated, sevens border on nines and fours, and the other classes overlap: two
# latents are not many. The KL keeps all of them around the origin.
#
# **The score function revisited.** We estimate the gradient for $m_1$ with the trained model and one test digit, 1,000
# times with $L = 1$. With 784 pixels, $\log p(x \mid z)$ is a large negative number. The score function multiplies its
# noise by this number (a baseline, which we do not use here, would help).

# %% after="sample networks negative_elbo training library"
digit = tf.repeat(x_test[:1], 1_000, axis=0)
q = library.posterior(digit)
m = tf.Variable(q.mean())
s = q.stddev()
epsilon = tf.random.stateless_normal(m.shape, seed=[0, 31])
with tf.GradientTape(persistent=True) as tape:
    through = library.likelihood(m + s * epsilon).log_prob(digit)
    z = tf.stop_gradient(m + s * epsilon)
    by_score = tf.stop_gradient(library.likelihood(z).log_prob(digit)) * tf.reduce_sum(
        tfd.Normal(m, s).log_prob(z), axis=-1
    )
one, two = (tape.gradient(value, m).numpy()[:, 0] for value in (through, by_score))
for name, values in {"reparameterized": one, "score function": two}.items():
    print(f"{name}: mean {values.mean():8.2f} ± {values.std() / np.sqrt(len(values)):.2f}, each: ± {values.std():.1f}")
print(f"log p(x|z) is {tf.reduce_mean(through):.0f} nats on average; the mean of the score function is")
print(f"{abs(two.mean() - one.mean()) / (two.std() / np.sqrt(len(two))):.1f} standard errors from the other,")
print(f"and its variance is about {float(f'{two.var() / one.var():.1g}'):,.0f} times as large")

# %% [markdown]
# ## Continuous data and the effect of σ
#
# We now use the same network on gray pixels, with $\mathcal N(x \mid \mu(z), \sigma^2)$. As before, first compare the
# hand-written model with the library's, with the same weights and noise:


# %% after="sample networks negative_elbo training library log_normal"
def build_continuous(scale):
    return kv.models.vae(D, likelihood="normal", scale=scale, latent_size=K, hidden=[200, 200])


keras.utils.set_random_seed(0)
hand = HandWrittenVAE(lambda x, mu: log_normal(x, mu, 0.2))
library = copy_weights(hand, build_continuous(0.2))
x, epsilon = gray_test[:100], tf.random.stateless_normal([100, K], seed=[0, 9])
hand_loss = negative_elbo(x, epsilon, hand.encoder, hand.decoder, hand.log_likelihood)
z = sample(*hand.encoder(x), epsilon)
library_loss = tf.reduce_mean(library.objective.terms(library.infer(x), z[None], training=False)["loss"])
relative = abs(float(hand_loss - library_loss)) / abs(float(hand_loss))
print(f"loss by hand {hand_loss:.4f}, by keras_vae {library_loss:.4f} nats: relative difference {relative:.1e}")
assert relative < 1e-5, "the two models differ"

# %% [markdown]
# Then train each of them three times with `fit`, as above but for fewer epochs:

# %% after="sample networks negative_elbo training library log_normal"
bounds = {"by hand": [], "keras_vae": []}
for seed in range(3):
    keras.utils.set_random_seed(seed)
    hand, _ = trained(HandWrittenVAE(lambda x, mu: log_normal(x, mu, 0.2), seed=seed), gray_train, epochs=10)
    bounds["by hand"].append(bound_of(copy_weights(hand, build_continuous(0.2)), gray_test))
    library, _ = trained(build_continuous(0.2), gray_train, epochs=10)
    bounds["keras_vae"].append(bound_of(library, gray_test))
compare(bounds)

# %% [markdown]
# Now try other values of $\sigma$, and one that is learned together with the weights, starting at 0.3.

# %% after="sample networks negative_elbo training library log_normal"
models = {"σ = 0.1": 0.1, "σ = 0.2": library, "σ = 0.5": 0.5, "σ = 2": 2.0, "σ learned": "learned"}
rows, samples = {"test digits": gray_test[:12]}, {}
print("               σ    bound   reconstruction       KL   RMS error of the mean")
for name, scale in models.items():
    keras.utils.set_random_seed(0)
    vae = scale if scale is library else build_continuous(scale)
    if scale == "learned":
        vae.decoder.family.log_scale.assign(np.log(0.3))
    if vae is not library:
        trained(vae, gray_train, epochs=10)
    terms = vae.evaluate(gray_test, verbose=0, return_dict=True)
    means = vae.reconstruct(gray_test).numpy()
    sigma = float(vae.likelihood(tf.zeros([1, K])).distribution.scale[0, 0])
    rms = np.sqrt(np.mean((means - gray_test) ** 2))
    print(
        f"{name:10} {sigma:6.3f} {terms['bound']:8.1f} {terms['reconstruction']:16.1f} {terms['kl']:8.2f} {rms:15.3f}"
    )
    rows[name], samples[name] = means[:12], vae.generate(np.arange(4, 16))["mean"].numpy()
print(f"RMS error of the mean digit: {np.sqrt(np.mean((gray_train.mean(0) - gray_test) ** 2)):.3f}")
drawing.digits(rows, title="reconstructions")

# %% after="sample networks negative_elbo training library log_normal"
drawing.digits(samples, title="means of samples: μ(z) with z from the prior")

# %% [markdown]
# The factor $\frac{1}{2\sigma^2}$ sets the cost of errors relative to the KL. A smaller $\sigma$ gives a larger KL,
# yet the error on new digits hardly changes, because two latents cannot do better. With $\sigma = 2$, the KL
# dominates: it is almost 0, the posterior equals the prior, the latents carry no information, and the error is that
# of the mean digit, printed last. The learned $\sigma$ settles at about the size of the error that the model makes
# anyway, where $\log p(x \mid z)$ is largest for a given error, as in the table of question 3. (It fits the errors on
# training digits with sampled $z$; the last column is for test digits at the posterior mean.) The bounds for
# different $\sigma$ are comparable because none of them drops its constant.
#
# They are not comparable with those of the binary model, which are log-probabilities of binary images, whereas these
# are log-densities of gray images. See `likelihoods.ipynb` for more.
