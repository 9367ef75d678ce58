"""A model file in, a callable out: one file per engine, MMDeploy converts. Knows no request and no data."""
