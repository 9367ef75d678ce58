"""Vocabulary and cards: tasks, dataset formats, labels, models. Imports nothing of the floors above."""
