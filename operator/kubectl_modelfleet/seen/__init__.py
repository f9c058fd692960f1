"""What the API server shows, as plain values; what is missing or garbled there is absent here."""
