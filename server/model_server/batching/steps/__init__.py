"""Sequences of all requests, advanced together one step at a time; rows come and go at any step."""
