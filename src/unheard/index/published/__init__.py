"""The published JSON format: read, written, and carried to and from a store."""
