{{/* The password goes over the wire in clear, and somebody has said that it may. */}}
{{- define "login-stats.insecure" -}}
{{- if eq (lower (toString (index .Values.config "KAFKA_ALLOW_INSECURE_SASL"))) "true" }}true{{ end }}
{{- end }}

{{/* All that the program writes and reads, by what names it. An empty one is switched off. */}}
{{- define "login-stats.topics" -}}
{{- $group := include "login-stats.group" . }}
{{- $defaults := dict "INPUT_TOPIC" "user-login" "OUTPUT_TOPIC" "login-stats" "DLQ_TOPIC" "user-login-dlq" "ENRICHED_TOPIC" "" "INSIGHTS_TOPIC" "user-login-insights" }}
{{- range $variable, $default := $defaults }}
config.{{ $variable }}: {{ ternary (get $.Values.config $variable) $default (hasKey $.Values.config $variable) | quote }}
{{- end }}
the repartition topic of config.APP_ID: {{ printf "%s-counts-repartition" $group | quote }}
the changelog of config.APP_ID: {{ printf "%s-counts-changelog" $group | quote }}
the progress of replays of config.APP_ID: {{ printf "%s-dlq-replay" $group | quote }}
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
{{- if and (eq $kafka.securityProtocol "SASL_PLAINTEXT") (eq $kafka.sasl.mechanism "PLAIN") (not (include "login-stats.insecure" .)) }}
{{- $problems = append $problems "kafka.sasl.mechanism=PLAIN: with kafka.securityProtocol=SASL_PLAINTEXT the password would travel in clear; use SASL_SSL or SCRAM, or set config.KAFKA_ALLOW_INSECURE_SASL=true" }}
{{- end }}
{{- $hasFiles := or $kafka.tls.certKey $kafka.tls.keyKey $kafka.tls.keyPasswordKey }}
{{- if and (or $kafka.tls.existingSecret $hasFiles) (not (hasSuffix "SSL" $kafka.securityProtocol)) }}
{{- $problems = append $problems (printf "kafka.tls has no effect with kafka.securityProtocol=%s" $kafka.securityProtocol) }}
{{- else if and $hasFiles (not $kafka.tls.existingSecret) }}
{{- $problems = append $problems "kafka.tls.certKey, keyKey and keyPasswordKey are keys of kafka.tls.existingSecret, which is not given" }}
{{- else if and $kafka.tls.existingSecret (not (or $kafka.tls.caKey $hasFiles)) }}
{{- $problems = append $problems "kafka.tls.existingSecret has no effect without one of caKey, certKey and keyKey" }}
{{- end }}
{{- if and $kafka.tls.keyPasswordKey (not $kafka.tls.keyKey) }}
{{- $problems = append $problems "kafka.tls.keyPasswordKey has no effect without kafka.tls.keyKey" }}
{{- end }}
{{- if ne (empty $kafka.tls.certKey) (empty $kafka.tls.keyKey) }}
{{- $problems = append $problems "kafka.tls.certKey and kafka.tls.keyKey: one needs the other" }}
{{- end }}
{{- $enrichedIp := default "keep" (index .Values.config "ENRICHED_IP") }}
{{- if and (eq $enrichedIp "hmac") (not .Values.enrichedIp.existingSecret) }}
{{- $problems = append $problems "config.ENRICHED_IP=hmac needs enrichedIp.existingSecret" }}
{{- else if and (ne $enrichedIp "hmac") .Values.enrichedIp.existingSecret }}
{{- $problems = append $problems (printf "enrichedIp.existingSecret has no effect with config.ENRICHED_IP=%s" $enrichedIp) }}
{{- end }}
{{- $owners := dict }}
{{- range $owner, $topic := fromYaml (include "login-stats.topics" .) }}
{{- if and $topic (hasKey $owners $topic) }}
{{- $problems = append $problems (printf "%s and %s name the same topic, %s: each needs its own" (get $owners $topic) $owner $topic) }}
{{- else }}
{{- $_ := set $owners $topic $owner }}
{{- end }}
{{- end }}
{{- $variables := list }}
{{- range concat (fromYamlArray (include "login-stats.instanceEnv" .)) (fromYamlArray (include "login-stats.connectionEnv" .)) (fromYamlArray (include "login-stats.settingsEnv" .)) }}
{{- if has .name $variables }}
{{- $problems = append $problems (printf "extraEnv: the chart sets %s already" .name) }}
{{- end }}
{{- $variables = append $variables .name }}
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
{{- end }}
{{- if gt (int .Values.autoscaling.minReplicas) (int .Values.autoscaling.maxReplicas) }}
{{- $problems = append $problems "autoscaling.minReplicas is above autoscaling.maxReplicas" }}
{{- end }}
{{- if $problems }}
{{- fail (printf "\n  - %s" (join "\n  - " $problems)) }}
{{- end }}
{{- end }}
