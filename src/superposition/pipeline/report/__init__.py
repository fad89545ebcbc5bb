"""The report, as a notebook and as one HTML page."""
