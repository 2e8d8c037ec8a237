{{/* What Prometheus calls the release's instances together. */}}
{{- define "login-stats.job" -}}
{{ .Release.Namespace }}/{{ include "login-stats.fullname" . }}
{{- end }}

{{- define "login-stats.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 50 | trimSuffix "-" }}
{{- end }}

{{/* Room is left for "-headless" and for what Kubernetes adds. */}}
{{- define "login-stats.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- else }}
{{- $name := default .Chart.Name .Values.nameOverride }}
{{- if contains $name .Release.Name }}
{{- .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" }}
{{- end }}
{{- end }}
{{- end }}

{{- define "login-stats.headless" -}}
{{- printf "%s-headless" (include "login-stats.fullname" .) }}
{{- end }}

{{- define "login-stats.selectorLabels" -}}
app.kubernetes.io/name: {{ include "login-stats.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{- define "login-stats.verify" -}}
{{- printf "%s-verify" (include "login-stats.fullname" .) }}
{{- end }}

{{/* Other ones than the instances', which services and budgets must not take it for. */}}
{{- define "login-stats.verifyLabels" -}}
app.kubernetes.io/name: {{ include "login-stats.name" . | printf "%s-verify" | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{- define "login-stats.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | quote }}
{{ include "login-stats.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
{{- end }}

{{- define "login-stats.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "login-stats.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "login-stats.image" -}}
{{- if .Values.image.digest }}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest }}
{{- else }}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) }}
{{- end }}
{{- end }}

{{/* The consumer group, and the topic whose lag counts. */}}
{{- define "login-stats.group" -}}
{{- default "login-stats" (index .Values.config "APP_ID") }}
{{- end }}
{{- define "login-stats.inputTopic" -}}
{{- default "user-login" (index .Values.config "INPUT_TOPIC") }}
{{- end }}

{{/* Kafka as KEDA reaches it from its own namespace: a name without a dot is a service of this one. */}}
{{- define "login-stats.kedaBrokers" -}}
{{- if .Values.autoscaling.keda.bootstrapServers }}
{{- .Values.autoscaling.keda.bootstrapServers }}
{{- else }}
{{- $servers := list }}
{{- range splitList "," .Values.kafka.brokers }}
{{- $host := first (splitList ":" .) }}
{{- $where := ternary $host (printf "%s.%s.svc" $host $.Release.Namespace) (contains "." $host) }}
{{- $servers = append $servers (printf "%s:%s" $where (last (splitList ":" .))) }}
{{- end }}
{{- join "," $servers }}
{{- end }}
{{- end }}
