# %% [markdown]
# # From a trained model to a server
#
# A VAE is trained, exported, and served by a process of its own. Python then asks it over gRPC to encode, decode,
# generate and score. The questions on the way: does the server answer as the model in memory does, is one seed one
# image, what happens to rubbish, and what happens when a new version is exported. At the end stands the same call
# against TensorFlow Serving in Docker, which is shown and not run.

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
# The usual Bernoulli VAE on 4,000 binarised digits, $D = 784$ pixels and $K = 20$ latents, trained briefly. A model
# server watches a folder that holds one numbered directory a version; `export` writes the first.

# %%
train = kv.data.load("mnist_5k", split="train", batch_size=100, likelihood="bernoulli")
test = kv.data.load("mnist_5k", split="test", batch_size=100, likelihood="bernoulli")
vae = kv.models.vae((28, 28, 1), latent_size=20, seed=0)
vae.compile(optimizer=keras.optimizers.Adam(1e-3))
history = vae.fit(train, validation_data=test, epochs=15, verbose=0).history
print(f"bound on the test digits: {history['val_bound'][-1]:.1f} nats a digit")

models = folder / "models" / "digits"
vae.export(models / "1")
for path in sorted(models.rglob("*")):
    size = f"{path.stat().st_size:>10,} bytes" if path.is_file() else ""
    print(f"{path.relative_to(folder).as_posix():<65}{size}")

# %% [markdown]
# This is a SavedModel: the graph, its weights, and example requests that a server answers once for itself before it
# takes traffic. No class of `keras_vae` is needed to run it. What can be asked of it are its *signatures*, here read
# from the files:

# %%
loaded = tf.saved_model.load(str(models / "1"))


def shapes(specs):
    return ", ".join(f"{name} {specs[name].shape} {specs[name].dtype.name}" for name in sorted(specs))


for name, function in loaded.signatures.items():
    if name != "serving_default":  # the same as `generate`
        print(f"{name:<12}{shapes(function.structured_input_signature[1])}")
        print(f"{'':<9}-> {shapes(function.structured_outputs)}")

# %% [markdown]
# `encode` gives the mean $m(x)$ and the scale $s(x)$ of $q_\phi(z|x)$, `decode` the pixels' means $\rho(z)$ and the
# logits behind them, `generate` takes only seeds, and `score` gives a lower bound on $\log p_\theta(x)$ in nats.
# Every tensor has a free first dimension, the batch.
#
# ## Start the server
#
# In a terminal it would be
#
# ```sh
# keras-vae serve --model_name=digits --model_base_path=models/digits --port=8500 --rest_api_port=8501
# ```
#
# `python -m serving` is the same command. The cell below runs it with ports that happen to be free, and waits until
# the model is available. If the server ends instead, the error shows what it had to say.


# %%
def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start():
    command = [sys.executable, "-m", "serving", "--model_name=digits", f"--model_base_path={models}"]
    with open(folder / "server.log", "w") as log:
        process = subprocess.Popen([*command, f"--port={port}", f"--rest_api_port={rest_port}"], stdout=log, stderr=log)
    atexit.register(process.kill)  # no server outlives the notebook, whatever fails in it
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
# Version 1 is available. The client can ask what it may be asked; an unknown dimension is `?`.

# %%
for name, signature in sorted(client.metadata().items()):
    print(f"{name:<16}{signature.takes()}")

# %% [markdown]
# ## Generate, encode, decode, score
#
# NumPy arrays go in and come out. Forty digits from the seeds 0 to 39; one sees the decoder's means, not samples of
# $p_\theta(x|z)$:

# %%
images, z = client.generate(40, seed=0)
print(images.shape, z.shape)


def show(images, title):
    plt.figure(figsize=(8, 0.8 * len(images) / 10 + 0.4), layout="constrained")
    plt.imshow(kv.plots.tile(np.asarray(images), columns=10)[..., 0], cmap="gray", vmin=0, vmax=1)
    plt.title(title)
    plt.axis("off")


show(images, "generated over gRPC from the seeds 0 to 39")

# %% [markdown]
# Test digits go there and come back. Does the server say what the model in memory says? The largest differences:

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
compare("generate; vae.sample", images, vae.sample(40, seed=0))
compare("score, 64 samples, in nats", client.score(x), vae.score(x, np.arange(64)), atol=1e-2)

# %%
show(np.concatenate([x[:10], decoded[:10]]), "test digits, and what comes back for them through m(x)")

# %% [markdown]
# `score` puts a number on how well a picture fits the model. The same digits, mirrored top to bottom, and in
# negative:

# %%
for what, pixels in (("digits", x), ("mirrored", x[:, ::-1]), ("negative", 1 - x)):
    nats = client.score(pixels)
    print(f"{what:<12} bound on log p(x): mean {nats.mean():8.1f}, lowest {nats.min():8.1f}, highest {nats.max():8.1f}")

# %% [markdown]
# In nats. The negatives stand far apart from everything. Mirrored digits score lower on average, but the ranges
# overlap: some digits are hardly changed by the mirror, and some digits as they are have a low bound.
#
# ## What goes over the wire
#
# `Client` is a convenience. Below it lies one protocol-buffer message, which any language with gRPC can send; in
# Python its class comes from the package `tensorflow-serving-api`:

# %%
request = predict_pb2.PredictRequest()
request.model_spec.name = "digits"
request.model_spec.signature_name = "generate"
request.inputs["seed"].CopyFrom(tf.make_tensor_proto([7], dtype=tf.int64))
channel = grpc.insecure_channel(f"127.0.0.1:{port}")
stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
response = stub.Predict(request, timeout=10)
print(request)
print(f"{request.ByteSize()} bytes out, {response.ByteSize()} bytes back:", sorted(response.outputs))

# %% [markdown]
# The answer is mostly the image, 784 times 4 bytes. The same by REST, as JSON, which needs nothing but the standard
# library, or `curl`:

# %%
url = f"http://127.0.0.1:{rest_port}/v1/models/digits:predict"
body = json.dumps({"signature_name": "generate", "instances": [7]}).encode()
with urllib.request.urlopen(url, data=body, timeout=10) as reply:
    text = reply.read()
row = json.loads(text)["predictions"][0]
print(f"{len(body)} bytes out, {len(text)} bytes back:", sorted(row))

# %% [markdown]
# ## One seed, one image
#
# A seed fixes $z$ to the last bit, and the image up to rounding (1e-5): alone or among others, in this process or on
# a server, before and after a restart. First the ways that need no restart, for seed 7:

# %%
alone = client.generate(seeds=[7])
among = client.generate(64, seed=0)  # seeds 0 to 63, in one request
in_memory = vae.generate(np.array([7]))
from_files = loaded.signatures["generate"](seed=tf.constant([7], tf.int64))


def same(what, image, z):
    bits = np.array_equal(np.asarray(z, np.float32).view(np.int32), alone.z.view(np.int32))
    difference = np.abs(np.asarray(image, np.float32) - alone.mean).max()
    print(f"{what:<32} z: {'same bits' if bits else 'OTHER BITS'}   image: largest difference {difference:.1e}")


same("asked once more", *client.generate(seeds=[7]))
same("one row of 64", among.mean[7:8], among.z[7:8])
same("the bare message", *(tf.make_ndarray(response.outputs[name]) for name in ("mean", "z")))
same("REST", [row["mean"]], [row["z"]])
same("the SavedModel in this process", from_files["mean"], from_files["z"])
same("the model in memory", in_memory["mean"], in_memory["z"])

# %% [markdown]
# Now the server is stopped and started anew. The client stays as it is and connects again by itself.

# %%
server.terminate()
print("exit code", server.wait(30))
server = start()
after = client.generate(seeds=[7])
same("after a restart", *after)

# %% [markdown]
# The promise is for one release of TensorFlow; another may draw other numbers. Not tried here: a server on another
# machine, and one that joins requests of several clients into one batch (`--enable_batching`).
#
# ## Rubbish
#
# A request that does not fit is refused in words. `Client` knows the signatures and refuses before anything is sent;
# without it, the server refuses with a gRPC status.


# %%
def refused(ask):
    try:
        ask()
        print("answered")
    except ValueError as error:
        print("not sent:", error, "\n")
    except ServingError as error:
        print("refused by the server:", error, "\n")
    except grpc.RpcError as error:
        print(f"refused by the server: {error.code().name}:", error.details(), "\n")


def raw(signature, **inputs):
    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = "digits", signature
    for name, value in inputs.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    return stub.Predict(request, timeout=10)


refused(lambda: client.encode(x[:, :27]))
refused(lambda: client.predict("dream", {"x": x}))
refused(lambda: raw("encode", x=x[:, :27]))
refused(lambda: raw("encode", z=z))
refused(lambda: raw("generate", seed=[0.5]))

# %% [markdown]
# Right shapes with wrong numbers are refused too, where the model cannot have been trained on them. Two such mistakes,
# a pixel that is NaN, and grey levels from 0 to 255 for a model of binary pixels:

# %%
spoilt = x[:2].copy()
spoilt[0, 14, 14] = np.nan
refused(lambda: client.encode(spoilt))
refused(lambda: client.score(255 * x[:2]))

# %% [markdown]
# ## A new version, while the server runs
#
# The model is trained for another 15 epochs and exported as version 2. Nobody tells the server: it looks into the
# folder once a second. The new version is loaded, and answers the recorded requests, before the old one goes. All the
# while the client keeps asking.

# %%
history = vae.fit(train, validation_data=test, epochs=15, verbose=0).history
print(f"bound on the test digits: {history['val_bound'][-1]:.1f} nats a digit")
vae.export(models / "2")

states, answered, begun = [client.status()], 0, time.monotonic()
while states[-1] != {2: "AVAILABLE", 1: "END"} and time.monotonic() - begun < 60:
    raw("generate", seed=np.array([0]))  # sent once, no second try; a refusal would end this cell
    answered += 1
    if (state := client.status()) != states[-1]:
        states.append(state)
print(*states, sep="\n")
print(answered, "requests meanwhile, all of them answered")

# %% [markdown]
# The lines with braces are the states as the client saw them, one after another. Seed 7 again: its $z$ is the same,
# because the prior has no weights; its image is not, because the decoder has learnt.

# %%
newer = client.generate(10, seed=0)
same("seed 7, version 2", newer.mean[7:8], newer.z[7:8])
show(np.concatenate([images[:10], newer.mean]), "seeds 0 to 9: version 1 above, version 2 below")

# %% [markdown]
# The same ten seeds give much the same shapes, most of them sharper. By default a server keeps only the newest
# version, so a client that insists on version 1 is refused:

# %%
with Client(f"127.0.0.1:{port}", model="digits", version=1) as pinned:
    refused(lambda: pinned.generate(1))

# %% [markdown]
# To keep both, a file for `--model_config_file` lists them with `model_version_policy { specific { versions: 1
# versions: 2 } }`, and labels such as `stable` and `canary` may point at them; `docs/serving.md` has the steps.
#
# ## Stop
#
# SIGTERM is how an operating system or a container runtime asks a process to end. The server lets requests in flight
# finish, and ends with 0.

# %%
client.close()
channel.close()
server.send_signal(signal.SIGTERM)
print("exit code", server.wait(30))

# %% [markdown]
# ## In production: TensorFlow Serving
#
# The server above stands in, on a laptop, for TensorFlow Serving, which reads the same folder and speaks the same
# protocol. `bundle`, or `keras-vae bundle models/digits --to bundles/digits`, writes what it needs there:

# %%
written = bundle(models, folder / "bundles" / "digits")
for path in sorted(path for path in written.rglob("*") if path.is_file()):
    print(path.relative_to(written).as_posix())
print([line.strip() for line in (written / "docker-compose.yaml").read_text().splitlines() if "image:" in line])

# %% [markdown]
# Then, on a machine with Docker,
#
# ```sh
# docker compose --file bundles/digits/docker-compose.yaml up --detach --wait
# ```
#
# or by hand, with the exported folder itself:
#
# ```sh
# docker run --rm -p 127.0.0.1:8500:8500 -p 127.0.0.1:8501:8501 \
#     -v "$PWD/models/digits:/models/digits" -e MODEL_NAME=digits -t tensorflow/serving:2.21.0
# ```
#
# and the call is the one made above:
#
# ```python
# with Client("127.0.0.1:8500", model="digits") as client:
#     client.wait_until_ready(60)
#     images, z = client.generate(64, seed=0)
# ```
#
# **These three are shown and were not run**: no Docker daemon was at hand where this notebook was made. Everything
# else above was run, against the local server.
