"""Checks names from the caller that end up in commands, paths and YAML: models, images and storage URIs."""

import re

# Characters that a URL holds unescaped: the probes ask for the model by name over REST.
_MODEL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]*")
_IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:@-]*")
_RELEASE = re.compile(r"([0-9]+)\.([0-9]+)\.[0-9]+")
_DNS_LABEL = re.compile(r"[a-z]([a-z0-9-]*[a-z0-9])?")
# A DNS label has 63 characters, and KServe appends this.
_MAX_DNS_LABEL = 63 - len("-predictor")


def check_model_name(name: str) -> str:
    """Returns a model's name if every file can hold it.

    Raises:
        ValueError: If one cannot.
    """
    if not _MODEL_NAME.fullmatch(name):
        raise ValueError(
            f"name: expected letters, digits, and . _ ~ - after the first, received {name!r}."
            " Pass a name that a REST path can hold."
        )
    return name


def dns_label(name: str) -> str:
    """Makes the name of the Kubernetes objects from a model's.

    Args:
        name: The model's name.

    Returns:
        The name in lower case, with `-` for characters that a DNS label cannot hold.

    Raises:
        ValueError: If that is not a DNS label, or too long for one.
    """
    label = re.sub(r"[._~]", "-", name.lower())
    if not _DNS_LABEL.fullmatch(label) or len(label) > _MAX_DNS_LABEL:
        raise ValueError(
            f"name: expected at most {_MAX_DNS_LABEL} characters, a letter first and a letter or digit last, received"
            f" {name!r} (as a name of Kubernetes objects: {label!r}). Pass another name."
        )
    return label


def check_image(image: str) -> str:
    """Returns a container image's name if it is valid.

    Raises:
        ValueError: If it is not.
    """
    if not _IMAGE.fullmatch(image):
        raise ValueError(f"image: expected a name such as tensorflow/serving:2.21.0, received {image!r}.")
    return image


def serving_image(tensorflow_version: str) -> str:
    """Returns the image of the TensorFlow Serving that reads an export: the one of the same minor release.

    Raises:
        ValueError: If it was not written by a release.
    """
    release = _RELEASE.fullmatch(tensorflow_version)
    if not release:
        raise ValueError(
            f"expected an export written by a release of TensorFlow, received one by {tensorflow_version!r}."
            " Pass an image that reads it, such as tensorflow/serving:nightly."
        )
    return f"tensorflow/serving:{release[1]}.{release[2]}.0"


def check_storage_uri(uri: str) -> str:
    """Returns the URI of a model in storage if it is valid.

    Raises:
        ValueError: If it is not.
    """
    if not re.fullmatch(r"[a-z0-9+.-]+://[!-~]+", uri):
        raise ValueError(f"storage_uri: expected a URI such as s3://bucket/models/digits, received {uri!r}.")
    return uri
