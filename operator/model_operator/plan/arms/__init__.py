"""The main model and what runs beside it: variants, and the shadow."""
