"""The programs that peers run, each in an environment of its own: they import nothing of ours."""
