"""A model file in, a callable out: one file per inference engine, MMDeploy for conversion. Knows no request and no data."""
