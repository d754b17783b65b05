"""A trained model compressed, compiled and run, with the figures: `python -m ecf8.quickstart`."""
