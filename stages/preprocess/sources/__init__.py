"""From what the user names to the rows of files: paths, remote files, kinds of file, reading, bad rows."""
