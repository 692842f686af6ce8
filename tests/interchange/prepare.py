"""Writes the models and files that the tests in this folder expect, and prints how to serve them.

    python tests/interchange/prepare.py /tmp/interchange
    python tests/interchange/prepare.py /tmp/interchange --batching

The folder is mounted under its own path, so that tests and server mean the same by it.
"""

import argparse
from pathlib import Path

import tensorflow as tf

EVENT, LATENT = 3, 2
VERSIONS = {"stable": 1, "canary": 2}
MAX_BATCH = 64
METRICS = "/monitoring/prometheus/metrics"
PREDICT, CLASSIFY, REGRESS = (f"tensorflow/serving/{name}" for name in ("predict", "classify", "regress"))
ANIMALS = ["cat", "dog", "owl"]

_v1 = tf.compat.v1
_MODELS = """model_config_list {{
  config {{
    name: "vae"
    base_path: "{folder}/vae"
    model_platform: "tensorflow"
    model_version_policy {{ all {{}} }}
    version_labels {{ key: "stable" value: 1 }}
    version_labels {{ key: "canary" value: 2 }}
  }}
  config {{ name: "animals" base_path: "{folder}/animals" model_platform: "tensorflow" }}
}}
"""
_BATCHING = f"""max_batch_size {{ value: {MAX_BATCH} }}
batch_timeout_micros {{ value: 2000 }}
max_enqueued_batches {{ value: 100 }}
num_batch_threads {{ value: 2 }}
"""
_MONITORING = f'prometheus_config {{ enable: true path: "{METRICS}" }}\n'


def _takes(**inputs: tuple[list[int | None], tf.DType]):
    return tf.function(input_signature=[tf.TensorSpec(shape, dtype, name) for name, (shape, dtype) in inputs.items()])


class Vae(tf.Module):
    """The signatures of an exported variational autoencoder, and some to be refused by; weights tell the version."""

    def __init__(self, version: int) -> None:
        super().__init__()
        weights = tf.reshape(tf.range(1, EVENT * LATENT + 1, dtype=tf.float32), [EVENT, LATENT])
        self.weights = tf.Variable(version * weights / 10)

    @_takes(seed=([None], tf.int64))
    def generate(self, seed):
        point = tf.cast(seed % 1000, tf.float32)
        z = tf.stack([tf.sin(point), tf.cos(point)], axis=1)
        return {"mean": self.decode(z)["mean"], "z": z}

    @_takes(x=([None, EVENT], tf.float32))
    def encode(self, x):
        mean = tf.matmul(x, self.weights)
        return {"mean": mean, "scale": tf.exp(-tf.abs(mean))}

    @_takes(z=([None, LATENT], tf.float32))
    def decode(self, z):
        return {"mean": tf.sigmoid(tf.matmul(z, self.weights, transpose_b=True))}

    @_takes(x=([None, EVENT], tf.float32))
    def reconstruct(self, x):
        return {"mean": self.decode(self.encode(x)["mean"])["mean"]}

    @_takes(x=([None, EVENT], tf.float32), seed=([None], tf.int64))
    def score(self, x, seed):
        return {"log_likelihood_bound": -tf.reduce_sum(x * x, axis=1) - tf.cast(seed, tf.float32)}

    @_takes(table=([None, None], tf.float32))
    def multiply(self, table):
        return {"product": tf.matmul(table, self.weights)}

    @_takes(table=([None, None], tf.float32))
    def row_sums(self, table):
        return {"sums": tf.reduce_sum(table, axis=1)}

    @_takes(words=([None], tf.string))
    def join(self, words):
        return {"joined": tf.strings.join([words, words], "-")}

    @_takes(value=([], tf.float32))
    def double(self, value):
        return {"doubled": 2 * value}


def _save_vae(version: int, path: Path) -> None:
    model = Vae(version)
    names = ("generate", "encode", "decode", "reconstruct", "score", "multiply", "row_sums", "join", "double")
    signatures = {name: getattr(model, name) for name in names}
    tf.saved_model.save(model, str(path), signatures | {"serving_default": model.generate})


def _save_animals(path: Path) -> None:
    """Saves, as TensorFlow 1 does, scores of two features for three classes, and the features' sum."""
    with tf.Graph().as_default(), _v1.Session() as session:
        examples = _v1.placeholder(tf.string, [None])
        x = tf.io.parse_example(examples, {"x": tf.io.FixedLenFeature([2], tf.float32)})["x"]
        weights = _v1.get_variable("weights", initializer=[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], use_resource=False)
        scores = tf.matmul(x, weights)
        classes = tf.tile(tf.constant([ANIMALS]), [tf.shape(x)[0], 1])

        def signature(outputs: dict[str, tf.Tensor], method: str):
            infos = [
                {name: _v1.saved_model.build_tensor_info(value) for name, value in part.items()}
                for part in ({"inputs": examples}, outputs)
            ]
            return _v1.saved_model.build_signature_def(*infos, method)

        session.run(_v1.global_variables_initializer())
        builder = _v1.saved_model.Builder(str(path))
        signatures = {
            "serving_default": signature({"classes": classes, "scores": scores}, CLASSIFY),
            "sum": signature({"outputs": tf.reduce_sum(x, axis=1)}, REGRESS),
            "features": signature({"x": x}, PREDICT),
        }
        builder.add_meta_graph_and_variables(session, ["serve"], signatures)
        builder.save()


def prepare(folder: Path) -> None:
    """Fills a folder with models and configuration files.

    Args:
        folder: An absolute path; made if it is not there.
    """
    for version in VERSIONS.values():
        _save_vae(version, folder / "vae" / str(version))
    _save_animals(folder / "animals" / "7")
    (folder / "models.config").write_text(_MODELS.format(folder=folder))
    (folder / "batching.config").write_text(_BATCHING)
    (folder / "monitoring.config").write_text(_MONITORING)


def flags(folder: Path, batching: bool) -> list[str]:
    """Returns the flags other than the ports that serve the folder, for TensorFlow Serving and the local server."""
    given = {
        "model_config_file": folder / "models.config",
        "monitoring_config_file": folder / "monitoring.config",
        "allow_version_labels_for_unavailable_models": "true",
    }
    if batching:
        given |= {"enable_batching": "true", "batching_parameters_file": folder / "batching.config"}
    return [f"--{name}={value}" for name, value in given.items()]


def main() -> None:
    parser = argparse.ArgumentParser(description="Writes the models that the interchange tests expect.")
    parser.add_argument("folder", type=Path, help="where to; must not hold them yet")
    parser.add_argument("--batching", action="store_true", help="print the line for a server that batches")
    arguments = parser.parse_args()
    folder = arguments.folder.absolute()
    if (folder / "vae").exists():
        parser.error(f"{folder} holds the models already: remove them, or name another folder")
    prepare(folder)
    more = " --batching" if arguments.batching else ""
    served = " ".join(flags(folder, arguments.batching))
    print(f"docker run --rm -p 8500:8500 -p 8501:8501 -v {folder}:{folder} tensorflow/serving {served}")
    print(
        "python -m pytest tests/interchange --server 127.0.0.1:8500 --rest 127.0.0.1:8501"
        f" --models {folder}{more}  # without --models nothing that is served is changed"
    )


if __name__ == "__main__":
    main()
