"""What the clients' constructors refuse, how clients are pickled, and errors in the words of a user."""

import math
import pickle

import grpc
import numpy as np
import pytest
from client_testing import ScriptedServer
from serving_testing import X, predict_request, refusal

import serving

CLIENTS = [serving.Client, serving.AsyncClient]


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize(
    ("address", "advice"),
    [
        ("http://127.0.0.1:8501", "Use '127.0.0.1:8500', with the gRPC port"),
        ("https://models.example.org/v1/models/m", "Use 'models.example.org:8500'"),
        ("grpc://models.example.org:9000", "Use 'models.example.org:9000'"),
        ("localhost", "Use 'localhost:8500'"),
        ("localhost:", "Use 'localhost:8500'"),
        (":8500", "Use '127.0.0.1:8500'"),
        ("localhost:99999", "Use 'localhost:8500'"),
        ("localhost:port", "Use 'localhost:8500'"),
        ("", "Use '127.0.0.1:8500'"),
        ("::1:8500", r"Use '\[::1\]:8500'"),
        ("[::1]", r"Use '\[::1\]:8500'"),
        (8500, "Use '127.0.0.1:8500'"),
        (None, "Use '127.0.0.1:8500'"),
    ],
)
def test_addresses_that_no_grpc_client_could_use(client, address, advice):
    with pytest.raises(ValueError, match=rf"^address: expected .*, received .*{advice}") as caught:
        client(address, "m")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize(
    # The forms of https://github.com/grpc/grpc/blob/master/doc/naming.md
    "address",
    [
        "127.0.0.1:8500",
        "models.example.org:8500",
        "[::1]:8500",
        "dns:///models.example.org:8500",
        "dns:models.example.org",
        "ipv4:127.0.0.1:8500,127.0.0.2:8500",
        "ipv6:[::1]:8500",
        "unix:/tmp/socket",
        "unix:///tmp/socket",
    ],
)
def test_addresses_of_grpc(client, address):
    client(address, "m")


@pytest.mark.parametrize("timeout", [0, -1, math.nan, math.inf, "10", None])
def test_timeouts(timeout):
    with pytest.raises(ValueError, match=r"^timeout: expected a positive number of seconds, received"):
        serving.Client("127.0.0.1:1", "m", timeout=timeout)


def test_a_pickled_client_connects_by_itself():
    with ScriptedServer() as server:
        with serving.Client(f"127.0.0.1:{server.port}", "m", timeout=60) as client:
            answer = client.predict("scale", {"x": np.ones([3, 1])})["y"]
            pickled = pickle.dumps(client)
        with pickle.loads(pickled) as copy:
            np.testing.assert_array_equal(copy.predict("scale", {"x": np.ones([3, 1])})["y"], answer)


def test_an_asynchronous_client_is_pickled_as_its_arguments():
    client = serving.AsyncClient("127.0.0.1:1", "m", version=3, max_message_bytes=5)
    assert pickle.loads(pickle.dumps(client))._arguments == client._arguments


@pytest.mark.parametrize("client", CLIENTS)
def test_credentials_cannot_be_pickled(client):
    with pytest.raises(TypeError, match=r"expected a client without credentials .* Make the client where"):
        pickle.dumps(client("127.0.0.1:1", "m", credentials=grpc.ssl_channel_credentials()))


def test_a_refusal_names_no_graph_nodes(server, stubs, client):
    code, details = refusal(stubs.predict, predict_request("multiply", table=np.ones([1, 7], np.float32)))
    assert (code, details) == (grpc.StatusCode.INVALID_ARGUMENT, "Matrix size-incompatible: In[0]: [1,7], In[1]: [3,2]")
    with pytest.raises(serving.ServingError) as caught:
        client.predict("multiply", {"table": np.ones([1, 7], np.float32)})
    assert "node" not in str(caught.value)
    assert client.encode(X).mean.shape == (2, 2)


def test_a_client_drops_node_names_of_any_server():
    def refuse(request, context):
        context.abort(
            grpc.StatusCode.INVALID_ARGUMENT,
            "indices[0] = 9 is not in [0, 2)\n\t [[{{function_node f}}{{node GatherV2}}]]",
        )

    with ScriptedServer() as server, serving.Client(f"127.0.0.1:{server.port}", "m", timeout=60) as client:
        server.before = refuse
        with pytest.raises(serving.ServingError) as caught:
            client.predict("scale", {"x": np.ones([3, 1])})
        assert caught.value.details == "indices[0] = 9 is not in [0, 2)"
