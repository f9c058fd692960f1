//go:build tools

// Package binaries names the commands that stand beside Kubernetes in the test cluster, so that
// "go mod tidy" keeps what they need in go.mod and go.sum.
package binaries

import (
	_ "github.com/coredns/coredns"
	_ "go.etcd.io/etcd/server/v3"
	_ "helm.sh/helm/v3/cmd/helm"
	_ "sigs.k8s.io/kwok/cmd/kwok"
)
