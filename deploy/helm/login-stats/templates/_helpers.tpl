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
app.kubernetes.io/name: {{ include "login-stats.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "login-stats.verify" -}}
{{- printf "%s-verify" (include "login-stats.fullname" .) }}
{{- end }}

{{/* Other ones than the instances', which services and budgets must not take it for. */}}
{{- define "login-stats.verifyLabels" -}}
app.kubernetes.io/name: {{ include "login-stats.name" . }}-verify
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "login-stats.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "login-stats.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
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

{{/* What the schema cannot say: values that need each other. */}}
{{- define "login-stats.check" -}}
{{- $kafka := .Values.kafka }}
{{- $problems := list }}
{{- if hasPrefix "SASL" $kafka.securityProtocol }}
{{- if or (not $kafka.sasl.mechanism) (not $kafka.sasl.username) (not $kafka.sasl.existingSecret) }}
{{- $problems = append $problems (printf "kafka.securityProtocol=%s needs kafka.sasl.mechanism, username and existingSecret" $kafka.securityProtocol) }}
{{- end }}
{{- else if or $kafka.sasl.mechanism $kafka.sasl.username $kafka.sasl.existingSecret }}
{{- $problems = append $problems (printf "kafka.sasl has no effect with kafka.securityProtocol=%s" $kafka.securityProtocol) }}
{{- end }}
{{- if and $kafka.tls.existingSecret (not (hasSuffix "SSL" $kafka.securityProtocol)) }}
{{- $problems = append $problems (printf "kafka.tls has no effect with kafka.securityProtocol=%s" $kafka.securityProtocol) }}
{{- end }}
{{- if ne (empty $kafka.tls.certKey) (empty $kafka.tls.keyKey) }}
{{- $problems = append $problems "kafka.tls.certKey and kafka.tls.keyKey: one needs the other" }}
{{- end }}
{{- if and (eq (toString (index .Values.config "ENRICHED_IP")) "hmac") (not .Values.enrichedIp.existingSecret) }}
{{- $problems = append $problems "config.ENRICHED_IP=hmac needs enrichedIp.existingSecret" }}
{{- end }}
{{- if and (not .Values.persistence.enabled) (not .Values.restarts.leaveGroupOnStop) }}
{{- $problems = append $problems "restarts.leaveGroupOnStop=false needs persistence: without its volume a pod comes back as another instance, and the tasks of the one before wait for the session time-out" }}
{{- end }}
{{- $session := int64 .Values.restarts.sessionTimeoutMs }}
{{- $stall := int64 (default 300000 (index .Values.config "MAX_STALL_MS")) }}
{{- if le $stall $session }}
{{- $problems = append $problems (printf "config.MAX_STALL_MS=%d must be above restarts.sessionTimeoutMs (%d)" $stall $session) }}
{{- end }}
{{- $commit := int64 (default 100 (index .Values.config "COMMIT_INTERVAL_MS")) }}
{{- if ge $commit $session }}
{{- $problems = append $problems (printf "config.COMMIT_INTERVAL_MS=%d must be below restarts.sessionTimeoutMs (%d)" $commit $session) }}
{{- end }}
{{- if .Values.networkPolicy.enabled }}
{{- $ports := list }}
{{- range .Values.networkPolicy.kafkaPorts }}
{{- $ports = append $ports (toString (int .)) }}
{{- end }}
{{- range splitList "," $kafka.brokers }}
{{- $port := regexFind "[0-9]+$" (trim .) }}
{{- if not (has $port $ports) }}
{{- $problems = append $problems (printf "networkPolicy.kafkaPorts does not have port %s of kafka.brokers" $port) }}
{{- end }}
{{- end }}
{{- end }}
{{- range .Values.prometheusRule.disabledAlerts }}
{{- if not (contains (printf "alert: %s\n" .) ($.Files.Get "files/alerts.yml")) }}
{{- $problems = append $problems (printf "prometheusRule.disabledAlerts: there is no alert %s" .) }}
{{- end }}
{{- end }}
{{- if eq .Values.autoscaling.type "keda" }}
{{- $keda := .Values.autoscaling.keda }}
{{- if not $keda.bootstrapServers }}
{{- range splitList "," $kafka.brokers }}
{{- $host := first (splitList ":" .) }}
{{- if eq (len (splitList "." $host)) 2 }}
{{- $problems = append $problems (printf "autoscaling.keda.bootstrapServers is needed: KEDA looks from its own namespace, where %s may mean nothing; name there what it can reach, such as %s.%s.svc:9092" $host $host $.Release.Namespace) }}
{{- end }}
{{- end }}
{{- end }}
{{- if and (ne $kafka.securityProtocol "PLAINTEXT") (not $keda.authenticationRef) }}
{{- $problems = append $problems (printf "autoscaling.keda.authenticationRef is needed with kafka.securityProtocol=%s: KEDA asks Kafka itself" $kafka.securityProtocol) }}
{{- end }}
{{- end }}
{{- if gt (int .Values.autoscaling.minReplicas) (int .Values.autoscaling.maxReplicas) }}
{{- $problems = append $problems "autoscaling.minReplicas is above autoscaling.maxReplicas" }}
{{- end }}
{{- if $problems }}
{{- fail (printf "\n  - %s" (join "\n  - " $problems)) }}
{{- end }}
{{- end }}
