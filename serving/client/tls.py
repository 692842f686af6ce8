"""Reads a client's credentials for TLS from PEM files."""

import os
from pathlib import Path

import grpc

_Path = str | os.PathLike[str]


def tls_credentials(
    *, root: _Path | None = None, certificate: _Path | None = None, key: _Path | None = None
) -> grpc.ChannelCredentials:
    """Reads a client's credentials for TLS, or for mutual TLS if it has its own certificate and key.

    Args:
        root: The certificates, in PEM, of the authorities that may have signed the server's; by default those that
            come with gRPC.
        certificate: The client's own certificate, in PEM, for a server that asks for one.
        key: The private key of `certificate`, in PEM.

    Returns:
        The credentials, for `Client` and `AsyncClient`.

    Raises:
        ValueError: If only one of `certificate` and `key` is given, or a file does not hold PEM of its kind.
        OSError: If a file cannot be read.
    """
    if (certificate is None) != (key is None):
        missing = "key" if key is None else "certificate"
        raise ValueError(f"mutual TLS: expected both certificate and key, received no {missing}. Pass both or neither.")
    return grpc.ssl_channel_credentials(
        root_certificates=_read(root, "root", b"CERTIFICATE-----"),
        private_key=_read(key, "key", b"PRIVATE KEY-----"),
        certificate_chain=_read(certificate, "certificate", b"CERTIFICATE-----"),
    )


def _read(path: _Path | None, name: str, kind: bytes) -> bytes | None:
    if path is None:
        return None
    content = Path(path).read_bytes()
    # gRPC would only report, at the first call, that the server cannot be reached.
    if b"-----BEGIN " not in content or kind not in content:
        expected = kind.strip(b"-").decode()
        raise ValueError(f"{name}: expected a PEM file with a {expected}, received {os.fspath(path)!r} without one.")
    return content
