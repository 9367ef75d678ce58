"""Other language models: the named ones, where they lie, and how they are fetched."""
