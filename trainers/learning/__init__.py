"""How trainers learn: everything that needs torch. Loaded inside a training process alone.

Dimensions, in comments and docstrings of all trainers:

    B  sequences of a batch; pairs are two sequences each
    N  sequences that are drawn or compared together: completions of a rollout, of all groups
    K  completions of one prompt
    S  tokens of a sequence: prompt and answer, padding included
    T  tokens of an answer or completion, each the action of a policy
    A  actions of a batch that are not padding, one after the other
    D  width of the hidden states
    V  size of the vocabulary
"""
