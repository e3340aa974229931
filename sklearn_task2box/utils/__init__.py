"""Small tools that several folders use."""
