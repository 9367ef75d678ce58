"""Files that come from elsewhere: fetched over the network, kept in a store, carried in a bundle."""
