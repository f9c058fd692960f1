"""SavedModels: what is restored of them, and how their graphs run."""
