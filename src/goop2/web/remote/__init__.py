"""Other peers' sites and sessions as the own browser sees them."""
