"""Kills the service's processes at random under load, and looks whether anything came of it."""
