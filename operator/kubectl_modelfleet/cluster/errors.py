"""What can go wrong with an API server, in words for its user."""


class Failed(Exception):
    """It cannot be asked, or refuses. `hint` is what to do, and may be empty."""

    def __init__(self, says: str, hint: str = "") -> None:
        super().__init__(says)
        self.hint = hint


class Unreachable(Failed):
    """No answer, or one that says that it has to be asked again: it may come back."""


class Forbidden(Failed):
    """The user may not do this."""


class NotThere(Failed):
    """There is no such object. `knows_kind` is False where the whole API is missing."""

    def __init__(self, says: str, hint: str = "", knows_kind: bool = True) -> None:
        super().__init__(says, hint)
        self.knows_kind = knows_kind
