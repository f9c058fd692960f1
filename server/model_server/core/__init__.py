"""Ids, states, policies, the source and the manager: knows neither TensorFlow nor a transport."""
