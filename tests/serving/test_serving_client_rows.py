"""Every call of more rows than a batching server takes is answered, by either client, as in small calls."""

import numpy as np
import pytest
from client_testing import connect
from serving_testing import EVENT, LATENT, publish

import serving

ROWS = 21
MOST = 8
X = np.random.default_rng(5).normal(size=[ROWS, EVENT]).astype(np.float32)
Z = X[:, :LATENT]


@pytest.fixture(scope="module")
def batching(exports, tmp_path_factory):
    base_path = tmp_path_factory.mktemp("batching") / "vae"
    publish(exports[1], base_path, 1)
    settings = serving.Batching(max_batch_size=MOST)
    with serving.Server(model_name="vae", model_base_path=base_path, port=0, batching=settings) as running:
        yield running


CALLS = {
    "generate": lambda client, rows: client.generate(range(ROWS)[rows]).z,
    "generate_n": lambda client, rows: client.generate(n=ROWS).z[rows],
    "encode": lambda client, rows: client.encode(X[rows]).mean,
    "decode": lambda client, rows: client.decode(Z[rows]),
    "reconstruct": lambda client, rows: client.reconstruct(X[rows]),
    "score": lambda client, rows: client.score(X[rows], seeds=range(ROWS)[rows]),
    "predict": lambda client, rows: client.predict("decode", {"z": Z[rows]})["logits"],
    "stream": lambda client, rows: np.concatenate([p["mean"] for p in client.stream("decode", {"z": Z[rows]})]),
}


@pytest.mark.parametrize("kind", ["blocking", "async"])
@pytest.mark.parametrize("call", CALLS)
def test_more_rows_than_a_batch_takes(batching, kind, call):
    with connect(kind, batching.port, "vae") as client:  # one that does not know the limit yet
        answer = CALLS[call](client, slice(None))
        assert len(answer) == ROWS
        parts = [CALLS[call](client, slice(start, start + 7)) for start in range(0, ROWS, 7)]
    np.testing.assert_allclose(answer, np.concatenate(parts), rtol=1e-6)
