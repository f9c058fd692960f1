"""What users read: lines of text, each with a tone and with the lines below it."""
