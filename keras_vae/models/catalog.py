"""Papers and sentences of the ready-made models; only text, so that listing them needs no TensorFlow."""

# Models that are conditional on the class.
CONDITIONAL = {"cvae", "cvae-prior"}

# The names of `keras_vae.families.LIKELIHOODS`.
LIKELIHOODS = (
    "bernoulli",
    "continuous_bernoulli",
    "beta",
    "normal",
    "gray_levels",
    "discretized_logistic_mixture",
)

# Models with a likelihood of their own; the others take any.
OWN_LIKELIHOOD = {"continuous-bernoulli": "continuous_bernoulli", "factor-analysis": "normal"}

# Name: paper, sentence.
CATALOG: dict[str, tuple[str, str]] = {
    "vae": ("Kingma & Welling 2014", "normal posterior, standard normal prior, ELBO"),
    "continuous-bernoulli": ("Loaiza-Ganem & Cunningham 2019", "continuous Bernoulli likelihood for gray pixels"),
    "beta-vae": ("Higgins et al. 2017", "the KL has a weight of 4"),
    "kl-annealing": ("Bowman et al. 2016", "the KL's weight rises from 0 to 1 over the first steps"),
    "cyclical-annealing": ("Fu et al. 2019", "the KL's weight rises from 0 to 1 in cycles"),
    "free-bits": ("Kingma et al. 2016", "each latent may carry 0.1 nats at no cost"),
    "iwae": ("Burda, Grosse & Salakhutdinov 2016", "the importance-weighted bound of five samples"),
    "hierarchical": ("Burda, Grosse & Salakhutdinov 2016", "two layers of latents, the importance-weighted bound"),
    "sticking-the-landing": ("Roeder, Wu & Duvenaud 2017", "a gradient that vanishes at the exact posterior"),
    "dreg": ("Tucker et al. 2019", "the importance-weighted bound with doubly reparameterized gradients"),
    "beta-tc-vae": ("Chen et al. 2018", "the total correlation of the latents has a weight of 6"),
    "info-vae": ("Zhao, Song & Ermon 2019", "an MMD pulls the aggregate posterior to the prior"),
    "mmd-vae": ("Zhao, Song & Ermon 2019", "the MMD instead of the KL"),
    "learned-prior": ("Kingma & Welling 2019", "a normal prior whose mean and scale are learned"),
    "mixture-prior": ("Tomczak & Welling 2018", "a mixture of twenty normals as the prior"),
    "vamp": ("Tomczak & Welling 2018", "the prior is a mixture of posteriors of learned pseudo-inputs"),
    "real-nvp-prior": ("Dinh, Sohl-Dickstein & Bengio 2017", "a coupling flow as the prior"),
    "maf-prior": ("Papamakarios, Pavlakou & Murray 2017", "a masked autoregressive flow as the prior"),
    "full-covariance": ("Kingma & Welling 2019", "a normal posterior with full covariance"),
    "mixture-posterior": ("Figurnov, Mohamed & Mnih 2018", "a mixture of normals as the posterior"),
    "iaf": ("Kingma et al. 2016", "an inverse autoregressive flow as the posterior"),
    "planar-flow": ("Rezende & Mohamed 2015", "planar flows as the posterior"),
    "gumbel": ("Jang, Gu & Poole 2017", "categorical latents with Gumbel-softmax gradients"),
    "straight-through-gumbel": ("Jang, Gu & Poole 2017", "the same; the decoder sees one-hot vectors"),
    "relaxed-bernoulli": ("Maddison, Mnih & Teh 2017", "binary latents with relaxed gradients"),
    "autoregressive-prior": ("Germain et al. 2015", "categorical latents under an autoregressive prior"),
    "nvil": ("Mnih & Gregor 2014", "categorical latents, score function with a learned baseline"),
    "leave-one-out": ("Kool, van Hoof & Welling 2019", "categorical latents; the other samples are the baseline"),
    "vimco": ("Mnih & Rezende 2016", "the importance-weighted bound for categorical latents"),
    "piecewise": ("Serban et al. 2017", "piecewise constant posterior and prior"),
    "cvae": ("Sohn, Lee & Yan 2015", "conditional on the class"),
    "cvae-prior": ("Sohn, Lee & Yan 2015", "conditional on the class, the prior too"),
    "factor-analysis": ("Spearman 1904; Lucas et al. 2019", "linear, normal: log p(x) is known exactly"),
}
