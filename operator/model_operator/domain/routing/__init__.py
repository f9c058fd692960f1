"""How requests find a revision: splits, headers, and the router of a namespace."""
