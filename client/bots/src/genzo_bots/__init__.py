"""Chat bots of the Genzo image service: `genzo-bots discord --help`."""
