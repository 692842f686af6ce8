"""The files that run TensorFlow Serving in Docker."""

from serving.deploy.configs import GRPC_PORT, REST_PORT, server_flags
from serving.deploy.naming import quoted
from serving.deploy.plan import Plan

_FOLDER = "/bundle"


def compose_file(plan: Plan) -> str:
    """Writes `docker-compose.yaml`."""
    flags = [*server_flags(_FOLDER, plan.batching), "--model_config_file_poll_wait_seconds=10"]
    command = "".join(f"\n      - {quoted(flag)}" for flag in flags)
    return f"""\
# docker compose up --detach --wait
services:
  "{plan.label}":
    image: {quoted(plan.image)}
    # The image's own entry point is a shell script, which passes no signal on to the server.
    entrypoint: ["tensorflow_model_server"]
    command:{command}
    ports:
      # For this machine alone; without the address, for all that reach it.
      - "127.0.0.1:{GRPC_PORT}:{GRPC_PORT}"
      - "127.0.0.1:{REST_PORT}:{REST_PORT}"
    volumes:
      # The whole folder, not each file: an editor that replaces a file would leave the old one mounted.
      - {{type: bind, source: ./, target: {_FOLDER}, read_only: true}}
      - {{type: bind, source: ./models, target: /models, read_only: true}}
    healthcheck:
      # The image has no curl. The metadata is answered only once a version serves.
      test: ["CMD", "bash", "-c", {quoted(_probe(plan))}]
      interval: 5s
      timeout: 5s
      retries: 3
      start_period: 300s
    restart: unless-stopped
    # The server handles no SIGTERM and, as process 1, would ignore it.
    init: true
    user: "65534:65534"
    read_only: true
    tmpfs: [/tmp]
    cap_drop: [ALL]
    security_opt: ["no-new-privileges:true"]
    mem_limit: {plan.memory_mib}m
"""


def dockerfile(plan: Plan) -> str:
    """Writes the `Dockerfile` of an image with the model in it."""
    return f"""\
FROM {plan.image}
COPY models /models
"""


def _probe(plan: Plan) -> str:
    script = (
        f"exec 3<>/dev/tcp/127.0.0.1/{REST_PORT} && printf 'GET {plan.ready_path} HTTP/1.0\\r\\n\\r\\n' >&3"
        " && read -r status <&3 && [[ $status == *' 200 '* ]]"
    )
    return script.replace("$", "$$")  # or compose would put a variable there
