"""Every error that the zoo raises on purpose: one base class, one subclass per kind."""

from __future__ import annotations


class ZooError(Exception):
    """What the user can act on: `message` says what was wrong and where, `fix` names the command that mends it."""

    def __init__(self, message: str, fix: str = "") -> None:
        """Keep both; the fix may be empty."""
        super().__init__(message, fix)
        self.message = message
        self.fix = fix

    def __str__(self) -> str:
        """The message, and the fix in parentheses."""
        return f"{self.message} ({self.fix})" if self.fix else self.message


class UsageError(ZooError):
    """The command or the call was written wrongly: a malformed reference, an unknown setting."""


class NameNotFoundError(ZooError, LookupError):
    """Nothing in the zoo has this name."""


class AmbiguousNameError(ZooError, LookupError):
    """A bare name that several plugins provide; the message lists the candidates."""


class PluginError(ZooError):
    """A plugin cannot be loaded, or registers something that it may not."""


class NotInstalledError(ZooError):
    """The plugin is known to the registry but not installed."""


class IncompatibleError(ZooError):
    """The plugin is installed but made for another version of the core."""


class ManifestError(ZooError):
    """A zoo-plugin.toml that cannot be read, or is stale."""


class RegistryError(ZooError):
    """A registry.toml that cannot be read, or is stale."""


class ConfigError(ZooError):
    """The user's config.toml cannot be read or written."""


class LockError(ZooError):
    """A lock file that cannot be read."""


class InstallError(ZooError):
    """A plugin could not be installed or removed."""


class PresetError(ZooError):
    """A preset's config.json or run.json is malformed, or its arguments do not fit the model."""


class IntegrityError(ZooError):
    """A file's size or sha256 is not what the manifest records."""


class WeightsError(ZooError):
    """Tensors are missing, left over, malformed, or of the wrong shape or dtype."""


class DownloadError(ZooError):
    """A download failed."""


class OfflineError(DownloadError):
    """Something has to be downloaded, but the network may not be used."""


class DiskError(DownloadError):
    """The disk has no room for a download, or cannot be written to."""


class PublishError(ZooError):
    """A preset could not be published."""


class BackendError(ZooError):
    """No Keras backend is installed, or the chosen one cannot do what was asked."""


class DataError(ZooError):
    """A data set is unknown, missing, malformed, or not the recorded one."""


class RecipeError(ZooError):
    """A training recipe or a run cannot go on."""


class TrainingInterrupted(RecipeError):
    """SIGINT or SIGTERM stopped a run; everything is saved."""


class EvaluationError(ZooError):
    """A measurement is not what run.json records."""
