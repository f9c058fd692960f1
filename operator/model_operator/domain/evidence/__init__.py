"""What is known of a candidate: counts, queries, and what was judged of them."""
