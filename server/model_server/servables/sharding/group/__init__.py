"""Members that serve together: how each loads its share, asks the others, and knows them."""
