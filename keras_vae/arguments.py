"""The command line's arguments, by subcommand."""

from argparse import ArgumentParser
from collections.abc import Callable

from keras_vae.argument_types import index, positive, rate, scale

_LIKELIHOODS = (
    "bernoulli",
    "continuous_bernoulli",
    "beta",
    "normal",
    "gray_levels",
    "discretized_logistic_mixture",
)
_MODEL_HELP = "a run directory (its model.keras is used) or a .keras file"


def _train(command: ArgumentParser) -> None:
    command.add_argument("--run", required=True, metavar="DIR", help="run directory; the same command again resumes it")
    data = command.add_argument_group("data")
    data.add_argument(
        "--data", default="mnist_5k", help="TFDS name, folder of images or .npz file (default: %(default)s)"
    )
    data.add_argument("--data-dir", metavar="DIR", help="where TFDS keeps its data (default: TFDS's own)")
    data.add_argument(
        "--preprocess",
        choices=("dynamic", "static", "gray", "dequantized"),
        help="binarize anew each epoch, binarize once, scale to [0, 1], or add noise to 8-bit values "
        "(default: what the likelihood needs)",
    )
    data.add_argument(
        "--image-size",
        nargs=2,
        type=positive,
        metavar=("HEIGHT", "WIDTH"),
        help="resize a folder's images to this",
    )
    model = command.add_argument_group("model")
    model.add_argument(
        "--model", default="vae", metavar="NAME", help="see keras-vae models for the names (default: %(default)s)"
    )
    model.add_argument(
        "--likelihood",
        choices=_LIKELIHOODS,
        help="p(x|z): for binary, [0, 1] (continuous_bernoulli, beta), real and 8-bit data (gray_levels has 256 "
        "values a pixel: use --network conv, or it is large; default: the model's own, or bernoulli)",
    )
    model.add_argument(
        "--scale",
        type=scale,
        help="of a normal likelihood: learned (default), learned_per_element, predicted or a number",
    )
    model.add_argument("--latent", type=positive, default=20, help="number of latents (default: %(default)s)")
    model.add_argument("--network", choices=("mlp", "conv"), help="default: mlp")
    model.add_argument(
        "--hidden",
        nargs="+",
        type=positive,
        help="encoder's widths (mlp, default: 400 400) or filters (conv, default: 32 64); reversed in the decoder",
    )
    model.add_argument(
        "--samples", type=positive, help="Monte-Carlo samples an example (default: the model's own number)"
    )
    training = command.add_argument_group("training")
    training.add_argument("--epochs", type=positive, default=20, help="epochs in all (default: %(default)s)")
    training.add_argument("--batch-size", type=positive, default=100, help="default: %(default)s")
    training.add_argument("--learning-rate", type=rate, default=1e-3, help="of Adam (default: %(default)s)")
    training.add_argument("--precision", default="float32", choices=("float32", "mixed_bfloat16"))
    training.add_argument("--seed", type=int, default=0, help="of weights, order and noise (default: %(default)s)")
    training.add_argument(
        "--deterministic",
        action="store_true",
        help="TensorFlow's op determinism: the same bits each time on one machine, and when an interrupted run is "
        "resumed, as in an undisturbed run; can be slower",
    )
    devices = command.add_argument_group("devices and workers")
    devices.add_argument(
        "--strategy",
        default="auto",
        choices=("auto", "one", "mirrored", "multi-worker", "tpu"),
        help="one device, all GPUs of this machine, several processes, or a TPU; auto: what is there, several "
        "processes if --workers or TF_CONFIG names them (default: %(default)s)",
    )
    devices.add_argument(
        "--workers",
        metavar="HOST:PORT,…",
        help="all worker processes, the same list for each, in place of TF_CONFIG; the first alone writes",
    )
    devices.add_argument("--worker-index", type=index, metavar="N", help="this worker's place in the list, from 0")
    devices.add_argument("--tpu", metavar="NAME", help="the TPU's name or address (default: local, this machine's)")


def _evaluate(command: ArgumentParser) -> None:
    command.add_argument("model", help=_MODEL_HELP)
    command.add_argument("--data", help="as in train (default: the run's, or mnist_5k)")
    command.add_argument("--data-dir", metavar="DIR", help="where TFDS keeps its data")
    command.add_argument("--split", default="test", help="default: %(default)s")
    command.add_argument("--preprocess", choices=("dynamic", "static", "gray", "dequantized"))
    command.add_argument(
        "--num-samples",
        type=positive,
        default=5000,
        help="importance samples an example (default: %(default)s)",
    )
    command.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    command.add_argument("--json", metavar="FILE", help="also write the figures to this file")
    command.add_argument(
        "--report",
        metavar="FILE.html",
        help="take most measures, those that fit model and data, and write them as one page",
    )


def _sample(command: ArgumentParser) -> None:
    command.add_argument("model", help=_MODEL_HELP)
    _images(command, " (default: the classes in turn)")


def _images(command: ArgumentParser, others: str = "") -> None:
    command.add_argument(
        "--condition",
        nargs="+",
        type=float,
        metavar="Y",
        help=f"of a conditional model: the label, or the vector's numbers{others}",
    )
    command.add_argument("--n", type=positive, default=64, help="how many (default: %(default)s)")
    command.add_argument("--seed", type=int, default=0, help="first of n consecutive seeds (default: %(default)s)")
    command.add_argument(
        "--out", default="samples.png", metavar="FILE", help=".png, or .npy for arrays (default: %(default)s)"
    )


def _export(command: ArgumentParser) -> None:
    command.add_argument("model", help=_MODEL_HELP)
    command.add_argument("to", help="<base path>/<version>, such as models/digits/1")
    command.add_argument(
        "--score-samples",
        type=positive,
        default=64,
        help="importance samples of score (default: %(default)s)",
    )


def _bundle(command: ArgumentParser) -> None:
    command.add_argument("base_path", help="the export's base path, such as models/digits")
    command.add_argument("--to", required=True, metavar="DIR", help="folder to write")
    command.add_argument("--version", type=int, metavar="N", help="of the export (default: the newest)")
    command.add_argument("--name", help="the model's name in requests (default: the base path's last part)")
    command.add_argument(
        "--max-batch-size",
        type=positive,
        default=256,
        metavar="ROWS",
        help="in one batch, and so in one request (default: %(default)s)",
    )
    command.add_argument(
        "--image", help="of TensorFlow Serving (default: the minor release of the TensorFlow that wrote the export)"
    )
    command.add_argument(
        "--storage-uri", metavar="URI", help="where KServe finds the base path (default: pvc://models/<name>)"
    )
    command.add_argument("--overwrite", action="store_true", help="replace a bundle that is there already")


def _generate(command: ArgumentParser) -> None:
    command.add_argument("--server", default="127.0.0.1:8500", help="host:port (default: %(default)s)")
    command.add_argument("--model", required=True, help="the served model's name")
    command.add_argument("--timeout", type=float, default=10.0, help="seconds a request (default: %(default)s)")
    command.add_argument("--tls-root", metavar="FILE", help="PEM of the authority that signed the server's certificate")
    command.add_argument("--tls-certificate", metavar="FILE", help="PEM of this client's own certificate")
    command.add_argument("--tls-key", metavar="FILE", help="PEM of its key")
    _images(command)


def _serve(command: ArgumentParser) -> None:
    """Add nothing: the server's own parser reads its flags."""


def _models(command: ArgumentParser) -> None:
    """Add nothing: it lists."""


def _demo(command: ArgumentParser) -> None:
    command.add_argument("--out", default="out/demo", metavar="DIR", help="default: %(default)s")
    command.add_argument("--epochs", type=positive, default=60, help="default: %(default)s")
    command.add_argument("--data-dir", metavar="DIR", help="where TFDS keeps its data")


# Name: summary, example, and what adds the arguments.
COMMANDS: dict[str, tuple[str, str, Callable[[ArgumentParser], None]]] = {
    "demo": ("Train, evaluate, export, serve and generate on real digits", "keras-vae demo", _demo),
    "train": (
        "Train a model into a run directory, or go on with one",
        "keras-vae train --run runs/first --epochs 20",
        _train,
    ),
    "models": (
        "List the ready-made models with their papers",
        "keras-vae models",
        _models,
    ),
    "evaluate": (
        "Report bound and log-likelihood, in nats per example; with --report, a page of most measures",
        "keras-vae evaluate runs/first --num-samples 5000",
        _evaluate,
    ),
    "sample": (
        "Generate from a model in this process",
        "keras-vae sample runs/first --n 64 --seed 0",
        _sample,
    ),
    "export": (
        "Write a SavedModel for TensorFlow Serving",
        "keras-vae export runs/first models/digits/1",
        _export,
    ),
    "bundle": (
        "Write the files that take an export to production: TensorFlow Serving in Docker, Kubernetes or KServe",
        "keras-vae bundle models/digits --to bundles/digits",
        _bundle,
    ),
    "serve": (
        "Serve an export over gRPC on this machine",
        "keras-vae serve --model_name=digits --model_base_path=models/digits --port=8500",
        _serve,
    ),
    "generate": (
        "Generate over gRPC from a running server, ours or TensorFlow Serving",
        "keras-vae generate --server 127.0.0.1:8500 --model digits --n 64 --out samples.png",
        _generate,
    ),
}
