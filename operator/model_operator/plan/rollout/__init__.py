"""How one revision takes over from another: at once when it is ready, or by steps of weight."""
