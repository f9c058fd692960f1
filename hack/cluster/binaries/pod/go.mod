// The program of the test cluster's own pods. It uses nothing but the standard library.
module modelfleet.dev/hack/cluster/pod

go 1.26
