"""Hot paths measured beside a reference: `python -m bench NAME`."""
