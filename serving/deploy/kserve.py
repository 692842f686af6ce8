"""The file that has KServe run TensorFlow Serving."""

from serving.deploy.configs import CPUS
from serving.deploy.naming import quoted
from serving.deploy.plan import Plan

# The port of gRPC in KServe's runtime for TensorFlow Serving.
_GRPC_PORT = 9000


def inference_service(plan: Plan) -> str:
    """Writes `kserve/inferenceservice.yaml`."""
    return f"""\
# kubectl apply -f inferenceservice.yaml
apiVersion: serving.kserve.io/v1beta1
kind: InferenceService
metadata:
  name: "{plan.label}"
  labels: {{app.kubernetes.io/name: "{plan.label}"}}
spec:
  predictor:
    minReplicas: 1
    maxReplicas: 8
    # The share of requests for what is applied next; the rest stays with what was ready before.
    # canaryTrafficPercent: 10
    model:
      modelFormat: {{name: tensorflow, version: "2"}}
      # In place of the image of KServe's runtime, which may be older than the export.
      image: {quoted(plan.image)}
      # A copy of the folder models/{plan.name} of this bundle, with the version's directory in it.
      storageUri: {quoted(plan.storage_uri)}
      # gRPC. Without the protocol and the port it is REST: KServe opens one port.
      protocolVersion: grpc-v1
      ports:
        - {{name: h2c, containerPort: {_GRPC_PORT}, protocol: TCP}}
      # KServe appends this to its runtime's flags. Its own name for the model would be the service's.
      # Batching is left out: its parameters are a file, which would need a runtime of one's own.
      args: [{quoted(f"--model_name={plan.name}")}]
      resources:
        requests: {{cpu: "{CPUS}", memory: {plan.memory_mib}Mi}}
        limits: {{memory: {plan.memory_mib}Mi}}
"""
