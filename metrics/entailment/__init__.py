"""Which sentences follow from which texts, by a model of natural language inference."""
