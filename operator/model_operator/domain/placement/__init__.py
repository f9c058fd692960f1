"""On what hardware pods may run: accelerators, their products, and what is free of them."""
