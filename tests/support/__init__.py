"""What the tests share: media, servers, services, topologies and ways to look at results."""
