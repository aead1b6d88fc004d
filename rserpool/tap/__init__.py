"""twistd subcommands: options and makeService."""
