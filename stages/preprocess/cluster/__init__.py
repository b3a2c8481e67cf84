"""The same work shared out: what a worker does with a part of the log, and what the driver makes of the parts."""
