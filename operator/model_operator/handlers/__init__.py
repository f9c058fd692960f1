"""What wakes a pass: watch events and timers."""
