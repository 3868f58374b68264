"""How a model is asked, and what of its reply is the answer: records in, conversations out."""
