"""How a member's questions get to other members, and their answers back."""
