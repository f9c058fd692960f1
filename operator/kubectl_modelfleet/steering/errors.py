"""Why an order is not given."""


class Refused(Exception):
    """It would do nothing. `hint` is what to do instead, and may be empty."""

    def __init__(self, says: str, hint: str = "") -> None:
        super().__init__(says)
        self.hint = hint
