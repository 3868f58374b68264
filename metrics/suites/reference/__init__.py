"""Metrics as their reference packages compute them: what a suite's script is written from. Each
file has a function of its own name, called with samples and parameters; `# needs:` what to install.
"""
