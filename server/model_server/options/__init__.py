"""What the command line says: tensorflow_model_server's flags, and the models they name."""
