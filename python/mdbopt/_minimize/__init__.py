"""`minimize`: what is around a search that it runs to the end."""
