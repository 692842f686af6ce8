"""The files that run TensorFlow Serving on Kubernetes."""

from serving.deploy.configs import CPUS, GRPC_PORT, METRICS_PATH, REST_PORT, server_flags
from serving.deploy.naming import quoted
from serving.deploy.plan import Plan

_FOLDER = "/config"
_DRAIN_SECONDS = 25


def kubernetes_files(plan: Plan) -> dict[str, str]:
    """Writes the manifests and the kustomization that ties them together.

    Returns:
        The text by path in the bundle.
    """
    manifests = {
        "kubernetes/deployment.yaml": _deployment(plan),
        "kubernetes/service.yaml": _service(plan),
        "kubernetes/autoscaler.yaml": _autoscaler(plan),
        "kubernetes/disruption-budget.yaml": _disruption_budget(plan),
    }
    return {**manifests, "kustomization.yaml": _kustomization(plan, list(manifests))}


def _kustomization(plan: Plan, manifests: list[str]) -> str:
    return f"""\
# kubectl apply -k .
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources:{_listed(manifests, 2)}
configMapGenerator:
  # Its name ends in a hash of the files: a change to them rolls out with new pods, and is undone with them.
  - name: "{plan.label}-config"
    files:{_listed(plan.config_files, 6)}
images:
  # newName: your registry's name for the image built from the Dockerfile here.
  - name: "{plan.label}"
    newName: "{plan.label}"
    newTag: "{plan.exported.version}"
"""


def _deployment(plan: Plan) -> str:
    return f"""\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: "{plan.label}"
  labels: {{app.kubernetes.io/name: "{plan.label}"}}
spec:
  # No replicas here: the autoscaler sets them.
  selector:
    matchLabels: {{app.kubernetes.io/name: "{plan.label}"}}
  strategy:
    type: RollingUpdate
    rollingUpdate: {{maxSurge: 1, maxUnavailable: 0}}
  template:
    metadata:
      labels: {{app.kubernetes.io/name: "{plan.label}"}}
      annotations:
        prometheus.io/scrape: "true"
        prometheus.io/port: "{REST_PORT}"
        prometheus.io/path: {METRICS_PATH}
    spec:
      automountServiceAccountToken: false
      # The server handles no SIGTERM and, as process 1, would ignore it until it is killed.
      shareProcessNamespace: true
      terminationGracePeriodSeconds: {_DRAIN_SECONDS + 5}
      securityContext:
        runAsNonRoot: true
        runAsUser: 65534
        runAsGroup: 65534
        seccompProfile: {{type: RuntimeDefault}}
      topologySpreadConstraints:
        - maxSkew: 1
          topologyKey: kubernetes.io/hostname
          whenUnsatisfiable: ScheduleAnyway
          labelSelector:
            matchLabels: {{app.kubernetes.io/name: "{plan.label}"}}
      containers:
        - name: tensorflow-serving
          # Built from the Dockerfile beside kustomization.yaml; the model is in it.
          image: "{plan.label}"
          command: ["tensorflow_model_server"]
          args:{_listed(server_flags(_FOLDER, plan.batching), 12)}
          ports:
            - {{name: grpc, containerPort: {GRPC_PORT}}}
            - {{name: rest, containerPort: {REST_PORT}}}
          # The metadata is answered only once a version serves, {_warmed_up(plan)}.
          startupProbe:
            httpGet: {{path: {quoted(plan.ready_path)}, port: rest}}
            periodSeconds: 2
            failureThreshold: 150
            timeoutSeconds: 5
          readinessProbe:
            httpGet: {{path: {quoted(plan.ready_path)}, port: rest}}
            periodSeconds: 5
            failureThreshold: 3
            timeoutSeconds: 5
          livenessProbe:
            httpGet: {{path: {quoted(plan.status_path)}, port: rest}}
            periodSeconds: 10
            failureThreshold: 6
            timeoutSeconds: 5
          lifecycle:
            preStop:
              # Goes on serving while clients learn that the pod is leaving; requests under way end meanwhile.
              exec: {{command: ["sleep", "{_DRAIN_SECONDS}"]}}
          resources:
            # No limit of processors: the server starts a thread for each that the node has, and a limit would
            # stop them all for part of each 0.1 s.
            requests: {{cpu: "{CPUS}", memory: {plan.memory_mib}Mi}}
            limits: {{memory: {plan.memory_mib}Mi}}
          securityContext:
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            capabilities: {{drop: [ALL]}}
          volumeMounts:
            - {{name: config, mountPath: {_FOLDER}, readOnly: true}}
            - {{name: tmp, mountPath: /tmp}}
      volumes:
        - name: config
          configMap: {{name: "{plan.label}-config"}}
        - name: tmp
          emptyDir: {{}}
"""


def _service(plan: Plan) -> str:
    return f"""\
# For REST, and for gRPC behind a mesh or a proxy that balances requests. Alone it balances connections, and a
# gRPC client keeps one: all its requests would go to one pod.
apiVersion: v1
kind: Service
metadata:
  name: "{plan.label}"
  labels: {{app.kubernetes.io/name: "{plan.label}"}}
spec:
  selector: {{app.kubernetes.io/name: "{plan.label}"}}
  ports:
    - {{name: grpc, port: {GRPC_PORT}, targetPort: grpc, appProtocol: kubernetes.io/h2c}}
    - {{name: rest, port: {REST_PORT}, targetPort: rest, appProtocol: http}}
---
# For gRPC clients that balance requests themselves: its DNS name gives the address of every ready pod. Such a
# client connects to dns:///{plan.label}-pods:{GRPC_PORT} with the policy round_robin.
apiVersion: v1
kind: Service
metadata:
  name: "{plan.label}-pods"
  labels: {{app.kubernetes.io/name: "{plan.label}"}}
spec:
  clusterIP: None
  selector: {{app.kubernetes.io/name: "{plan.label}"}}
  ports:
    - {{name: grpc, port: {GRPC_PORT}, targetPort: grpc, appProtocol: kubernetes.io/h2c}}
"""


def _autoscaler(plan: Plan) -> str:
    return f"""\
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: "{plan.label}"
  labels: {{app.kubernetes.io/name: "{plan.label}"}}
spec:
  scaleTargetRef: {{apiVersion: apps/v1, kind: Deployment, name: "{plan.label}"}}
  minReplicas: 2
  maxReplicas: 8
  metrics:
    - type: Resource
      resource:
        name: cpu
        target: {{type: Utilization, averageUtilization: 70}}
  behavior:
    scaleDown: {{stabilizationWindowSeconds: 300}}
"""


def _disruption_budget(plan: Plan) -> str:
    return f"""\
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: "{plan.label}"
  labels: {{app.kubernetes.io/name: "{plan.label}"}}
spec:
  maxUnavailable: 1
  selector:
    matchLabels: {{app.kubernetes.io/name: "{plan.label}"}}
"""


def _warmed_up(plan: Plan) -> str:
    if plan.exported.has_warmup:
        return "its warm-up requests done"
    return "but the export has no warm-up requests, so the first ones will be slow"


def _listed(items: list[str], indent: int) -> str:
    return "".join(f"\n{' ' * indent}- {quoted(item)}" for item in items)
