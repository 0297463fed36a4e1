"""Stories, definitions, badge sets, bundles and media: how they are read, judged, kept and given out."""
