"""What a server tells of itself while it serves: its log, and the traces it takes part in."""
