"""Write the table of figures in the README from the files in benchmarks/results/.

python benchmarks/readme.py
"""

import json
from pathlib import Path

from keras_vae.utils.files import whole

HERE = Path(__file__).parent
README = HERE.parent / "README.md"
BEGIN, END = "<!-- figures: benchmarks/readme.py -->\n", "<!-- end of figures -->"


def table() -> str:
    """Return the table in Markdown."""
    demo, bernoulli, continuous, linear, kill = (
        json.loads((HERE / "results" / f"{name}.json").read_text())
        for name in ("demo", "mnist_bernoulli", "mnist_continuous_bernoulli", "linear_vae", "kill")
    )
    kills = len(kill["train"]["epochs_in_the_history_at_each_kill"])
    difference, export = kill["train"]["largest_difference_of_a_weight"], kill["export"]
    rows = [
        (
            f"mnist_5k, dynamic binarization, MLP 784-400-400-20, {demo['epochs']} epochs",
            f"bound {demo['test_bound']:.2f}; log-likelihood ({demo['importance_samples']:,} samples) "
            f"{demo['test_log_likelihood']:.2f} ± {demo['test_log_likelihood_standard_error']:.2f}",
            "no published figure for this data",
            "`make demo`",
        ),
        (
            f"MNIST, dynamic binarization, MLP 784-400-400-20, {bernoulli['epochs']} epochs",
            f"bound {bernoulli['test_bound']:.2f}; log-likelihood ({bernoulli['num_samples']:,} samples) "
            f"{bernoulli['test_log_likelihood']:.2f} ± {bernoulli['test_log_likelihood_standard_error']:.2f}",
            "no published figure for this network and schedule",
            "`python benchmarks/mnist.py bernoulli`",
        ),
        (
            f"MNIST, gray, continuous Bernoulli, MLP 784-500-500-20, {continuous['epochs']} epochs",
            f"bound {continuous['test_bound']:.1f}; log-likelihood ({continuous['num_samples']:,} samples) "
            f"{continuous['test_log_likelihood']:.1f} ± {continuous['test_log_likelihood_standard_error']:.1f}",
            "bound 1470 (Loaiza-Ganem & Cunningham 2019; theirs uses dropout, ours does not)",
            "`python benchmarks/mnist.py continuous_bernoulli --num-samples 1000`",
        ),
        (
            "8×8 digits, linear VAE, 5 latents",
            f"bound {linear['elbo']:.3f}; log-likelihood by sampling {linear['importance_sampled']:.3f}",
            f"exact {linear['exact']:.3f}; scikit-learn's probabilistic PCA {linear['ppca_scikit_learn']:.3f}",
            "`python benchmarks/linear_vae.py`",
        ),
        (
            f"kill −9 {kills} times during `train --deterministic`, {export['kills']} times during `export`",
            f"largest weight difference from an uninterrupted run: {difference:.1g}; "
            f"{export['kills_that_hit_an_unfinished_export']} kills hit an unfinished export, "
            f"{export['whole_versions']} versions visible, all complete",
            "0; all complete",
            "`python benchmarks/kill.py`",
        ),
    ]
    lines = ["| Model and data | Ours | Reference | Command |", "|---|---|---|---|"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows]) + "\n"


def main() -> None:
    text = README.read_text()
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    with whole(README) as unfinished:
        unfinished.write_text(before + BEGIN + table() + END + after)


if __name__ == "__main__":
    main()
