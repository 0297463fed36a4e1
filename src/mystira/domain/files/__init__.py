"""Files as authors write them: read so that every complaint points at a line, written to be read.

Stories, lists of definitions, badge sets and the manifests of bundles all come in by this door. Bytes become
nodes that know where they stand (`reading`), nodes become values by declared forms (`forms`), and what is
wrong or unusual on the way becomes findings, all of them at once.
"""
