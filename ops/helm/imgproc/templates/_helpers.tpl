{{- define "imgproc.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}{{ else }}{{ printf "%s-imgproc" .Release.Name | trunc 50 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "imgproc.selector" -}}
app.kubernetes.io/name: imgproc
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .role }}
{{- end }}

{{- define "imgproc.labels" -}}
{{ include "imgproc.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
{{- end }}

{{- define "imgproc.image" -}}
{{- $tag := .Values.image.tag | default .Chart.AppVersion -}}
{{ .Values.image.repository }}{{ if hasPrefix "@" $tag }}{{ $tag }}{{ else }}:{{ $tag }}{{ end }}
{{- end }}

{{/* What every container has: the image, the settings, no rights, and a read-only root. */}}
{{- define "imgproc.container" -}}
image: {{ include "imgproc.image" .root }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
env:
  {{- /* In memory, so that a slow disk makes no healthy process look dead. */}}
  {{- $own := dict "HEARTBEAT_FILE" "/dev/shm/alive" "METRICS_DIR" "/dev/shm/metrics" "METRICS_PORT" "9100" "LOG_FORMAT" "json" "ACCESS_LOG" "true" "API_KEYS_REQUIRED" "true" "WORKERS" (.root.Values.workers.threads | toString) "WORKER_PROCESSES" (.root.Values.workers.processes | toString) }}
  {{- range $name, $value := merge (dict) .root.Values.settings $own }}
  - {name: {{ $name }}, value: {{ $value | toString | quote }}}
  {{- end }}
envFrom:
  - secretRef: {name: {{ required "Set secretName: a Secret with DATABASE_URL, REDIS_URL and the other secret settings." .root.Values.secretName }}}
{{- end }}

{{/* What every pod has. */}}
{{- define "imgproc.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  seccompProfile: {type: RuntimeDefault}
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.nodeSelector }}
nodeSelector: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.tolerations }}
tolerations: {{ toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* A Deployment of a role. Takes root, role, values, command, probes, grace (seconds), tmp (size) and surge. */}}
{{- define "imgproc.deployment" -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "imgproc.name" .root }}-{{ .role }}
  labels: {{ include "imgproc.labels" . | nindent 4 }}
spec:
  {{- if not .scaled }}
  replicas: {{ .values.replicas }}
  {{- end }}
  selector:
    matchLabels: {{ include "imgproc.selector" . | nindent 6 }}
  strategy:
    type: RollingUpdate
    rollingUpdate: {maxSurge: 1, maxUnavailable: 0}
  template:
    metadata:
      labels: {{ include "imgproc.labels" . | nindent 8 }}
        {{- with .root.Values.podLabels }}{{ toYaml . | nindent 8 }}{{ end }}
      {{- if ne .role "web" }}
      annotations: {prometheus.io/scrape: "true", prometheus.io/port: "9100"}
      {{- end }}
    spec:
      {{- include "imgproc.pod" . | nindent 6 }}
      serviceAccountName: {{ include "imgproc.name" .root }}
      terminationGracePeriodSeconds: {{ .grace }}
      topologySpreadConstraints:
        {{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
        - maxSkew: {{ $.root.Values.maxSkew }}
          topologyKey: {{ . }}
          whenUnsatisfiable: ScheduleAnyway
          labelSelector:
            matchLabels: {{ include "imgproc.selector" $ | nindent 14 }}
        {{- end }}
      containers:
        - name: {{ .role }}
          {{- include "imgproc.container" . | nindent 10 }}
          command: {{ .command | toJson }}
          ports:
            - {{ if eq .role "web" }}{name: http, containerPort: 8000}{{ else }}{name: metrics, containerPort: 9100}{{ end }}
          {{- .probes | nindent 10 }}
          resources: {{ toYaml .values.resources | nindent 12 }}
          volumeMounts:
            - {name: tmp, mountPath: /tmp}
      volumes:
        - name: tmp
          emptyDir: {sizeLimit: {{ .tmp }}}
{{- end }}

{{/* Pools and the sweeper touch a file in every round, also while a server is away: a new pod would not bring it back. */}}
{{- define "imgproc.heartbeat" -}}
livenessProbe:
  exec: {command: [sh, -c, "find /dev/shm/alive -mmin -1 | grep -q ."]}
  periodSeconds: 15
  timeoutSeconds: 5
  failureThreshold: 3
startupProbe:
  exec: {command: [sh, -c, "find /dev/shm/alive -mmin -1 | grep -q ."]}
  periodSeconds: 5
  timeoutSeconds: 5
  failureThreshold: 24
{{- end }}
