"""Why a model pack cannot be served."""


class PackError(Exception):
    """The message says what is wrong and what to do, in a line or a few."""


class PackUnknown(PackError):
    """No model pack has this name. The message says which there are."""


class PackInvalid(PackError):
    """A pack file of the user's own, or the network it names, is not one that we can use."""


class TermsNotAccepted(PackError):
    """The networks of the pack come with terms that nobody here has accepted yet."""


class PrecisionUnusable(PackError):
    """The recogniser of the pack cannot compute as it should, or not on this machine."""
