# %% [markdown]
# # From a trained model to a server
#
# This notebook trains a VAE, exports it, and serves it from a separate process. Python then calls the server over
# gRPC to encode, decode, generate, and score. Along the way, we check whether the server returns the same results as
# the model in memory, whether the same seed gives the same image, what happens to invalid requests, and what happens
# when a new version is exported. The last section shows the same call with TensorFlow Serving in Docker, which is not
# run here.

# %%
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import atexit
import json
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import grpc
import keras
import numpy as np
import tensorflow as tf
from matplotlib import pyplot as plt
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

import keras_vae as kv
from serving import Client, ServingError
from serving.deploy import bundle

keras.utils.set_random_seed(0)
work = tempfile.TemporaryDirectory()  # removed when the notebook ends
folder = Path(work.name)

# %% [markdown]
# ## Train and export
#
# We briefly train the usual Bernoulli VAE on 4,000 binarized digits with $D = 784$ pixels and $K = 20$ latents. A
# model server watches a folder with one numbered directory per version; `export` writes the first version.

# %%
train = kv.data.load("mnist_5k", split="train", batch_size=100, likelihood="bernoulli")
test = kv.data.load("mnist_5k", split="test", batch_size=100, likelihood="bernoulli")
vae = kv.models.vae((28, 28, 1), latent_size=20, seed=0)
vae.compile(optimizer=keras.optimizers.Adam(1e-3))
history = vae.fit(train, validation_data=test, epochs=15, verbose=0).history
print(f"bound on the test digits: {history['val_bound'][-1]:.1f} nats per digit")

models = folder / "models" / "digits"
vae.export(models / "1")
for path in sorted(models.rglob("*")):
    size = f"{path.stat().st_size:>10,} bytes" if path.is_file() else ""
    print(f"{path.relative_to(folder).as_posix():<65}{size}")

# %% [markdown]
# This is a SavedModel: the graph, its weights, and warm-up requests that a server runs once before it accepts
# traffic. Running it does not require any class from `keras_vae`. Its *signatures* define the available calls. Here
# they are read from the files:

# %%
loaded = tf.saved_model.load(str(models / "1"))


def shapes(specs):
    return ", ".join(f"{name} {specs[name].shape} {specs[name].dtype.name}" for name in sorted(specs))


for name, function in loaded.signatures.items():
    if name != "serving_default":  # the same as `generate`
        print(f"{name:<12}{shapes(function.structured_input_signature[1])}")
        print(f"{'':<9}-> {shapes(function.structured_outputs)}")

# %% [markdown]
# `encode` returns the mean $m(x)$ and the scale $s(x)$ of $q_\phi(z|x)$. `decode` returns the pixel means $\rho(z)$
# and the corresponding logits. `generate` takes only seeds. `score` returns a lower bound on $\log p_\theta(x)$ in
# nats. The first dimension of every tensor is the batch, and its size is not fixed.
#
# ## Start the server
#
# In a terminal, run
#
# ```sh
# keras-vae serve --model_name=digits --model_base_path=models/digits --port=8500 --rest_api_port=8501
# ```
#
# `python -m serving` is the same command. The next cell runs it on free ports and waits until the model is available.
# If the server exits instead, the error includes its log.


# %%
def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start():
    command = [sys.executable, "-m", "serving", "--model_name=digits", f"--model_base_path={models}"]
    with open(folder / "server.log", "w") as log:
        process = subprocess.Popen([*command, f"--port={port}", f"--rest_api_port={rest_port}"], stdout=log, stderr=log)
    atexit.register(process.kill)  # stop the server even if the notebook fails
    for _ in range(60):
        try:
            client.wait_until_ready(1)
            return process
        except ServingError:
            if process.poll() is not None:
                break
    process.kill()
    raise RuntimeError(f"the server did not start:\n{(folder / 'server.log').read_text()}")


port, rest_port = free_port(), free_port()
client = Client(f"127.0.0.1:{port}", model="digits")
server = start()
client.status()

# %% [markdown]
# Version 1 is available. The client can list the signatures; an unknown dimension is shown as `?`.

# %%
for name, signature in sorted(client.metadata().items()):
    print(f"{name:<16}{signature.takes()}")

# %% [markdown]
# ## Generate, encode, decode, score
#
# Inputs and outputs are NumPy arrays. Generate forty digits from seeds 0 to 39. The images are the decoder's means,
# not samples from $p_\theta(x|z)$:

# %%
images, z = client.generate(np.arange(40))
print(images.shape, z.shape)


def show(images, title):
    plt.figure(figsize=(8, 0.8 * len(images) / 10 + 0.4), layout="constrained")
    plt.imshow(kv.plots.tile(np.asarray(images), columns=10)[..., 0], cmap="gray", vmin=0, vmax=1)
    plt.title(title)
    plt.axis("off")


show(images, "generated over gRPC from seeds 0 to 39")

# %% [markdown]
# Next, encode and decode test digits. Does the server return the same results as the model in memory? These are the
# largest differences:

# %%
x = next(iter(test))[:64].numpy()


def compare(what, served, local, atol=1e-4):
    difference = np.abs(np.asarray(served) - np.asarray(local)).max()
    print(f"{what:<34} largest difference {difference:.1e}   {'close' if difference <= atol else 'NOT CLOSE'}")


mean, scale = client.encode(x)
decoded = client.decode(mean)
local = vae.encode(x)
compare("encode: m(x)", mean, local["mean"])
compare("encode: s(x)", scale, local["scale"])
compare("decode: rho(m(x))", decoded, vae.decode(local["mean"])["mean"])
compare("encode, then decode; vae.predict", decoded, vae.predict(x, verbose=0))
compare("generate; vae.generate", images, vae.generate(np.arange(40))["mean"])
compare("score, 64 samples, in nats", client.score(x), vae.score(x, seeds=np.arange(64)), atol=1e-2)

# %%
show(np.concatenate([x[:10], decoded[:10]]), "test digits and their reconstructions from m(x)")

# %% [markdown]
# `score` measures how well an image fits the model. Compare the digits with vertically mirrored and with inverted
# ones:

# %%
for what, pixels in (("digits", x), ("mirrored", x[:, ::-1]), ("inverted", 1 - x)):
    nats = client.score(pixels)
    print(f"{what:<12} bound on log p(x): mean {nats.mean():8.1f}, lowest {nats.min():8.1f}, highest {nats.max():8.1f}")

# %% [markdown]
# The scores are in nats. Inverted digits are far from all others. Mirrored digits score lower on average, but the
# ranges overlap: mirroring hardly changes some digits, and some original digits have a low bound.
#
# ## The wire format
#
# `Client` is a convenience. A call is a single protocol buffer message, which any language with gRPC can send. In
# Python, its class comes from the package `tensorflow-serving-api`:

# %%
request = predict_pb2.PredictRequest()
request.model_spec.name = "digits"
request.model_spec.signature_name = "generate"
request.inputs["seed"].CopyFrom(tf.make_tensor_proto([7], dtype=tf.int64))
channel = grpc.insecure_channel(f"127.0.0.1:{port}")
stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
response = stub.Predict(request, timeout=10)
print(request)
print(f"{request.ByteSize()} bytes sent, {response.ByteSize()} bytes received:", sorted(response.outputs))

# %% [markdown]
# The response is mostly the image, 784 times 4 bytes. The same call over REST uses JSON and needs only the standard
# library or `curl`:

# %%
url = f"http://127.0.0.1:{rest_port}/v1/models/digits:predict"
body = json.dumps({"signature_name": "generate", "instances": [7]}).encode()
with urllib.request.urlopen(url, data=body, timeout=10) as reply:
    text = reply.read()
row = json.loads(text)["predictions"][0]
print(f"{len(body)} bytes sent, {len(text)} bytes received:", sorted(row))

# %% [markdown]
# ## Same seed, same image
#
# A seed determines $z$ exactly and the image up to rounding (1e-5): alone or in a batch, in this process or on a
# server, before and after a restart. First, compare the calls for seed 7 that need no restart:

# %%
alone = client.generate([7])
among = client.generate(np.arange(64))  # in one request
in_memory = vae.generate(np.array([7]))
from_files = loaded.signatures["generate"](seed=tf.constant([7], tf.int64))


def same(what, image, z):
    bits = np.array_equal(np.asarray(z, np.float32).view(np.int32), alone.z.view(np.int32))
    difference = np.abs(np.asarray(image, np.float32) - alone.mean).max()
    print(f"{what:<32} z: {'same bits' if bits else 'DIFFERENT BITS'}   image: largest difference {difference:.1e}")


same("second call", *client.generate([7]))
same("one row of 64", among.mean[7:8], among.z[7:8])
same("plain message", *(tf.make_ndarray(response.outputs[name]) for name in ("mean", "z")))
same("REST", [row["mean"]], [row["z"]])
same("SavedModel in this process", from_files["mean"], from_files["z"])
same("model in memory", in_memory["mean"], in_memory["z"])

# %% [markdown]
# Now stop and restart the server. The same client reconnects automatically.

# %%
server.terminate()
print("exit code", server.wait(30))
server = start()
after = client.generate([7])
same("after a restart", *after)

# %% [markdown]
# This guarantee holds for one release of TensorFlow; another release may generate different numbers. Two cases are not
# tested here: a server on another machine, and one that combines requests of several clients into a batch
# (`--enable_batching`).
#
# ## Invalid requests
#
# An invalid request is rejected with an explanation. `Client` knows the signatures and raises an error before sending
# anything. Without it, the server returns a gRPC error status.


# %%
def show_error(ask):
    try:
        ask()
        print("answered")
    except ValueError as error:
        print("not sent:", error, "\n")
    except ServingError as error:
        print("rejected by the server:", error, "\n")
    except grpc.RpcError as error:
        print(f"rejected by the server: {error.code().name}:", error.details(), "\n")


def raw(signature, **inputs):
    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = "digits", signature
    for name, value in inputs.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    return stub.Predict(request, timeout=10)


show_error(lambda: client.encode(x[:, :27]))
show_error(lambda: client.predict("dream", {"x": x}))
show_error(lambda: raw("encode", x=x[:, :27]))
show_error(lambda: raw("encode", z=z))
show_error(lambda: raw("generate", seed=[0.5]))

# %% [markdown]
# Inputs with valid shapes are also rejected if their values cannot occur in the model's training data. Two examples
# are a NaN pixel, and gray levels from 0 to 255 for a model of binary pixels:

# %%
invalid = x[:2].copy()
invalid[0, 14, 14] = np.nan
show_error(lambda: client.encode(invalid))
show_error(lambda: client.score(255 * x[:2]))

# %% [markdown]
# ## Deploy a new version
#
# Train the model for another 15 epochs and export it as version 2. The server finds it without being notified, because
# it checks the folder once a second. It loads the new version and runs its warm-up requests before it unloads the old
# one. Meanwhile, the client keeps sending requests.

# %%
history = vae.fit(train, validation_data=test, epochs=15, verbose=0).history
print(f"bound on the test digits: {history['val_bound'][-1]:.1f} nats per digit")
vae.export(models / "2")

states, answered, begun = [client.status()], 0, time.monotonic()
while states[-1] != {2: "AVAILABLE", 1: "END"} and time.monotonic() - begun < 60:
    raw("generate", seed=np.array([0]))  # no retry: an error would stop this cell
    answered += 1
    if (state := client.status()) != states[-1]:
        states.append(state)
print(*states, sep="\n")
print(answered, "requests in the meantime, all answered")

# %% [markdown]
# The lines with braces are the states that the client saw, in order. For seed 7, $z$ is the same because the prior
# has no weights. The image differs because the decoder has changed.

# %%
newer = client.generate(np.arange(10))
same("seed 7, version 2", newer.mean[7:8], newer.z[7:8])
show(np.concatenate([images[:10], newer.mean]), "seeds 0 to 9: version 1 above, version 2 below")

# %% [markdown]
# The same ten seeds give similar shapes, most of them sharper. By default, a server keeps only the latest version, so
# a client that requests version 1 gets an error:

# %%
with Client(f"127.0.0.1:{port}", model="digits", version=1) as pinned:
    show_error(lambda: pinned.generate([0]))

# %% [markdown]
# To keep both, list them in a file for `--model_config_file` with `model_version_policy { specific { versions: 1
# versions: 2 } }`. Labels such as `stable` and `canary` can refer to them. See `docs/deployment.md` for the steps.
#
# ## Stop the server
#
# Operating systems and container runtimes send SIGTERM to ask a process to stop. The server finishes the requests in
# progress and exits with code 0.

# %%
client.close()
channel.close()
server.send_signal(signal.SIGTERM)
print("exit code", server.wait(30))

# %% [markdown]
# ## In production: TensorFlow Serving
#
# On a laptop, the server above replaces TensorFlow Serving, which reads the same folder and uses the same protocol.
# `bundle`, or `keras-vae bundle models/digits --to bundles/digits`, writes the files that TensorFlow Serving needs:

# %%
written = bundle(models, folder / "bundles" / "digits")
for path in sorted(path for path in written.rglob("*") if path.is_file()):
    print(path.relative_to(written).as_posix())
print([line.strip() for line in (written / "docker-compose.yaml").read_text().splitlines() if "image:" in line])

# %% [markdown]
# Then, on a machine with Docker, run
#
# ```sh
# docker compose --file bundles/digits/docker-compose.yaml up --detach --wait
# ```
#
# or use the exported folder directly:
#
# ```sh
# docker run --rm -p 127.0.0.1:8500:8500 -p 127.0.0.1:8501:8501 \
#     -v "$PWD/models/digits:/models/digits" -e MODEL_NAME=digits -t tensorflow/serving:2.21.0
# ```
#
# The call is the same as above:
#
# ```python
# with Client("127.0.0.1:8500", model="digits") as client:
#     client.wait_until_ready(60)
#     images, z = client.generate(n=64, seed=0)
# ```
#
# **These three snippets were not run**, because no Docker daemon was available where this notebook was created. All
# other cells were run against the local server.
