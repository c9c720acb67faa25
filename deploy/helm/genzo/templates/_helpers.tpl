{{- define "genzo.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- /* 52 characters leave room for what follows: pod numbers, "-headless". */}}
{{- define "genzo.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride }}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" }}
{{- else if contains $name .Release.Name }}
{{- .Release.Name | trunc 52 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 52 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "genzo.selectorLabels" -}}
app.kubernetes.io/name: {{ include "genzo.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "genzo.serverLabels" -}}
{{ include "genzo.selectorLabels" . }}
app.kubernetes.io/component: server
{{- end }}

{{- define "genzo.testLabels" -}}
{{ include "genzo.selectorLabels" . }}
app.kubernetes.io/component: test
{{- end }}

{{- /* Of the pods of one bot: (list $ "discord"). */}}
{{- define "genzo.botLabels" -}}
{{ include "genzo.selectorLabels" (first .) }}
app.kubernetes.io/component: {{ last . }}
{{- end }}

{{- define "genzo.enabledBots" -}}
{{- $enabled := list }}
{{- range $service := list "discord" "line" "slack" "telegram" }}
{{- if (get $.Values.bots $service).enabled }}{{ $enabled = append $enabled $service }}{{ end }}
{{- end }}
{{- toJson $enabled }}
{{- end }}

{{- define "genzo.botsImage" -}}
{{- with .Values.bots.image }}
{{- if .digest }}
{{- printf "%s@%s" .repository .digest }}
{{- else }}
{{- printf "%s:%s" .repository (default $.Chart.AppVersion .tag) }}
{{- end }}
{{- end }}
{{- end }}

{{- define "genzo.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "genzo.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "genzo.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "genzo.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "genzo.image" -}}
{{- $tag := default .Chart.AppVersion .Values.image.tag }}
{{- if and .Values.gpu.enabled (not .Values.image.tag) }}{{ $tag = printf "%s-cuda" $tag }}{{ end }}
{{- if .Values.image.digest }}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest }}
{{- else }}
{{- printf "%s:%s" .Values.image.repository $tag }}
{{- end }}
{{- end }}

{{- /* Where the test and the bots call. */}}
{{- define "genzo.clientAddress" -}}
{{- default (printf "%s:%v" (include "genzo.fullname" .) .Values.service.grpcPort) .Values.tls.publicAddress }}
{{- end }}

{{- /* Whether they are given a ca.crt to trust. */}}
{{- define "genzo.mountsCa" -}}
{{- if and .Values.tls.secretName (not .Values.tls.publicAddress) }}true{{ end }}
{{- end }}

{{- /* The way out to tls.publicAddress, beside the one to the servers' pods. */}}
{{- define "genzo.publicEgress" -}}
{{- with .Values.tls.publicAddress -}}
- ports:
    - {port: {{ splitList ":" . | last }}, protocol: TCP}
{{- end }}
{{- end }}

{{- /* A folder of the models' volume for each image that it was filled from. */}}
{{- define "genzo.modelsFolder" -}}
{{- with .Values.models.volume.fromImage }}
{{- if .reference }}{{ printf "%s %s" .reference .path | sha256sum | trunc 16 }}{{ end }}
{{- end }}
{{- end }}

{{- /* /models, as the server and what verifies it see it. */}}
{{- define "genzo.modelsMount" -}}
{{- $mount := dict "name" "models" "mountPath" "/models" "readOnly" true }}
{{- with include "genzo.modelsFolder" . }}{{ $_ := set $mount "subPath" . }}{{ end }}
{{- toJson $mount }}
{{- end }}

{{- define "genzo.keysSecretName" -}}
{{- if .Values.auth.keys }}{{ include "genzo.fullname" . }}-keys{{ else }}{{ .Values.auth.keysSecret.name }}{{ end }}
{{- end }}

{{- define "genzo.hasModelsVolume" -}}
{{- with .Values.models.volume }}
{{- if or .existingClaim .fromImage.reference .mountImage.reference }}true{{ end }}
{{- end }}
{{- end }}

{{- define "genzo.cacheFolder" -}}
{{- with dig "result_cache" "folder" "" .Values.config }}{{ clean . }}{{ end }}
{{- end }}

{{- /* Of the result cache, what lies in the servers' volume. */}}
{{- define "genzo.cacheMegabytes" -}}
{{- if hasPrefix "/var/lib/genzo/" (include "genzo.cacheFolder" .) }}
{{- dig "result_cache" "mb" 0 .Values.config | int }}
{{- else }}0{{ end }}
{{- end }}

{{- /* What cannot work, said before anything is installed. */}}
{{- define "genzo.check" -}}
{{- $v := .Values }}
{{- $volume := $v.models.volume }}
{{- $sources := compact (list $volume.existingClaim $volume.fromImage.reference $volume.mountImage.reference) }}
{{- if gt (len $sources) 1 }}
{{- fail "models.volume: only one of existingClaim, fromImage.reference and mountImage.reference can be set" }}
{{- end }}
{{- if and $volume.create (not $volume.fromImage.reference) }}
{{- fail "models.volume.create makes a claim for what models.volume.fromImage copies: set models.volume.fromImage.reference, or name a filled claim in models.volume.existingClaim" }}
{{- end }}
{{- if and $v.models.watchVolume (not $sources) }}
{{- fail "models.watchVolume needs a volume: set models.volume" }}
{{- end }}
{{- if and $volume.verify (not $sources) }}
{{- fail "models.volume.verify needs a volume: set models.volume" }}
{{- end }}
{{- $scales := ne $v.autoscaling.kind "none" }}
{{- $most := int (ternary $v.autoscaling.maxReplicas $v.replicaCount $scales) }}
{{- if and $volume.create (gt $most 1) (not (has "ReadWriteMany" $volume.accessModes)) }}
{{- fail (printf "models.volume.create with %s %d needs ReadWriteMany among models.volume.accessModes" (ternary "autoscaling.maxReplicas" "replicaCount" $scales) $most) }}
{{- end }}
{{- if and $scales $v.results.enabled }}
{{- fail (printf "results.enabled with autoscaling.kind %s: unfinished jobs of a server that is stopped would lie in its claim until the same number is started again: set autoscaling.kind to none, or results.enabled to false" $v.autoscaling.kind) }}
{{- end }}
{{- if and (not $v.models.list) (not $v.models.watchVolume) }}
{{- fail "models.list is empty and models.watchVolume is false: there is nothing to serve" }}
{{- end }}
{{- $ids := list }}
{{- range $v.models.list }}{{ $ids = append $ids .id }}{{ end }}
{{- if ne (len $ids) (uniq $ids | len) }}
{{- fail (printf "models.list has an id twice: %s" (join ", " $ids)) }}
{{- end }}
{{- if and $v.models.default (not $v.models.watchVolume) (not (has $v.models.default $ids)) }}
{{- fail (printf "models.default %s is none of models.list: %s" $v.models.default (join ", " $ids)) }}
{{- end }}
{{- if $v.results.enabled }}
{{- $cache := include "genzo.cacheMegabytes" . | int }}
{{- $kept := add (int $v.results.megabytes) $cache }}
{{- $unit := regexFind "[A-Z]i?$" $v.results.size }}
{{- $bytes := get (dict "M" 1e6 "Mi" 1048576.0 "G" 1e9 "Gi" 1073741824.0 "T" 1e12 "Ti" 1099511627776.0
      "P" 1e15 "Pi" 1125899906842624.0) $unit }}
{{- if gt (mulf $kept 1048576.0) (mulf (trimSuffix $unit $v.results.size | float64) $bytes) }}
{{- $cached := ternary (printf " and config.result_cache.mb %d" $cache) "" (gt $cache 0) }}
{{- fail (printf "results.megabytes %d%s do not fit into results.size %s" (int $v.results.megabytes) $cached $v.results.size) }}
{{- end }}
{{- if eq (include "genzo.cacheFolder" .) "/var/lib/genzo/results" }}
{{- fail "config.result_cache.folder is where results are kept: give the cache a folder of its own, /var/lib/genzo/cache" }}
{{- end }}
{{- end }}
{{- if and $v.auth.keys $v.auth.keysSecret.name }}
{{- fail "auth.keys and auth.keysSecret.name are two answers to one question: set one" }}
{{- end }}
{{- if and $v.auth.jwt.secretName (or (not $v.auth.jwt.issuer) (not $v.auth.jwt.audience)) }}
{{- fail "auth.jwt.secretName needs auth.jwt.issuer and auth.jwt.audience" }}
{{- end }}
{{- if and $v.tls.clientCaSecretName (not $v.tls.secretName) }}
{{- fail "tls.clientCaSecretName needs tls.secretName" }}
{{- end }}
{{- if and $v.http.clientCaSecretName (not $v.tls.secretName) }}
{{- fail "http.clientCaSecretName needs tls.secretName" }}
{{- end }}
{{- if and $v.tls.publicAddress (not $v.tls.secretName) }}
{{- fail "tls.publicAddress needs tls.secretName" }}
{{- end }}
{{- $knows := or $v.auth.keys $v.auth.keysSecret.name $v.auth.jwt.secretName }}
{{- if and $v.insecure $knows }}
{{- fail "insecure is true, and auth says who may call: set insecure to false" }}
{{- end }}
{{- if not (or $v.insecure $knows) }}
{{- if and $v.http.enabled (not $v.http.clientCaSecretName) }}
{{- fail "nothing says who may call: set auth.keysSecret.name, auth.keys or auth.jwt.secretName, or both tls.clientCaSecretName and http.clientCaSecretName, or insecure to true if the network policy, a mesh or a gateway knows the callers" }}
{{- else if not $v.tls.clientCaSecretName }}
{{- fail "nothing says who may call: set auth or tls.clientCaSecretName, or insecure to true if the network policy, a mesh or a gateway knows the callers" }}
{{- end }}
{{- end }}
{{- $own := regexMatch "^(127\\.[0-9.]*|localhost|\\[::1\\]):" (get $v.config "admin_listen" | default "") }}
{{- if and $v.config.channelz (not $own) }}
{{- fail "config.channelz asks nobody for a key: it needs config.admin_listen at an address of the pod alone, such as 127.0.0.1:50052" }}
{{- end }}
{{- if and $v.modelAdmin.enabled (hasKey $v.config "admin_listen") }}
{{- fail "config.admin_listen is made by the chart while modelAdmin.enabled: set one of them" }}
{{- end }}
{{- $open := eq (dig "admin_api" "loopback" $v.config) "open" }}
{{- if and $v.modelAdmin.enabled (not (or $knows $open)) }}
{{- fail "modelAdmin.enabled would serve nobody: set auth, as callers need a key of scope admin, or config.admin_api to open" }}
{{- end }}
{{- if and $v.networkPolicy.modelAdminFrom (not $v.modelAdmin.enabled) }}
{{- fail "networkPolicy.modelAdminFrom needs modelAdmin.enabled" }}
{{- end }}
{{- if and $v.insecure (ne $v.service.type "ClusterIP") }}
{{- fail (printf "service.type %s with insecure true would serve strangers: set auth and insecure to false" $v.service.type) }}
{{- end }}
{{- if and $v.ingress.enabled (not $v.http.enabled) }}
{{- fail "ingress is for the HTTP door: set http.enabled" }}
{{- end }}
{{- if and $scales (lt (int $v.autoscaling.maxReplicas) (int $v.autoscaling.minReplicas)) }}
{{- fail (printf "autoscaling.maxReplicas %d is less than autoscaling.minReplicas %d" (int $v.autoscaling.maxReplicas) (int $v.autoscaling.minReplicas)) }}
{{- end }}
{{- if and (dig "webhooks" "hosts" list $v.config) (not $v.webhooks.secret.name) }}
{{- fail "config.webhooks.hosts needs webhooks.secret.name" }}
{{- end }}
{{- $latents := int (dig "kept_latents" "total_mb" 64 $v.config) }}
{{- if gt (int (dig "kept_latents" "tenant_mb" 16 $v.config)) $latents }}
{{- fail (printf "config.kept_latents.tenant_mb is over config.kept_latents.total_mb %d" $latents) }}
{{- end }}
{{- $bots := include "genzo.enabledBots" . | fromJsonArray }}
{{- range $service := $bots }}
{{- if not (get $v.bots $service).secretName }}
{{- fail (printf "bots.%s.enabled needs bots.%s.secretName: a Secret with what docs/bots.md names" $service $service) }}
{{- end }}
{{- if and (has $service (list "line" "slack")) (not $v.bots.publicUrl) }}
{{- fail (printf "bots.%s.enabled needs bots.publicUrl: %s fetches pictures itself" $service $service) }}
{{- end }}
{{- end }}
{{- if and $bots (not (or $v.insecure $v.bots.apiKeySecret.name)) }}
{{- fail "the bots need a key: set bots.apiKeySecret.name" }}
{{- end }}
{{- if and $bots $v.tls.clientCaSecretName }}
{{- fail "bots have no client certificate: tls.clientCaSecretName cannot be set with them" }}
{{- end }}
{{- if $v.bots.ingress.enabled }}
{{- if not $v.bots.publicUrl }}
{{- fail "bots.ingress.enabled needs bots.publicUrl" }}
{{- end }}
{{- if not (without $bots "telegram") }}
{{- fail "bots.ingress.enabled needs a bot that is called: bots.discord, bots.line or bots.slack" }}
{{- end }}
{{- end }}
{{- range $key, $instead := dict
      "listen" "service.grpcPort" "admin" "nothing, the probes need it" "insecure" "insecure"
      "models" "models.list" "models_folder" "models.watchVolume" "default_model" "models.default"
      "auth" "auth" "tls" "tls" "profile_folder" "results" "shutdown_grace_seconds" "drain.graceSeconds" }}
{{- if hasKey $v.config $key }}
{{- fail (printf "config.%s is made by the chart; use %s" $key $instead) }}
{{- end }}
{{- end }}
{{- range $path, $instead := dict
      "http.listen" "http.enabled" "http.certificate" "tls.secretName" "http.key" "tls.secretName"
      "http.client_ca_file" "http.clientCaSecretName" "http.page" "nothing, the image has it" "http.link_key_file" "http.linkKeySecret"
      "jobs.results_folder" "results" "jobs.results_mb" "results.megabytes"
      "webhooks.secret_file" "webhooks.secret" }}
{{- $keys := splitList "." $path }}
{{- if hasKey (default dict (get $v.config (first $keys))) (last $keys) }}
{{- fail (printf "config.%s is made by the chart; use %s" $path $instead) }}
{{- end }}
{{- end }}
{{- end }}

{{- /* genzo.yaml: what the values say, and `config` for the rest. */}}
{{- define "genzo.config" -}}
{{- $v := .Values }}
{{- $made := dict
      "listen" "0.0.0.0:50051"
      "admin" "0.0.0.0:9464"
      "insecure" $v.insecure
      "profile_folder" "/var/lib/genzo/profiles"
      "shutdown_grace_seconds" (int $v.drain.graceSeconds) }}
{{- with $v.models.list }}{{ $_ := set $made "models" . }}{{ end }}
{{- if $v.models.watchVolume }}{{ $_ := set $made "models_folder" "/models" }}{{ end }}
{{- with $v.models.default }}{{ $_ := set $made "default_model" . }}{{ end }}
{{- $auth := dict }}
{{- if include "genzo.keysSecretName" . }}
{{- $_ := set $auth "keys_file" (printf "/etc/genzo/keys/%s" $v.auth.keysSecret.key) }}
{{- end }}
{{- if $v.auth.jwt.secretName }}
{{- $_ := set $auth "jwks_file" (printf "/etc/genzo/jwks/%s" $v.auth.jwt.key) }}
{{- $_ := set $auth "jwt_issuer" $v.auth.jwt.issuer }}
{{- $_ := set $auth "jwt_audience" $v.auth.jwt.audience }}
{{- $_ := set $auth "tenant_claim" $v.auth.jwt.tenantClaim }}
{{- $_ := set $auth "scopes_claim" $v.auth.jwt.scopesClaim }}
{{- with $v.auth.jwt.limits }}{{ $_ := set $auth "token_limits" . }}{{ end }}
{{- end }}
{{- if $auth }}{{ $_ := set $made "auth" $auth }}{{ end }}
{{- if $v.tls.secretName }}
{{- $tls := dict "cert_file" "/etc/genzo/tls/tls.crt" "key_file" "/etc/genzo/tls/tls.key" }}
{{- if $v.tls.clientCaSecretName }}{{ $_ := set $tls "client_ca_file" "/etc/genzo/client-ca/ca.crt" }}{{ end }}
{{- $_ := set $made "tls" $tls }}
{{- end }}
{{- if $v.http.enabled }}
{{- $http := dict "listen" "0.0.0.0:8080" "page" "/usr/share/genzo/page" }}
{{- if $v.tls.secretName }}
{{- $_ := set $http "certificate" "/etc/genzo/tls/tls.crt" }}
{{- $_ := set $http "key" "/etc/genzo/tls/tls.key" }}
{{- end }}
{{- if $v.http.clientCaSecretName }}
{{- $_ := set $http "client_ca_file" "/etc/genzo/http-client-ca/ca.crt" }}
{{- end }}
{{- if $v.http.linkKeySecret.name }}
{{- $_ := set $http "link_key_file" (printf "/etc/genzo/link-key/%s" $v.http.linkKeySecret.key) }}
{{- end }}
{{- /* To the door all clients of an ingress have one address, which must not be given half. */}}
{{- $own := dig "http" dict $v.config }}
{{- if and (or $v.ingress.enabled $v.gateway.enabled) (not (hasKey $own "max_connections_per_address")) }}
{{- $_ := set $http "max_connections_per_address" (dig "max_connections" 1024 $own | int) }}
{{- end }}
{{- $_ := set $made "http" $http }}
{{- end }}
{{- if $v.webhooks.secret.name }}
{{- $_ := set $made "webhooks" (dict "secret_file" (printf "/etc/genzo/webhooks/%s" $v.webhooks.secret.key)) }}
{{- end }}
{{- if $v.modelAdmin.enabled }}{{ $_ := set $made "admin_listen" "0.0.0.0:50052" }}{{ end }}
{{- if $v.results.enabled }}
{{- $_ := set $made "jobs" (dict "results_folder" "/var/lib/genzo/results" "results_mb" (int $v.results.megabytes)) }}
{{- end }}
{{- toYaml (mustMergeOverwrite (deepCopy $v.config) $made) }}
{{- end }}
