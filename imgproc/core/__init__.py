"""What every part uses: settings, errors, logs, texts for terminals, process helpers. Imports nothing of ours."""
