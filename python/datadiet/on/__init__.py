"""Where trainings of the command run: ``datadiet … --on ray`` starts `datadiet.on.ray`."""
