"""What can go wrong while a request is read; every message names the fact, every note the next step."""


class RequestError(Exception):
    """The text cannot become a configuration."""

    def __init__(self, fact: str, next_step: str) -> None:
        super().__init__(fact)
        self.add_note(next_step)


class EmptyRequestError(RequestError):
    """There is nothing to read."""


class RequestTooLongError(RequestError):
    """The text has more characters or words than can be read in one piece."""


class NotTextError(RequestError):
    """The text holds control or undecodable characters: it looks like a file, not like a sentence."""


class NoVisionRequestError(RequestError):
    """Nothing in the text asks for a model that looks at pictures."""


class NoObjectsError(RequestError):
    """Neither a class nor a data set is named, so nothing says what the model should tell apart."""


class ConflictError(RequestError):
    """The text states two different values for one constraint."""


class ModelFileError(Exception):
    """The language model cannot be used: file missing, not a GGUF, or made for another prompt language."""

    def __init__(self, fact: str, next_step: str) -> None:
        super().__init__(fact)
        self.add_note(next_step)


class GrammarError(Exception):
    """A grammar that llama.cpp must never see: it would end the process."""
