"""The router's life: records in, Envoy programmed, requests drained at the end."""
