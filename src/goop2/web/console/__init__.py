"""The owner's console: its application, its events, what each page asks (controls/), its files (static/)."""
