"""What a pass has found in the cluster."""
