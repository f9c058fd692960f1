"""What a user asks for, read from a ModelDeployment or refused by its field."""
