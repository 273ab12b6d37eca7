"""The Textual front end: renders State, sends intents, holds no truth."""
