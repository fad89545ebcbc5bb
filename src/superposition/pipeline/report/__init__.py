"""The pages that show the results: the report, as a notebook and as one HTML page, and the explorer."""
