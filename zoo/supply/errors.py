"""What can go wrong while files are fetched, kept and carried; every note names the next step."""

from zoo.errors import ExplainedError


class FetchError(ExplainedError):
    """A file could not be fetched or found; what arrived of it so far is kept wherever it can be continued."""


class AddressError(FetchError):
    """What was given is no address that may be fetched from."""


class ServerError(FetchError):
    """The server cannot be reached, refuses, or stops answering."""


class UnreachableError(ServerError):
    """The server never answered: other files from there need not be tried."""


class WrongFileError(FetchError):
    """What the server sends is not the file that was asked for: another size, another hash, another kind of file."""


class FetchBusyError(FetchError):
    """Another process fetches the same file."""


class FetchDiskError(FetchError):
    """The disk is too small for the file, or cannot be written."""


class NotFetchedError(FetchError):
    """A file is asked for that is not in the store."""


class DamagedError(FetchError):
    """A file in the store, or its index, is not what it was when it came."""


class BundleError(ExplainedError):
    """A bundle cannot be used: cut short, damaged, or not made by edge."""
