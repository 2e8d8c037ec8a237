{{/* What the pods of the processor and of its check have in common: rights, settings, secrets. */}}
{{- define "login-stats.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "login-stats.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{- define "login-stats.hasTls" -}}
{{- if and (hasSuffix "SSL" .Values.kafka.securityProtocol) .Values.kafka.tls.existingSecret }}true{{ end }}
{{- end }}

{{/* What makes one pod an instance of its own. */}}
{{- define "login-stats.instanceEnv" -}}
- name: POD_NAME
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
- name: STATE_DIR
  value: /state
- name: STREAM_THREADS
  value: {{ .Values.streamThreads | quote }}
- name: LEAVE_GROUP_ON_STOP
  value: {{ .Values.restarts.leaveGroupOnStop | quote }}
- name: HTTP_HOST
  value: 0.0.0.0
- name: HTTP_PORT
  value: {{ .Values.http.port | quote }}
# By this name, which stays, the other instances ask it for its part.
- name: HTTP_ADVERTISED_URL
  value: http://$(POD_NAME).{{ include "login-stats.headless" . }}.{{ .Release.Namespace }}.svc:{{ .Values.http.port }}
{{- end }}

{{/* How to reach Kafka, and the secrets as files. */}}
{{- define "login-stats.connectionEnv" -}}
{{- $kafka := .Values.kafka }}
{{- $hasTls := include "login-stats.hasTls" . }}
{{- $hasSasl := hasPrefix "SASL" $kafka.securityProtocol }}
- name: KAFKA_BROKERS
  value: {{ $kafka.brokers | quote }}
- name: KAFKA_SECURITY_PROTOCOL
  value: {{ $kafka.securityProtocol | quote }}
{{- if $hasSasl }}
- name: KAFKA_SASL_MECHANISM
  value: {{ $kafka.sasl.mechanism | quote }}
- name: KAFKA_SASL_USERNAME
  value: {{ $kafka.sasl.username | quote }}
- name: KAFKA_SASL_PASSWORD_FILE
  value: /etc/login-stats/sasl/password
{{- end }}
{{- if $hasTls }}
{{- if $kafka.tls.caKey }}
- name: KAFKA_SSL_CA_LOCATION
  value: /etc/login-stats/tls/ca.crt
{{- end }}
{{- if $kafka.tls.certKey }}
- name: KAFKA_SSL_CERTIFICATE_LOCATION
  value: /etc/login-stats/tls/tls.crt
- name: KAFKA_SSL_KEY_LOCATION
  value: /etc/login-stats/tls/tls.key
{{- end }}
{{- if $kafka.tls.keyPasswordKey }}
- name: KAFKA_SSL_KEY_PASSWORD_FILE
  value: /etc/login-stats/tls/key-password
{{- end }}
{{- end }}
{{- if .Values.enrichedIp.existingSecret }}
- name: ENRICHED_IP_KEY_FILE
  value: /etc/login-stats/enriched-ip/key
{{- end }}
{{- end }}

{{/* What stands in `config` and `extraEnv`, and the session time-out, against which every command holds some of that. */}}
{{- define "login-stats.settingsEnv" -}}
- name: SESSION_TIMEOUT_MS
  value: {{ .Values.restarts.sessionTimeoutMs | int | quote }}
{{- range $name, $value := .Values.config }}
- name: {{ $name }}
  value: {{ ternary ($value | int64 | toString) ($value | toString) (kindIs "float64" $value) | quote }}
{{- end }}
{{- with .Values.extraEnv }}
{{- toYaml . | nindent 0 }}
{{- end }}
{{- end }}

{{- define "login-stats.secretMounts" -}}
{{- $kafka := .Values.kafka }}
{{- $hasTls := include "login-stats.hasTls" . }}
{{- $hasSasl := hasPrefix "SASL" $kafka.securityProtocol }}
{{- if $hasSasl }}
- name: sasl
  mountPath: /etc/login-stats/sasl
  readOnly: true
{{- end }}
{{- if $hasTls }}
- name: tls
  mountPath: /etc/login-stats/tls
  readOnly: true
{{- end }}
{{- if .Values.enrichedIp.existingSecret }}
- name: enriched-ip
  mountPath: /etc/login-stats/enriched-ip
  readOnly: true
{{- end }}
{{- end }}

{{- define "login-stats.secretVolumes" -}}
{{- $kafka := .Values.kafka }}
{{- $hasTls := include "login-stats.hasTls" . }}
{{- $hasSasl := hasPrefix "SASL" $kafka.securityProtocol }}
{{- if $hasSasl }}
- name: sasl
  secret:
    secretName: {{ $kafka.sasl.existingSecret | quote }}
    defaultMode: 288 # 0440: the group of the pod reads it
    items:
      - { key: {{ $kafka.sasl.passwordKey | quote }}, path: password }
{{- end }}
{{- if $hasTls }}
- name: tls
  secret:
    secretName: {{ $kafka.tls.existingSecret | quote }}
    defaultMode: 288 # 0440: the group of the pod reads it
    items:
      {{- with $kafka.tls.caKey }}
      - { key: {{ . | quote }}, path: ca.crt }
      {{- end }}
      {{- if $kafka.tls.certKey }}
      - { key: {{ $kafka.tls.certKey | quote }}, path: tls.crt }
      - { key: {{ $kafka.tls.keyKey | quote }}, path: tls.key }
      {{- end }}
      {{- with $kafka.tls.keyPasswordKey }}
      - { key: {{ . | quote }}, path: key-password }
      {{- end }}
{{- end }}
{{- if .Values.enrichedIp.existingSecret }}
- name: enriched-ip
  secret:
    secretName: {{ .Values.enrichedIp.existingSecret | quote }}
    defaultMode: 288 # 0440: the group of the pod reads it
    items:
      - { key: {{ .Values.enrichedIp.secretKey | quote }}, path: key }
{{- end }}
{{- end }}
