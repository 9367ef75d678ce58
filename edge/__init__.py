"""edge: from one English request to a verified vision model for the device it runs on."""

__version__ = "0.1.0"
