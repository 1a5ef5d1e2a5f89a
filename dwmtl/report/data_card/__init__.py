"""The data card of a set: its content, how it was aligned and split, cautions, and a contact sheet of its faces."""
