"""Recipes: which training the parameters of a variant stand for."""
