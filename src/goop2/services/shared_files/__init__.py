"""Files that peers share in groups of type `files`: what is shared here, and transfers from others."""
