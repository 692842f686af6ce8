"""Checks of what a caller names: models, images and places that end up in commands, paths and YAML."""

import re

# What a URL holds as it is: the probes ask for the model by name over REST.
_MODEL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]*")
_IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:@-]*")
_RELEASE = re.compile(r"([0-9]+)\.([0-9]+)\.[0-9]+")
_DNS_LABEL = re.compile(r"[a-z]([a-z0-9-]*[a-z0-9])?")
# A DNS label has 63 characters, and KServe appends this.
_MAX_DNS_LABEL = 63 - len("-predictor")


def check_model_name(name: str) -> str:
    """Returns a model's name if all the files can hold it.

    Raises:
        ValueError: If they cannot.
    """
    if not _MODEL_NAME.fullmatch(name):
        raise ValueError(
            f"the model's name is {name!r}, which the REST interface cannot be asked for:"
            " give a name of letters, digits, and . _ ~ - inside"
        )
    return name


def dns_label(name: str) -> str:
    """Makes the name of the Kubernetes objects out of a model's.

    Args:
        name: The model's name.

    Returns:
        The name in lower case, with `-` for what a DNS label cannot hold.

    Raises:
        ValueError: If that is no DNS label, or too long for one.
    """
    label = re.sub(r"[._~]", "-", name.lower())
    if not _DNS_LABEL.fullmatch(label) or len(label) > _MAX_DNS_LABEL:
        raise ValueError(
            f"the model's name {name!r} makes no name for Kubernetes objects (it would be {label!r}):"
            f" give one of at most {_MAX_DNS_LABEL} characters, a letter first and a letter or digit last"
        )
    return label


def check_image(image: str) -> str:
    """Returns a container image's name if it can be one.

    Raises:
        ValueError: If it cannot.
    """
    if not _IMAGE.fullmatch(image):
        raise ValueError(f"received image {image!r}: give a name such as tensorflow/serving:2.21.0")
    return image


def serving_image(tensorflow_version: str) -> str:
    """Names the image of TensorFlow Serving that reads what a TensorFlow wrote: the same minor release.

    Raises:
        ValueError: If it was no release.
    """
    release = _RELEASE.fullmatch(tensorflow_version)
    if not release:
        raise ValueError(
            f"the export was written by TensorFlow {tensorflow_version!r}, for which no TensorFlow Serving is known:"
            " name an image that reads it, such as tensorflow/serving:nightly"
        )
    return f"tensorflow/serving:{release[1]}.{release[2]}.0"


def check_storage_uri(uri: str) -> str:
    """Returns the place of a model in storage if it can be one.

    Raises:
        ValueError: If it cannot.
    """
    if not re.fullmatch(r"[a-z0-9+.-]+://[!-~]+", uri):
        raise ValueError(f"received storage URI {uri!r}: give one such as s3://bucket/models/digits")
    return uri
