"""From the log as read to histories: grouped by user, filtered, numbered, divided, written."""
