{{- define "modelfleet.name" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- printf "%s-operator" .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s-operator" .Release.Name .Chart.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "modelfleet.selector" -}}
app.kubernetes.io/name: model-operator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "modelfleet.labels" -}}
{{ include "modelfleet.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: modelfleet
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "modelfleet.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "modelfleet.name" .) -}}
{{- else -}}
{{- required "serviceAccount.name: name the account to use, or let serviceAccount.create make one" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "modelfleet.routerRole" -}}
{{- printf "%s-router" (include "modelfleet.name" . | trunc 56 | trimSuffix "-") -}}
{{- end -}}

{{- /* All that a router does in its namespace. */ -}}
{{- define "modelfleet.routerRules" -}}
- apiGroups: [""]
  resources: [configmaps]
  verbs: [list, watch]
- apiGroups: [discovery.k8s.io]
  resources: [endpointslices]
  verbs: [list, watch]
{{- end -}}

{{- /* All that the operator does in the namespaces it serves, and nothing more. */ -}}
{{- define "modelfleet.rules" -}}
- apiGroups: [modelfleet.dev]
  resources: [modeldeployments]
  verbs: [get, list, watch]
- apiGroups: [modelfleet.dev]
  resources: [modeldeployments/status]
  verbs: [patch]
# To set owners that block deletion, where a cluster checks that right (as OpenShift does).
- apiGroups: [modelfleet.dev]
  resources: [modeldeployments/finalizers]
  verbs: [update]
- apiGroups: [apps]
  resources: [deployments, statefulsets, controllerrevisions]
  verbs: [get, list, watch, create, patch, delete]
# The token by which the members of a group know each other; it can be read by none but them.
- apiGroups: [""]
  resources: [secrets]
  verbs: [create]
- apiGroups: [""]
  resources: [services]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list, watch, create, patch, delete]
# Patched to take gates away from the members of groups, and for nothing else.
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch, patch]
# Why a pod cannot start is in its events alone.
- apiGroups: [""]
  resources: [events]
  verbs: [list]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create]
{{- if .Values.router.enabled }}
# The traffic records that routers follow are ConfigMaps.
- apiGroups: [""]
  resources: [configmaps, serviceaccounts]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [rbac.authorization.k8s.io]
  resources: [rolebindings]
  verbs: [get, list, watch, create, patch, delete]
# It can hand out the routers' role, and no other that it does not have itself.
- apiGroups: [rbac.authorization.k8s.io]
  resources: [{{ if .Values.watch.namespaces }}roles{{ else }}clusterroles{{ end }}]
  resourceNames: [{{ include "modelfleet.routerRole" . }}]
  verbs: [bind]
{{- end }}
{{- end -}}

{{- /* What the operator needs to trust and to be trusted by a Prometheus; empty for none. */ -}}
{{- define "modelfleet.prometheusVolumes" -}}
{{- with .Values.prometheus }}
{{- if and .url .ca.configMap }}
- name: prometheus-ca
  configMap:
    name: {{ .ca.configMap }}
    items:
      - {key: {{ .ca.key | quote }}, path: ca.crt}
{{- end }}
{{- if and .url .token.secret }}
- name: prometheus-token
  secret:
    secretName: {{ .token.secret }}
    items:
      - {key: {{ .token.key | quote }}, path: token}
{{- end }}
{{- end }}
{{- end -}}

{{- define "modelfleet.monitorLabels" -}}
{{ include "modelfleet.labels" . }}
{{- with .Values.metrics.podMonitors.labels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "modelfleet.monitorInterval" -}}
{{- with .Values.metrics.podMonitors.interval }}
interval: {{ . }}
{{- end }}
{{- end -}}

{{- define "modelfleet.monitoredNamespaces" -}}
{{- if .Values.watch.namespaces -}}
matchNames: {{ .Values.watch.namespaces | toJson }}
{{- else -}}
any: true
{{- end -}}
{{- end -}}
