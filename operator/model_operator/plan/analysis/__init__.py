"""Whether a candidate has earned more requests: from counts and numbers to a verdict."""
