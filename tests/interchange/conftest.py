"""The server under test: the one that the command line names, or else the local one, without and with batching."""

from pathlib import Path

import pytest
from interchange_calls import Target
from prepare import flags, prepare

import serving
from serving.options.flags import parser
from serving.options.settings_from_flags import settings_of


def pytest_addoption(parser):
    group = parser.getgroup("interchange", "the server that tests/interchange asks")
    group.addoption("--server", help="host:port for gRPC of a server of what prepare.py wrote; else the local one")
    group.addoption("--rest", help="its host:port for REST; else REST is not tested")
    group.addoption("--batching", action="store_true", help="it batches")
    group.addoption(
        "--models",
        type=Path,
        help="the folder that prepare.py wrote, under the path that the server knows it by; allows the tests"
        " that change what is served, and back: nobody else should use the server meanwhile",
    )


def pytest_generate_tests(metafunc):
    if "target" in metafunc.fixturenames:
        given = metafunc.config.getoption("--server", None)
        kinds = ["given"] if given else ["plain", "batching"]
        metafunc.parametrize("target", kinds, indirect=True, scope="session")


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("interchange")
    prepare(folder)
    return folder


@pytest.fixture(scope="session")
def target(request):
    if request.param == "given":
        option = request.config.getoption
        target = Target(option("--server"), option("--rest"), option("--batching"), option("--models"))
        with target.channel, serving.Client(target.server, model="vae") as client:
            client.wait_until_ready(60)
            yield target
        return
    folder = request.getfixturevalue("folder")
    batching = request.param == "batching"
    settings = settings_of(parser("serving").parse_args([*flags(folder, batching), "--rest_api_port=8501"]))
    with serving.Server(settings=settings, port=0, rest_port=0, file_system_poll_wait_seconds=0.05) as server:
        target = Target(f"127.0.0.1:{server.port}", f"127.0.0.1:{server.rest_port}", batching, folder)
        with target.channel:
            yield target
