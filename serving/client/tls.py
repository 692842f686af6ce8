"""A client's credentials for TLS, from files."""

import os
from pathlib import Path

import grpc

_Path = str | os.PathLike[str]


def tls_credentials(
    *, root: _Path | None = None, certificate: _Path | None = None, key: _Path | None = None
) -> grpc.ChannelCredentials:
    """Reads a client's credentials for TLS, and for mutual TLS with a certificate and key of its own.

    Args:
        root: The certificates, in PEM, of the authorities one of which must have signed the server's; those
            that gRPC comes with by default.
        certificate: The client's own certificate, in PEM, for a server that asks for one.
        key: The private key of `certificate`, in PEM.

    Returns:
        The credentials, for `serving.Client` and `serving.AsyncClient`.

    Raises:
        ValueError: If only one of `certificate` and `key` is given, or a file holds no PEM of its kind.
        OSError: If a file cannot be read.
    """
    if (certificate is None) != (key is None):
        missing = "key" if key is None else "certificate"
        raise ValueError(f"mutual TLS takes both certificate and key; got no {missing}")
    return grpc.ssl_channel_credentials(
        root_certificates=_read(root, "root", b"CERTIFICATE-----"),
        private_key=_read(key, "key", b"PRIVATE KEY-----"),
        certificate_chain=_read(certificate, "certificate", b"CERTIFICATE-----"),
    )


def _read(path: _Path | None, name: str, kind: bytes) -> bytes | None:
    if path is None:
        return None
    content = Path(path).read_bytes()
    # gRPC itself would only say, at the first call, that the server cannot be reached.
    if b"-----BEGIN " not in content or kind not in content:
        wanted = kind.strip(b"-").decode()
        raise ValueError(f"{name}: expected a file in PEM with a {wanted}; got {os.fspath(path)!r}, which has none")
    return content
