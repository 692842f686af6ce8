"""The clients and TLS, with certificates made for the test."""

import subprocess

import grpc
import numpy as np
import pytest
from client_testing import ScriptedServer, connect

import serving
from keras_vae import cli


def _openssl(*arguments, folder):
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """An authority, and a certificate and key for the server and for the client that it has signed."""
    folder = tmp_path_factory.mktemp("tls")
    new = ("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-batch")
    for authority in ("root", "other"):
        options = ("-x509", "-days", "2", "-subj", f"/CN={authority}")
        _openssl(*new, *options, "-keyout", f"{authority}.key", "-out", f"{authority}.pem", folder=folder)
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1")
    for name in ("server", "client"):
        _openssl(*new, "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr", folder=folder)
        signed = ("-CA", "root.pem", "-CAkey", "root.key", "-CAcreateserial", "-days", "2", "-extfile", "names")
        _openssl("x509", "-req", "-in", f"{name}.csr", *signed, "-out", f"{name}.pem", folder=folder)
    return folder


@pytest.fixture(scope="module", params=[False, True], ids=["tls", "mutual"])
def secure(request, files):
    """A server with TLS, and whether it asks for a certificate of the client."""
    pair = ((files / "server.key").read_bytes(), (files / "server.pem").read_bytes())
    root = (files / "root.pem").read_bytes() if request.param else None
    with ScriptedServer(grpc.ssl_server_credentials([pair], root, request.param)) as server:
        yield server, request.param


@pytest.mark.parametrize("kind", ["blocking", "async"])
def test_tls(secure, files, kind):
    server, mutual = secure
    root = files / "root.pem"
    own = serving.tls_credentials(root=root, certificate=files / "client.pem", key=str(files / "client.key"))
    with connect(kind, server.port, credentials=own) as client:
        assert client.predict("scale", {"x": np.ones([2, 1])})["y"].shape == (2, 8)
    with connect(kind, server.port, credentials=serving.tls_credentials(root=root), timeout=0.5) as client:
        if mutual:
            with pytest.raises(serving.ServingError, match="UNAVAILABLE"):
                client.status()
        else:
            assert client.status() == {1: "AVAILABLE"}
    for credentials in (None, serving.tls_credentials(), serving.tls_credentials(root=files / "other.pem")):
        with (
            connect(kind, server.port, credentials=credentials, timeout=0.3) as client,
            pytest.raises(serving.ServingError, match="UNAVAILABLE"),
        ):
            client.status()


def test_the_command_line(secure, files, capsys):
    words = ["generate", "--server", f"127.0.0.1:{secure[0].port}", "--model", "nope", "--timeout", "5"]
    words += ["--tls-root", str(files / "root.pem"), "--tls-key", str(files / "client.key")]
    assert cli.main(words) == 1
    assert "received no certificate" in capsys.readouterr().err
    assert cli.main([*words, "--tls-certificate", str(files / "client.pem")]) == 1
    assert "Servable not found for request: Latest(nope)" in capsys.readouterr().err


def test_wrong_files_are_named(files):
    with pytest.raises(ValueError, match="expected both certificate and key, received no key"):
        serving.tls_credentials(certificate=files / "client.pem")
    with pytest.raises(ValueError, match="received no certificate"):
        serving.tls_credentials(key=files / "client.key")
    with pytest.raises(FileNotFoundError, match=r"missing\.pem"):
        serving.tls_credentials(root=files / "missing.pem")
    with pytest.raises(ValueError, match=r"root: expected a PEM file with a CERTIFICATE, received '.*root\.key'"):
        serving.tls_credentials(root=files / "root.key")
    with pytest.raises(ValueError, match=r"key: expected .* PRIVATE KEY, received '.*client\.pem'"):
        serving.tls_credentials(certificate=files / "client.pem", key=files / "client.pem")
