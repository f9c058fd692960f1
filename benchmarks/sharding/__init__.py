"""What a model costs that is served by a group of servers, and what becomes of lost members."""
