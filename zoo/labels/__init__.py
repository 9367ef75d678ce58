"""What the objects of a request mean among the classes of data sets, and the data sets cut down to them."""

from zoo.labels.matching import idle, joined, match
from zoo.labels.meaning import Found, Hit, Vocabulary, find
from zoo.labels.restrict import restrict
from zoo.labels.spelling import normalize

__all__ = ["Found", "Hit", "Vocabulary", "find", "idle", "joined", "match", "normalize", "restrict"]
