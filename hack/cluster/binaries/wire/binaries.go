//go:build tools

// Package binaries names the command of another module that tests speak to servers with, so that
// "go mod tidy" keeps what it needs in go.mod and go.sum.
package binaries

import _ "github.com/summerwind/h2spec/cmd/h2spec"
