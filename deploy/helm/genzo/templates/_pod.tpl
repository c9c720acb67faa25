{{- /* Secrets as folders, not single files: only so is a change seen in the pod. */}}
{{- define "genzo.secretMounts" -}}
{{- $v := .Values }}
{{- $mounts := list }}
{{- with include "genzo.keysSecretName" . }}{{ $mounts = append $mounts (dict "name" "keys" "secret" .) }}{{ end }}
{{- with $v.auth.jwt.secretName }}{{ $mounts = append $mounts (dict "name" "jwks" "secret" .) }}{{ end }}
{{- with $v.tls.secretName }}{{ $mounts = append $mounts (dict "name" "tls" "secret" .) }}{{ end }}
{{- with $v.tls.clientCaSecretName }}{{ $mounts = append $mounts (dict "name" "client-ca" "secret" .) }}{{ end }}
{{- with $v.webhooks.secret.name }}{{ $mounts = append $mounts (dict "name" "webhooks" "secret" .) }}{{ end }}
{{- if $v.http.enabled }}
{{- with $v.http.clientCaSecretName }}{{ $mounts = append $mounts (dict "name" "http-client-ca" "secret" .) }}{{ end }}
{{- with $v.http.linkKeySecret.name }}{{ $mounts = append $mounts (dict "name" "link-key" "secret" .) }}{{ end }}
{{- end }}
{{- toJson $mounts }}
{{- end }}

{{- /* Of what runs before the server, and of the test. */}}
{{- define "genzo.initResources" -}}
requests: {cpu: 100m, memory: 128Mi}
limits: {memory: 512Mi}
{{- end }}

{{- define "genzo.podTemplate" -}}
{{- $v := .Values }}
{{- $volume := $v.models.volume }}
{{- $secrets := include "genzo.secretMounts" . | fromJsonArray }}
metadata:
  labels:
    {{- include "genzo.labels" . | nindent 4 }}
    app.kubernetes.io/component: server
    {{- with $v.podLabels }}{{ toYaml . | nindent 4 }}{{ end }}
  annotations:
    kubectl.kubernetes.io/default-container: genzo
    checksum/config: {{ include "genzo.config" . | sha256sum }}
    {{- with $v.podAnnotations }}{{ toYaml . | nindent 4 }}{{ end }}
spec:
  serviceAccountName: {{ include "genzo.serviceAccountName" . }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  {{- with $v.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $v.gpu.runtimeClassName }}
  runtimeClassName: {{ . }}
  {{- end }}
  {{- with $v.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  securityContext:
    {{- toYaml $v.podSecurityContext | nindent 4 }}
  # Beside the two: cancelled jobs have 10 s to end, streams 5 s for their last events.
  terminationGracePeriodSeconds: {{ add $v.drain.preStopSeconds $v.drain.graceSeconds 30 }}
  {{- if or $volume.fromImage.reference $volume.verify $v.extraInitContainers }}
  initContainers:
    {{- if $volume.fromImage.reference }}
    - name: copy-models
      image: {{ $volume.fromImage.reference | quote }}
      imagePullPolicy: {{ $volume.fromImage.pullPolicy }}
      # A claim may be filled by several pods at once, and read by earlier ones: each copies into a
      # folder of its own, and the first one's gets the name that is mounted. Of the others mv fails,
      # because the folder is not empty. A claim that was filled from the same image is left as it is.
      command: [sh, -euc]
      args:
        - |
          if [ -d "/copy/$FOLDER" ]; then exit 0; fi
          part="/copy/.part-$HOSTNAME"
          rm -rf "$part"
          mkdir -p "$part/$FOLDER"
          cp -r "$MODELS/." "$part/$FOLDER/"
          sync
          mv "$part/$FOLDER" /copy/ || [ -d "/copy/$FOLDER" ]
          rm -rf "$part"
      env:
        - {name: FOLDER, value: {{ include "genzo.modelsFolder" . | quote }}}
        - {name: MODELS, value: {{ $volume.fromImage.path | quote }}}
      securityContext:
        {{- toYaml $v.securityContext | nindent 8 }}
      resources:
        {{- include "genzo.initResources" . | nindent 8 }}
      volumeMounts:
        - {name: models, mountPath: /copy}
    {{- end }}
    {{- if $volume.verify }}
    - name: verify-models
      image: {{ include "genzo.image" . | quote }}
      imagePullPolicy: {{ $v.image.pullPolicy }}
      command: [sha256sum]
      args: [--check, --strict, --quiet, SHA256SUMS]
      workingDir: /models
      securityContext:
        {{- toYaml $v.securityContext | nindent 8 }}
      resources:
        {{- include "genzo.initResources" . | nindent 8 }}
      volumeMounts:
        - {{ include "genzo.modelsMount" . }}
    {{- end }}
    {{- with $v.extraInitContainers }}{{ toYaml . | nindent 4 }}{{ end }}
  {{- end }}
  containers:
    - name: genzo
      image: {{ include "genzo.image" . | quote }}
      imagePullPolicy: {{ $v.image.pullPolicy }}
      args:
        - --config=/etc/genzo/config/genzo.yaml
        {{- range $v.extraArgs }}
        - {{ . | quote }}
        {{- end }}
      {{- with $v.extraEnv }}
      env:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      ports:
        - {name: grpc, containerPort: 50051}
        {{- if $v.http.enabled }}
        - {name: http, containerPort: 8080}
        {{- end }}
        - {name: admin, containerPort: 9464}
        {{- if $v.modelAdmin.enabled }}
        - {name: model-admin, containerPort: 50052}
        {{- end }}
      startupProbe:
        httpGet: {path: /startupz, port: admin}
        {{- toYaml $v.probes.startup | nindent 8 }}
        failureThreshold: {{ div (add $v.models.loadSeconds $v.probes.startup.periodSeconds -1) $v.probes.startup.periodSeconds }}
      livenessProbe:
        httpGet: {path: /livez, port: admin}
        {{- toYaml $v.probes.liveness | nindent 8 }}
      readinessProbe:
        httpGet: {path: /readyz, port: admin}
        {{- toYaml $v.probes.readiness | nindent 8 }}
      {{- if $v.drain.preStopSeconds }}
      lifecycle:
        preStop:
          {{- if semverCompare ">=1.30-0" .Capabilities.KubeVersion.Version }}
          sleep: {seconds: {{ $v.drain.preStopSeconds }}}
          {{- else }}
          exec: {command: [sleep, {{ $v.drain.preStopSeconds | quote }}]}
          {{- end }}
      {{- end }}
      securityContext:
        {{- toYaml $v.securityContext | nindent 8 }}
      resources:
        {{- $resources := deepCopy $v.resources }}
        {{- if $v.gpu.enabled }}
        {{- $gpu := dict $v.gpu.resourceName (int $v.gpu.count) }}
        {{- $resources = mustMergeOverwrite $resources (dict "limits" $gpu "requests" $gpu) }}
        {{- end }}
        {{- toYaml $resources | nindent 8 }}
      volumeMounts:
        - {name: config, mountPath: /etc/genzo/config, readOnly: true}
        - {name: data, mountPath: /var/lib/genzo}
        - {name: tmp, mountPath: /tmp}
        {{- if include "genzo.hasModelsVolume" . }}
        - {{ include "genzo.modelsMount" . }}
        {{- end }}
        {{- range $secrets }}
        - {name: {{ .name }}, mountPath: /etc/genzo/{{ .name }}, readOnly: true}
        {{- end }}
        {{- with $v.extraVolumeMounts }}{{ toYaml . | nindent 8 }}{{ end }}
  volumes:
    - name: config
      configMap: {name: {{ include "genzo.fullname" . }}}
    - name: tmp
      emptyDir: {sizeLimit: 1Gi}
    {{- if not $v.results.enabled }}
    - name: data
      emptyDir: {sizeLimit: {{ add 1024 (include "genzo.cacheMegabytes" . | int) }}Mi}
    {{- end }}
    {{- if $volume.existingClaim }}
    - name: models
      persistentVolumeClaim: {claimName: {{ tpl $volume.existingClaim . }}, readOnly: true}
    {{- else if $volume.create }}
    - name: models
      persistentVolumeClaim: {claimName: {{ include "genzo.fullname" . }}-models}
    {{- else if $volume.fromImage.reference }}
    - name: models
      emptyDir: {sizeLimit: {{ $volume.size }}}
    {{- else if $volume.mountImage.reference }}
    - name: models
      image:
        {{- toYaml $volume.mountImage | nindent 8 }}
    {{- end }}
    {{- range $secrets }}
    - name: {{ .name }}
      secret: {secretName: {{ .secret }}}
    {{- end }}
    {{- with $v.extraVolumes }}{{ toYaml . | nindent 4 }}{{ end }}
  {{- with $v.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- $tolerations := $v.tolerations }}
  {{- if $v.gpu.enabled }}
  {{- $tolerations = prepend $tolerations (dict "key" "nvidia.com/gpu" "operator" "Exists" "effect" "NoSchedule") }}
  {{- end }}
  {{- with $tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $v.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- else }}
  affinity:
    # Servers rather not beside each other.
    podAntiAffinity:
      preferredDuringSchedulingIgnoredDuringExecution:
        - weight: 50
          podAffinityTerm:
            topologyKey: kubernetes.io/hostname
            labelSelector:
              matchLabels:
                {{- include "genzo.serverLabels" . | nindent 16 }}
  {{- end }}
  {{- with $v.topologySpreadConstraints }}
  topologySpreadConstraints:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
