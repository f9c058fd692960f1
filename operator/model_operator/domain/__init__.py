"""Values and decisions of the operator; imports the standard library only."""
