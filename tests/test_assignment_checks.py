"""The assignment's self-checks pass its solution, and name each of the usual mistakes when it is made."""

import checks
import make_notebooks
import pytest

TASKS = ("log_bernoulli", "log_normal", "kl", "sample", "networks", "negative_elbo", "training", "library")
CELLS = [cell.source for cell in make_notebooks.sources("assignment").cells if cell.cell_type == "code"]
SETUP = "\n".join(CELLS[0].splitlines()) + "\nD, K = 784, 2"


def cell_of(task):
    return next(cell for cell in CELLS if f"checks.{task}(" in cell)


def run(task, source, before=TASKS):
    """Return the report of a task's cell with this source, after the right cells of the tasks before it."""
    scope = {}
    exec(SETUP, scope)
    for earlier in before[: before.index(task)]:
        definitions, _, _ = cell_of(earlier).rpartition(f"checks.{earlier}(")
        exec(definitions, scope)
    definitions, call, arguments = source.rpartition(f"checks.{task}(")
    exec(definitions, scope)
    return eval(call + arguments, scope)


@pytest.mark.parametrize("task", TASKS)
def test_the_solution_passes(task):
    report = run(task, cell_of(task))
    assert report.done, report
    assert repr(report).startswith(f"✓ {task}: ")
    assert checks.passed(task)


MISTAKES = [
    # Mean instead of sum.
    ("log_bernoulli", "tf.reduce_sum(", "tf.reduce_mean(", "take the sum over pixels, not the mean"),
    ("log_normal", "tf.reduce_sum(", "tf.reduce_mean(", "take the sum over pixels, not the mean"),
    (
        "log_normal",
        "return -square / (2 * sigma**2) - constant",
        "return (-square / (2 * sigma**2) - constant) / 784",
        "sum",
    ),
    ("kl", "tf.reduce_sum(", "tf.reduce_mean(", "sum over latents, not the mean"),
    (
        "negative_elbo",
        "log_likelihood(x, decoder(z))",
        "log_likelihood(x, decoder(z)) / 784",
        "D times too much weight",
    ),
    # A missing ½.
    ("log_normal", "-square / (2 * sigma**2)", "-square / sigma**2", "½ in the exponent is missing"),
    ("kl", "0.5 * tf", "tf", "½ is missing"),
    # The standard deviation for the variance.
    ("log_normal", "sigma**2", "sigma", "standard deviation was mistaken for the variance"),
    ("log_normal", "-square / (2 * sigma**2)", "-square / (2 * sigma)", "divides by σ instead"),
    ("kl", "tf.exp(log_var) - log_var", "tf.exp(0.5 * log_var) - 0.5 * log_var", "s is used instead of the variance"),
    ("kl", "tf.exp(log_var) - log_var", "tf.exp(0.5 * log_var) - log_var", "s is used instead of s²"),
    ("sample", "tf.exp(0.5 * log_var)", "tf.exp(log_var)", "variance was used as the standard deviation"),
    # The log-variance for the variance.
    ("kl", "tf.exp(log_var) - log_var", "log_var - tf.math.log(log_var)", "log-variance was used as the variance"),
    ("kl", "tf.exp(log_var)", "log_var", "log-variance was used as the variance"),
    ("kl", "tf.exp(log_var) - log_var", "tf.exp(2 * log_var) - 2 * log_var", "as the logarithm of s"),
    ("sample", "tf.exp(0.5 * log_var)", "tf.sqrt(log_var)", "log-variance was used as the variance"),
    ("sample", "tf.exp(0.5 * log_var)", "log_var", "log-variance was used as the standard deviation"),
    # No gradient for the encoder.
    ("sample", "return m + ", "return tf.stop_gradient(m) + ", "no gradient reaches the mean m"),
    (
        "sample",
        "return m + tf.exp(0.5 * log_var) * epsilon",
        "return tf.constant(np.asarray(m) + np.exp(0.5 * log_var) * epsilon)",
        "no gradient reaches the mean m and the log-variance",
    ),
    (
        "sample",
        "m + tf.exp(0.5 * log_var) * epsilon",
        "np.random.normal(m, np.exp(0.5 * log_var))",
        "Use the given ε",
    ),
    (
        "sample",
        "m + tf.exp(0.5 * log_var) * epsilon",
        "tf.stop_gradient(tfd.Normal(m, tf.exp(0.5 * log_var)).sample())",
        "may also stop the gradient",
    ),
    (
        "negative_elbo",
        "z = sample(m, log_var, epsilon)",
        "z = tf.stop_gradient(sample(m, log_var, epsilon))",
        "It is stopped",
    ),
    ("training", "weights = self.trainable_variables", "weights = self.decoder.trainable_variables", "of the encoder"),
    # The KL's sign.
    ("kl", "return 0.5", "return -0.5", "a KL divergence is never negative"),
    ("negative_elbo", "kl(m, log_var) - log", "-kl(m, log_var) - log", "the KL has the wrong sign"),
    # Others.
    ("log_bernoulli", "return tf", "return -tf", "its sign is wrong"),
    ("log_bernoulli", "x * logits - tf.nn.softplus(logits)", "x * tf.math.log_sigmoid(logits)", "(1 − x) log(1 − ρ)"),
    ("log_bernoulli", "tf.nn.softplus(logits)", "tf.math.log(1 + tf.exp(logits))", "at logits of −200 for ones"),
    ("log_bernoulli", ", axis=-1", "", "not over the batch"),
    ("log_normal", " - constant", "", "the constant −½ log(2πσ²) is missing"),
    ("kl", " - 1,", ",", "the −1 is missing"),
    ("sample", "* epsilon", "* tf.random.normal(tf.shape(m))", "Use the given ε"),
    ("networks", 'Dense(K, name="log_var")', 'Dense(K, activation="relu")', "the encoder's log s² is never negative"),
    ("networks", "keras.layers.Dense(D),", 'keras.layers.Dense(D, activation="sigmoid"),', "expected logits"),
    ("networks", 'Dense(K, name="m")', 'Dense(D, name="m")', "received (64, 784)"),
    ("negative_elbo", "decoder(z)", "decoder(m)", "this decodes m instead"),
    ("negative_elbo", "tf.reduce_mean", "tf.reduce_sum", "the mean over the batch, not the sum"),
    (
        "negative_elbo",
        "kl(m, log_var) - log_likelihood(x, decoder(z))",
        "log_likelihood(x, decoder(z)) - kl(m, log_var)",
        "ELBO",
    ),
    ("training", "tape.gradient(loss", "tape.gradient(-loss", ""),
    (
        "training",
        "keras.random.normal([tf.shape(x)[0], K], seed=self.noise)",
        "tf.zeros([tf.shape(x)[0], K])",
        "new noise in each call",
    ),
    (
        "training",
        "keras.random.normal(",
        "np.random.normal(size=[100, K]).astype('float32') + 0 * keras.random.normal(",
        "new noise in each call",
    ),
    ("training", "[tf.shape(x)[0], K]", "[1, K]", "one ε per example"),
    ("training", "self.decoder, self.log_likelihood)", "self.decoder)", "does not use self.log_likelihood"),
    (
        "negative_elbo",
        "log_likelihood(x, decoder(z))",
        "log_bernoulli(x, decoder(z))",
        "ignores the argument log_likelihood",
    ),
    ("sample", "tf.exp(0.5 * log_var) * epsilon", "epsilon", "s is missing"),
    ("sample", "m + ", "", "m is missing"),
    ("sample", "return m + tf.exp(0.5 * log_var) * epsilon", "m + tf.exp(0.5 * log_var) * epsilon", "it returned None"),
    (
        "sample",
        "tf.exp(0.5 * log_var)",
        "tf.stop_gradient(tf.exp(0.5 * log_var))",
        "no gradient reaches the log-variance",
    ),
    (
        "log_normal",
        "tf.reduce_sum((x - mu) ** 2, axis=-1)",
        "np.sum((x.numpy() - mu.numpy()) ** 2, axis=-1)",
        "no gradient reaches μ",
    ),
    ("kl", "tf.exp(log_var) - log_var", "tf.exp(log_var) - tf.abs(log_var)", "expected "),
    ("networks", 'Dense(200, activation="relu")', "Dense(200)", "Use ReLU"),
    ("networks", '            keras.layers.Dense(200, activation="relu"),\n', "", "kernels"),
    ("library", "MLP([200, 200])", "MLP([400, 400])", "MLP([200, 200])"),
    ("training", 'return {"loss": self.mean.result()}', 'return {"nats": self.mean.result()}', "reports no loss"),
    ("library", "Normal(K)", "Normal(3)", "latents of shape (3,)"),
    ("library", "ELBO()", "ELBO(beta=4)", "β = 4"),
    ("library", "families.Bernoulli", "families.ContinuousBernoulli", "expected Bernoulli"),
]


@pytest.mark.parametrize(("task", "right", "wrong", "hint"), MISTAKES, ids=lambda part: str(part)[:40])
def test_a_mistake_is_found_and_named(task, right, wrong, hint):
    source = cell_of(task)
    assert right in source
    report = run(task, source.replace(right, wrong))
    assert not report.done
    assert repr(report).startswith(f"✗ {task}: ")
    assert not checks.passed(task)
    assert hint in report.words


RIGHT = [
    (
        "log_bernoulli",
        "tf.reduce_sum(x * logits - tf.nn.softplus(logits), axis=-1)",
        "-D * keras.losses.binary_crossentropy(x, logits, from_logits=True)",
    ),
    ("log_bernoulli", "x * logits - tf.nn.softplus(logits)", "-tf.nn.sigmoid_cross_entropy_with_logits(x, logits)"),
    ("log_normal", "x.shape[-1] / 2", "D / 2"),
    ("log_normal", "np.log(2 * np.pi * sigma**2)", "tf.math.log(2 * np.pi * sigma**2)"),
    (
        "kl",
        "0.5 * tf.reduce_sum(m**2 + tf.exp(log_var) - log_var - 1, axis=-1)",
        "0.5 * (tf.reduce_sum(m**2 + tf.exp(log_var) - log_var, axis=-1) - K)",
    ),
    ("sample", "tf.exp(0.5 * log_var)", "tf.sqrt(tf.exp(log_var))"),
]


@pytest.mark.parametrize(("task", "ours", "theirs"), RIGHT, ids=lambda part: str(part)[:40])
def test_another_right_solution_passes(task, ours, theirs):
    assert ours in cell_of(task)
    report = run(task, cell_of(task).replace(ours, theirs))
    assert report.done, report


def test_code_that_raises_is_a_report_too():
    report = run("kl", cell_of("kl").replace("tf.exp(log_var)", "undefined"))
    assert not report.done
    assert report.words == "it raised NameError: name 'undefined' is not defined"
    assert run("kl", cell_of("kl").replace("return 0.5", "0.5")).words.startswith("it returned None")


def test_a_cell_waits_for_its_tasks(capsys):
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell.instance()
    shell.register_magic_function(checks.after, "cell")
    run("kl", cell_of("kl"))
    run("sample", cell_of("sample").replace("0.5", "1.0"))
    shell.run_cell("%%after kl sample\nreached = 1").raise_error()
    assert capsys.readouterr().out == "Complete these tasks before running this cell: sample\n"
    assert "reached" not in shell.user_ns
    shell.run_cell("%%after kl\nreached = 1").raise_error()
    assert shell.user_ns["reached"] == 1
    with pytest.raises(ZeroDivisionError):
        shell.run_cell("%%after kl\n1 / 0").raise_error()
