"""Keep records of declared kinds in several stores, with one truth each, and move the truth while writes go on."""
