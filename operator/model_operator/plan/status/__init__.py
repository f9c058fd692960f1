"""What the status of a ModelDeployment says, from what a pass has seen and decided."""
