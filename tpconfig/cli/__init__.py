"""The only place that prints: commands, options, and how everything looks."""
