"""What can go wrong while a request is read; every message names the fact, every note the next step."""

from zoo.errors import ExplainedError
from zoo.supply.errors import FetchError


class RequestError(ExplainedError):
    """The text cannot become a configuration."""


class EmptyRequestError(RequestError):
    """There is nothing to read."""


class RequestTooLongError(RequestError):
    """The text has more characters or words than can be read in one piece."""


class NotTextError(RequestError):
    """The text holds control or undecodable characters: it looks like a file, not like a sentence."""


class NotEnglishError(RequestError):
    """The text is in another language than the one the readers know."""


class NoVisionRequestError(RequestError):
    """Nothing in the text asks for a model that looks at pictures."""


class NoObjectsError(RequestError):
    """Neither a class nor a data set is named, so nothing says what the model should tell apart."""


class UnfinishedAnswerError(RequestError):
    """The language model wrote on and on, or could not write a word of the request."""


class ModelFileError(ExplainedError):
    """The language model cannot be used: file missing, not a GGUF, or made for another prompt language."""


class GrammarError(Exception):
    """A grammar that llama.cpp must never see: it would end the process."""


class BatchFileError(ExplainedError):
    """A file of requests cannot be used: unreadable, not JSON lines, or without the answers that scoring needs."""


class UnknownModelError(FetchError):
    """What was named is neither a file nor a model that edge knows, or an address that cannot be pulled from."""
