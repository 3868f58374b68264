"""Parts of the metric `judge`: what is asked, how answers are read, what judges are biased by."""
