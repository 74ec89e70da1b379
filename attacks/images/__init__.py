"""Thieves of image-to-image services, whose images carry the mark: they filter what the service answers."""
