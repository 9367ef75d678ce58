"""Times callables on this hardware, each in a process of its own. Knows no model, no request and no data set."""
