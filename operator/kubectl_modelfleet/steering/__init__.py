"""What users want to happen: which order says so, and whether it has come about."""
