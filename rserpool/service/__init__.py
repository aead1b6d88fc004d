"""The Twisted side: one Node per role, services, and what they show."""
