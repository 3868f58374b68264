"""`assay score`: a file of outputs, the same metrics, no server."""
