"""What can go wrong between a model file and a callable."""

from __future__ import annotations


class DeployError(Exception):
    """Base of this package's errors; notes name the next step."""


class EngineUnknown(DeployError):
    """No backend of that name is registered."""


class EngineMissing(DeployError):
    """The backend is known, but its runtime is not installed or finds no device."""


class ModelUnreadable(DeployError):
    """The file is not a model the backend can open."""


class PlacementRefused(DeployError):
    """The runtime put work on another device than the one asked for."""


class ConversionFailed(DeployError):
    """MMDeploy or the engine's own converter could not export the model."""
