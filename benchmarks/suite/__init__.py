"""What asv times: see asv.conf.json beside this folder."""
