"""_diagnose – what can be told of an objective near a point, and the method that follows."""
