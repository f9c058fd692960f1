"""Which Envoy resources a traffic record and its endpoints mean; pure."""
