"""Keep records of declared kinds in several stores, one truth each, and move the truth while writes go on."""
