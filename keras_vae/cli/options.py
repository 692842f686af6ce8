"""The flags of all commands except `serve`: these dataclasses define the parser and the help."""

import dataclasses
from typing import Annotated, Literal

from cyclopts import Group, Parameter

from keras_vae.training.run_config import RunConfig
from keras_vae.utils.flag_types import Index, Integer, Numbers, Port, Positive, PositiveNumber, Seed, choice

_RUN = Parameter(group=Group("Run", sort_key=0))
_DEVICES = Parameter(group=Group("Devices and workers", sort_key=4))
_FLAT = Parameter(name="*")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Train:
    """Flags of `keras-vae train` in addition to the settings of the run.

    Attributes:
        run: Run directory. To resume or extend a run, --run and --epochs are enough: its other settings are kept.
        epochs: Total number of epochs.
        config: The settings of the run.
        data_dir: Folder of TFDS data sets. Default: that of TFDS.
        strategy: One device, all GPUs of this machine, several processes, or a TPU. auto uses the available devices,
            and several processes if --workers or TF_CONFIG is set.
        workers: Addresses of all worker processes, HOST:PORT,HOST:PORT,..., in the same order for all, instead of
            TF_CONFIG. Only the first worker writes files.
        worker_index: Index of this worker in the list, from 0.
        tpu: Name or address of the TPU. Default: local, the TPU of this machine.
    """

    run: Annotated[str, _RUN]
    epochs: Annotated[Positive, _RUN] = 20
    config: Annotated[RunConfig, _FLAT] = dataclasses.field(default_factory=RunConfig)
    data_dir: Annotated[str | None, Parameter(group=Group("Data", sort_key=1))] = None
    strategy: Annotated[Literal["auto", "one", "mirrored", "multi-worker", "tpu"], choice("strategy"), _DEVICES] = (
        "auto"
    )
    workers: Annotated[str | None, _DEVICES] = None
    worker_index: Annotated[Index | None, _DEVICES] = None
    tpu: Annotated[str | None, _DEVICES] = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Evaluate:
    """Flags of `keras-vae evaluate`.

    Attributes:
        data: As in train. Default: the data of the run, or mnist_5k.
        data_dir: Folder of TFDS data sets. Default: that of TFDS.
        split: Split of the data.
        preprocess: As in train. Default: as in the run, or as the likelihood requires.
        num_samples: Importance samples per example.
        seed: Seed of all noise.
        json: Also write the results to this file.
        report: Compute most measures that apply to the model and the data, and write them to this .html file.
    """

    data: str | None = None
    data_dir: str | None = None
    split: str = "test"
    preprocess: Annotated[Literal["dynamic", "static", "gray", "dequantized"] | None, choice("preprocessing")] = None
    num_samples: Positive = 5000
    seed: Seed = 0
    json: str | None = None
    report: str | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Images:
    """Flags of both `keras-vae sample` and `keras-vae generate`.

    Attributes:
        n: Number of images.
        seed: Seed of the images: different seeds give different images.
        condition: For a conditional model: the label, or the numbers of the vector. Default of sample: all classes in
            turn.
        draws: Draw images from the likelihood instead of returning its means.
        out: File to write: .png, or .npy for arrays.
    """

    n: Positive = 64
    seed: Seed = 0
    condition: Numbers | None = None
    draws: bool = False
    out: str = "samples.png"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Generate:
    """Flags of `keras-vae generate`.

    Attributes:
        model: Name of the served model.
        server: HOST:PORT of the server.
        timeout: Seconds per request.
        tls_root: PEM file of the certificate authority of the server.
        tls_certificate: PEM file of the certificate of the client.
        tls_key: PEM file of the key of the client.
        images: The images to generate.
    """

    model: str
    server: str = "127.0.0.1:8500"
    timeout: PositiveNumber = 10.0
    tls_root: str | None = None
    tls_certificate: str | None = None
    tls_key: str | None = None
    images: Annotated[Images, _FLAT] = dataclasses.field(default_factory=Images)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Export:
    """Flags of `keras-vae export`.

    Attributes:
        score_samples: Number of importance samples of the signature score.
    """

    score_samples: Positive = 64


@dataclasses.dataclass(frozen=True, kw_only=True)
class Bundle:
    """Flags of `keras-vae bundle`.

    Attributes:
        to: Folder to write.
        version: Version of the export. Default: the newest.
        name: Name of the model in requests. Default: the last part of the base path.
        max_batch_size: Maximum number of rows in a batch, and therefore in a request.
        callers: Number of requests that one replica is expected to have in flight.
        image: Image of TensorFlow Serving. Default: the minor version of TensorFlow that wrote the export.
        storage_uri: URI of the base path for KServe. Default: pvc://models/<name>.
        overwrite: Replace an existing bundle.
    """

    to: str
    version: Integer | None = None
    name: str | None = None
    max_batch_size: Positive = 256
    callers: Positive = 64
    image: str | None = None
    storage_uri: str | None = None
    overwrite: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class Explore:
    """Flags of `keras-vae explore`.

    Attributes:
        port: Port of the page. Default: any free port.
        host: Address to listen on. Others than the default let other machines in that know the URL.
        model: For HOST:PORT: the name of the served model.
        data_dir: Folder of TFDS data sets. Default: that of TFDS.
    """

    port: Port = 0
    host: str = "127.0.0.1"
    model: str | None = None
    data_dir: str | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Demo:
    """Flags of `keras-vae demo`.

    Attributes:
        out: Folder for the results.
        epochs: Number of epochs.
        data_dir: Folder of TFDS data sets. Default: that of TFDS.
    """

    out: str = "out/demo"
    epochs: Positive = 60
    data_dir: str | None = None
