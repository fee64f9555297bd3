"""What a user can mend: each error is one line that names the thing, the value received and what is accepted."""


class MRVAEError(ValueError):
    """Any error of this library that its user can mend."""


class ConfigError(MRVAEError):
    """A configuration that cannot be used."""


class DataError(MRVAEError):
    """Images that cannot be had."""


class CheckpointError(MRVAEError):
    """A model or checkpoint that cannot be read or written."""


class TrainingError(MRVAEError):
    """A run that cannot go on."""


class ExportError(MRVAEError):
    """A model that the page cannot hold."""
