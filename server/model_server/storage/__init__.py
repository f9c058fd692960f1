"""Where version folders lie: local folders, and object stores by way of a bounded cache."""
