"""Runs over values of a penalty, each of which starts from what the ones before have learnt."""
