"""The ten steps from text to package. Each takes records and returns a record; none imports another."""
