"""SavedModels too big for one process: what each member of a group holds of their variables."""
