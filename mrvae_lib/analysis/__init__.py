"""What a trained model knows: codes of whole sets, scores, traversals and figures."""
